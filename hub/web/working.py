"""Working on one conversation: status, snooze, assignment, tags, priority, unread, spam; and undoing it. Plain forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from hub import actions, collaboration, snoozing, tagging, work
from hub.access import Actor
from hub.actions import Undone
from hub.http import HOUSE, Form, Problem, read_form
from hub.messages import Status
from hub.outbox import CannotSend
from hub.tables import employees
from hub.web import onwards, toasts
from hub.web.forms import word
from hub.web.mates import absent
from hub.web.pages import Composer, beside, show_conversation
from hub.web.places import Place
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import is_part, number_in, positive
from hub.work import Deed


def there(place: Place, number: int, action: int = 0) -> web.Response:
    """To a conversation, or (0) to the list; with the bar that offers to undo the action."""
    url = place.conversation(number) if number else place.url()
    if action:
        url += f"{'&' if '?' in url else '?'}done={action}"
    return web.Response(status=303, headers={"Location": url})


async def do(request: web.Request, actor: Actor, act: Callable[[Connection], int]) -> web.Response:
    """Do something to a conversation, then show it, or what comes after it when it has left the list beside it."""
    number, house, place = number_in(request), request.app[HOUSE], beside(request.query)

    def all_of_it(conn: Connection) -> tuple[int, int]:
        spot = onwards.spot(conn, actor, place, number)
        action = act(conn)
        return action, onwards.onward(conn, actor, place, number, spot)

    action, to = await house.hub.db.write(all_of_it)
    house.hub.bus.publish()
    return there(place, to, action)


def snooze_until(request: web.Request, actor: Actor, form: Form) -> tuple[int | None, bool]:
    """(the moment, or until the customer replies) a snooze form says: ``at`` (a quick choice), ``words``, or ``until``.

    Raises `CannotSend` with the sentence that says what is expected.
    """
    when = when_for(request, words_for(request, actor))
    at, words, until = word(form, "at", 20), word(form, "words", 200), word(form, "until", 40)
    if at == "reply":
        return None, True
    if at:
        return positive(at), False
    if words:
        try:
            found = snoozing.understand(words, when.now, when.place)
        except snoozing.Unclear as error:
            raise CannotSend(str(error)) from error
        return found.until, found.until is None
    return when.read_local(until), False


async def status(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/status: ``status``; for a snooze also when (see `snooze_until`); ``as`` "spam" closes as spam."""
    form, number = await read_form(request), number_in(request)
    wanted, spam = word(form, "status", 20), word(form, "as", 10) == "spam"
    if wanted not in get_args(Status):
        raise Problem(400, "There is no such status.")
    until, reply = snooze_until(request, actor, form) if wanted == "snoozed" else (None, False)

    def act(conn: Connection) -> int:
        return collaboration.set_status(
            conn, actor, number, cast(Status, wanted), until, until_reply=reply, closed_as="spam" if spam else ""
        )

    return await do(request, actor, act)


async def assign(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/assign: ``to`` is "e<id>", "t<id>", "me", or empty for nobody. To somebody who is absent only when asked
    again (``anyway``).
    """
    number, form = number_in(request), await read_form(request)
    employee, team = holder(word(form, "to", 30), actor)
    anyway, why = bool(word(form, "anyway", 5)), word(form, "why", 300)

    def act(conn: Connection) -> int:
        return collaboration.assign(conn, actor, number, employee, team, why, anyway=anyway)

    try:
        return await do(request, actor, act)
    except collaboration.Absent:
        away = await request.app[HOUSE].hub.db.read(absent, employee or 0)
        return await show_conversation(request, actor, number, Composer(), 409, ask=away)


def holder(to: str, actor: Actor) -> tuple[int | None, int | None]:
    """(employee, team) of what a list of people and teams says."""
    employee = actor.id if to == "me" else positive(to[1:]) if to.startswith("e") else None
    return employee, positive(to[1:]) if to.startswith("t") else None


async def tags(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/tags: ``add`` or ``remove`` some, or ``tags``, separated by commas, that replace those it has."""
    number, form = number_in(request), await read_form(request)
    add, remove = _parts(word(form, "add", 2000)), tuple(_parts(word(form, "remove", 100)))
    deed = Deed("tags", add=tuple(add), remove=remove)
    if "tags" in form:
        deed = Deed("tags", add=tuple(_parts(word(form, "tags", 2000))), only=True)
    return await do(request, actor, lambda conn: actions.one(conn, actor, deed, number))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()][:50]


async def priority(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/priority: ``priority`` is one of `work.PRIORITIES`."""
    number, form = number_in(request), await read_form(request)
    wanted = word(form, "priority", 20)
    if wanted not in work.PRIORITIES:
        raise Problem(400, "There is no such priority.")
    deed = Deed("priority", priority=wanted)
    return await do(request, actor, lambda conn: actions.one(conn, actor, deed, number))


async def unread(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/unread: back to the list, because whoever looks at it reads it."""
    number, house = number_in(request), request.app[HOUSE]
    action = await house.hub.db.write(actions.one, actor, Deed("unread"), number)
    house.hub.bus.publish()
    return there(beside(request.query), 0, action)


async def snooze_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /snooze?words=: what the words mean, or what is expected."""
    words, said = words_for(request, actor), request.query.get("words", "")[:200]
    when = when_for(request, words)
    try:
        found = snoozing.understand(said, when.now, when.place)
        at = found.until
        meant = f"{when.day(at)}, {when.time(at)}" if at else words.text("Until the customer replies")
        trouble = ""
    except snoozing.Unclear as error:
        meant, trouble = "", words.sentence(str(error))
    return show(request, "snooze_preview.j2", actor, meant=meant, trouble=trouble)


async def tags_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /tags: the known tags, to choose from."""
    known = await request.app[HOUSE].hub.db.read(tagging.known, actor)
    return show(request, "known_tags.j2", actor, known=known)


# ── undoing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async def undo(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /actions/<id>/undo: back to the conversation it was about, or to the list."""
    number, house = number_in(request), request.app[HOUSE]

    def both(conn: Connection) -> tuple[actions.Action, int]:
        undone = actions.undo(conn, actor, number)
        return actions.view(conn, actor, number), undone

    try:
        action, undone = await house.hub.db.write(both)
    except Undone as error:
        raise Problem(409, str(error)) from error
    house.hub.bus.publish()
    back = action.conversation if action.deed.kind not in ("read", "unread") else None
    return there(beside(request.query), back or 0, undone)


async def progress(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /actions/<id>: how far it is, as the bar that is asked for again."""
    action = await request.app[HOUSE].hub.db.read(actions.view, actor, number_in(request))
    place = beside(request.query)
    return show(
        request, "toast.j2", actor, toast=toasts.made(action, request, actor), place=place, part=is_part(request)
    )


async def set_after(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/after: ``after``, what comes when a conversation has left the list."""
    chosen = word(await read_form(request), "after", 10)
    if chosen not in onwards.CHOICES:
        raise Problem(400, "Choose one of the entries in the list.")

    def act(conn: Connection) -> None:
        conn.execute(sa.update(employees).where(employees.c.id == actor.id).values(after_work=chosen))

    await request.app[HOUSE].hub.db.write(act)
    return web.Response(status=303, headers={"Location": "/me"})
