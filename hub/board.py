"""The live board: who waits, what is promised soon, who is here, and how the channels are, as of this moment.

Every figure is the length of a bounded stretch of an index, so none of it gets slower as the house fills; counts stop at
`inbox.MOST_COUNTED`. Agents see what is theirs to see.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import assignment, directory, inbox, presence
from hub.access import Actor, belongs
from hub.clock import now
from hub.directory import Directory
from hub.inbox import MOST_COUNTED
from hub.sql import lit
from hub.tables import channels, conversations
from hub.text import by_name

#: Teams, people and channels that have a line.
MOST_LINES = 200

_c = conversations.c


class TeamLine(Struct, frozen=True):
    """What waits in a team's queue and whose nobody is; ``since``: how long the first of it has been waiting (ms, None: nothing)."""

    id: int
    slug: str
    name: str
    unassigned: int
    since: int | None


class PersonLine(Struct, frozen=True):
    """Somebody who is here, and how much of what they carry is taken."""

    id: int
    name: str
    state: str
    load: int
    capacity: int


class ChannelLine(Struct, frozen=True):
    """A channel: conversations begun today, those that are open, and what is wrong with it (empty: nothing)."""

    id: int
    kind: str
    name: str
    inflow: int
    backlog: int
    trouble: str
    trouble_since: int | None


class Board(Struct, frozen=True):
    """Everything at one moment. ``since``: when whoever waits longest began to; ``soon`` and ``late``: replies due within the
    hour, and overdue; ``unassigned``: who waits and is nobody's, in all these teams and without one.
    """

    at: int
    waiting: int
    since: int | None
    soon: int
    late: int
    unassigned: int
    teams: tuple[TeamLine, ...]
    people: tuple[PersonLine, ...]
    channels: tuple[ChannelLine, ...]

    def state(self, name: str) -> int:
        """How many people are in this state."""
        return sum(person.state == name for person in self.people)


def look(conn: Connection, actor: Actor, midnight: int) -> Board:
    """The board for this person. ``midnight``: when their day began. Eight statements, however full the house is."""
    d, moment = directory.current(conn), now()
    waiting = inbox.waiting(conn, actor)
    due = inbox.replies_due(conn, [number for number, _ in waiting]).values()
    queues = _queues(conn, d, actor)
    return Board(
        moment,
        len(waiting),
        waiting[0][1] if waiting else None,
        sum(moment <= at <= moment + inbox.SOON for at in due),
        sum(at < moment for at in due),
        min(sum(count for count, _ in queues.values()), MOST_COUNTED),
        tuple(TeamLine(team.id, team.slug, team.name, *queues.get(team.id, (0, None))) for team in _teams(d, actor)),
        _people(conn, d, actor, moment),
        _channels(conn, d, actor, midnight),
    )


def _teams(d: Directory, actor: Actor) -> list[directory.Team]:
    shown = [team for team in d.teams.values() if actor.sees_all or team.id in actor.teams]
    return sorted(shown, key=lambda team: (by_name(team.name), team.id))[:MOST_LINES]


def _queues(conn: Connection, d: Directory, actor: Actor) -> dict[int | None, tuple[int, int | None]]:
    """(how many, the first since when) by team; None is nobody's team."""
    parts = []
    for team in [None, *(team.id for team in _teams(d, actor))]:
        own = _c.team_id.is_(None) if team is None else _c.team_id == team
        free = (_c.status == lit("open"), _c.assignee_id.is_(None), _c.waiting_since.is_not(None), own)
        some = sa.select(_c.waiting_since).where(*free).order_by(_c.waiting_since, _c.id).limit(MOST_COUNTED).subquery()
        name = sa.cast(sa.literal(team), sa.BigInteger).label("team")
        parts.append(sa.select(name, sa.func.count(), sa.func.min(some.c.waiting_since)).select_from(some))
    return {row[0]: (row[1], row[2]) for row in conn.execute(sa.union_all(*parts))}


def _people(conn: Connection, d: Directory, actor: Actor, moment: int) -> tuple[PersonLine, ...]:
    """Those who are here and answer customers: of the actor's teams, or all. Who is free first."""
    mates = {member for team in _teams(d, actor) for member in team.members} | {actor.id}
    here = [
        number
        for number, found in presence.everybody(conn).items()
        if found.state != "offline"
        and (person := d.employees.get(number)) is not None
        and not person.disabled
        and person.role != "light"
        and (actor.sees_all or number in mates)
    ]
    standings = assignment.standings(conn, d, here[:MOST_LINES], moment) if here else {}
    lines = [
        PersonLine(number, d.employees[number].name, standing.state, standing.load, d.employees[number].capacity)
        for number, standing in standings.items()
    ]
    order = ("available", "busy", "away")
    return tuple(sorted(lines, key=lambda p: (order.index(p.state) if p.state in order else 3, by_name(p.name), p.id)))


def _channels(conn: Connection, d: Directory, actor: Actor, midnight: int) -> tuple[ChannelLine, ...]:
    shown = [
        channel
        for channel in d.channels.values()
        if actor.sees_all or channel.team_id is None or channel.team_id in actor.teams
    ][:MOST_LINES]
    if not shown:
        return ()
    today = (
        sa.select(_c.channel_id)
        .where(_c.created_at >= midnight, belongs(actor))
        .order_by(_c.created_at)
        .limit(inbox.MOST_BEGUN)
        .subquery()
    )
    inflow = {
        row[0]: row[1]
        for row in conn.execute(sa.select(today.c.channel_id, sa.func.count()).group_by(today.c.channel_id))
    }
    backlog = _backlog(conn, actor, [channel.id for channel in shown])
    c = channels.c
    health = {row[0]: (row[1], row[2]) for row in conn.execute(sa.select(c.id, c.trouble, c.trouble_since))}
    return tuple(
        ChannelLine(
            channel.id,
            channel.kind,
            channel.name,
            inflow.get(channel.id, 0),
            backlog.get(channel.id, 0),
            *health.get(channel.id, ("", None)),
        )
        for channel in sorted(shown, key=lambda channel: (by_name(channel.name), channel.id))
    )


def _backlog(conn: Connection, actor: Actor, ids: Sequence[int]) -> dict[int, int]:
    """Open conversations by channel."""
    parts = []
    for number in ids:
        some = (
            sa.select(_c.id)
            .where(_c.channel_id == number, _c.status == lit("open"), belongs(actor))
            .limit(MOST_COUNTED)
            .subquery()
        )
        parts.append(sa.select(sa.literal(number), sa.func.count()).select_from(some))
    return {row[0]: row[1] for row in conn.execute(sa.union_all(*parts))}
