"""The addresses under /settings."""

from __future__ import annotations

from aiohttp import web

from hub.access import Actor
from hub.web import settings_absences as absences
from hub.web import settings_blocked as blocked
from hub.web import settings_channels as channels
from hub.web import settings_hours as hours
from hub.web import settings_keyboard as keyboard
from hub.web import settings_people as people
from hub.web import settings_replies as saved
from hub.web import settings_routing as routing
from hub.web import settings_simulation as simulation
from hub.web import settings_sla as sla
from hub.web import settings_teams as teams
from hub.web import settings_views as views
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
        get(f"/settings/hours/{name}", screen(hours.one_page))
        post(f"/settings/hours/{name}", screen(hours.save))
        get(f"/settings/replies/{name}", screen(saved.reply_page))
        post(f"/settings/replies/{name}", screen(saved.save_reply))
        get(f"/settings/sla/{name}", screen(sla.policy_page))
        post(f"/settings/sla/{name}", screen(sla.save))
    get(keyboard.PATH, screen(keyboard.keyboard_page))
    post(keyboard.PATH, screen(keyboard.save_keyboard))
    post(f"/settings/absences/{one}/end", screen(absences.end_absence))
    get("/settings/replies", screen(saved.replies_page))
    post(f"/settings/replies/{one}/remove", screen(saved.remove_reply))
    get(blocked.PATH, screen(blocked.blocked_page))
    post(blocked.PATH, screen(blocked.block))
    post(f"{blocked.PATH}/unblock", screen(blocked.unblock))
    get("/settings/views", screen(views.views_page))
    get(f"/settings/views/{one}", screen(views.view_page))
    post(f"/settings/views/{one}", screen(views.save_view))
    for act in (views.move, views.remove):
        post(f"/settings/views/{one}/{act.__name__}", screen(act))
    get(channels.PATH, screen(channels.channels_page))
    get(f"{channels.PATH}/{one}/chat", screen(channels.chat_page))
    post(f"{channels.PATH}/{one}/chat", screen(channels.save_chat))
    post(f"{channels.PATH}/{one}/secret", screen(channels.new_secret))
    get("/settings/hours", screen(hours.hours_page))
    post(f"/settings/hours/{one}/remove", screen(hours.remove))
    get("/settings/sla", screen(sla.policies_page))
    for work in (sla.move, sla.switch, sla.remove):
        post(f"/settings/sla/{one}/{work.__name__}", screen(work))
    _add_routing(app)


def _add_routing(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    tables = ((routing.PATH, r"{number:\d+}"), (routing.DRAFT, r"{number:-?\d+}"))
    for path, line in tables:
        get(path, screen(routing.table_page))
        for name in ("new", line):
            get(f"{path}/{name}", screen(routing.rule_page))
            post(f"{path}/{name}", screen(routing.save_rule))
        post(f"{path}/{line}/move", screen(routing.move_rule))
        post(f"{path}/{line}/switch", screen(routing.switch_rule))
        post(f"{path}/{line}/remove", screen(routing.remove_rule))
    post(routing.DRAFT, screen(routing.begin_draft))
    post(f"{routing.DRAFT}/discard", screen(routing.discard_draft))
    post(f"{routing.DRAFT}/publish", screen(routing.publish_draft))
    post(f"{routing.DRAFT}/simulate", screen(simulation.start))
    post(f"{routing.PATH}/try", screen(routing.try_out))
    one = rf"{simulation.PATH}/{{number:\d+}}"
    get(one, screen(simulation.simulation_page))
    get(f"{one}/progress", screen(simulation.simulation_page))
    post(f"{one}/cancel", screen(simulation.cancel))
