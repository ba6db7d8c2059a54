"""What customers are promised, as people see it: the clocks of a conversation, how much is left, when they stand still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, hours, sla
from hub.clock import now
from hub.directory import Directory
from hub.hours import MINUTE
from hub.sql import among, run
from hub.tables import sla_clocks, sla_policies


class ClockView(Struct, frozen=True):
    """A clock as people see it; ``left_ms`` is business time, None when there is nothing left to measure.

    ``total_ms`` is what was promised in all, by the calendar ``hours`` (empty: around the clock). While it runs, the calendar is open
    until ``closes_at`` (None: until it is due), or closed until ``opens_at``.
    """

    target: sla.Target
    state: sla.State
    due_at: int | None
    left_ms: int | None
    started_at: int = 0
    total_ms: int = 0
    hours: str = ""
    opens_at: int | None = None
    closes_at: int | None = None


class View(Struct, frozen=True):
    """The service level of a conversation: the policy of its youngest clock, and all clocks."""

    policy_id: int
    policy: str
    clocks: tuple[ClockView, ...]


_with_policies = (
    sa.select(*sla.COLUMNS, sla_policies.c.name.label("policy"))
    .join(sla_policies, sla_policies.c.id == sla_clocks.c.policy_id)
    .where(among(sla_clocks.c.conversation_id, "ids"))
    .order_by(sla_clocks.c.conversation_id, sla_clocks.c.started_at)
)


def of(conn: Connection, ids: Sequence[int]) -> dict[int, View]:
    """The service levels of those conversations that have one. Two statements at most."""
    rows = run(conn, _with_policies, ids=list(ids)).all()
    if not rows:
        return {}
    d, moment = directory.current(conn), now()
    found: dict[int, list[tuple[sla.Clock, str]]] = {}
    for *fields, policy in rows:
        found.setdefault(fields[0], []).append((sla.Clock(*fields), policy))
    return {
        number: View(clocks[-1][0].policy_id, clocks[-1][1], tuple(_views(d, [c for c, _ in clocks], moment)))
        for number, clocks in found.items()
    }


def _views(d: Directory, clocks: Sequence[sla.Clock], moment: int) -> Iterator[ClockView]:
    for clock in sorted(clocks, key=lambda c: sla.TARGETS.index(c.target)):
        state = _state(clock, moment)
        left = clock.left_ms if state == "paused" else None
        measure, opens, closes = d.hours_of(clock.hours_id), None, None
        if state == "running" and clock.due_at is not None:
            left = hours.between(measure, moment, clock.due_at)
            if not hours.is_open(measure, moment):
                opens = hours.next_open(measure, moment)
            elif (end := hours.closes_at(measure, moment)) is not None and end < clock.due_at:
                closes = end
        total = next((sla.minutes(p, clock.target) * MINUTE for p in d.policies if p.id == clock.policy_id), 0)
        name = measure.name if measure else ""
        yield ClockView(clock.target, state, clock.due_at, left, clock.started_at, total, name, opens, closes)


def _state(clock: sla.Clock, moment: int) -> sla.State:
    if clock.breached_at is not None:
        return "breached"
    if clock.met_at is not None:
        return "met"
    if clock.due_at is None:
        return "paused"
    return "running" if moment <= clock.due_at else "breached"
