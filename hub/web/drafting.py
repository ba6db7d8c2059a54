"""What becomes of a draft on the screens: discarded, had again, or a message taken back into one. Plain forms."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from hub import drafts, modes, replies, undo
from hub.access import Actor
from hub.drafts import Kept, Mode
from hub.holds import CHOICES
from hub.http import HOUSE, Problem, read_form
from hub.replies import Filled
from hub.tables import employees
from hub.web import reads
from hub.web.forms import word
from hub.web.pages import beside
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import is_part, number_in
from hub.web.views import Names, acted


def _there(request: web.Request, number: int, **more: str) -> web.Response:
    """Back to the conversation, with the same list beside it."""
    tail = "".join(f"&{key}={value}" for key, value in more.items())
    return web.Response(status=303, headers={"Location": beside(request.query).conversation(number) + tail})


def _mode(request: web.Request) -> Mode:
    return cast(Mode, request.match_info["mode"])


async def discard(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/drafts/<mode>/discard: also when nothing of it had reached the server."""
    number, mode, house = number_in(request), _mode(request), request.app[HOUSE]

    def work(conn: Connection) -> bool:
        kept = drafts.of_conversation(conn, actor, number).get(mode)
        if kept is None or not kept.alive:
            return False
        drafts.discard(conn, actor, number, mode)
        return True

    gone = await house.hub.db.write(work)
    house.hub.bus.publish()
    return _there(request, number, **({"gone": mode} if gone else {}), mode=mode)


async def restore(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/drafts/<mode>/restore"""
    number, mode, house = number_in(request), _mode(request), request.app[HOUSE]
    await house.hub.db.write(drafts.restore, actor, number, mode)
    house.hub.bus.publish()
    return _there(request, number, mode=mode)


async def take_back(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /messages/<id>/undo: what has not left is the draft again."""
    house = request.app[HOUSE]
    try:
        kept: Kept = await house.hub.db.write(undo.take_back, actor, number_in(request))
    except undo.TooLate as error:
        raise Problem(409, str(error)) from error
    house.hub.bus.publish()
    return _there(request, kept.conversation_id, mode="reply")


async def choose_mode(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/mode: ``mode`` is "reply" or "note"."""
    number, house, form = number_in(request), request.app[HOUSE], await read_form(request)
    mode: Mode = "note" if word(form, "mode", 10) == "note" else "reply"
    await house.hub.db.write(modes.choose, actor, number, mode)
    return web.Response(status=204) if is_part(request) else _there(request, number)


async def set_undo(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/undo: ``seconds``, or empty for what the channel says."""
    chosen = word(await read_form(request), "seconds", 5)
    if chosen not in ("", *map(str, CHOICES)):
        raise Problem(400, "Choose one of the times in the list.")

    def work(conn: Connection) -> None:
        values = {"undo_seconds": int(chosen) if chosen else None}
        conn.execute(sa.update(employees).where(employees.c.id == actor.id).values(**values))

    await request.app[HOUSE].hub.db.write(work)
    return web.Response(status=303, headers={"Location": "/me"})


async def replies_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/saved?q=: the saved replies that fit, filled in."""
    number, q = number_in(request), request.query.get("q", "")[:100]
    when = when_for(request, words_for(request, actor))

    def look(conn: Connection) -> tuple[list[Filled], Names]:
        return replies.for_conversation(conn, actor, number, q), reads.names(conn)[0]

    found, names = await request.app[HOUSE].hub.db.read(look)
    acts = {filled.reply.id: acted(filled.reply.actions, names, when) for filled in found}
    return show(request, "saved.j2", actor, found=found, acts=acts)
