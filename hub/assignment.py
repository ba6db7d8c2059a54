"""Giving conversations to people: `routing.decide` with what everybody is doing right now, one decision after the other.

Whoever decides holds the counter of conversations until the commit, so two processes never fill the same free place twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import conversations, identity, presence, routing, situations, sla
from hub.clock import now
from hub.conversations import Current, Offer
from hub.directory import LIVE, Directory, Rule, Target, current
from hub.events import NewEvent
from hub.routing import Decision, Missing, Situation, Staff, Standing, Step
from hub.situations import Person
from hub.sql import among, hold, is_postgres
from hub.tables import offers

#: Whoever has been offered something is busy until they have answered.
_COLUMNS = (
    "p.state, coalesce(p.calls, 0) + (SELECT count(*) FROM offers AS w WHERE w.employee_id = e.value AND w.expires_at > :at),"
    " p.seen_at, p.assigned_at, p.active_at, p.moved_at"
)
_OPEN = (
    "SELECT channel_id, count(*) AS many FROM (SELECT channel_id FROM conversations WHERE status = 'open'"
    " AND assignee_id IS NOT NULL AND assignee_id = e.value LIMIT :most) AS held GROUP BY channel_id"
)
_doing = {
    "sqlite": sa.text(
        f"SELECT e.value, {_COLUMNS}, (SELECT group_concat(channel_id || ':' || many) FROM ({_OPEN}) AS o)"  # noqa: S608 - constants of ours
        " FROM json_each(:ids) AS e LEFT JOIN presence AS p ON p.employee_id = e.value"
    ),
    "postgresql": sa.text(
        f"SELECT e.value, {_COLUMNS}, (SELECT string_agg(channel_id || ':' || many, ',') FROM ({_OPEN}) AS o)"  # noqa: S608
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
    values = {"ids": wanted if is_postgres(conn) else json.dumps(wanted), "most": most, "at": at}
    found: Staff = {}
    for number, chosen, calls, seen_at, assigned_at, active_at, moved_at, open_on in conn.execute(
        _doing[conn.dialect.name], values
    ):
        load = _load(d, open_on) if open_on else 0
        state = presence.state_of(chosen, calls, seen_at, at, moved_at)
        found[number] = Standing(state, load, assigned_at or 0, active_at or 0)
    return found


def _load(d: Directory, open_on: str) -> int:
    """The weight of ``channel:how many,…``."""
    load = 0
    for part in open_on.split(","):
        channel, _, many = part.partition(":")
        facts = d.channels.get(int(channel))
        load += int(many) * d.weight(facts.kind if facts else "")
    return load


def choose(conn: Connection, d: Directory, contacts: Sequence[Situation]) -> list[Decision]:
    """A decision for each contact, in their order; each counts for the ones after it. A few statements, however many there are."""
    staff: Staff = {}
    decisions = _decide_all(conn, d, contacts, staff)
    _note_turns(conn, contacts, decisions, staff)
    return decisions


def ask(
    conn: Connection,
    channel_id: int,
    sender: str,
    *,
    subject: str = "",
    text: str = "",
    language: str = "",
    fields: dict[str, str] | None = None,
) -> Decision:
    """Whom a contact would go to now: whom a call rings, whom a visit is announced to. Nothing is written.

    The same questions as for a message; five statements at most, because a telephone is ringing. ``others`` can be tried next.
    """
    d = current(conn)
    found = identity.find(conn, [sender]).get(sender)
    known = situations.people(conn, [found.id]) if found else {}
    person = known.get(found.id, Person()) if found else Person()
    channel = d.channels.get(channel_id)
    contact = situations.situation(
        d,
        person,
        now(),
        channel_id,
        channel.team_id if channel else None,
        customer_id=found.id if found else 0,
        sender=sender,
        subject=subject,
        text=text,
        language=language,
        fields=fields,
    )
    return _decide_all(conn, d, [contact], {})[0]


def _decide_all(conn: Connection, d: Directory, contacts: Sequence[Situation], staff: Staff) -> list[Decision]:
    decisions: list[Decision] = []
    while len(decisions) < len(contacts):
        s = contacts[len(decisions)]
        try:
            decision = routing.decide(d, s, staff)
        except Missing:
            # those of all that are left, in one statement
            staff |= standings(conn, d, _missing(d, contacts[len(decisions) :], staff), s.at)
            continue
        routing.take(d, s, staff, decision)
        if _rings(d, s, decision) and decision.assignee_id in staff:
            staff[decision.assignee_id].state = "busy"  # nobody is rung for two at once
        decisions.append(decision)
    return decisions


def _rings(d: Directory, s: Situation, decision: Decision) -> bool:
    """Is the live contact offered, to be accepted, because its team wants that?"""
    team = d.teams.get(decision.team_id or 0)
    offering = team is not None and team.offer_seconds > 0 and s.kind in LIVE
    return offering and decision.assignee_id is not None and decision.assignee_id != s.holder_id


def _missing(d: Directory, contacts: Sequence[Situation], staff: Staff) -> set[int]:
    """Whose standings the decisions need next."""
    missing: set[int] = set()
    for s in contacts:
        try:
            routing.decide(d, s, staff)
        except Missing as gap:
            missing |= gap.ids - staff.keys()
    return missing


def _note_turns(conn: Connection, contacts: Sequence[Situation], decisions: Sequence[Decision], staff: Staff) -> None:
    got = {
        decision.assignee_id
        for s, decision in zip(contacts, decisions, strict=True)
        if decision.assignee_id is not None and decision.assignee_id != s.holder_id
    }
    if got:
        conn.execute(_assigned, [{"employee": number, "at": staff[number].assigned_at} for number in sorted(got)])


_offer = sa.text(
    "INSERT INTO offers (conversation_id, employee_id, refused, offered_at, expires_at)"
    " VALUES (:conversation, :employee, :refused, :at, :until) ON CONFLICT (conversation_id) DO UPDATE SET"
    " employee_id = :employee, refused = :refused, offered_at = :at, expires_at = :until"
)


def write_offers(conn: Connection, homes: Sequence[Current]) -> list[NewEvent]:
    """Write down what was offered to whom, after the conversations; what is to be told. One statement."""
    offered = [(home, home.offer) for home in homes if home.offer is not None]
    if offered:
        rows = [
            {
                "conversation": home.id,
                "employee": offer.employee_id,
                "refused": ",".join(map(str, offer.refused)),
                "at": now(),
                "until": offer.expires_at,
            }
            for home, offer in offered
        ]
        conn.execute(_offer, rows)
    return [
        NewEvent(
            "conversation.offered",
            home.id,
            home.customer_id,
            channel_id=home.channel_id,
            data={"employee": str(offer.employee_id), "until": offer.expires_at},
        )
        for home, offer in offered
    ]


# ── conversations that exist ──────────────────────────────────────────────────────────────────────────────────────────
def settle(d: Directory, home: Current, s: Situation, decision: Decision, why: Sequence[Step] = ()) -> bool:
    """Give the conversation, or offer it: a live contact of a team that offers rings with one after the other. True: it moved."""
    team = d.teams.get(decision.team_id or 0)
    if team is None or decision.assignee_id is None or not _rings(d, s, decision):
        return give(home, decision, s.at, why)
    home.offer = Offer(decision.assignee_id, s.at + team.offer_seconds * 1000, tuple(sorted(s.excluded)))
    step = ("offered", d.employees[decision.assignee_id].name, team.offer_seconds)
    return give(home, Decision(None, team.id, (*decision.steps, step)), s.at, why)


def give(home: Current, decision: Decision, at: int, why: Sequence[Step] = ()) -> bool:
    """Write the decision into the conversation; is it somebody else's now? ``why``: steps that come before the decision's own."""
    changed = (home.assignee_id, home.team_id) != (decision.assignee_id, decision.team_id)
    home.touched, home.moved = True, home.moved or changed
    if home.assignee_id != decision.assignee_id:
        home.assigned_at = at if decision.assignee_id is not None else None
    home.assignee_id, home.team_id, home.covering_id = decision.assignee_id, decision.team_id, decision.covering_id
    if changed or why or not home.reason:
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


class Again(Struct, frozen=True):
    """A conversation to decide anew about: what happened to its assignee, and who is not to be asked."""

    home: Current
    why: tuple[Step, ...] = ()
    excluded: frozenset[int] = frozenset()


def reroute(conn: Connection, asked: Sequence[Again], *, only_people: bool = False) -> list[NewEvent]:
    """Decide anew about conversations the caller holds; what is to be told. Those that stay where they are are left alone.

    A conversation stays in its team, whoever put it there. ``only_people``: those that would go to a queue stay where they are
    too. The caller may hold no further conversations afterwards: the counters are held.
    """
    if not asked:
        return []
    hold(conn, "conversations")
    moment, d = now(), current(conn)
    contacts = situations.of_conversations(conn, d, [again.home for again in asked], moment)
    together: dict[tuple[int | None, bool], list[tuple[Again, Situation]]] = {}
    for again, s in zip(asked, contacts, strict=True):
        together.setdefault((again.home.team_id, again.home.team_id == s.team_id), []).append((again, s))
    changed: list[Current] = []
    for (team_id, own), pairs in together.items():
        some = _reroute(conn, _staying(d, team_id, own), pairs, only_people)
        conversations.save(conn, some)
        changed += some
    news = [told(home) for home in changed] + write_offers(conn, changed)
    hold(conn, "ids")  # clocks change behind it
    return news + sla.follow(conn, d, [home for home in changed if home.moved])


def _reroute(
    conn: Connection, d: Directory, pairs: Sequence[tuple[Again, Situation]], only_people: bool
) -> list[Current]:
    contacts = [_as_held(again, s) for again, s in pairs]
    changed = []
    for (again, _), s, decision in zip(pairs, contacts, choose(conn, d, contacts), strict=True):
        if only_people and decision.assignee_id is None:
            continue
        moved = settle(d, again.home, s, decision, again.why)
        if moved or again.why or again.home.offer:
            changed.append(again.home)
    return changed


def _as_held(again: Again, s: Situation) -> Situation:
    """Whose it is in truth: who stands in for somebody has it in their name."""
    home = again.home
    return msgspec.structs.replace(
        s,
        excluded=again.excluded,
        team_id=home.team_id if home.team_id is not None else s.team_id,
        assignee_id=home.covering_id if home.covering_id is not None else s.assignee_id,
    )


def _staying(d: Directory, team_id: int | None, own: bool) -> Directory:
    """The table for conversations of a team: people come first as ever, but it leads to no other team. ``own``: the channel's."""
    if team_id not in d.teams:
        return d
    name = str(team_id)
    rules = [
        rule
        for rule in d.rules
        if (rule.kind not in ("channel", "fallback") or (rule.kind == "channel" and own))
        and rule.target.team in (None, name)
    ]
    last = Rule(0, "fallback", target=Target(team=name))
    return msgspec.structs.replace(d, rules=(*rules, last))


def lost(d: Directory, home: Current, at: int) -> bool:
    """Has its assignee left, or gone on leave? What they were given while everybody knew that they are away, somebody wanted so."""
    person = d.employees.get(home.assignee_id or 0)
    if person is None or person.disabled:
        return person is not None
    known = [max(a.starts_at, a.known_at) for a in d.absences.get(person.id, ()) if a.holds(at)]
    return bool(known) and (home.assigned_at or 0) < min(known)


def withdraw(conn: Connection, conversation_id: int) -> None:
    """Nobody is asked for this conversation any more: somebody has it, or it is over."""
    conn.execute(sa.delete(offers).where(offers.c.conversation_id == conversation_id))


def withdraw_all(conn: Connection, ids: Sequence[int]) -> None:
    """The same for several conversations at once."""
    if ids:
        conn.execute(sa.delete(offers).where(among(offers.c.conversation_id, ids)))


def took(conn: Connection, employee_id: int, at: int) -> None:
    """They took something by themselves: others are longer idle now."""
    conn.execute(_assigned, {"employee": employee_id, "at": at})
