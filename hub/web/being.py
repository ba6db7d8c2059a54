"""Being at a conversation: saying so, looking at what a colleague is about to say, and at what they were faster to say."""

from __future__ import annotations

from typing import cast

from aiohttp import web
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import collisions
from hub.access import RIGHTS, Actor
from hub.collisions import Newer
from hub.drafts import Mode
from hub.http import HOUSE, House, Problem, read_form
from hub.nearby import NOWHERE, Place, State, Word
from hub.outbox import NotFound
from hub.web.doors import Throttle
from hub.web.forms import word
from hub.web.rendering import show
from hub.web.screens import number_in, positive
from hub.web.whispers import WHISPERS

#: How often one person may say where they are, within `WINDOW` seconds.
SAYS, WINDOW = 80, 10.0
LIMITS: web.AppKey[Throttle] = web.AppKey("being limits")
_STATES = ("viewing", "replying", "gone")


async def here(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/here: ``state`` (viewing, replying, gone), ``mode`` (reply, note), ``via``, ``tab``, ``typing``."""
    number, house, limits = number_in(request), request.app[HOUSE], {f"here {actor.id}": SAYS}
    if request.app[LIMITS].wait(limits):
        raise Problem(429, "That was a lot at once. Try again in a moment.")
    request.app[LIMITS].failed(limits)
    form = await read_form(request)
    state, mode = word(form, "state", 20), word(form, "mode", 20) or "reply"
    if state not in _STATES or mode not in ("reply", "note"):
        raise Problem(400, "Say where you are: viewing, replying or gone.")
    may = actor.role in RIGHTS["note" if mode == "note" else "reply"]
    via, tab = positive(word(form, "via", 20)), word(form, "tab", 40)
    said = Word(number, NOWHERE, actor.id, actor.name, tab, cast(State, state), cast(Mode, mode))
    if state == "gone":
        said = _again(said, place=request.app[WHISPERS].nearby.place(number) or NOWHERE)
    else:
        typing = may and state == "replying" and word(form, "typing", 5) == "yes"
        heard = _widgets(house, via) if typing and mode == "reply" else []
        where, visitors = await house.hub.db.read(_look, actor, number, heard)
        said = _again(said, place=where, visitors=visitors, typing=typing)
        said = _again(said, via=_name(house, via)) if may else _again(said, state="viewing")
    request.app[WHISPERS].nearby.say(said)
    return web.Response(status=204)


def _again(said: Word, **more: object) -> Word:
    return structs.replace(said, **more)


def _look(
    conn: Connection, actor: Actor, number: int, channels: list[int]
) -> tuple[Place, tuple[tuple[int, str], ...]]:
    """Who may know of it, and the visitors who may see that they are being answered. Raises `NotFound`."""
    return collisions.place(conn, actor, number), collisions.listeners(conn, number, channels)


def _widgets(house: House, via: int) -> list[int]:
    """The channel, if its customers can be shown that somebody types."""
    ready = house.hub.channels.by_id.get(via)
    return [via] if ready is not None and ready.adapter.widget else []


def _name(house: House, via: int) -> str:
    ready = house.hub.channels.by_id.get(via)
    return ready.config.name if ready is not None else ""


async def colleagues_draft(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/drafts/<mode>/of/<employee>: what a colleague is writing, where the house lets people look."""
    house = request.app[HOUSE]
    if not house.hub.options.show_drafts:
        raise NotFound
    mode, colleague = cast(Mode, request.match_info["mode"]), number_in(request, "colleague")
    found = await house.hub.db.read(collisions.draft_of, actor, number_in(request), colleague, mode)
    return show(request, "peek.j2", actor, draft=found)


async def newer_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/newer?seen=<message id>: what colleagues have said since, as the bar over the box; 204: nothing."""
    number, seen = number_in(request), positive(request.query.get("seen", ""))
    found: list[Newer] = await request.app[HOUSE].hub.db.read(collisions.newer, actor, number, seen)
    if not found or not seen:
        return web.Response(status=204)
    return show(request, "newer.j2", actor, newer=found)
