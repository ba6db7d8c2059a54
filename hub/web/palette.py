"""/palette: what the server adds to the palette while somebody types: customers, conversations, pages of the settings."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import customers, inbox
from hub.access import Actor
from hub.customers import CustomerRow
from hub.http import HOUSE
from hub.inbox import Filter, Row
from hub.text import clean_line, fold
from hub.web.rendering import show, words_for
from hub.web.settings import sections

MOST = 5


def _found(conn: Connection, actor: Actor, q: str) -> tuple[list[CustomerRow], list[Row]]:
    rows, _ = inbox.listing(conn, actor, Filter(q=q), limit=MOST)
    return customers.listing(conn, actor, q, 2**62, MOST), rows


async def palette_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /palette?q="""
    q = clean_line(request.query.get("q", ""), 100)
    people, rows = await request.app[HOUSE].hub.db.read(_found, actor, q) if q else ([], [])
    words = words_for(request, actor)
    places = [s for s in sections(actor, words) if q and fold(q) in fold(s.label)]
    return show(request, "palette.j2", actor, customers=people, rows=rows, places=places)
