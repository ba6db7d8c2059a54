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


class Did(Struct, frozen=True):
    """Something small that was just done to a conversation, and the form's address that undoes it. ``back``: it comes back into the box."""

    words: str
    path: str
    back: bool = False


def did(request: web.Request, actor: Actor, number: int, tail: str) -> Did | None:
    """The bar for what ``?did=`` names: watch, unwatch, link.<other>, unlink.<other>, plan.<plan>."""
    what, _, rest = request.query.get("did", "").partition(".")
    other, words = positive(rest), words_for(request, actor)
    _t = words.text
    said = {
        "watch": (_t("You watch #{number} now", number=number), "watch?on=no"),
        "unwatch": (_t("You do not watch #{number} any more", number=number), "watch?on=yes"),
    }
    if other:
        said["link"] = _t("#{number} linked with #{other}", number=number, other=other), f"unlink?to={other}"
        said["unlink"] = (
            _t("#{number} is not linked with #{other} any more", number=number, other=other),
            f"link?to={other}",
        )
    if what == "plan" and other:
        return Did(_t("Planned"), f"/plans/{other}/back?{tail}", True)
    found = said.get(what)
    return Did(found[0], f"/c/{number}/{found[1]}&undo=1&{tail}") if found else None


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
