"""Watching a conversation that is somebody else's, linking two, blocking a sender and hearing them again. Plain forms."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import actions, blocking, inbox, linking, watching
from hub.access import Actor, require
from hub.http import HOUSE, read_form
from hub.outbox import CannotSend, NotFound
from hub.web.deeds import back
from hub.web.forms import word
from hub.web.pages import beside
from hub.web.screens import number_in, positive
from hub.web.working import do
from hub.work import Deed


def _there(request: web.Request, number: int, did: str) -> web.Response:
    """To the conversation, with the bar that offers to undo it; without it when this was undoing."""
    url = beside(request.query).conversation(number)
    if "undo" not in request.query:
        url += f"&did={did}"
    return web.Response(status=303, headers={"Location": url})


async def watch(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/watch: ``on`` "yes" or not; to the same conversation."""
    number, form = number_in(request), await read_form(request)
    on = (word(form, "on", 5) or request.query.get("on", "")) == "yes"

    def work(conn: Connection) -> None:
        watching.watch(conn, actor, number, on=on)

    await request.app[HOUSE].hub.db.write(work)
    return _there(request, number, "watch" if on else "unwatch")


async def link(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/link: ``to`` is another conversation."""
    return await _pair(request, actor, linking.link)


async def unlink(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/unlink: ``to`` is the other one."""
    return await _pair(request, actor, linking.unlink)


async def _pair(request: web.Request, actor: Actor, act: Callable[[Connection, Actor, int, int], bool]) -> web.Response:
    number, form, house = number_in(request), await read_form(request), request.app[HOUSE]
    to = positive((word(form, "to", 25) or request.query.get("to", "")).removeprefix("#"))
    if not to:
        raise CannotSend("Type the number of the other conversation, such as 4790.")
    changed = await house.hub.db.write(act, actor, number, to)
    house.hub.bus.publish()
    return _there(request, number, f"{act.__name__}.{to}") if changed else back(request, number)


def _senders(conn: Connection, actor: Actor, number: int) -> dict[str, bool]:
    require(actor, "assign")
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    return blocking.senders(conn, number, row.customer_id)


async def block(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/block: close it, and let the customer's addresses in it be heard no more; undone together."""
    number = number_in(request)

    def act(conn: Connection) -> int:
        senders = _senders(conn, actor, number)
        if not senders:
            raise CannotSend("Nobody takes part in this conversation who could be blocked.")
        # somebody else's block stays when this one is undone
        fresh = tuple(address for address, blocked in senders.items() if not blocked)
        deed = Deed("status", status="closed", closed_as=blocking.REASON, block=fresh)
        action = actions.one(conn, actor, deed, number)
        blocking.block(conn, actor.id, fresh)
        return action

    return await do(request, actor, act)


async def unblock(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/unblock: they are heard again; the conversation stays as it is."""
    number = number_in(request)
    await request.app[HOUSE].hub.db.write(lambda conn: blocking.unblock(conn, list(_senders(conn, actor, number))))
    return back(request, number)
