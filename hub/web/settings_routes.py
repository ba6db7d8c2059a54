"""The addresses under /settings."""

from __future__ import annotations

from aiohttp import web

from hub.access import Actor
from hub.web import settings_absences as absences
from hub.web import settings_people as people
from hub.web import settings_teams as teams
from hub.web.screens import screen


async def _start(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings"""
    raise web.HTTPSeeOther("/settings/people")


def add_routes(app: web.Application) -> None:
    """Every page and form of the settings."""
    get, post = app.router.add_get, app.router.add_post
    one = r"{number:\d+}"
    get("/settings", screen(_start))
    get("/settings/people", screen(people.people_page))
    get("/settings/people/new", screen(people.new_page))
    post("/settings/people/new", screen(people.invite))
    get(f"/settings/people/{one}", screen(people.person_page))
    post(f"/settings/people/{one}", screen(people.save_person))
    post(f"/settings/people/{one}/access", screen(people.set_access))
    post(f"/settings/people/{one}/password", screen(people.set_password))
    get("/settings/teams", screen(teams.teams_page))
    get("/settings/absences", screen(absences.absences_page))
    for name in ("new", one):
        get(f"/settings/teams/{name}", screen(teams.team_page))
        post(f"/settings/teams/{name}", screen(teams.save_team))
        get(f"/settings/absences/{name}", screen(absences.absence_page))
        post(f"/settings/absences/{name}", screen(absences.save_absence))
    post(f"/settings/absences/{one}/end", screen(absences.end_absence))
