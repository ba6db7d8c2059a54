"""/palette: what the server adds to the palette while somebody types: customers, conversations, pages of the settings."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import customers, directory, inbox
from hub.access import Actor
from hub.customers import CustomerRow
from hub.http import HOUSE
from hub.inbox import Filter, Row
from hub.text import by_name, clean_line, fold
from hub.web.rendering import show, words_for
from hub.web.settings import sections

MOST = 5


class Found(Struct, frozen=True):
    """What was found: customers, conversations, and colleagues (id, name)."""

    customers: list[CustomerRow]
    rows: list[Row]
    colleagues: list[tuple[int, str]]


def _found(conn: Connection, actor: Actor, q: str) -> Found:
    if q.startswith("@"):
        wanted = fold(q[1:]).strip()
        people = directory.current(conn).employees.values()
        known = sorted(
            ((e.name, e.id) for e in people if wanted in fold(e.name) and not e.disabled), key=lambda e: by_name(e[0])
        )
        return Found(customers.listing(conn, actor, wanted, 2**62, MOST), [], [(n, name) for name, n in known[:MOST]])
    rows, _ = inbox.listing(conn, actor, Filter(q=q), limit=MOST)
    return Found(customers.listing(conn, actor, q, 2**62, MOST), rows, [])


async def palette_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /palette?q=: with a sign @ before it, people only."""
    q = clean_line(request.query.get("q", ""), 100)
    found = await request.app[HOUSE].hub.db.read(_found, actor, q) if q.strip("@ ") else Found([], [], [])
    words = words_for(request, actor)
    places = [s for s in sections(actor, words) if q and fold(q) in fold(s.label)]
    return show(request, "palette.j2", actor, found=found, places=places)
