"""/settings/views: names, pictures and order of the saved views, and who sees them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import inbox, views
from hub.access import Actor
from hub.accounts import Invalid
from hub.http import HOUSE, Form, read_form
from hub.i18n import Catalogue
from hub.views import View
from hub.web import forms, reads, settings
from hub.web.choices import Choices, choices
from hub.web.filterbar import Chip, chips
from hub.web.forms import Trouble
from hub.web.parts import Parts
from hub.web.places import Place, Team
from hub.web.reads import Listed
from hub.web.rendering import ASSETS, when_for, words_for
from hub.web.screens import number_in, positive
from hub.web.views import Names

PATH = "/settings/views"
FIELDS = ("name", "icon", "visibility", "team")


class Line(Struct, frozen=True):
    """A view in the list: what it holds, in words. ``count`` None: it is not counted."""

    view: View
    owner: str
    team: str
    holds: tuple[Chip, ...]
    count: int | None
    may_change: bool


def _everything(conn: Connection, actor: Actor) -> tuple[list[View], Names, dict[str, int], Choices]:
    found = views.listing(conn, actor)
    wanted = views.countable(conn, actor, found[: views.SHOWN])
    counted = inbox.counts(conn, actor, wanted)
    return found, reads.names(conn)[0], {name: counted.get(name, 0) for name in wanted}, choices(conn, actor)


async def views_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/views"""
    found, names, counted, choices = await request.app[HOUSE].hub.db.read(_everything, actor)
    words = words_for(request, actor)
    p = Parts(request.app[ASSETS]["icons.svg"], words, when_for(request, words))
    lines = [
        Line(
            view,
            names.employees.get(view.owner_id or 0, ""),
            names.teams.get(view.team_id or 0, ""),
            _holds(view, names, choices, p),
            counted.get(f"view:{view.id}"),
            views.may_change(actor, view),
        )
        for view in found
    ]
    return await settings.page(request, actor, "views.j2", "views", words.text("Views"), lines=lines)


def _holds(view: View, names: Names, choices: Choices, p: Parts) -> tuple[Chip, ...]:
    """What a view holds, as the list's chips say it."""
    place = Place("view", str(view.id)).opened(view.content)
    who = names.employees.get(int(place.who), "") if place.who.isdecimal() else ""
    channel = names.channels.get(place.channel, ("", ""))[1]
    nothing = reads.Around({}, (), 0, "", "", 0)
    listed = Listed(nothing, [], None, None, who, channel, {}, place, view, False, frozenset(), choices)
    status = p.status_word(view.content.status) if view.content.status else p.words.text("Every status")
    return (Chip(status, ""), *chips(place, listed, p))


async def view_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/views/<id>"""
    return await _form(request, actor)


async def _form(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    def look(conn: Connection) -> tuple[View, tuple[Team, ...]]:
        return views.one(conn, actor, number_in(request)), reads.names(conn)[1]

    view, teams = await request.app[HOUSE].hub.db.read(look)
    return await settings.page(
        request, actor, "view.j2", "views", view.name, status=422 if troubles else 200, troubles=troubles, view=view,
        v=settings.given(form, _plain(view), forms.kept(form) if form else {}),
        teams=[(t.id, t.name) for t in teams if actor.sees_all or t.id in actor.teams],
    )  # fmt: skip


def _plain(view: View) -> dict[str, Any]:
    return {"name": view.name, "icon": view.icon, "visibility": view.visibility, "team": view.team_id or ""}


async def save_view(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/views/<id>"""
    form = await read_form(request)
    given = {
        "name": forms.word(form, "name", 60),
        "icon": forms.word(form, "icon", 20),
        "visibility": forms.word(form, "visibility", 20) or "mine",
        "team_id": forms.chosen(form, "team"),
    }
    try:
        await request.app[HOUSE].hub.db.write(views.change, actor, number_in(request), given)
    except Invalid as error:
        words: Catalogue = words_for(request, actor)
        return await _form(request, actor, form, (forms.trouble(words, error, FIELDS, {"team_id": "team"}),))
    return await settings.changed(request, PATH)


async def move(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/views/<id>/move: ``to`` is the place it shall have, 1 is the first."""
    to = positive(forms.word(await read_form(request), "to", 10))
    await request.app[HOUSE].hub.db.write(views.move, actor, number_in(request), to)
    return await settings.changed(request, PATH, "moved")


async def remove(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/views/<id>/remove"""
    await request.app[HOUSE].hub.db.write(views.remove, actor, number_in(request))
    return await settings.changed(request, PATH, "removed")
