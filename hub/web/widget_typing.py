"""Typing both ways between a visitor and those who answer. It lasts five seconds on the other side and is kept nowhere."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hub import collisions, visitors
from hub.channels import Ready
from hub.http import HOUSE
from hub.nearby import Word
from hub.visitors import PREFIX
from hub.web.whispers import WHISPERS
from hub.web.widget_doors import LIMITS, VISITORS, visitor_of

#: How often a visitor may say that they are typing, within the doors' window; beyond that nobody hears of it.
TYPES = 40


async def typing(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/typing: the visitor is writing."""
    visitor = visitor_of(request, ready)
    limits = {f"types {ready.id} {visitor}": TYPES}
    throttle = request.app[LIMITS]
    if not throttle.wait(limits):
        throttle.failed(limits)
        db = request.app[HOUSE].hub.db
        found = await db.read(collisions.home_of_visitor, ready.id, PREFIX + visitor)
        if found is not None:
            number, place, name = found
            request.app[WHISPERS].nearby.say(Word(number, place, 0, name, typing=True))
    return web.Response(status=204)


def show_visitors(app: web.Application) -> None:
    """Have the widgets of this process show when somebody answers."""
    windows = app[VISITORS]

    def typed(word: Word) -> None:
        said = msgspec.json.encode({"name": visitors.first_name(word.name)})
        for channel, address in word.visitors:
            windows.show(channel, address, b"event: typing\ndata: %b\n\n" % said)

    app[WHISPERS].nearby.listen(lambda _conversation, _place: None, typed)
