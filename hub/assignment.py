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
from hub.directory import LIVE, Directory, current
from hub.events import NewEvent
from hub.routing import Decision, Missing, Situation, Staff, Standing, Step
from hub.situations import Person
from hub.sql import hold, is_postgres

#: Whoever has been offered something is busy until they have answered.
_COLUMNS = (
    "p.state, coalesce(p.calls, 0) + (SELECT count(*) FROM offers AS w WHERE w.employee_id = e.value AND w.expires_at > :at),"
    " p.seen_at, p.assigned_at, p.active_at"
)
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
    values = {"ids": wanted if is_postgres(conn) else json.dumps(wanted), "most": most, "at": at}
    found: Staff = {}
    for number, chosen, calls, seen_at, assigned_at, active_at, open_on in conn.execute(
        _doing[conn.dialect.name], values
    ):
        kinds = [d.channels[int(c)].kind if int(c) in d.channels else "" for c in (open_on or "").split(",") if c]
        load = sum(d.weight(kind) for kind in kinds)
        state = presence.state_of(chosen, calls, seen_at, at)
        found[number] = Standing(state, load, assigned_at or 0, active_at or 0)
    return found


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
    while missing := _missing(d, contacts, staff):
        staff |= standings(conn, d, missing, contacts[0].at)
    decisions = []
    for s in contacts:
        decision = _decide(conn, d, s, staff)
        routing.take(d, s, staff, decision)
        decisions.append(decision)
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
    rings = team is not None and team.offer_seconds and s.kind in LIVE and decision.assignee_id != home.assignee_id
    if team is None or not rings or decision.assignee_id is None:
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


class Again(Struct, frozen=True):
    """A conversation to decide anew about: what happened to its assignee, and who is not to be asked."""

    home: Current
    why: tuple[Step, ...] = ()
    excluded: frozenset[int] = frozenset()


def reroute(conn: Connection, asked: Sequence[Again], *, only_people: bool = False) -> list[NewEvent]:
    """Decide anew about conversations the caller holds; what is to be told. Those that stay where they are are left alone.

    ``only_people``: those that would go to a queue stay where they are too.
    """
    if not asked:
        return []
    hold(conn, "conversations")
    moment, d = now(), current(conn)
    contacts = [
        msgspec.structs.replace(s, excluded=again.excluded)
        for s, again in zip(situations.of_conversations(conn, d, [a.home for a in asked], moment), asked, strict=True)
    ]
    changed = [
        again.home
        for again, s, decision in zip(asked, contacts, choose(conn, d, contacts), strict=True)
        if (decision.assignee_id is not None or not only_people)
        and (settle(d, again.home, s, decision, again.why) or again.home.offer)
    ]
    conversations.save(conn, changed)
    news = [told(home) for home in changed if home.moved] + write_offers(conn, changed)
    hold(conn, "ids")  # clocks change behind it
    return news + sla.follow(conn, d, [home for home in changed if home.moved])
