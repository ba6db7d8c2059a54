"""What people are doing: available, busy, away, offline. Chosen by themselves, busy while on a call, offline when nobody sees them.

Routing reads the same rows in its own transaction, so a change counts from the next contact on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events
from hub.clock import now
from hub.events import NewEvent
from hub.sql import among, is_postgres
from hub.tables import presence

State = Literal["available", "busy", "away", "offline"]

#: Whoever has not been seen for so long is offline (ms).
SEEN = 90_000
#: How often it is written down that somebody is here, and for how long they still count after the last page was closed (ms).
REFRESH, GRACE = 20_000, 30_000


#: How exactly it is known since when somebody has been idle (ms).
ACTED = 10_000


class Presence(Struct, frozen=True):
    """What somebody is doing; ``chosen`` is their own word, ``state`` what counts. Moments in ms, 0: never."""

    employee_id: int
    state: str
    chosen: str
    calls: int = 0
    seen_at: int = 0
    assigned_at: int = 0
    active_at: int = 0


def state_of(chosen: str | None, calls: int | None, seen_at: int | None, at: int) -> str:
    """On a call: busy, whatever was chosen. Not seen for a while: offline. Nothing chosen: available."""
    if calls:
        return "busy"
    return chosen or "available" if (seen_at or 0) > at - SEEN else "offline"


def everybody(conn: Connection) -> dict[int, Presence]:
    """What everybody is doing; who is missing has never been here."""
    at = now()
    return {row.employee_id: _presence(row, at) for row in conn.execute(sa.select(presence))}


def one(conn: Connection, employee_id: int) -> Presence:
    """What somebody is doing."""
    row = conn.execute(sa.select(presence).where(presence.c.employee_id == employee_id)).first()
    return _presence(row, now()) if row else Presence(employee_id, "offline", "")


def _presence(row: Any, at: int) -> Presence:
    state = state_of(row.state, row.calls, row.seen_at, at)
    return Presence(row.employee_id, state, row.state, row.calls, row.seen_at, row.assigned_at, row.active_at)


_choose = sa.text(
    "INSERT INTO presence (employee_id, state, seen_at) VALUES (:employee, :state, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET state = :state,"
    " seen_at = CASE WHEN presence.seen_at < :at THEN :at ELSE presence.seen_at END"
)
_see = sa.text(
    "INSERT INTO presence (employee_id, seen_at) VALUES (:employee, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET seen_at = :at WHERE presence.seen_at < :at"
)
_call = sa.text(
    "INSERT INTO presence (employee_id, calls, active_at) VALUES (:employee, :first, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET active_at = :at,"
    " calls = CASE WHEN presence.calls + :step < 0 THEN 0 ELSE presence.calls + :step END"
)
_act = sa.text(
    "INSERT INTO presence (employee_id, active_at) VALUES (:employee, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET active_at = :at"
)


def choose(conn: Connection, employee_id: int, state: str, *, here: bool = True) -> None:
    """Somebody says what they are doing; ``here``: they say it themselves, which shows that they are here.

    Raises ValueError for an unknown state.
    """
    if state not in get_args(State):
        raise ValueError(f"There is no presence “{state}”. There are: {', '.join(get_args(State))}.")
    before = one(conn, employee_id).state
    conn.execute(_choose, {"employee": employee_id, "state": state, "at": now() if here else 0})
    _tell(conn, {employee_id: before})


def seen(conn: Connection, here: Sequence[int], left: Sequence[int] = ()) -> None:
    """These have the hub open; those have closed it and count as here for `GRACE` more, in case they look by another process."""
    at = now()
    before = {number: found.state for number, found in everybody(conn).items()}
    _hold(conn, {*here, *left})
    if here:
        conn.execute(_see, [{"employee": number, "at": at} for number in sorted(here)])
    if left:
        statement = sa.update(presence).where(among(presence.c.employee_id, sorted(left)))
        conn.execute(statement.values(seen_at=at - SEEN + GRACE))
    _tell(conn, {number: before.get(number, "offline") for number in here})


def _hold(conn: Connection, people: Iterable[int]) -> None:
    """Hold their rows in one order: two processes that tell of each other's people must not wait in a circle."""
    if is_postgres(conn):
        p = presence.c.employee_id
        conn.execute(sa.select(p).where(among(p, sorted(people))).order_by(p).with_for_update()).all()


def call(conn: Connection, employee_id: int, *, begins: bool) -> None:
    """A call began or ended: as long as one lasts they are busy."""
    before = one(conn, employee_id).state
    step = 1 if begins else -1
    conn.execute(_call, {"employee": employee_id, "first": max(step, 0), "step": step, "at": now()})
    _tell(conn, {employee_id: before})


def acted(conn: Connection, employee_id: int) -> None:
    """They just finished something: from now on they are idle.

    Written at most every `ACTED`: the row is locked to the commit, and whoever answers much would wait for themselves.
    """
    last = conn.execute(sa.select(presence.c.active_at).where(presence.c.employee_id == employee_id)).scalar() or 0
    if last > now() - ACTED:
        return
    conn.execute(_act, {"employee": employee_id, "at": now()})


def _tell(conn: Connection, before: dict[int, str]) -> None:
    if not before:
        return
    after = everybody(conn)
    events.append(
        conn,
        [
            NewEvent("presence.changed", actor_id=number, data={"employee": str(number), "state": after[number].state})
            for number, state in sorted(before.items())
            if after[number].state != state
        ],
    )
