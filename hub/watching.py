"""Watching: somebody hears of a conversation that is not theirs. Of one that was merged, where it goes on."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.access import Actor, access_conversation
from hub.clock import now
from hub.outbox import NotFound
from hub.sql import among, insert_into, run
from hub.tables import conversations, mentions, watchers

_w, _c, _m = watchers.c, conversations.c, mentions.c


def watch(conn: Connection, actor: Actor, conversation_id: int, *, on: bool) -> None:
    """They want to hear of it, or not any more. Raises `NotFound`."""
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    if on:
        row = (conversation_id, actor.id, now())
        insert_into(conn, "watchers", ("conversation_id", "employee_id", "at"), [row], known="ignored")
        return
    conn.execute(sa.delete(watchers).where(_of([conversation_id]), _w.employee_id == actor.id))


def is_watching(conn: Connection, actor: Actor, conversation_id: int) -> bool:
    """Does the actor watch it, or one that was merged into it?"""
    return run(conn, _mine, ids=[conversation_id], employee=actor.id).first() is not None


def of_conversations(conn: Connection, ids: Sequence[int]) -> dict[int, dict[int, bool]]:
    """Who watches these conversations: by conversation, each with whether a colleague mentioned them in it. One statement."""
    if not ids:
        return {}
    home = sa.func.coalesce(_c.merged_into, _c.id)
    asked = sa.select(_m.message_id).where(_m.conversation_id == home, _m.employee_id == _w.employee_id).exists()
    statement = sa.select(home, _w.employee_id, asked).join(conversations, _c.id == _w.conversation_id).where(_of(ids))
    found: dict[int, dict[int, bool]] = {}
    for number, employee, mentioned in conn.execute(statement):
        found.setdefault(number, {})[employee] = bool(mentioned)
    return found


def _of(ids: Sequence[int] | str) -> sa.ColumnElement[bool]:
    wanted = ids if isinstance(ids, str) else list(ids)
    named = sa.select(_c.id).where(among(_c.id, wanted))
    merged = sa.select(_c.id).where(_c.merged_into.is_not(None), among(_c.merged_into, wanted))
    return _w.conversation_id.in_(sa.union_all(named, merged))


_mine = sa.select(_w.at).where(_of("ids"), _w.employee_id == sa.bindparam("employee")).limit(1)
