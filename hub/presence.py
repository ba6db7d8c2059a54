"""What people are doing: available, busy, away, offline. Chosen by themselves, busy while on a call, away when they have not moved for
a while in front of their screen, offline when nobody sees them.

Routing reads the same rows in its own transaction, so a change counts from the next contact on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


#: Whoever is available and has not moved for so long is away (ms), and how exactly that is known.
IDLE, MOVED = 600_000, 30_000

#: How exactly it is known since when somebody has been idle (ms).
ACTED = 10_000


class Presence(Struct, frozen=True):
    """What somebody is doing; ``chosen`` is their own word, ``state`` what counts. Moments in ms, 0: never; ``moved_at`` is negative
    when it was told that they have not moved since.
    """

    employee_id: int
    state: str
    chosen: str
    calls: int = 0
    seen_at: int = 0
    assigned_at: int = 0
    active_at: int = 0
    moved_at: int = 0


def state_of(chosen: str | None, calls: int | None, seen_at: int | None, at: int, moved_at: int | None = 0) -> str:
    """On a call: busy, whatever was chosen. Not seen for a while: offline. Nothing chosen: available, or away when idle.

    Whose screen never said that they moved (``moved_at`` 0) is not idle.
    """
    if calls:
        return "busy"
    if (seen_at or 0) <= at - SEEN:
        return "offline"
    said = chosen or "available"
    return "away" if said == "available" and moved_at and moved_at <= at - IDLE else said


def everybody(conn: Connection) -> dict[int, Presence]:
    """What everybody is doing; who is missing has never been here."""
    at = now()
    return {row.employee_id: _presence(row, at) for row in conn.execute(sa.select(presence))}


_one = sa.select(presence).where(presence.c.employee_id == sa.bindparam("employee"))


def one(conn: Connection, employee_id: int) -> Presence:
    """What somebody is doing."""
    row = conn.execute(_one, {"employee": employee_id}).first()
    return _presence(row, now()) if row else Presence(employee_id, "offline", "")


def _presence(row: Any, at: int) -> Presence:
    state = state_of(row.state, row.calls, row.seen_at, at, row.moved_at)
    said = (row.state, row.calls, row.seen_at, row.assigned_at, row.active_at, row.moved_at)
    return Presence(row.employee_id, state, *said)


_choose = sa.text(
    "INSERT INTO presence (employee_id, state, seen_at) VALUES (:employee, :state, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET state = :state,"
    " seen_at = CASE WHEN presence.seen_at < :at THEN :at ELSE presence.seen_at END,"
    " moved_at = CASE WHEN presence.moved_at <> 0 AND :at > 0 THEN :at ELSE presence.moved_at END"
)
_move = sa.text(
    "INSERT INTO presence (employee_id, moved_at) VALUES (:employee, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET moved_at = :at"
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
    known = everybody(conn)
    before = {number: found.state for number, found in known.items()}
    still = [number for number, found in known.items() if 0 < found.moved_at <= at - IDLE]
    _hold(conn, {*here, *left, *still})
    if here:
        conn.execute(_see, [{"employee": number, "at": at} for number in sorted(here)])
    if left:
        statement = sa.update(presence).where(among(presence.c.employee_id, sorted(left)))
        conn.execute(statement.values(seen_at=at - SEEN + GRACE))
    _tell(conn, {number: before.get(number, "offline") for number in here} | _gone_idle(conn, still, known, at))


def moved(conn: Connection, employee_id: int) -> None:
    """They did something in front of their screen: whoever was away for nothing but that is back. Written at most every `MOVED`."""
    found = one(conn, employee_id)
    if found.moved_at > now() - MOVED:
        return
    conn.execute(_move, {"employee": employee_id, "at": now()})
    _tell(conn, {employee_id: found.state})


def _gone_idle(conn: Connection, still: Sequence[int], known: Mapping[int, Presence], at: int) -> dict[int, str]:
    """Mark those who have not moved for long, so that each is told of once; those whom it makes away, as they were until then."""
    p = presence.c
    long_ago = sa.and_(among(p.employee_id, still), p.moved_at > 0, p.moved_at <= at - IDLE)
    claimed = sa.update(presence).where(long_ago).values(moved_at=-p.moved_at).returning(p.employee_id)
    found = conn.execute(claimed).scalars().all() if still else []
    return {n: "available" for n in found if known[n].state == "away" and known[n].chosen != "away"}


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
