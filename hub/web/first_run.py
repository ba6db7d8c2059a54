"""The first run after the first administrator: the firm, how to start; the sample and the first steps beside the work."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import levels, workspace
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.http import HOUSE, Form, Problem, read_form
from hub.i18n import LANGUAGES
from hub.sample.loading import load, made_up
from hub.sample.removing import remove
from hub.web import forms
from hub.web.brand import BRAND
from hub.web.forms import Trouble, Wrong
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import screen

#: The hues on offer, in degrees, as the classes h0 to h11 of the avatars have them.
HUES = (25, 50, 85, 120, 150, 190, 225, 262, 290, 315, 340, 5)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
FIELDS = ("company", "language", "opens", "closes", "hue")


def add_routes(app: web.Application) -> None:
    """The addresses of the first run."""
    get, post = app.router.add_get, app.router.add_post
    get("/welcome/company", screen(company_page))
    post("/welcome/company", screen(company))
    get("/welcome/start", screen(start_page))
    post("/welcome/sample", screen(load_sample))
    post("/welcome/done", screen(dismiss))
    get("/sample", screen(sample_page))
    post("/sample/remove", screen(remove_sample))


async def company_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /welcome/company"""
    require(actor, "channels")
    return _company(request, actor, {}, ())


def _company(
    request: web.Request, actor: Actor, given: dict[str, str | list[str]], troubles: tuple[Trouble, ...]
) -> web.Response:
    brand = request.app[BRAND]
    known = brand.state.chosen
    there: dict[str, str | list[str]] = {
        "company": known.company or ("" if brand.company == "Hub" else brand.company),
        "language": known.language or actor.language,
        "opens": "08:00",
        "closes": "17:00",
        "hue": "" if known.hue is None else str(known.hue),
        **given,
    }
    return show(
        request, "company.j2", actor, status=422 if troubles else 200, v=there, troubles=troubles,
        hues=list(zip(HUES, _hue_names(request, actor), strict=True)),
    )  # fmt: skip


def _hue_names(request: web.Request, actor: Actor) -> tuple[str, ...]:
    _ = words_for(request, actor).text
    return (
        _("Red"), _("Orange"), _("Yellow"), _("Lime"), _("Green"), _("Turquoise"), _("Sky"), _("Blue"), _("Violet"),
        _("Purple"), _("Pink"), _("Crimson"),
    )  # fmt: skip


async def company(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /welcome/company"""
    require(actor, "channels")
    form, house = await read_form(request), request.app[HOUSE]
    zone = str(when_for(request, words_for(request, actor)).place)
    try:
        await house.hub.db.write(_furnish, actor, form, zone)
    except (Invalid, Wrong) as error:
        trouble = forms.trouble(words_for(request, actor), error, FIELDS, {"week": "opens"})
        return _company(request, actor, forms.kept(form), (trouble,))
    await request.app[BRAND].refresh()
    house.hub.bus.publish()
    raise web.HTTPSeeOther("/welcome/start")


def _furnish(conn: Connection, actor: Actor, form: Form, zone: str) -> None:
    """Keep what was chosen; hours are made once and changed when somebody comes back to this page."""
    name, language = forms.word(form, "company", 80), forms.word(form, "language", 5)
    if not name:
        raise Wrong("company", "Say what the firm is called; customers see it too.")
    hue = forms.word(form, "hue", 3)
    values: dict[str, object] = {
        "company": name,
        "language": language if language in LANGUAGES else "",
        "hue": int(hue) if hue.isascii() and hue.isdecimal() else None,
        "begun": True,
    }
    known = workspace.chosen(conn)
    if opens := forms.word(form, "opens", 5):
        week = {day: [f"{opens}-{forms.word(form, 'closes', 5)}"] for day in WEEKDAYS}
        values["hours_id"] = _hours(conn, actor, known.hours_id, name, zone, week)
    workspace.change(conn, actor.id, **values)


def _hours(conn: Connection, actor: Actor, known: int | None, name: str, zone: str, week: dict[str, list[str]]) -> int:
    if known is not None and levels.change_hours(conn, known, {"name": name, "week": week}, actor.id):
        return known
    return levels.add_hours(conn, name, zone, "", week, {}, actor.id)


async def start_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /welcome/start: look around, connect a mailbox, put a chat on a page."""
    require(actor, "channels")
    return show(request, "start.j2", actor, sample=request.app[BRAND].state.sample)


async def load_sample(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /welcome/sample: the sample firm moves in; there already is fine."""
    require(actor, "channels")
    house = request.app[HOUSE]
    if not request.app[BRAND].state.sample:
        try:
            await house.hub.db.write(lambda c: load(c, house.hub.box, language=actor.language, me=actor.id))
        except Invalid:
            pass  # somebody else was faster: it is here, which is what was asked for
        await request.app[BRAND].refresh()
        house.hub.bus.publish()
    raise web.HTTPSeeOther("/inbox/mine")


async def sample_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /sample: what the sample is, and how to be rid of it."""
    mine = await request.app[HOUSE].hub.db.read(made_up, actor.id)
    return show(request, "sample.j2", actor, here=request.app[BRAND].state.sample, made_up=mine)


async def remove_sample(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /sample/remove"""
    require(actor, "channels")
    house = request.app[HOUSE]
    if await house.hub.db.read(made_up, actor.id):
        raise Problem(409, "You are part of the sample yourself; it goes when the command hub demo ends.")
    await house.hub.db.write(remove, actor.id)
    await request.app[BRAND].refresh()
    house.hub.bus.publish()
    raise web.HTTPSeeOther("/welcome/start")


async def dismiss(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /welcome/done: the first steps are not shown any more."""
    require(actor, "channels")
    house = request.app[HOUSE]
    await house.hub.db.write(lambda c: workspace.change(c, actor.id, dismissed=True))
    await request.app[BRAND].refresh()
    house.hub.bus.publish()
    raise web.HTTPSeeOther("/inbox/mine")
