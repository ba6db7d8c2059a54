"""Chapters: the conversations of one customer, each as a line that says what it was, on which channels, and who closed it when."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.access import Actor, visible
from hub.sql import among, run
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
    values = {"customer": customer_id, "number": number, "last": last_message_id}
    rows = conn.execute(_silent(actor), values).all()
    used = _channels(conn, [row[0] for row in rows[:MOST]])
    found = [
        Chapter(row[0], row[1], row[2], row[3], used.get(row[0]) or (row[4],), *row[5:])
        for row in reversed(rows[:MOST])
    ]
    return Earlier(tuple(found), len(rows) > MOST)


@functools.lru_cache(1000)
def _silent(actor: Actor) -> sa.Select[*tuple[Any, ...]]:
    c = conversations.c
    return (
        sa.select(c.id, c.subject, c.preview, c.status, c.channel_id, _count(), c.created_at, c.closed_at, _closer())
        .where(
            c.customer_id == sa.bindparam("customer"),
            c.id != sa.bindparam("number"),
            c.last_message_id < sa.bindparam("last"),
            c.merged_into.is_(None),
            visible(actor),
        )
        .order_by(c.last_message_id.desc())
        .limit(MOST + 1)
    )


def heads(conn: Connection, ids: Sequence[int]) -> dict[int, Chapter]:
    """What conversations are about, for the headings between entries; by number."""
    if not ids:
        return {}
    rows = run(conn, _heads, ids=list(ids)).all()
    return {row[0]: Chapter(row[0], row[1], row[2], row[3], (row[4],)) for row in rows}


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


_c, _p = conversations.c, participants.c
_heads = sa.select(_c.id, _c.subject, _c.preview, _c.status, _c.channel_id).where(among(_c.id, "ids"))
_pairs = sa.select(_p.conversation_id, _p.channel_id).where(among(_p.conversation_id, "ids")).distinct()


def _channels(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for number, channel in sorted((row[0], row[1]) for row in run(conn, _pairs, ids=list(ids)).all()):
        found[number] = (*found.get(number, ()), channel)
    return found
