"""Taking work out of a queue: claiming a conversation, asking for the next one, accepting or declining an offer.

A conversation is claimed by compare-and-set: whoever holds its row first and finds it free has it; all others are told who was faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import assignment, conversations, directory, events, routing, situations
from hub.access import Actor, access_conversation, belongs, require
from hub.assignment import Again, reroute, told
from hub.clock import now
from hub.conversations import Current
from hub.directory import Directory
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.routing import Decision, Step
from hub.sql import among, is_postgres, lit
from hub.tables import conversations as table
from hub.tables import offers, sla_clocks

#: Waiting conversations looked at in one go for one "next", and how often that is done.
LOOKED_AT, ROUNDS = 50, 10
#: A promise that falls due within this time goes before mere waiting (ms).
SOON = 3_600_000
#: Waiting conversations of one team that one run tries to give to people who have become free, and offers that one run ends.
SERVED = 200
#: Whoever declined or missed an offer is not asked again for the same conversation within this time (ms).
ASK_AGAIN = 300_000


class Taken(Exception):
    """Somebody else was faster; ``holder`` is their id, ``name`` who that is."""

    def __init__(self, holder: int, name: str = "") -> None:
        super().__init__(f"{name or 'Somebody else'} has taken it already; choose another one.")
        self.holder, self.name = holder, name


def claim(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Take what nobody has. Again by the same person: nothing happens. Raises `NotFound`, `Forbidden`, `Taken`."""
    require(actor, "reply")
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    if home.assignee_id == actor.id:
        return
    _free_or_taken(conn, home)
    _take(conn, actor, home, "claimed")


def _free_or_taken(conn: Connection, home: Current) -> None:
    if home.assignee_id is not None:
        person = directory.current(conn).employees.get(home.assignee_id)
        raise Taken(home.assignee_id, person.name if person else "")


def _take(conn: Connection, actor: Actor, home: Current, how: str) -> None:
    steps: tuple[Step, ...] = ((how, actor.name),)
    at = now()
    assignment.give(home, Decision(actor.id, home.team_id, steps), at)
    conversations.save(conn, [home])
    assignment.withdraw(conn, home.id)
    assignment.took(conn, actor.id, at)
    events.append(conn, [told(home, actor.id)])


def next_one(conn: Connection, actor: Actor) -> int | None:
    """Take the waiting conversation whose turn it is; its id, None when nothing waits for this person.

    First what is promised soonest (overdue or within `SOON`), then who has waited longest. What needs a skill the person lacks is
    passed over, and what somebody else is being rung for. What another process is holding comes last.
    """
    require(actor, "reply")
    d, at = directory.current(conn), now()
    first: list[int] = []
    for ids in _waiting(conn, actor, at):
        able = list(_takeable(conn, d, actor, ids, at))
        if (home := _hold_first(conn, able, skip=True)) is not None:
            break
        first = first or able
    else:
        home = _hold_first(conn, first, skip=False)
    if home is None:
        return None
    _take(conn, actor, home, "claimed")
    return home.id


def _takeable(conn: Connection, d: Directory, actor: Actor, ids: Sequence[int], at: int) -> Iterator[int]:
    """Those that need nothing the person lacks, in the same order."""
    homes = conversations.look_at(conn, ids)
    found = [homes[number] for number in ids if number in homes]
    for home, contact in zip(found, situations.of_conversations(conn, d, found, at), strict=True):
        if routing.may_take(d, contact, actor.id):
            yield home.id


def _hold_first(conn: Connection, ids: Sequence[int], *, skip: bool) -> Current | None:
    """The first of them that is still free, held until the commit. ``skip``: none that somebody else holds now, else wait for it."""
    if not ids:
        return None
    if not is_postgres(conn):
        homes = conversations.look_at(conn, ids)
        return next((homes[number] for number in ids if number in homes and _free(homes[number])), None)
    c = table.c
    turn = sa.func.array_position(sa.literal(list(ids), sa.ARRAY(sa.BigInteger)), c.id)
    free = (c.assignee_id.is_(None), c.status == lit("open"), c.waiting_since.is_not(None))
    held = sa.select(c.id).where(among(c.id, ids), *free).order_by(turn).limit(1).with_for_update(skip_locked=skip)
    number = conn.execute(held).scalar()
    return conversations.lock_one(conn, number) if number is not None else None


def _free(home: Current) -> bool:
    return home.assignee_id is None and home.status == "open" and home.waiting_since is not None


def _waiting(conn: Connection, actor: Actor, at: int) -> Iterator[list[int]]:
    """Ids in the order of their turn, as long as somebody asks for more."""
    c, s, o = table.c, sla_clocks.c, offers.c
    rung = sa.select(o.conversation_id).where(o.conversation_id == c.id, o.expires_at > at, o.employee_id != actor.id)
    free = (
        c.assignee_id.is_(None),
        c.status == lit("open"),
        c.waiting_since.is_not(None),
        belongs(actor),
        ~rung.exists(),
    )
    due = sa.func.min(s.due_at)
    soonest = (
        sa.select(c.id, due)
        .join(sla_clocks, s.conversation_id == c.id)
        .where(*free, s.met_at.is_(None), s.due_at <= at + SOON)
        .group_by(c.id)
        .order_by(due, c.id)
        .limit(LOOKED_AT * ROUNDS)
    )
    promised = [row[0] for row in conn.execute(soonest)]
    for start in range(0, len(promised), LOOKED_AT):
        yield promised[start : start + LOOKED_AT]
    seen, after = set(promised), (-1, 0)
    longest = sa.select(c.id, c.waiting_since).where(*free).order_by(c.waiting_since, c.id).limit(LOOKED_AT)
    for _ in range(ROUNDS):
        here, there = sa.tuple_(c.waiting_since, c.id), sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        rows = conn.execute(longest.where(here > there)).all()
        if not rows:
            return
        after = (rows[-1].waiting_since, rows[-1].id)
        yield [row.id for row in rows if row.id not in seen]


def _locked(conn: Connection, ids: list[int]) -> list[Current]:
    """Those of them that nobody else is holding, in the same order, held until the commit."""
    statement = sa.select(table.c.id).where(among(table.c.id, ids))
    if is_postgres(conn):
        statement = statement.with_for_update(skip_locked=True)
    mine = set(conn.execute(statement).scalars())
    found = {home.id: home for home in conversations.lock_for(conn, [i for i in ids if i in mine], [], [], 0)}
    return [found[i] for i in ids if i in found]


# ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# A row of `offers` whose time is over for good (expires_at 0) says who has been asked and did not want it.
class OfferRow(Struct, frozen=True):
    """What rings at somebody's: moments in ms."""

    conversation_id: int
    employee_id: int
    offered_at: int
    expires_at: int


def offered_to(conn: Connection, employee_id: int) -> list[OfferRow]:
    """What is being offered to somebody, the oldest first."""
    o = offers.c
    statement = sa.select(o.conversation_id, o.employee_id, o.offered_at, o.expires_at)
    mine = statement.where(o.employee_id == employee_id, o.expires_at > now()).order_by(o.offered_at, o.conversation_id)
    return [OfferRow(*row) for row in conn.execute(mine)]


def accept(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Take what was offered; again: nothing happens. Raises `NotFound` when it is not offered to them (any more), `Taken`."""
    require(actor, "reply")
    home = conversations.lock_one(conn, conversation_id)
    if home is None:
        raise NotFound
    if home.assignee_id == actor.id:
        return
    _offered(conn, actor, home)
    _free_or_taken(conn, home)
    _take(conn, actor, home, "accepted")


def decline(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Not now: the next one is asked. Raises `NotFound` when it is not offered to them."""
    home = conversations.lock_one(conn, conversation_id)
    if home is None:
        raise NotFound
    row = _offered(conn, actor, home)
    events.append(conn, _ask_others(conn, [(home, row)], "declined"))


def _offered(conn: Connection, actor: Actor, home: Current) -> Any:
    o = offers.c
    mine = sa.select(offers).where(o.conversation_id == home.id, o.employee_id == actor.id, o.expires_at > now())
    row = conn.execute(mine).first()
    if row is None:
        raise NotFound
    return row


def expire(conn: Connection) -> int:
    """Ask the next ones where nobody answered in time; how many offers had run out."""
    o, at = offers.c, now()
    over = (o.expires_at > 0, o.expires_at <= at)
    late = list(conn.execute(sa.select(o.conversation_id).where(*over).order_by(o.expires_at).limit(SERVED)).scalars())
    homes = {home.id: home for home in conversations.lock_for(conn, late, [], [], 0)} if late else {}
    # behind the locks once more: somebody may have declined meanwhile, and the next one has their full time
    rows = conn.execute(sa.select(offers).where(among(o.conversation_id, late), *over)).all() if late else []
    events.append(conn, _ask_others(conn, [(homes[row.conversation_id], row) for row in rows], "missed"))
    return len(rows)


def _ask_others(conn: Connection, unanswered: Sequence[tuple[Current, Any]], how: str) -> list[NewEvent]:
    """Withdraw the offers and decide anew without everybody who has been asked."""
    d, o = directory.current(conn), offers.c
    asked = []
    for home, row in unanswered:
        if home.assignee_id is not None or home.status != "open":
            assignment.withdraw(conn, home.id)
            continue
        person = d.employees.get(row.employee_id)
        asked.append(Again(home, ((how, person.name if person else ""),), _asked(row)))
    for again in asked:
        refused = ",".join(map(str, sorted(again.excluded)))
        mine = sa.update(offers).where(o.conversation_id == again.home.id)
        conn.execute(mine.values(refused=refused, expires_at=0))
    return reroute(conn, asked)


def _asked(row: Any) -> frozenset[int]:
    """Who has been asked so far."""
    return frozenset({row.employee_id, *(int(n) for n in row.refused.split(",") if n)})


def serve(conn: Connection) -> int:
    """Give what waits in the queues of teams that choose to those who have become free; how many events that made."""
    d, at = directory.current(conn), now()
    ids: list[int] = []
    for team in _teams_with_room(conn, d, at):
        c = table.c
        waiting = sa.select(c.id).where(
            c.team_id == team, c.status == lit("open"), c.assignee_id.is_(None), c.waiting_since.is_not(None)
        )
        ids += conn.execute(waiting.order_by(c.waiting_since, c.id).limit(SERVED)).scalars()
    if not ids:
        return 0
    rows = {
        row.conversation_id: row for row in conn.execute(sa.select(offers).where(among(offers.c.conversation_id, ids)))
    }
    ringing = {number for number, row in rows.items() if row.expires_at > 0}
    asked = {number: _asked(row) for number, row in rows.items() if row.offered_at > at - ASK_AGAIN}
    homes = [home for home in _locked(conn, [i for i in ids if i not in ringing]) if _free(home)]
    again = [Again(home, excluded=asked.get(home.id, frozenset())) for home in homes]
    news = reroute(conn, again, only_people=True)
    events.append(conn, news)
    return len(news)


def _teams_with_room(conn: Connection, d: Directory, at: int) -> list[int]:
    """Teams that choose and have a member who is there and not full: only for them is it worth a look."""
    choosing = [team for team in d.teams.values() if team.strategy != "queue"]
    members = {number for team in choosing for number in team.members if number in d.employees}
    staff = assignment.standings(conn, d, members, at) if members else {}
    free = {n for n, doing in staff.items() if doing.state == "available" and doing.load < d.employees[n].capacity}
    return [team.id for team in choosing if free.intersection(team.members)]
