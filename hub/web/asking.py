"""Whom one may mention in a note: people with what they are doing, and teams, by the letters after the sign @."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, presence
from hub.access import Actor
from hub.clock import now
from hub.http import HOUSE
from hub.text import fold
from hub.web.rendering import show

#: So many are offered.
MOST = 8


class Askable(Struct, frozen=True):
    """Somebody, or a team: ``state`` is empty for a team, ``size`` is how many are in it; ``until`` as in `mates.Mate`."""

    mark: str
    name: str
    state: str = ""
    size: int = 0
    until: int | None = None


def askable(conn: Connection, actor: Actor, q: str) -> list[Askable]:
    """Those one of whose names begins so, whoever is available first; teams last."""
    d, doing, at = directory.current(conn), presence.everybody(conn), now()
    wanted = fold(q).split()
    found = []
    for e in d.employees.values():
        if e.disabled or e.id == actor.id or not _fits(e.name, wanted):
            continue
        absence = d.absence(e.id, at)
        state = doing[e.id].state if e.id in doing else "offline"
        found.append(Askable(f"e{e.id}", e.name, state, until=(absence.ends_at or 0) if absence else None))
    order = ("available", "busy", "away", "offline")
    found.sort(key=lambda a: (a.until is not None, order.index(a.state), fold(a.name), a.mark))
    groups = [Askable(f"t{t.id}", t.name, size=len(t.members)) for t in d.teams.values() if _fits(t.name, wanted)]
    groups.sort(key=lambda a: (fold(a.name), a.mark))
    return [*found[: MOST - min(len(groups), 3)], *groups[:MOST]][:MOST]


def _fits(name: str, wanted: list[str]) -> bool:
    """Every word begins one of the name's."""
    parts = fold(name).split()
    return all(any(part.startswith(word) for part in parts) for word in wanted)


async def mates_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /mates?q=: those who fit, as options of a list."""
    found = await request.app[HOUSE].hub.db.read(askable, actor, request.query.get("q", "")[:60])
    return show(request, "askable.j2", actor, found=found)
