"""Service levels: what was promised to a customer who waits, and how much of that time is left.

A policy promises up to three targets in business time: the ``first`` answer, every ``next`` one, and the ``resolution``. The first policy
in order that fits a conversation holds. A target has one clock per conversation: it runs while the customer waits (first, next) or the
conversation is open (resolution), rests otherwise, and is met by an agent's answer or by closing. A clock that was met starts anew when
what it measures begins anew; one that rested goes on. Times are milliseconds UTC.

Clocks change behind the counter of ids (`sql.allocate`), and nearly always while their conversation is held: so nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import hours, routing
from hub.answers import is_answer
from hub.clock import now
from hub.conversations import Current
from hub.directory import Directory, Policy
from hub.events import NewEvent
from hub.hours import MINUTE
from hub.sql import among
from hub.tables import conversations, customers, messages, sla_clocks, sla_policies
from hub.tables import hours as hours_table

Target = Literal["first", "next", "resolution"]
State = Literal["running", "paused", "met", "breached"]
Phase = Literal["run", "rest", "over"]

TARGETS: tuple[Target, ...] = ("first", "next", "resolution")


class Clock(Struct):
    """One target of one conversation. It runs while ``due_at`` is set, rests with ``left_ms`` of business time left.

    ``met_at``: when it was answered or closed, in time or not. ``hours_id`` is forgotten then.
    """

    conversation_id: int
    target: Target
    policy_id: int
    hours_id: int | None
    started_at: int
    due_at: int | None = None
    left_ms: int | None = None
    met_at: int | None = None
    warned_at: int | None = None
    breached_at: int | None = None


_FIELDS = Clock.__struct_fields__
COLUMNS = [sla_clocks.c[name] for name in _FIELDS]


class Promise(Struct, frozen=True):
    """What holds for a conversation: whose policy, and measured by which hours."""

    policy: Policy
    hours_id: int | None

    def minutes(self, target: Target) -> int:
        """What is promised, in minutes; 0: nothing."""
        return minutes(self.policy, target)


def minutes(policy: Policy, target: Target) -> int:
    """What a policy promises, in minutes of business time; 0: nothing."""
    return {"first": policy.first_minutes, "next": policy.next_minutes, "resolution": policy.resolution_minutes}[target]


# ── what a transaction changed ────────────────────────────────────────────────────────────────────────────────────────
def follow(
    conn: Connection, d: Directory, changed: Sequence[Current], answered: Collection[int] = ()
) -> list[NewEvent]:
    """Bring the clocks in line with conversations that are held and saved; what is to be told with the caller's events.

    ``answered``: the conversations in which an agent just wrote to the customer. The caller has the counter of ids. At most
    five statements however many conversations, none while no policy is enabled.
    """
    changed = [c for c in changed if c.fresh or c.touched] if d.policies else ()
    if not changed:
        return []
    moment = now()
    known = _clocks(conn, [c.id for c in changed if not c.fresh])
    traits = _traits(conn, [c.id for c in changed]) if _asks_for_traits(d) else {}
    spoken = _spoken(conn, [c.id for c in changed if _unclear(c, known.get(c.id, {}))])
    written: list[Clock] = []
    dropped: list[Clock] = []
    news: list[NewEvent] = []
    for current in changed:
        own = known.get(current.id, {})
        answer = current.id in answered
        promise = _promise(d, current, traits.get(current.id, ("", {})), moment)
        begun = current.id in spoken or "next" in own or ("first" in own and own["first"].met_at is not None)
        for target in TARGETS:
            phase = _phase(current, target, answer)
            clock, before = own.get(target), structs.astuple(own[target]) if target in own else ()
            if clock is None or clock.met_at is not None:
                if phase == "run" and promise and _begins(current, target, begun, clock):
                    written += _start(d, promise, current, target, clock, moment)
                continue
            if not _keep(d, clock, promise, moment):
                dropped.append(clock)
                continue
            if _move(d, clock, phase, current, moment):
                news.append(told(d, "sla.breached", clock, current))
            if structs.astuple(clock) != before:
                written.append(clock)
    _write(conn, written)
    drop(conn, dropped)
    return news


def _phase(current: Current, target: Target, answered: bool) -> Phase:
    if target == "resolution":
        return {"open": "run", "closed": "over"}.get(current.status, "rest")  # type: ignore[return-value]
    if answered:
        return "over"
    return "run" if current.waiting_since is not None else "rest"


def runs(current: Current, target: str) -> bool:
    """Is this what the clock measures, as the conversation is now?"""
    return current.status == "open" if target == "resolution" else current.waiting_since is not None


def _unclear(current: Current, own: dict[Target, Clock]) -> bool:
    """Can only the messages tell whether an agent has ever answered?"""
    return not current.fresh and current.waiting_since is not None and not own.keys() & {"first", "next"}


def _begins(current: Current, target: Target, begun: bool, earlier: Clock | None) -> bool:
    if target == "resolution":
        return earlier is not None or current.waiting_since is not None
    return begun if target == "next" else earlier is None and not begun


def _start(
    d: Directory, promise: Promise, current: Current, target: Target, earlier: Clock | None, moment: int
) -> list[Clock]:
    promised = promise.minutes(target) * MINUTE
    if not promised:
        return []
    started = moment
    if current.waiting_since is not None:
        started = max(current.waiting_since, (earlier.met_at if earlier else None) or 0)
    due = hours.add(d.hours_of(promise.hours_id), started, promised)
    left = promised if due is None else None
    return [Clock(current.id, target, promise.policy.id, promise.hours_id, started, due, left)]


def _keep(d: Directory, clock: Clock, promise: Promise | None, moment: int) -> bool:
    """Measure an unmet clock by what is promised now, the time already spent counted; False when nothing is promised any more."""
    if clock.breached_at is not None or (clock.due_at is not None and clock.due_at < moment):
        return True
    promised = promise.minutes(clock.target) * MINUTE if promise else 0
    if promise is None or not promised:
        return False
    if (clock.policy_id, clock.hours_id) == (promise.policy.id, promise.hours_id):
        return True
    left = max(0, promised - _spent(d, clock, moment))
    running = clock.due_at is not None
    clock.policy_id, clock.hours_id = promise.policy.id, promise.hours_id
    clock.due_at = hours.add(d.hours_of(clock.hours_id), moment, left) if running else None
    clock.left_ms = left if clock.due_at is None else None
    return True


def _spent(d: Directory, clock: Clock, moment: int) -> int:
    old = next((minutes(p, clock.target) * MINUTE for p in d.policies if p.id == clock.policy_id), 0)
    measure = d.hours_of(clock.hours_id)
    if not old:
        return hours.between(measure, clock.started_at, moment)
    left = clock.left_ms if clock.due_at is None else hours.between(measure, moment, clock.due_at)
    return max(0, old - (left or 0))


def _move(d: Directory, clock: Clock, phase: Phase, current: Current, moment: int) -> bool:
    """Let the clock run, rest or end; True when that shows that its time was up before."""
    if phase == "run":
        if clock.due_at is None and clock.breached_at is None:
            since = moment if clock.target == "resolution" else current.waiting_since or moment
            clock.due_at = hours.add(d.hours_of(clock.hours_id), since, clock.left_ms or 0)
            clock.left_ms = clock.left_ms if clock.due_at is None else None
        return False
    late = clock.breached_at is None and clock.due_at is not None and clock.due_at < moment
    if late:
        clock.breached_at, clock.warned_at = moment, clock.warned_at or moment
    if phase == "over" or (clock.breached_at is not None and clock.target != "resolution"):
        clock.met_at, clock.hours_id = moment, None
    elif clock.due_at is not None and clock.breached_at is None:
        clock.left_ms = hours.between(d.hours_of(clock.hours_id), moment, clock.due_at)
        clock.due_at = None
    return late


def told(d: Directory, kind: str, clock: Clock, current: Current) -> NewEvent:
    """The event that says a time is nearly up or is up: ``assignee`` and the team's ``lead`` are whom it concerns."""
    policy = next((p.name for p in d.policies if p.id == clock.policy_id), "")
    team = d.teams.get(current.team_id or 0)
    data = {
        "target": clock.target,
        "policy": str(clock.policy_id),
        "policy_name": policy,
        "due_at": clock.due_at,
        "assignee": str(current.assignee_id) if current.assignee_id else None,
        "team": str(current.team_id) if current.team_id else None,
        "lead": str(team.lead_id) if team and team.lead_id else None,
    }
    return NewEvent(kind, current.id, current.customer_id, channel_id=current.channel_id, data=data)


# ── which policy ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _promise(d: Directory, current: Current, traits: tuple[str, dict[str, str]], moment: int) -> Promise | None:
    """The first policy that fits; measured by its own hours, or else the team's, or else the channel's."""
    channel, team = d.channels.get(current.channel_id), d.teams.get(current.team_id or 0)
    situation = routing.Situation(
        at=moment,
        kind=channel.kind if channel else "",
        channel_id=current.channel_id,
        team_id=current.team_id,
        customer_id=current.customer_id,
        priority=traits[0],
        attributes=traits[1],
    )
    policy = next((p for p in d.policies if routing.matches(d, p.conditions, situation)), None)
    if policy is None:
        return None
    return Promise(
        policy, policy.hours_id or (team.hours_id if team else None) or (channel.hours_id if channel else None)
    )


def _asks_for_traits(d: Directory) -> bool:
    return any(p.conditions.priorities or p.conditions.attributes for p in d.policies)


_traits_of = (
    sa.select(conversations.c.id, conversations.c.priority, customers.c.attributes)
    .join(customers, customers.c.id == conversations.c.customer_id)
    .where(among(conversations.c.id, "ids"))
)


def _traits(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[str, dict[str, str]]]:
    """Priority and the customer's attributes as text."""
    rows = conn.execute(_traits_of, {"ids": list(ids)})
    return {row.id: (row.priority, _texts(row.attributes)) for row in rows}


def _texts(attributes: str) -> dict[str, str]:
    found: dict[str, Any] = msgspec.json.decode(attributes) if attributes else {}
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode() for key, value in found.items()
    }


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
_clocks_of = sa.select(*COLUMNS).where(among(sla_clocks.c.conversation_id, "ids"))
_agents_wrote = (
    sa.select(messages.c.conversation_id)
    .where(
        among(messages.c.conversation_id, "ids"),
        is_answer(),
        messages.c.author_id.is_not(None),
    )
    .distinct()
)


def _clocks(conn: Connection, ids: Sequence[int]) -> dict[int, dict[Target, Clock]]:
    found: dict[int, dict[Target, Clock]] = {}
    if ids:
        for row in conn.execute(_clocks_of, {"ids": list(ids)}):
            found.setdefault(row[0], {})[row[1]] = Clock(*row)
    return found


def clocks_of(conn: Connection, conversation_id: int) -> list[Clock]:
    """A conversation's clocks as they stand."""
    return clocks_of_all(conn, [conversation_id]).get(conversation_id, [])


def clocks_of_all(conn: Connection, ids: Sequence[int]) -> dict[int, list[Clock]]:
    """The clocks of several conversations as they stand."""
    return {number: list(own.values()) for number, own in _clocks(conn, ids).items()}


def put_back(conn: Connection, conversation_id: int, clocks: Sequence[Clock]) -> None:
    """Let a conversation's clocks stand as they once stood; those of policies that are gone stay away. `follow` comes next."""
    put_back_all(conn, {conversation_id: clocks})


def put_back_all(conn: Connection, before: Mapping[int, Sequence[Clock]]) -> None:
    """The same for several conversations, in a fixed number of statements."""
    drop(conn, [clock for own in clocks_of_all(conn, list(before)).values() for clock in own])
    known = set(conn.execute(sa.select(sla_policies.c.id)).scalars())
    spans = set(conn.execute(sa.select(hours_table.c.id)).scalars())
    kept = [clock for clocks in before.values() for clock in clocks if clock.policy_id in known]
    for clock in kept:
        clock.hours_id = clock.hours_id if clock.hours_id in spans else None
    _write(conn, kept)


def _spoken(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those in which an agent has answered the customer."""
    return set(conn.execute(_agents_wrote, {"ids": list(ids)}).scalars()) if ids else set()


_put = sa.text(
    f"INSERT INTO sla_clocks ({', '.join(_FIELDS)}) VALUES ({', '.join(f':{name}' for name in _FIELDS)})"  # noqa: S608 - our own names
    " ON CONFLICT (conversation_id, target) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _FIELDS[2:])
)


def _write(conn: Connection, clocks: Sequence[Clock]) -> None:
    if clocks:
        conn.execute(_put, [structs.asdict(clock) for clock in clocks])


_take_away = sa.text("DELETE FROM sla_clocks WHERE conversation_id = :conversation AND target = :target")


def drop(conn: Connection, clocks: Sequence[Clock]) -> None:
    """Forget these clocks: nothing is promised any more."""
    if clocks:
        conn.execute(_take_away, [{"conversation": c.conversation_id, "target": c.target} for c in clocks])
