"""Working on many conversations at once: the bar over a list, as a plain form."""

from __future__ import annotations

from typing import cast, get_args

from aiohttp import web

from hub import actions, work
from hub.access import Actor
from hub.http import HOUSE, Form, Problem, read_form
from hub.messages import Status
from hub.outbox import CannotSend
from hub.web import reads
from hub.web.forms import word, words
from hub.web.pages import beside
from hub.web.places import Place
from hub.web.screens import number_in, positive
from hub.web.working import holder, snooze_until, there
from hub.work import Deed

#: Rows of a view that are read at once, when all of it is selected.
PAGE = 500


async def bulk(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /bulk: ``do`` to the conversations ``id``, or with ``all`` to everything in the list that ``?in=`` names."""
    house, form, place = request.app[HOUSE], await read_form(request), beside(request.query)
    deed = _deed(request, actor, form)
    ids = [n for value in words(form, "id", actions.MOST) if (n := positive(value))]
    if word(form, "all", 5):
        ids = await _everything(request, actor, place)
    if not ids:
        raise CannotSend("Select the conversations first.")
    number = await house.hub.db.write(actions.many, actor, deed, ids)
    house.hub.bus.publish()
    return there(place, 0, number)


def _deed(request: web.Request, actor: Actor, form: Form) -> Deed:
    """What the form wants done. Raises `Problem` 400, `CannotSend`."""
    kind, _, value = word(form, "do", 40).partition(":")
    if kind == "snooze":
        until, reply = snooze_until(request, actor, form)
        if until is None and not reply:
            raise CannotSend("To snooze, say until when: a time in the future.")
        return Deed("status", "snoozed", until)
    if kind == "status" and value in get_args(Status) and value != "snoozed":
        return Deed("status", cast(Status, value))
    if kind == "assign":
        employee, team = holder(word(form, "to", 30), actor)
        return Deed("assign", employee=employee, team=team, anyway=bool(word(form, "anyway", 5)))
    if kind in ("tag", "untag") and (tag := word(form, "tag", 60)):
        return Deed("tags", add=(tag,)) if kind == "tag" else Deed("tags", remove=(tag,))
    if kind == "priority" and value in work.PRIORITIES:
        return Deed("priority", priority=value)
    if kind in ("read", "unread"):
        return Deed(kind)  # type: ignore[arg-type]  # one of the two
    raise Problem(400, "Say what to do with the selected conversations.")


async def _everything(request: web.Request, actor: Actor, place: Place) -> list[int]:
    """Every conversation of the list, at most `actions.MOST`, page by page so that nobody waits for the database."""
    house, cursor, ids = request.app[HOUSE], "", list[int]()
    while len(ids) < actions.MOST:
        listed = await house.hub.db.read(reads.listed, actor, place, cursor, PAGE)
        ids += [row.id for row in listed.rows]
        if listed.next is None:
            break
        cursor = listed.next
    return ids[: actions.MOST]


async def cancel(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /actions/<id>/cancel: do no more of it."""
    house, number = request.app[HOUSE], number_in(request)
    await house.hub.db.write(actions.cancel, actor, number)
    house.hub.bus.publish()
    return there(beside(request.query), 0, number)
