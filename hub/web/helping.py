"""/help: what works by which key, how to search, and whom in the house to ask. It leads to nobody else's pages."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import accounts
from hub.access import Actor
from hub.http import HOUSE
from hub.web import reads
from hub.web.keys import decoded, mine
from hub.web.pages import title
from hub.web.rendering import show, words_for

#: So many administrators are named.
MOST = 10


async def help_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /help"""
    house, name = request.app[HOUSE], words_for(request, actor).text("Help")

    def look(conn: Connection) -> tuple[reads.Around, list[tuple[str, str]]]:
        return reads.around(conn, actor), accounts.administrators(conn, MOST)

    around, people = await house.hub.db.read(look)
    bound = [(b, " / ".join(b.keys)) for b in mine(decoded(around.keys)) if b.keys]
    return show(
        request, "help.j2", actor, around=around, bindings=bound, people=people, place=None,
        title=title(house.company, (), name),
    )  # fmt: skip
