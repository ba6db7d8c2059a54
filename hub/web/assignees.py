"""Whom one may give a conversation to, as the options of a searched list: oneself first, then the team, others, teams, nobody."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, inbox
from hub.access import Actor, require
from hub.http import HOUSE
from hub.outbox import NotFound
from hub.text import by_name, clean_line, fold
from hub.web.mates import Mate, mates
from hub.web.rendering import show
from hub.web.screens import number_in

#: So many people and so many teams are offered; who is not among them is found by name.
MOST, MOST_TEAMS = 30, 10


class Assignees(Struct, frozen=True):
    """Those who fit: oneself (if so), those of the conversation's ``team``, the others, teams (id, name, how many are in it)."""

    own: Mate | None
    inside: tuple[Mate, ...]
    others: tuple[Mate, ...]
    teams: tuple[tuple[int, str, int], ...]
    team: str
    nobody: bool
    holder: int | None


def assignees(conn: Connection, actor: Actor, number: int, q: str) -> Assignees:
    """Those one of whose names begins with each of the words; ``number`` 0: for conversations of many teams. Raises `Forbidden`,
    `NotFound`.
    """
    require(actor, "assign")
    row = inbox.one(conn, actor, number) if number else None
    if row is None and number:
        raise NotFound
    wanted = fold(q).split()
    found = [m for m in mates(conn, row.team_id if row else None) if _fits(m.name, wanted)]
    own = next((m for m in found if m.id == actor.id), None)
    rest = [m for m in found if m.id != actor.id]
    inside = [m for m in rest if m.inside][:MOST]
    others = [m for m in rest if not m.inside][: MOST - len(inside)]
    groups = sorted(
        ((t.name, t.id, len(t.members)) for t in directory.current(conn).teams.values()),
        key=lambda t: (by_name(t[0]), t[1]),
    )
    teams = [(number, name, size) for name, number, size in groups if _fits(name, wanted)][:MOST_TEAMS]
    return Assignees(
        own,
        tuple(inside),
        tuple(others),
        tuple(teams),
        row.team if row else "",
        not wanted,
        row.assignee_id if row else None,
    )


def _fits(name: str, wanted: list[str]) -> bool:
    parts = fold(name).split()
    return all(any(part.startswith(word) for part in parts) for word in wanted)


async def assignees_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/assignees?q=, and for what is selected: /assignees?q="""
    number, q = number_in(request) if "number" in request.match_info else 0, clean_line(request.query.get("q", ""), 60)
    found = await request.app[HOUSE].hub.db.read(assignees, actor, number, q)
    return show(request, "assignees.j2", actor, found=found)
