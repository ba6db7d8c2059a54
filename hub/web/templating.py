"""The prepared texts of a channel: the page that offers them, and one that was filled in there."""

from __future__ import annotations

import re
from secrets import token_urlsafe

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import templating
from hub.access import Actor, require
from hub.fitting import CannotSend
from hub.http import HOUSE, Form, House
from hub.messages import Filled, Template
from hub.outbox import NotFound
from hub.web import reads
from hub.web.answering import Written
from hub.web.forms import word
from hub.web.pages import title
from hub.web.places import beside
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import number_in
from hub.web.ways import ways

#: A text and its places, in turn: {{1}}, {{name}}.
_PIECES = re.compile(r"(\{\{\s*\w{1,60}\s*\}\})")


class Offer(Struct, frozen=True):
    """A template as its form shows it: ``pieces`` are its text, cut at the places; ``places`` are what has to be filled in."""

    name: str
    language: str
    category: str
    pieces: tuple[tuple[str, str], ...]
    places: tuple[str, ...]


def offer(template: Template) -> Offer:
    """A template with its text in pieces: each with the place it stands for, or none."""
    pieces = tuple(
        (piece, piece.strip("{} ") if _PIECES.fullmatch(piece) else "")
        for piece in _PIECES.split(template.body)
        if piece
    )
    return Offer(template.name, template.language, template.category, pieces, templating.places(template.body))


async def page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/templates?via=<channel and address>: without ``via`` those of the first way that has any."""
    require(actor, "reply")
    number, house = number_in(request), request.app[HOUSE]

    def look(conn: Connection) -> tuple[reads.Opened, reads.Around]:
        return reads.opened(conn, actor, number, None, house.hub.channels), reads.around(conn, actor)

    opened, around = await house.hub.db.read(look)
    offered = [way for way in ways(opened.ways, when_for(request, words_for(request, actor))) if way.templates]
    wanted = request.query.get("via", "")[:450]
    way = next((way for way in offered if way.key == wanted), None) or next(iter(offered), None)
    ready = house.hub.channels.by_id.get(way.id) if way else None
    if way is None or ready is None or way.blocked:
        raise NotFound
    trouble, found = "", tuple[Template, ...]()
    try:
        found = await templating.listed(ready)
    except CannotSend as error:
        trouble = words_for(request, actor).sentence(str(error))
    theirs = opened.known.speaks.language.partition("-")[0]
    found = tuple(sorted(found, key=lambda t: not theirs or not t.language.lower().startswith(theirs)))
    name = words_for(request, actor).text("Choose template")
    return show(
        request, "templates.j2", actor, row=opened.row, way=way, offers=[offer(t) for t in found], trouble=trouble,
        around=around, place=beside(request.query), act=token_urlsafe(12),
        title=title(house.company, (), opened.row.subject or opened.row.customer, name),
    )  # fmt: skip


async def filled(house: House, form: Form, said: Written) -> tuple[Filled, str] | None:
    """The template that a form names, and how it reads; None: it is free text. Raises `CannotSend`."""
    name, _, language = word(form, "template", 200).rpartition(" ")
    if not name:
        return None
    ready = house.hub.channels.by_id.get(said.via)
    if ready is None:
        raise CannotSend("This channel is not in use any more. Choose another one to reply by.")
    values = {
        key.removeprefix("value."): word(form, key, templating.LONGEST) for key in form if key.startswith("value.")
    }
    return await templating.chosen(ready, name, language, values)
