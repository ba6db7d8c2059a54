"""Merging conversations, splitting one, moving messages: forms of the “more” menu, and the page that asks from where on."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import actions, inbox, timeline
from hub.access import Actor
from hub.http import HOUSE, Problem, read_form
from hub.inbox import Filter
from hub.merging import TwoCustomers
from hub.outbox import CannotSend, NotFound
from hub.shifting import Move
from hub.text import preview
from hub.web import reads
from hub.web.forms import word
from hub.web.pages import beside, title
from hub.web.rendering import show, words_for
from hub.web.screens import number_in, positive
from hub.web.working import there

#: Entries of a conversation among which one may choose.
CHOICES = 200


class Line(Struct, frozen=True):
    """A message to begin with."""

    id: int
    who: str
    words: str
    at: int


async def merge(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/merge: into the conversation ``into``; then there. Of two customers only when asked again (``anyway``)."""
    number, form, house = number_in(request), await read_form(request), request.app[HOUSE]
    into = positive(word(form, "into", 20).lstrip("#"))
    if not into:
        raise CannotSend("Say into which conversation: its number, like #4821.")
    try:
        action = await house.hub.db.write(actions.merge, actor, number, into, bool(word(form, "anyway", 5)))
    except TwoCustomers:
        there_ = beside(request.query).conversation(number).partition("?")[2]
        return web.Response(status=303, headers={"Location": f"/c/{number}/merge?into={into}&{there_}"})
    house.hub.bus.publish()
    return there(beside(request.query), into, action)


async def merge_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/merge?into=: what becomes of whom when the conversations of two customers are made one."""
    number, into, house = number_in(request), positive(request.query.get("into", "")), request.app[HOUSE]

    def look(conn: Connection) -> tuple[inbox.Row, inbox.Row, reads.Around]:
        row, other = inbox.one(conn, actor, number), inbox.one(conn, actor, into)
        if row is None or other is None:
            raise NotFound
        return row, other, reads.around(conn, actor)

    row, other, around = await house.hub.db.read(look)
    name = words_for(request, actor).text("Merge into #{number}", number=into)
    return show(
        request, "merge.j2", actor, row=row, other=other, around=around, place=beside(request.query),
        title=title(house.company, (), name, row.subject or row.customer),
    )  # fmt: skip


async def split(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/split: the message ``from`` and all after it become a conversation of their own; then there."""
    number, form, house = number_in(request), await read_form(request), request.app[HOUSE]
    first = positive(word(form, "from", 20))
    if not first:
        raise Problem(400, "Choose the message to begin with.")

    def both(conn: Connection) -> tuple[int, int]:
        action = actions.split(conn, actor, number, first)
        return action, actions.view(conn, actor, action).deed.other

    action, home = await house.hub.db.write(both)
    house.hub.bus.publish()
    return there(beside(request.query), home, action)


# ── moving messages ───────────────────────────────────────────────────────────────────────────────────────────────────
async def move_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/move?message=: where to, and with what comes after it?"""
    return await _ask_where(request, actor, Move(positive(request.query.get("message", ""))))


async def _ask_where(
    request: web.Request, actor: Actor, wanted: Move, trouble: str = "", asked: bool = False
) -> web.Response:
    number, house, words = number_in(request), request.app[HOUSE], words_for(request, actor)

    def look(conn: Connection) -> tuple[inbox.Row, timeline.MessageView, list[inbox.Row], str, reads.Around]:
        row, said = inbox.one(conn, actor, number), timeline.message(conn, actor, wanted.message)
        if row is None or said is None or said.conversation_id != row.id:
            raise NotFound
        near, _ = inbox.listing(conn, actor, Filter(customer=row.customer_id), limit=8)
        others = [x for x in near if x.id != row.id and x.merged_into is None and x.closed_as != "deleted"]
        if asked and (other := inbox.one(conn, actor, wanted.into)) is not None:
            others = [other, *(x for x in others if x.id != other.id)]
        who = reads.names(conn)[0].employees.get(said.author_id or 0) or said.sender_name
        return row, said, others, who, reads.around(conn, actor)

    row, said, others, who, around = await house.hub.db.read(look)
    line = Line(said.id, who, preview(said.visible_text or said.text) or said.subject, said.received_at)
    return show(
        request, "move.j2", actor, status=422 if trouble else 409 if asked else 200, row=row, line=line, others=others,
        wanted=wanted, trouble=trouble, asked=asked, around=around, place=beside(request.query),
        title=title(house.company, (), row.subject or row.customer, words.text("Move to another conversation")),
    )  # fmt: skip


async def move(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/move: the ``message``, alone or with the ``rest``, ``into`` a conversation ("new" or its number) or the one that
    ``other`` names; to another customer's only when asked again (``anyway``). Then there.
    """
    number, form, house = number_in(request), await read_form(request), request.app[HOUSE]
    chosen = word(form, "other", 20) or word(form, "into", 20)
    into = positive(chosen.lstrip("#"))
    message, rest = positive(word(form, "message", 20)), word(form, "rest", 5) == "yes"
    wanted = Move(message, into, rest, bool(word(form, "anyway", 5)))

    def both(conn: Connection) -> tuple[int, int]:
        action = actions.move(conn, actor, number, wanted)
        return action, actions.view(conn, actor, action).deed.other

    try:
        if not into and chosen != "new":
            raise CannotSend("Say into which conversation: its number, like #4821.")
        action, home = await house.hub.db.write(both)
    except TwoCustomers:
        return await _ask_where(request, actor, wanted, asked=True)
    except CannotSend as error:
        return await _ask_where(request, actor, wanted, words_for(request, actor).sentence(str(error)))
    except NotFound:
        said = "There is no other conversation with this number."
        return await _ask_where(request, actor, wanted, words_for(request, actor).sentence(said))
    house.hub.bus.publish()
    return there(beside(request.query), home, action)


async def split_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/split: from which message on?"""
    number, house = number_in(request), request.app[HOUSE]

    def look(conn: Connection) -> tuple[inbox.Row, list[Line], reads.Around]:
        row = inbox.one(conn, actor, number)
        if row is None:
            raise NotFound
        items = timeline.of_conversation(conn, number, most=CHOICES)
        known = reads.names(conn)[0].employees
        said = [item.message for item in items if item.message is not None]
        lines = [
            Line(
                m.id,
                known.get(m.author_id or 0) or m.sender_name,
                preview(m.visible_text or m.text) or m.subject,
                m.received_at,
            )
            for m in said
        ]
        return row, lines[1:] if len(items) < CHOICES else lines, reads.around(conn, actor)

    row, lines, around = await house.hub.db.read(look)
    name = words_for(request, actor).text("Split the conversation")
    return show(
        request, "split.j2", actor, row=row, lines=lines, around=around, place=beside(request.query),
        title=title(house.company, (), row.subject or row.customer, name),
    )  # fmt: skip
