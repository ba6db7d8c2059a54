"""“Reply via”: by which channels and to which of their addresses a customer can be answered, in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hub import ways as core
from hub.continuity import PATIENCE
from hub.web.parts import LOOKS, OTHER, bare
from hub.web.when import When


class Choice(Struct, frozen=True):
    """One line of the list. ``key`` names channel and address in a form; ``said`` is what is known of it; ``until`` the end of its
    window (ms, 0: none); ``blocked``: not now; ``limited``: only templates now.
    """

    id: int
    icon: str
    colour: str
    name: str
    address: str
    said: str
    blocked: bool
    until: int
    subject: bool
    cc: bool
    file_bytes: int
    ill: bool
    key: str
    who: str
    limited: bool
    templates: bool
    segments: int
    types: str


def ways(found: Sequence[core.Way], when: When, later: frozenset[str] = frozenset()) -> list[Choice]:
    """The ways as the composer offers them; ``later``: keys of those whose visitor is away and gets a mail after a while."""
    return [
        Choice(
            way.id,
            *LOOKS.get(way.kind, OTHER),
            way.name,
            bare(way.address),
            _said(way, when, way.key in later),
            bool(way.why),
            0 if way.why or way.limited else way.until or 0,
            way.traits.subject,
            way.traits.cc,
            way.traits.max_file_bytes,
            bool(way.trouble),
            way.key,
            way.who,
            way.limited,
            way.traits.templates,
            way.traits.segments,
            " ".join(way.traits.file_types),
        )
        for way in found
        if way.why != "receives only"
    ]


def _said(way: core.Way, when: When, later: bool) -> str:
    words, hours = when.words, way.traits.window_hours
    match way.why:
        case "opted out":
            return words.text("Opted out on {date}", date=when.on(way.out_at))
        case "no address":
            return words.text("No address")
        case "closed":
            return words.plural(
                "Free text only within {n} hour of the customer's last message",
                "Free text only within {n} hours of the customer's last message",
                hours,
            )
        case "never wrote":
            return words.text("Only once the customer has written here")
    if way.limited:
        if not way.last_at:
            return words.text("Templates only: the customer has not written here yet")
        return words.plural(
            "Templates only: the customer's last message is more than {n} hour old",
            "Templates only: the customer's last message is more than {n} hours old",
            hours,
        )
    if way.trouble:
        return words.text("Disturbed since {time}", time=when.full(way.trouble_since or 0))
    if later:
        return words.text("Offline: goes by e-mail after {n} min", n=PATIENCE // 60_000)
    if way.last_at:
        return words.text("Last message {time}", time=when.short(way.last_at))
    return ""
