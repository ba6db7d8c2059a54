"""Giving conversations to people: `routing.decide` with what everybody is doing right now, one decision after the other.

Whoever decides holds the counter of conversations until the commit, so two processes never fill the same free place twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, routing, situations
from hub.clock import now
from hub.conversations import Current
from hub.directory import Directory, current
from hub.events import NewEvent
from hub.routing import Decision, Missing, Situation, Staff, Standing, Step
from hub.sql import hold, is_postgres

#: Whoever has not been seen for so long is offline (ms); browsers say that they are there every 50 s.
SEEN = 90_000

_COLUMNS = "p.state, p.calls, p.seen_at, p.assigned_at, p.active_at"
_OPEN = (
    "SELECT channel_id FROM conversations WHERE status = 'open' AND assignee_id IS NOT NULL"
    " AND assignee_id = e.value LIMIT :most"
)
_doing = {
    "sqlite": sa.text(
        f"SELECT e.value, {_COLUMNS}, (SELECT group_concat(channel_id) FROM ({_OPEN}) AS o)"  # noqa: S608 - constants of ours
        " FROM json_each(:ids) AS e LEFT JOIN presence AS p ON p.employee_id = e.value"
    ),
    "postgresql": sa.text(
        f"SELECT e.value, {_COLUMNS}, (SELECT string_agg(CAST(channel_id AS text), ',') FROM ({_OPEN}) AS o)"  # noqa: S608
        " FROM unnest(CAST(:ids AS bigint[])) AS e(value) LEFT JOIN presence AS p ON p.employee_id = e.value"
    ),
}
_assigned = sa.text(
    "INSERT INTO presence (employee_id, assigned_at) VALUES (:employee, :at)"
    " ON CONFLICT (employee_id) DO UPDATE SET assigned_at = :at"
)


def standings(conn: Connection, d: Directory, ids: Iterable[int], at: int) -> Staff:
    """What these employees are doing. One statement, whose cost is bounded by their capacity."""
    wanted = sorted(ids)
    most = 1 + max((d.employees[i].capacity for i in wanted if i in d.employees), default=0)
    values = {"ids": wanted if is_postgres(conn) else json.dumps(wanted), "most": most}
    found: Staff = {}
    for number, state, calls, seen_at, assigned_at, active_at, open_on in conn.execute(
        _doing[conn.dialect.name], values
    ):
        kinds = [d.channels[int(c)].kind if int(c) in d.channels else "" for c in (open_on or "").split(",") if c]
        load = sum(d.weight(kind) for kind in kinds)
        found[number] = Standing(_state(state, calls, seen_at, at), load, assigned_at or 0, active_at or 0)
    return found


def _state(state: str | None, calls: int | None, seen_at: int | None, at: int) -> str:
    """On a call: busy, whatever was chosen. Not seen for a while: offline."""
    if calls:
        return "busy"
    return state if state and (seen_at or 0) > at - SEEN else "offline"


def choose(conn: Connection, d: Directory, contacts: Sequence[Situation]) -> list[Decision]:
    """A decision for each contact, in their order; each counts for the ones after it. A few statements, however many there are."""
    staff: Staff = {}
    while missing := _missing(d, contacts, staff):
        staff |= standings(conn, d, missing, contacts[0].at)
    decisions = []
    for s in contacts:
        decision = _decide(conn, d, s, staff)
        routing.take(d, s, staff, decision)
        decisions.append(decision)
    _note_turns(conn, contacts, decisions, staff)
    return decisions


def _missing(d: Directory, contacts: Sequence[Situation], staff: Staff) -> set[int]:
    """Whose standings the decisions need and nobody has asked for yet."""
    missing: set[int] = set()
    for s in contacts:
        try:
            routing.decide(d, s, staff)
        except Missing as gap:
            missing |= gap.ids
    return missing


def _decide(conn: Connection, d: Directory, s: Situation, staff: Staff) -> Decision:
    """The same; an earlier decision of the batch may have filled somebody up, so that others come into question."""
    while True:
        try:
            return routing.decide(d, s, staff)
        except Missing as gap:
            staff |= standings(conn, d, gap.ids - staff.keys(), s.at)


def _note_turns(conn: Connection, contacts: Sequence[Situation], decisions: Sequence[Decision], staff: Staff) -> None:
    got = {
        decision.assignee_id
        for s, decision in zip(contacts, decisions, strict=True)
        if decision.assignee_id is not None and decision.assignee_id != s.assignee_id
    }
    if got:
        conn.execute(_assigned, [{"employee": number, "at": staff[number].assigned_at} for number in sorted(got)])


# ── conversations that exist ──────────────────────────────────────────────────────────────────────────────────────────
def give(home: Current, decision: Decision, at: int, why: Sequence[Step] = ()) -> bool:
    """Write the decision into the conversation; is it somebody else's now? ``why``: steps that come before the decision's own."""
    changed = (home.assignee_id, home.team_id) != (decision.assignee_id, decision.team_id)
    home.touched, home.moved = True, home.moved or changed
    if home.assignee_id != decision.assignee_id:
        home.assigned_at = at if decision.assignee_id is not None else None
    home.assignee_id, home.team_id, home.covering_id = decision.assignee_id, decision.team_id, decision.covering_id
    if changed or not home.reason:
        home.reason = Decision(None, None, (*why, *decision.steps)).reason
    return changed


def holder(home: Current) -> dict[str, str | None]:
    """Whose the conversation is and why, as events carry it."""
    return {
        "assignee": str(home.assignee_id) if home.assignee_id else None,
        "team": str(home.team_id) if home.team_id else None,
        "reason": home.reason,
    }


def told(home: Current, actor_id: int | None = None) -> NewEvent:
    """The event that tells whose the conversation is now."""
    return NewEvent("conversation.assigned", home.id, home.customer_id, actor_id=actor_id, data=holder(home))


def reroute(
    conn: Connection, homes: Sequence[Current], why: Sequence[Step], excluded: frozenset[int] = frozenset()
) -> list[NewEvent]:
    """Decide anew about conversations the caller holds; what is to be told. Those that stay where they are are left alone."""
    if not homes:
        return []
    hold(conn, "conversations")
    moment, d = now(), current(conn)
    contacts = situations.of_conversations(conn, d, homes, moment, excluded)
    changed = [
        home
        for home, decision in zip(homes, choose(conn, d, contacts), strict=True)
        if give(home, decision, moment, why)
    ]
    conversations.save(conn, changed)
    return [told(home) for home in changed]
