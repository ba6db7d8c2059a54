"""What narrows a list, as chips that can be taken away one by one, and its orders in words. Templates call these."""

from __future__ import annotations

from msgspec import Struct

from hub.query import Hint, parse
from hub.web.parts import Parts
from hub.web.places import WAITS, Place
from hub.web.reads import Listed


class Chip(Struct, frozen=True):
    """One thing that narrows the list: its words, its colour, and the list's address without it."""

    words: str
    away: str
    tone: str = ""


def chips(place: Place, listed: Listed, p: Parts) -> list[Chip]:
    """Everything that narrows the list."""
    _, found = p.words.text, []

    def add(words: str, key: str, tone: str = "") -> None:
        found.append(Chip(words, place.url(**{key: ""}), tone))

    query = parse(place.q)
    for n, term in enumerate(query.terms):
        found.append(Chip(term.text, place.url(q=query.without(n))))
    if place.due:
        late = place.due == "late"
        add(_("Reply overdue") if late else _("Reply due within the hour"), "due", "bad" if late else "warn")
    if place.waited:
        add(_("Waiting over {time}", time=p.when.span(place.waited * 60_000)), "waited")
    if place.unread:
        add(_("Unread"), "unread")
    if place.since:
        add(_("begun since {time}", time=p.when.full(place.since)), "since")
    if place.channel:
        add(_("Channel: {name}", name=listed.channel or "?"), "channel")
    if place.team:
        add(_("Team: {name}", name=dict(listed.choices.teams).get(place.team, "?")), "team")
    if place.who:
        who = {"none": _("Nobody has it"), "me": _("Mine")}.get(place.who)
        add(who or _("Assigned to {name}", name=listed.person or "?"), "who")
    if place.tag:
        add(_("Tag: {tag}", tag=place.tag), "tag")
    return found


def orders(p: Parts) -> list[tuple[str, str]]:
    """The orders a list can have, each with its words."""
    _ = p.words.text
    return [
        ("waiting", _("Longest waiting first")),
        ("newest", _("Newest first")),
        ("due", _("Reply due soonest first")),
        ("priority", _("Most urgent first")),
    ]


def waits(p: Parts) -> list[tuple[int, str]]:
    """The times that somebody may have waited, for the filter."""
    return [(minutes, p.words.text("over {time}", time=p.when.span(minutes * 60_000))) for minutes in WAITS]


def kept(place: Place) -> list[tuple[str, str]]:
    """What a filter form sends along unseen, so that it changes nothing else."""
    said = place.said()
    return [(key, said[key]) for key in ("status", "sort", "q", "since") if said[key]]


def told(hint: Hint, p: Parts) -> str:
    """A hint about a search, in words."""
    _, value = p.words.text, hint.value
    match hint.code:
        case "unknown":
            return _("There is no operator “{word}:”; it was searched as text.", word=value)
        case "empty":
            return _("After “{word}:” something is missing.", word=value)
        case "date":
            return _("“{word}” is no day; write it like 2026-03-01.", word=value)
        case "state":
            return _("Nothing is “{word}”; it was searched as text. Try is:open, is:unread or is:mine.", word=value)
        case "thing":
            return _("One cannot search for “has:{word}”; it was searched as text. Try has:attachment.", word=value)
        case "channel":
            return _("There is no channel “{word}”.", word=value)
        case "team":
            return _("There is no team “{word}”.", word=value)
        case "assignee":
            return _("Nobody here is called “{word}”.", word=value)
        case "sender":
            return _("Nobody who wrote is called “{word}”.", word=value)
        case "many":
            return _("Many customers are meant; the first {n} were searched.", n=value)
    return _("Two states contradict each other; “is:{word}” counts.", word=value)
