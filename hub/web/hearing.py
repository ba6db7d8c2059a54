"""Whom one hears: watching a conversation that is somebody else's, blocking a sender and hearing them again. Plain forms."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import actions, blocking, inbox, watching
from hub.access import Actor, require
from hub.http import HOUSE, read_form
from hub.outbox import CannotSend, NotFound
from hub.web.deeds import back
from hub.web.forms import word
from hub.web.screens import number_in
from hub.web.working import do
from hub.work import Deed


async def watch(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/watch: ``on`` "yes" or not; to the same conversation."""
    number, on = number_in(request), word(await read_form(request), "on", 5) == "yes"

    def work(conn: Connection) -> None:
        watching.watch(conn, actor, number, on=on)

    await request.app[HOUSE].hub.db.write(work)
    return back(request, number)


def _senders(conn: Connection, actor: Actor, number: int) -> list[str]:
    require(actor, "assign")
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    return blocking.senders(conn, number, row.customer_id)


async def block(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/block: close it, and let the customer's addresses in it be heard no more; undone together."""
    number = number_in(request)

    def act(conn: Connection) -> int:
        senders = tuple(_senders(conn, actor, number))
        if not senders:
            raise CannotSend("Nobody takes part in this conversation who could be blocked.")
        deed = Deed("status", status="closed", closed_as=blocking.REASON, block=senders)
        action = actions.one(conn, actor, deed, number)
        blocking.block(conn, actor.id, senders)
        return action

    return await do(request, actor, act)


async def unblock(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/unblock: they are heard again; the conversation stays as it is."""
    number = number_in(request)
    await request.app[HOUSE].hub.db.write(lambda conn: blocking.unblock(conn, _senders(conn, actor, number)))
    return back(request, number)
