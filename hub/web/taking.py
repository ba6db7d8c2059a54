"""What people say about themselves and take for themselves: presence, a conversation nobody has, the next one of the queue."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import claims, presence
from hub.access import Actor
from hub.http import HOUSE, Problem, read_form
from hub.web import forms
from hub.web.deeds import back
from hub.web.doors import safe_next
from hub.web.places import Place
from hub.web.screens import is_part, number_in


async def set_presence(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/presence: ``state`` is one of `presence.State`; back to where one was."""
    house, form = request.app[HOUSE], await read_form(request)
    state = forms.word(form, "state", 20)

    def work(conn: Connection) -> None:
        presence.choose(conn, actor.id, state)

    try:
        await house.hub.db.write(work)
    except ValueError as error:
        raise Problem(400, str(error)) from error
    house.hub.bus.publish()
    if is_part(request):
        return web.Response(status=204)
    return web.Response(status=303, headers={"Location": _here(request)})


async def moved(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/moved: somebody does something in front of their screen."""
    house = request.app[HOUSE]
    await house.hub.db.write(presence.moved, actor.id)
    house.hub.bus.publish()
    return web.Response(status=204)


def _here(request: web.Request) -> str:
    """The page of ours that somebody came from, else the inbox."""
    origin, _, path = request.headers.get("Referer", "").partition("://")[2].partition("/")
    return safe_next(f"/{path}") if origin == request.host else "/"


async def claim(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/claim: take what nobody has; 409 when somebody was faster."""
    number, house = number_in(request), request.app[HOUSE]
    try:
        await house.hub.db.write(claims.claim, actor, number)
    except claims.Taken as taken:
        raise Problem(409, str(taken)) from taken
    house.hub.bus.publish()
    return back(request, number)


async def take_next(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /inbox/next: the waiting conversation whose turn it is; to the unassigned ones when nothing waits."""
    house = request.app[HOUSE]
    number = await house.hub.db.write(claims.next_one, actor)
    if number is None:
        return web.Response(status=303, headers={"Location": "/inbox/mine?none=1"})
    house.hub.bus.publish()
    return web.Response(status=303, headers={"Location": Place("mine").conversation(number)})
