"""“Reply via”: by which channels a customer can be answered, in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hub import ways as core
from hub.web.parts import LOOKS, OTHER, bare
from hub.web.when import When


class Choice(Struct, frozen=True):
    """One line of the list. ``said`` is what is known of it; ``until`` the end of its window (ms, 0: none); ``blocked``: not now."""

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


def ways(found: Sequence[core.Way], when: When) -> list[Choice]:
    """The channels as the composer offers them."""
    return [
        Choice(
            way.id,
            *LOOKS.get(way.kind, OTHER),
            way.name,
            bare(way.address),
            _said(way, when),
            bool(way.why),
            0 if way.why else way.until or 0,
            way.traits.subject,
            way.traits.cc,
            way.traits.max_file_bytes,
            bool(way.trouble),
        )
        for way in found
        if way.why != "receives only"
    ]


def _said(way: core.Way, when: When) -> str:
    words, hours = when.words, way.traits.window_hours
    match way.why:
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
    if way.trouble:
        return words.text("Disturbed since {time}", time=when.full(way.trouble_since or 0))
    if way.last_at:
        return words.text("Last message {time}", time=when.short(way.last_at))
    return ""
