"""Conversations that belong together without being one: each shows the other. A link is one row, the smaller number first."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, events
from hub.access import Actor, access_conversation, require, visible
from hub.clock import now
from hub.events import NewEvent
from hub.outbox import CannotSend, NotFound
from hub.sql import insert_into
from hub.tables import conversations as table
from hub.tables import links

#: Links of one conversation that are shown, and that there may be.
MOST = 20

_l = links.c


def link(conn: Connection, actor: Actor, conversation_id: int, other_id: int) -> bool:
    """Link two conversations; False when they are. Raises `NotFound`, `CannotSend`, `access.Forbidden`."""
    low, high = _both(conn, actor, conversation_id, other_id)
    # whoever links one of them at the same moment counts after this
    conversations.lock_for(conn, [low, high], [], [], 0)
    if conn.execute(_pair(low, high)).first() is not None:
        return False
    if any(_count(conn, number) >= MOST for number in (low, high)):
        raise CannotSend(f"A conversation is linked with {MOST} others at most.")
    row = (low, high, actor.id, now())
    insert_into(conn, "links", ("conversation_id", "other_id", "employee_id", "at"), [row], known="ignored")
    _tell(conn, actor, "conversation.linked", low, high)
    return True


def unlink(conn: Connection, actor: Actor, conversation_id: int, other_id: int) -> bool:
    """They are not linked any more; False when they were not. Raises as `link`."""
    low, high = _both(conn, actor, conversation_id, other_id)
    gone = conn.execute(sa.delete(links).where(_l.conversation_id == low, _l.other_id == high)).rowcount
    if gone:
        _tell(conn, actor, "conversation.unlinked", low, high)
    return bool(gone)


def linked(conn: Connection, actor: Actor, conversation_id: int) -> list[int]:
    """The conversations it is linked with, as far as the actor may see them, the oldest first."""
    c = table.c
    there = sa.select(c.id).where(c.id.in_(_others(conversation_id)), visible(actor)).order_by(c.id).limit(MOST)
    return list(conn.execute(there).scalars())


def _both(conn: Connection, actor: Actor, one: int, other: int) -> tuple[int, int]:
    require(actor, "assign")
    if access_conversation(conn, actor, one) is None:
        raise NotFound
    if one == other or access_conversation(conn, actor, other) is None:
        raise CannotSend("There is no other conversation with this number.")
    return min(one, other), max(one, other)


def _pair(low: int, high: int) -> sa.Select[int]:
    return sa.select(_l.at).where(_l.conversation_id == low, _l.other_id == high)


def _others(conversation_id: int) -> sa.CompoundSelect[int]:
    below = sa.select(_l.conversation_id).where(_l.other_id == conversation_id)
    return sa.union_all(below, sa.select(_l.other_id).where(_l.conversation_id == conversation_id))


def _count(conn: Connection, conversation_id: int) -> int:
    there = _others(conversation_id).subquery()
    return conn.execute(sa.select(sa.func.count()).select_from(there)).scalar_one()


def _tell(conn: Connection, actor: Actor, kind: str, low: int, high: int) -> None:
    """Both timelines say so."""
    told = []
    for here, there in ((low, high), (high, low)):
        row = access_conversation(conn, actor, here)
        customer = row.customer_id if row is not None else None
        told.append(NewEvent(kind, here, customer, actor_id=actor.id, data={"other": str(there)}))
    events.append(conn, told)
