"""Messages that leave later, on the screens: when that is, had back, put off, sent at once. Plain forms: POST, then back to the page."""

from __future__ import annotations

from aiohttp import web

from hub import planning, snoozing
from hub.access import Actor
from hub.http import HOUSE, Form, Problem, read_form
from hub.outbox import CannotSend
from hub.undo import TooLate
from hub.web.forms import word
from hub.web.pages import beside
from hub.web.rendering import when_for, words_for
from hub.web.screens import number_in, positive


def zone_of(request: web.Request, actor: Actor) -> str:
    """Where somebody is, as an IANA name."""
    return str(getattr(when_for(request, words_for(request, actor)).place, "key", "UTC"))


def due(request: web.Request, actor: Actor, form: Form, prefix: str = "later") -> int | None:
    """When a form wants something sent (ms): ``later`` (a quick choice), ``later_words``, or ``later_at`` (a date field); None: now.

    What stands in a field counts whichever button was pressed: nobody names a time and means now. Raises `CannotSend`.
    """
    when = when_for(request, words_for(request, actor))
    choice, words, at = (word(form, name, 200) for name in (prefix, f"{prefix}_words", f"{prefix}_at"))
    if number := positive(choice):
        return number
    if words:
        try:
            until = snoozing.understand(words, when.now, when.place).until
        except snoozing.Unclear as error:
            raise CannotSend(str(error)) from error
    else:
        until = when.read_local(at) if at else None
    if until is None and (choice or words or at):
        raise CannotSend("Say when it shall be sent, like “tomorrow 9” or “Friday 14:30”.")
    return until


def _there(request: web.Request, number: int) -> web.Response:
    request.app[HOUSE].hub.bus.publish()
    return web.Response(status=303, headers={"Location": f"{beside(request.query).conversation(number)}&mode=reply"})


async def back(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /plans/<id>/back: it does not leave, its words are in the box."""
    try:
        kept = await request.app[HOUSE].hub.db.write(planning.take_back, actor, number_in(request))
    except TooLate as error:
        raise Problem(409, str(error)) from error
    return _there(request, kept.conversation_id)


async def now(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /plans/<id>/now"""
    hub, number = request.app[HOUSE].hub, number_in(request)
    plan = await hub.db.read(planning.view, actor, number)
    try:
        await hub.db.write(planning.send_now, actor, hub.channels, number)
    except TooLate as error:
        raise Problem(409, str(error)) from error
    return _there(request, plan.conversation_id)


async def time(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /plans/<id>/time: fields as `due` reads them."""
    hub, number = request.app[HOUSE].hub, number_in(request)
    plan = await hub.db.read(planning.view, actor, number)
    wanted = due(request, actor, await read_form(request))
    if wanted is None:
        raise CannotSend("Say when it shall be sent, like “tomorrow 9” or “Friday 14:30”.")
    try:
        await hub.db.write(planning.put_off, actor, number, wanted)
    except TooLate as error:
        raise Problem(409, str(error)) from error
    return _there(request, plan.conversation_id)
