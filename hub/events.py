"""The one spine: everything that happened, written in the transaction that made it happen, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.sql import allocate, insert_rows, run
from hub.tables import events

#: What can happen. `shown` ones are entries of the timeline.
SHOWN = frozenset(
    {
        "message.received",
        "message.sent",
        "note.added",
        "conversation.created",
        "conversation.assigned",
        "conversation.status",
        "conversation.tagged",
        "conversation.priority",
        "conversation.related",
        "conversation.linked",
        "conversation.unlinked",
        "conversation.merged",
        "conversation.unmerged",
        "conversation.split",
        "conversation.moved",
        "conversation.customer",
        "conversation.rated",
        "customer.merged",
        "customer.task",
        "customer.task_done",
        "customer.task_open",
        "customer.consent",
        "customer.unmerged",
        "sla.warned",
        "sla.breached",
    }
)


class Event(Struct, frozen=True):
    """One thing that happened. ``data`` holds what the kind needs to be told in words."""

    id: int
    at: int
    kind: str
    conversation_id: int | None
    customer_id: int | None
    message_id: int | None
    channel_id: int | None
    actor_id: int | None
    data: dict[str, Any]


class NewEvent(Struct):
    """An event about to be written."""

    kind: str
    conversation_id: int | None = None
    customer_id: int | None = None
    message_id: int | None = None
    channel_id: int | None = None
    actor_id: int | None = None
    data: dict[str, Any] = {}
    at: int = 0
    id: int = 0


_encode = msgspec.json.Encoder().encode


def append(conn: Connection, news: Sequence[NewEvent]) -> int:
    """Write the events in this order; the last id (0 for none). Those without an id get one (see `sql.allocate`)."""
    fresh = [e for e in news if not e.id]
    for new, number in zip(fresh, allocate(conn, "ids", len(fresh)), strict=True):
        new.id = number
    moment = now()
    insert_rows(
        conn,
        events,
        [
            {
                "id": e.id,
                "at": e.at or moment,
                "kind": e.kind,
                "conversation_id": e.conversation_id,
                "customer_id": e.customer_id,
                "message_id": e.message_id,
                "channel_id": e.channel_id,
                "actor_id": e.actor_id,
                "shown": e.kind in SHOWN,
                "data": _encode(e.data).decode() if e.data else "",
            }
            for e in news
        ],
    )
    return max((e.id for e in news), default=0)


COLUMNS = (
    events.c.id,
    events.c.at,
    events.c.kind,
    events.c.conversation_id,
    events.c.customer_id,
    events.c.message_id,
    events.c.channel_id,
    events.c.actor_id,
    events.c.data,
)
_after = (
    sa.select(*COLUMNS).where(events.c.id > sa.bindparam("after")).order_by(events.c.id).limit(sa.bindparam("most"))
)


def after(conn: Connection, cursor: int, most: int = 500) -> list[Event]:
    """The next events after ``cursor``, oldest first."""
    return [from_row(row) for row in run(conn, _after, after=cursor, most=most).all()]


_latest = sa.select(sa.func.max(events.c.id))


def latest(conn: Connection) -> int:
    """The id of the newest event, 0 when there is none."""
    return run(conn, _latest).scalar() or 0


def from_row(row: Any) -> Event:
    """An `Event` from a row of `COLUMNS`."""
    data = msgspec.json.decode(row[8]) if row[8] else {}
    return Event(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], data)
