"""Taking work out of a queue: claiming a conversation, asking for the next one, accepting or declining an offer.

A conversation is claimed by compare-and-set: whoever holds its row first and finds it free has it; all others are told who was faster.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import assignment, conversations, directory, events, routing, situations
from hub.access import Actor, access_conversation, require, visible
from hub.assignment import Again, reroute, told
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.routing import Decision, Step
from hub.sql import among, is_postgres, lit
from hub.tables import conversations as table
from hub.tables import offers, sla_clocks

#: Waiting conversations looked at for one "next", longest waiting and soonest due each.
LOOKED_AT = 50
#: A promise that falls due within this time goes before mere waiting (ms).
SOON = 3_600_000
#: Waiting conversations that one run gives to people who have become free, per team.
SERVED = 20


class Taken(Exception):
    """Somebody else was faster; ``holder`` is their id."""

    def __init__(self, holder: int) -> None:
        super().__init__("Somebody else has taken it.")
        self.holder = holder


def claim(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Take what nobody has. Again by the same person: nothing happens. Raises `NotFound`, `Forbidden`, `Taken`."""
    require(actor, "reply")
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    if home.assignee_id == actor.id:
        return
    if home.assignee_id is not None:
        raise Taken(home.assignee_id)
    _take(conn, actor, home, "claimed")


def _take(conn: Connection, actor: Actor, home: Current, how: str) -> None:
    steps: tuple[Step, ...] = ((how, actor.name),)
    assignment.give(home, Decision(actor.id, home.team_id, steps), now())
    conversations.save(conn, [home])
    conn.execute(sa.delete(offers).where(offers.c.conversation_id == home.id))
    events.append(conn, [told(home, actor.id)])


def next_one(conn: Connection, actor: Actor) -> int | None:
    """Take the waiting conversation whose turn it is; its id, None when nothing waits for this person.

    First what is promised soonest (overdue or within `SOON`), then who has waited longest. What another process is taking at
    this moment is passed over; what needs a skill the person lacks too.
    """
    require(actor, "reply")
    d, at = directory.current(conn), now()
    homes = [home for home in _locked(conn, _waiting(conn, actor, at)) if _free(home)]
    contacts = situations.of_conversations(conn, d, homes, at)
    for home, contact in zip(homes, contacts, strict=True):
        if routing.may_take(d, contact, actor.id):
            _take(conn, actor, home, "claimed")
            return home.id
    return None


def _free(home: Current) -> bool:
    return home.assignee_id is None and home.status == "open" and home.waiting_since is not None


def _waiting(conn: Connection, actor: Actor, at: int) -> list[int]:
    """Ids in the order of their turn."""
    c, s = table.c, sla_clocks.c
    free = (c.assignee_id.is_(None), c.status == lit("open"), c.waiting_since.is_not(None), visible(actor))
    longest = sa.select(c.id, c.waiting_since).where(*free).order_by(c.waiting_since, c.id).limit(LOOKED_AT)
    soonest = (
        sa.select(c.id, sa.func.min(s.due_at))
        .join(sla_clocks, s.conversation_id == c.id)
        .where(*free, s.met_at.is_(None), s.due_at <= at + SOON)
        .group_by(c.id)
        .order_by(sa.func.min(s.due_at), c.id)
        .limit(LOOKED_AT)
    )
    promised = [row[0] for row in conn.execute(soonest)]
    return list(dict.fromkeys([*promised, *(row[0] for row in conn.execute(longest))]))


def _locked(conn: Connection, ids: list[int]) -> list[Current]:
    """Those of them that nobody else is holding, in the same order, held until the commit."""
    statement = sa.select(table.c.id).where(among(table.c.id, ids))
    if is_postgres(conn):
        statement = statement.with_for_update(skip_locked=True)
    mine = set(conn.execute(statement).scalars())
    found = {home.id: home for home in conversations.lock_for(conn, [i for i in ids if i in mine], [], [], 0)}
    return [found[i] for i in ids if i in found]


# ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def accept(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Take what was offered. Raises `NotFound` when it is not offered to this person (any more), `Taken`."""
    home = _offered(conn, actor, conversation_id)
    if home.assignee_id is not None:
        raise Taken(home.assignee_id)
    _take(conn, actor, home, "accepted")


def decline(conn: Connection, actor: Actor, conversation_id: int) -> None:
    """Not now: the next one is asked. Raises `NotFound`."""
    home = _offered(conn, actor, conversation_id)
    events.append(conn, _ask_others(conn, [home], "declined"))


def _offered(conn: Connection, actor: Actor, conversation_id: int) -> Current:
    home = conversations.lock_one(conn, conversation_id)
    o = offers.c
    mine = sa.select(o.expires_at).where(
        o.conversation_id == conversation_id, o.employee_id == actor.id, o.expires_at > now()
    )
    if home is None or conn.execute(mine).first() is None:
        raise NotFound
    return home


def expire(conn: Connection) -> int:
    """Ask the next ones where nobody answered in time; how many offers had run out."""
    o = offers.c
    late = list(conn.execute(sa.select(o.conversation_id).where(o.expires_at <= now()).limit(SERVED)).scalars())
    homes = conversations.lock_for(conn, late, [], [], 0) if late else []
    events.append(conn, _ask_others(conn, homes, "missed"))
    return len(late)


def _ask_others(conn: Connection, homes: list[Current], how: str) -> list[NewEvent]:
    """Withdraw the offers and decide anew without everybody who has been asked."""
    o = offers.c
    rows = {
        row.conversation_id: row
        for row in conn.execute(sa.select(offers).where(among(o.conversation_id, [h.id for h in homes])))
    }
    d = directory.current(conn)
    asked = []
    for home in homes:
        row = rows.get(home.id)
        if row is None or home.assignee_id is not None:
            continue
        before = frozenset({row.employee_id, *(int(n) for n in row.refused.split(",") if n)})
        person = d.employees.get(row.employee_id)
        asked.append(Again(home, ((how, person.name if person else ""),), before))
    conn.execute(sa.delete(offers).where(among(o.conversation_id, [h.id for h in homes])))
    return reroute(conn, asked)


def serve(conn: Connection) -> int:
    """Give what waits in the queues of teams that choose to those who have become free; how many."""
    d = directory.current(conn)
    c = table.c
    ids: list[int] = []
    for team in d.teams.values():
        if team.strategy != "queue" and team.members:
            waiting = sa.select(c.id).where(
                c.team_id == team.id, c.status == lit("open"), c.assignee_id.is_(None), c.waiting_since.is_not(None)
            )
            ids += conn.execute(waiting.order_by(c.waiting_since, c.id).limit(SERVED)).scalars()
    offered = set(
        conn.execute(sa.select(offers.c.conversation_id).where(among(offers.c.conversation_id, ids))).scalars()
    )
    homes = [home for home in _locked(conn, [i for i in ids if i not in offered]) if _free(home)]
    news = reroute(conn, [Again(home) for home in homes], only_people=True)
    events.append(conn, news)
    return len(news)
