"""A stretch of a timeline, of one conversation or of a customer's whole history, with all that is shown around its entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import caring, chapters, looking, timeline
from hub.access import Actor
from hub.caring import Todo
from hub.chapters import Chapter
from hub.looking import History
from hub.sql import among
from hub.tables import messages
from hub.timeline import Item

#: Entries of a timeline on its first page, of a page that is loaded to it, and what a screen that missed some may fetch at once.
ENTRIES, PAGE, CATCH_UP = 30, 50, 100
#: Characters of a message that is quoted above its answer.
QUOTED = 160
_END = 2**62


class Look(Struct, frozen=True):
    """Which part of a timeline: the newest, what stands ``before`` or ``after`` an entry, or around an ``item``. ``history``: of the
    conversation alone ("one") or of all of the customer's ("all"); "" as the reader last wanted it.
    """

    before: int = 0
    after: int = 0
    item: int = 0
    history: History | str = ""


class Quote(Struct, frozen=True):
    """What a message answers: who said it (an employee's id, else a name) and how it begins."""

    author_id: int | None
    name: str
    text: str


class Extras(Struct, frozen=True):
    """What stands around the entries: heights of mails, senders whose pictures are shown, quoted messages, conversations' heads, tasks
    as they stand now.
    """

    heights: Mapping[int, int] = {}
    senders: frozenset[str] = frozenset()
    quotes: Mapping[int, Quote] = {}
    heads: Mapping[int, Chapter] = {}
    todos: Mapping[int, Todo] = {}


class Timeline(Struct, frozen=True):
    """A stretch of a timeline. ``before`` is the item that stands before it; ``older`` and ``newer`` say whether there is more."""

    items: list[Item]
    before: Item | None
    older: bool
    newer: bool = False
    extras: Extras = Extras()


#: (before, after, most) → items, oldest first.
Source = Callable[[int, int, int], list[Item]]


def of_conversation(conn: Connection, number: int) -> Source:
    """Where the entries of one conversation come from."""
    return lambda before, after, most: timeline.of_conversation(conn, number, before=before, after=after, most=most)


def of_customer(conn: Connection, actor: Actor, customer_id: int) -> Source:
    """Where all entries of a customer come from that the actor may see."""
    return lambda before, after, most: timeline.of_customer(
        conn, actor, customer_id, before=before, after=after, most=most
    )


def stretch(conn: Connection, actor: Actor, source: Source, look: Look) -> Timeline:
    """The part of a timeline that is asked for."""
    if look.item:
        found = _around(source, look.item)
    elif look.after:
        following = source(_END, look.after, PAGE + 1)
        found = Timeline(following[:PAGE], _last(source, look.after + 1), False, len(following) > PAGE)
    elif look.before:
        found = _above(source(look.before, 0, PAGE + 1), PAGE)
    else:
        found = _above(source(_END, 0, ENTRIES + 1), ENTRIES)
    return with_extras(conn, actor, found)


def _above(items: list[Item], most: int) -> Timeline:
    older = len(items) > most
    return Timeline(items[1:] if older else items, items[0] if older else None, older)


def _around(source: Source, item: int) -> Timeline:
    half = ENTRIES // 2
    above, below = _above(source(item + 1, 0, half + 1), half), source(_END, item, half + 1)
    if (
        not above.items or above.items[-1].id != item or len(below) <= half
    ):  # it is none of these, or stands near the end
        return _above(source(_END, 0, ENTRIES + 1), ENTRIES)
    return Timeline([*above.items, *below[:half]], above.before, above.older, len(below) > half)


def _last(source: Source, before: int) -> Item | None:
    found = source(before, 0, 1)
    return found[0] if found else None


def with_extras(conn: Connection, actor: Actor, found: Timeline) -> Timeline:
    """The stretch with what is shown around its entries. At most five statements."""
    said = [i.message for i in found.items if i.message]
    designed = [m for m in said if m.html]
    remote = [m.sender for m in designed if m.direction == "in" and "data-remote-src" in m.html]
    answered = [m.reply_to_id for m in said if m.reply_to_id and m.kind == "text"]
    homes = {i.event.conversation_id for i in found.items if i.event.conversation_id}
    extras = Extras(
        looking.heights_of(conn, [m.id for m in designed]) if designed else {},
        looking.shown_senders(conn, actor, remote),
        _quotes(conn, answered, sorted(homes)) if answered else {},
        chapters.heads(conn, sorted(homes)),
        caring.some_todos(
            conn, [int(i.event.data.get("task", 0)) for i in found.items if i.event.kind == "customer.task"]
        ),
    )
    return Timeline(found.items, found.before, found.older, found.newer, extras)


def _quotes(conn: Connection, ids: list[int], homes: list[int]) -> dict[int, Quote]:
    """The beginnings of messages, if they are of these conversations."""
    m = messages.c
    text = sa.case((m.visible_text != "", m.visible_text), else_=m.text)
    statement = sa.select(m.id, m.author_id, m.sender_name, sa.func.substr(text, 1, QUOTED)).where(
        among(m.id, ids), among(m.conversation_id, homes), m.direction != "withdrawn"
    )
    return {row[0]: Quote(*row[1:]) for row in conn.execute(statement)}
