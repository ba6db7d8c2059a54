"""Tasks, consents and orders on the screens: in the customer's panel, and one's own tasks at /tasks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import caring
from hub.access import Actor
from hub.caring import Todo
from hub.customers import Impossible
from hub.http import HOUSE, Problem, read_form
from hub.web import forms, reads
from hub.web.pages import title
from hub.web.places import beside
from hub.web.rendering import show, words_for
from hub.web.screens import number_in, positive


def _back(request: web.Request, customer: int) -> web.Response:
    """To the conversation the form stood beside, to one's tasks, or to the customer."""
    home = positive(request.query.get("c", ""))
    if home:
        url = beside(request.query).conversation(home)
    else:
        url = "/tasks" if request.query.get("from") == "tasks" else f"/customers/{customer}"
    return web.Response(status=303, headers={"Location": url})


async def _do(request: web.Request, act: Callable[[Connection], object]) -> web.Response:
    house = request.app[HOUSE]
    try:
        await house.hub.db.write(act)
    except Impossible as error:
        raise Problem(422, str(error)) from error
    house.hub.bus.publish()
    return _back(request, number_in(request))


def _until(text: str) -> int | None:
    """The end of a day (see `cared.day_due`); None for no day. Raises `Problem`."""
    if not text:
        return None
    try:
        end = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
        return int(end.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Problem(422, "This is no day.") from error


async def add_task(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/tasks: ``text``, ``due`` (a day), ``person``; ?c= is the conversation it is noted at."""
    form, number = await read_form(request), number_in(request)
    text, person = forms.word(form, "text", 500), forms.chosen(form, "person")
    due = _until(forms.word(form, "due", 10))
    home = positive(request.query.get("c", "")) or None
    return await _do(request, lambda conn: caring.add_todo(conn, actor, number, text, due, person, home))


async def tick(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/tasks/<task>: ``done`` "yes" or not."""
    done = forms.word(await read_form(request), "done", 5) == "yes"
    task = number_in(request, "task")
    return await _do(request, lambda conn: caring.change_todo(conn, actor, task, done=done))


async def consent(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/consents: ``kind`` of channel, ``state`` "in" or "out", ``how`` one knows."""
    form, number = await read_form(request), number_in(request)
    kind, how = forms.word(form, "kind", 40), forms.word(form, "how", 300)
    out = forms.word(form, "state", 5) == "out"
    return await _do(request, lambda conn: caring.consent(conn, actor, number, kind, "out" if out else "in", how))


async def tasks_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /tasks: one's own open tasks."""
    house = request.app[HOUSE]

    def look(conn: Connection) -> tuple[list[Todo], reads.Around]:
        return caring.my_todos(conn, actor), reads.around(conn, actor)

    found, around = await house.hub.db.read(look)
    name = words_for(request, actor).text("My tasks")
    return show(
        request, "tasks.j2", actor, todos=found, around=around, place=None, heading=name, screen_name="tasks", tab="customers",
        troubles=(), done="", title=title(house.company, (), name),
    )  # fmt: skip
