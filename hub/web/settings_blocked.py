"""/settings/blocked: the senders nobody is told of, who blocked them, and how they are heard again."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import addresses, blocking
from hub.access import Actor, require
from hub.http import HOUSE, read_form
from hub.text import clean_line
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import words_for

PATH = "/settings/blocked"


async def blocked_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/blocked?after=<address>"""
    return await _page(request, actor)


async def _page(
    request: web.Request, actor: Actor, typed: str = "", troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    require(actor, "routing")
    after = clean_line(request.query.get("after", ""), 500)
    found = await request.app[HOUSE].hub.db.read(blocking.listing, after)
    words = words_for(request, actor)
    more = found[blocking.MOST - 1].address if len(found) > blocking.MOST else ""
    return await settings.page(
        request, actor, "blocked.j2", "blocked", words.text("Blocked senders"), status=422 if troubles else 200,
        troubles=troubles, lines=found[: blocking.MOST], more=more, v={"address": typed},
    )  # fmt: skip


async def block(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/blocked: ``address`` as people write it."""
    require(actor, "routing")
    typed = forms.word(await read_form(request), "address", 400)
    try:
        address = addresses.normal(typed)
    except ValueError as error:
        return await _page(request, actor, typed, (Trouble("address", words_for(request, actor).sentence(str(error))),))
    await request.app[HOUSE].hub.db.write(blocking.block, actor.id, [address])
    return await settings.changed(request, PATH, "blocked")


async def unblock(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/blocked/unblock: ``address`` as the list has it."""
    require(actor, "routing")
    address = forms.word(await read_form(request), "address", 1000)

    def work(conn: Connection) -> None:
        blocking.unblock(conn, [address])

    await request.app[HOUSE].hub.db.write(work)
    return await settings.changed(request, PATH, "heard")
