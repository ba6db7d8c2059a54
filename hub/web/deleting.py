"""/c/<number>/delete: everything that was said there goes for good, after the customer's name was typed. The only deed without undo."""

from __future__ import annotations

import asyncio

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import inbox, privacy
from hub.access import Actor, require
from hub.http import HOUSE, read_form
from hub.inbox import Row
from hub.outbox import CannotSend, NotFound
from hub.text import fold
from hub.web import reads
from hub.web.forms import word
from hub.web.pages import beside, title
from hub.web.rendering import show, words_for
from hub.web.screens import number_in


def _row(conn: Connection, actor: Actor, number: int) -> Row:
    require(actor, "delete")
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    if row.merged_into is not None:
        raise CannotSend(f"This conversation was merged into #{row.merged_into}; work there.")
    return row


async def delete_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/delete: what goes, and the field for the name."""
    return await _ask(request, actor)


async def _ask(request: web.Request, actor: Actor, trouble: str = "") -> web.Response:
    house, number = request.app[HOUSE], number_in(request)
    row, around = await house.hub.db.read(lambda conn: (_row(conn, actor, number), reads.around(conn, actor)))
    name = words_for(request, actor).text("Delete the conversation")
    return show(
        request, "delete.j2", actor, status=422 if trouble else 200, row=row, around=around, place=beside(request.query),
        trouble=trouble, title=title(house.company, (), row.subject or row.customer, name),
    )  # fmt: skip


async def delete(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/delete: ``name`` is the customer's; to the list."""
    house, number, form = request.app[HOUSE], number_in(request), await read_form(request)
    said = fold(word(form, "name", 300))

    def work(conn: Connection) -> privacy.Erased | None:
        if said != fold(_row(conn, actor, number).customer):
            return None
        return privacy.erase_conversation(conn, number, actor.id)

    gone = await house.hub.db.write(work)
    if gone is None:
        return await _ask(request, actor, words_for(request, actor).text("This is not the customer’s name."))
    house.hub.bus.publish()
    await asyncio.to_thread(house.hub.blobs.remove, gone.blobs)
    await house.hub.db.write(privacy.scrub_file)
    return web.Response(status=303, headers={"Location": beside(request.query).url()})
