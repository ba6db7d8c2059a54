"""Keeping the list one looks at as a view, and changing what a view holds. Plain forms: POST, then to the view."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import views
from hub.access import Actor
from hub.accounts import Invalid
from hub.http import HOUSE, Problem, read_form
from hub.outbox import NotFound
from hub.web import reads
from hub.web.forms import word
from hub.web.places import Place, read_place
from hub.web.screens import number_in, positive


def _there(number: int) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/inbox/view/{number}"})


def _place(request: web.Request, name: str) -> Place:
    place = read_place(name, request.query)
    if place is None:
        raise NotFound
    return place


def _content(conn: Connection, actor: Actor, place: Place) -> views.Content:
    """What the list holds. Raises `NotFound` for a team or view that is not the actor's."""
    if place.view == "view":
        place = place.opened(views.one(conn, actor, int(place.slug)).content)
    team = None
    if place.view == "team":
        team = next((t for t in reads.around(conn, actor).teams if t.slug == place.slug), None)
        if team is None:
            raise NotFound
    return place.content(team)


async def save(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /views?in=<list>&…: ``name``, ``icon``, ``visibility`` ("mine", "everyone" or "t" and a team's id)."""
    place, form, house = _place(request, request.query.get("in", "")), await read_form(request), request.app[HOUSE]
    seen_by = word(form, "visibility", 20) or "mine"
    given = {
        "name": word(form, "name", 60),
        "icon": word(form, "icon", 20),
        "visibility": "team" if seen_by[0] == "t" else seen_by,
        "team_id": positive(seen_by[1:]) if seen_by[0] == "t" else None,
    }

    def work(conn: Connection) -> int:
        return views.add(conn, actor, {**given, "content": _content(conn, actor, place)})

    try:
        number = await house.hub.db.write(work)
    except Invalid as error:
        raise Problem(422, str(error)) from error
    house.hub.bus.publish()
    return _there(number)


async def keep(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /views/<id>/content?…: the view holds from now on what is looked at."""
    number, house = number_in(request), request.app[HOUSE]
    place = _place(request, f"view:{number}")
    await house.hub.db.write(lambda conn: views.change(conn, actor, number, {"content": _content(conn, actor, place)}))
    house.hub.bus.publish()
    return _there(number)
