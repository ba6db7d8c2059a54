"""The bar that says what was just done and offers to undo it: the same on lists and conversations."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import actions
from hub.access import Actor
from hub.actions import Action
from hub.clock import now
from hub.http import HOUSE
from hub.outbox import NotFound
from hub.web.rendering import words_for
from hub.web.screens import positive
from hub.web.told import done

#: How long the bar stays (ms).
SHOWN = 10_000


class Toast(Struct, frozen=True):
    """What it says. ``left`` (ms) until it goes; ``undo``: it offers to undo the action; ``running``: it is asked for again."""

    action: int
    words: str
    left: int
    undo: bool
    running: bool
    done: int
    total: int


def made(action: Action, request: web.Request, actor: Actor) -> Toast | None:
    """The bar for an action; None when its time is over."""
    left = SHOWN - (now() - action.changed_at)
    if left <= 0 and not action.running:
        return None
    return Toast(
        action.id,
        done(action, words_for(request, actor)),
        max(left, 0) or SHOWN,
        action.undoable,
        action.running,
        action.done + action.skipped,
        action.total,
    )


async def of(request: web.Request, actor: Actor) -> Toast | None:
    """The bar for what ``?done=`` names, if it is the actor's own and just happened."""
    number = positive(request.query.get("done", ""))
    if not number:
        return None

    def look(conn: Connection) -> Action | None:
        try:
            return actions.view(conn, actor, number)
        except NotFound:
            return None

    action = await request.app[HOUSE].hub.db.read(look)
    return made(action, request, actor) if action else None
