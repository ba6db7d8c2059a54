"""Presence: what people are doing now."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, presence
from hub.access import Actor, Forbidden
from hub.api.wire import Call, Page, route
from hub.clock import rfc3339
from hub.outbox import NotFound
from hub.presence import State


class Presence(Struct, frozen=True):
    """``chosen`` is their own word (empty: none), ``state`` what counts: busy on a call, offline when not ``seen_at`` for a while."""

    employee: str
    state: str
    chosen: str
    calls: int
    seen_at: str | None


class NewPresence(Struct, forbid_unknown_fields=True):
    """What somebody is doing."""

    state: State


def _shape(found: presence.Presence) -> Presence:
    seen = rfc3339(found.seen_at or None)
    return Presence(str(found.employee_id), found.state, found.chosen, found.calls, seen)


def _all(conn: Connection) -> list[Presence]:
    known = presence.everybody(conn)
    active = [row.id for row in accounts.all_employees(conn) if row.disabled_at is None]
    return [_shape(known.get(number) or presence.Presence(number, "offline", "")) for number in active]


@route("GET", "/presence")
async def list_presence(call: Call) -> Page[Presence]:
    """Everybody who works here."""
    return Page(await call.read(_all))


@route("PUT", "/employees/{id}/presence")
async def set_presence(call: Call, id: int, body: NewPresence) -> Presence:
    """Say what one is doing; supervisors and administrators say it for others too. Without the hub open it counts for 90 seconds."""
    return _shape(await call.write(_choose, call.actor, id, body.state))


def _choose(conn: Connection, actor: Actor, number: int, state: State) -> presence.Presence:
    if accounts.actor(conn, number) is None:
        raise NotFound
    if number != actor.id and not actor.sees_all:
        raise Forbidden("What you are doing you say yourself; of others a supervisor or administrator says it.")
    presence.choose(conn, number, state, here=number == actor.id)
    return presence.one(conn, number)
