"""/live: what is going on right now, for the desk and (``?tv=1``) for the wall. Whoever looks hears of every change by the stream."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from aiohttp import web

from hub import board
from hub.access import Actor
from hub.board import Board
from hub.http import HOUSE
from hub.web import reads
from hub.web.pages import title
from hub.web.rendering import show, when_for, words_for

#: A board is shown to everybody who may see the same for so long (seconds) while nothing happens, and so many are kept.
FRESH, MOST = 1.0, 200


class Boards:
    """The boards of the last moment: many screens on many walls are one question to the database."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], tuple[float, int, Board]] = OrderedDict()

    async def look(self, request: web.Request, actor: Actor, midnight: int, *, fresh: bool) -> Board:
        """The board for this person; supervisors share one. ``fresh``: asked now, whatever is kept."""
        house, key = request.app[HOUSE], (0 if actor.sees_all else actor.id, midnight)
        began, event = time.monotonic(), house.feed.last
        known = self._known.get(key)
        if known is not None and not fresh and known[1] == event and began - known[0] < FRESH:
            return known[2]
        found = await house.hub.db.read(board.look, actor, midnight)
        self._known[key] = (began, event, found)
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return found


BOARDS = web.AppKey("boards", Boards)


async def live_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /live, and for the wall /live?tv=1"""
    around = await request.app[HOUSE].hub.db.read(reads.around, actor)
    name = words_for(request, actor).text("Live board")
    return await _board(
        request, actor, "live.j2", around=around, place=None, screen_name="live",
        title=title(request.app[HOUSE].company, (), name),
    )  # fmt: skip


async def live_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /live/figures: what changes on the page."""
    return await _board(request, actor, "board.j2")


async def _board(request: web.Request, actor: Actor, template: str, **values: Any) -> web.Response:
    when = when_for(request, words_for(request, actor))
    midnight = when.begin(when.today)
    found = await request.app[BOARDS].look(request, actor, midnight, fresh=template != "board.j2")
    return show(
        request, template, actor, board=found, midnight=midnight, tv=request.query.get("tv") == "1", all_of_them=actor.sees_all,
        **values,
    )  # fmt: skip
