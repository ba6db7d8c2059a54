"""Chapters: the conversations of one customer, each as a line that says what it was, on which channels, and who closed it when."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.access import Actor, visible
from hub.sql import among
from hub.tables import conversations, events, messages, participants

#: Chapters folded above a conversation, and messages of one that are counted.
MOST, COUNTED = 5, 100


class Chapter(Struct, frozen=True):
    """A conversation as a chapter. ``count`` is of its messages, `COUNTED` at most; ``closed_by`` is an employee's id, None: nobody
    did, or it is not closed.
    """

    id: int
    subject: str
    preview: str
    status: str
    channels: tuple[int, ...]
    count: int = 0
    began_at: int = 0
    closed_at: int | None = None
    closed_by: int | None = None


class Earlier(Struct, frozen=True):
    """The chapters before a conversation, oldest first; ``more``: there are further ones above."""

    chapters: tuple[Chapter, ...] = ()
    more: bool = False


def earlier(conn: Connection, actor: Actor, customer_id: int, number: int, last_message_id: int) -> Earlier:
    """The customer's conversations that the actor may see and that were silent before this one was."""
    c = conversations.c
    statement = (
        sa.select(c.id, c.subject, c.preview, c.status, c.channel_id, _count(), c.created_at, c.closed_at, _closer())
        .where(
            c.customer_id == customer_id,
            c.id != number,
            c.last_message_id < last_message_id,
            c.merged_into.is_(None),
            visible(actor),
        )
        .order_by(c.last_message_id.desc())
        .limit(MOST + 1)
    )
    rows = conn.execute(statement).all()
    used = _channels(conn, [row[0] for row in rows[:MOST]])
    found = [
        Chapter(row[0], row[1], row[2], row[3], used.get(row[0]) or (row[4],), *row[5:])
        for row in reversed(rows[:MOST])
    ]
    return Earlier(tuple(found), len(rows) > MOST)


def heads(conn: Connection, ids: Sequence[int]) -> dict[int, Chapter]:
    """What conversations are about, for the headings between entries; by number."""
    if not ids:
        return {}
    c = conversations.c
    statement = sa.select(c.id, c.subject, c.preview, c.status, c.channel_id).where(among(c.id, ids))
    return {row[0]: Chapter(*row[:4], (row[4],)) for row in conn.execute(statement)}


def _count() -> sa.ScalarSelect[int]:
    """How many messages a conversation has, without counting further than `COUNTED`."""
    some = (
        sa.select(messages.c.id)
        .where(messages.c.conversation_id == conversations.c.id)
        .correlate(conversations)
        .limit(COUNTED)
        .subquery()
    )
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def _closer() -> sa.ScalarSelect[int | None]:
    """Who last changed the status of a closed conversation: that was closing it."""
    e, c = events.c, conversations.c
    return (
        sa.select(e.actor_id)
        .where(e.conversation_id == c.id, e.shown, e.kind == "conversation.status", c.closed_at.is_not(None))
        .correlate(conversations)
        .order_by(e.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _channels(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    p = participants.c
    pairs = sa.select(p.conversation_id, p.channel_id).where(among(p.conversation_id, ids)).distinct()
    found: dict[int, tuple[int, ...]] = {}
    for number, channel in sorted((row[0], row[1]) for row in conn.execute(pairs)):
        found[number] = (*found.get(number, ()), channel)
    return found
