"""/settings/teams: who shares a queue, and how it is worked off."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import administration, directory, staff
from hub.access import RIGHTS, Actor, require
from hub.accounts import Invalid
from hub.directory import Directory, Team
from hub.http import HOUSE, Form, read_form
from hub.outbox import NotFound
from hub.text import by_name
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import words_for
from hub.web.screens import number_in
from hub.web.settings_people import colleagues

FIELDS = ("name", "members", "strategy", "hours", "lead", "offer_seconds", "silent_minutes")
PATH = "/settings/teams"


class Line(Struct, frozen=True):
    """A team in the list."""

    team: Team
    lead: str
    hours: str
    members: tuple[str, ...]


def everything(d: Directory) -> list[Line]:
    """All teams by name."""
    return [
        Line(
            team,
            d.employees[team.lead_id].name if team.lead_id in d.employees else "",
            opened.name if (opened := d.hours_of(team.hours_id)) else "",
            tuple(
                sorted(
                    (d.employees[m].name for m in team.members if m in d.employees and not d.employees[m].disabled),
                    key=by_name,
                )
            ),
        )
        for team in sorted(d.teams.values(), key=lambda team: (by_name(team.name), team.id))
    ]


async def teams_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/teams"""
    d = await request.app[HOUSE].hub.db.read(directory.current)
    name = words_for(request, actor).text("Teams")
    return await settings.page(
        request, actor, "teams.j2", "teams", name, lines=everything(d), may_add=actor.role in RIGHTS["employees"],
        may_change=actor.role in RIGHTS["routing"],
    )  # fmt: skip


async def team_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/teams/<id> and /settings/teams/new"""
    require(actor, "routing" if "number" in request.match_info else "employees")
    return await _team(request, actor)


async def _team(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    d, words = await request.app[HOUSE].hub.db.read(directory.current), words_for(request, actor)
    team = Team(0, "")
    if "number" in request.match_info:
        found = d.teams.get(number_in(request))
        if found is None:
            raise NotFound
        team = found
    plain = {
        "name": team.name,
        "strategy": team.strategy,
        "hours": team.hours_id or "",
        "lead": team.lead_id or "",
        "offer_seconds": team.offer_seconds or "",
        "silent_minutes": team.silent_minutes or "",
    }
    inside = [str(member) for member in team.members] if form is None else list(forms.words(form, "members"))
    return await settings.page(
        request, actor, "team.j2", "teams", team.name or words.text("New team"), status=422 if troubles else 200,
        troubles=troubles, team=team, v=settings.given(form, plain, forms.kept(form) if form else {}), inside=inside,
        people=colleagues(d), hours=sorted(((h.id, h.name) for h in d.hours.values()), key=lambda h: by_name(h[1])),
        may_manage=actor.role in RIGHTS["employees"],
    )  # fmt: skip


async def save_team(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/teams/<id> and /settings/teams/new: administrators also say who is in it."""
    fresh = "number" not in request.match_info
    require(actor, "employees" if fresh else "routing")
    form = await read_form(request)

    def work(conn: Connection) -> bool:
        given = {
            "strategy": forms.word(form, "strategy", 20) or "longest_idle",
            "hours_id": forms.chosen(form, "hours"),
            "lead_id": forms.chosen(form, "lead"),
            "offer_seconds": forms.number(form, "offer_seconds"),
            "silent_minutes": forms.number(form, "silent_minutes"),
        }
        name = forms.word(form, "name", 120)
        number = administration.add_team(conn, name, actor_id=actor.id) if fresh else number_in(request)
        if not fresh:
            given["name"] = name
        if not staff.change_team(conn, number, given, actor.id):
            return False
        if actor.role in RIGHTS["employees"]:
            members = [int(m) for m in forms.words(form, "members") if m.isascii() and m.isdecimal() and len(m) < 19]
            administration.set_members(conn, number, members, actor.id)
        return True

    try:
        if not await request.app[HOUSE].hub.db.write(work):
            raise NotFound
    except (Invalid, forms.Wrong) as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS)
        field = wrong.field or ("members" if "employee" in str(error) else "name")
        return await _team(request, actor, form, (Trouble(field, wrong.words),))
    return await settings.changed(request, PATH, "added" if fresh else "saved")
