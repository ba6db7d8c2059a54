"""/settings/people: who works here, what they can do, how much they carry, and who stands in for them."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, administration, assignment, directory, events, presence, staff
from hub.access import RIGHTS, Actor, require
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Absence, Directory, Employee
from hub.events import NewEvent
from hub.http import HOUSE, Form, read_form
from hub.i18n import LANGUAGES
from hub.outbox import NotFound
from hub.tables import employees
from hub.text import by_name
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import words_for
from hub.web.screens import number_in

#: People on one page of the list.
MOST = 500
FIELDS = ("name", "email", "role", "language", "skills", "languages", "capacity", "deputy", "teams")


class Line(Struct, frozen=True):
    """Somebody in the list. ``deputy`` is who acts for them now, while ``absent``."""

    person: Employee
    email: str
    teams: tuple[str, ...]
    state: str
    load: int
    absent: Absence | None
    deputy: str


def everybody(conn: Connection) -> list[Line]:
    """Everybody by name; those who have left come last."""
    d, moment = directory.current(conn), now()
    people = sorted(d.employees.values(), key=lambda e: (e.disabled, by_name(e.name), e.id))[:MOST]
    doing = presence.everybody(conn)
    standings = assignment.standings(conn, d, [e.id for e in people if not e.disabled and e.role != "light"], moment)
    mails = {row[0]: row[1] for row in conn.execute(sa.select(employees.c.id, employees.c.email))}
    return [
        Line(
            e,
            mails.get(e.id, ""),
            teams_of(d, e.id),
            doing[e.id].state if e.id in doing else "offline",
            standings[e.id].load if e.id in standings else 0,
            d.absence(e.id, moment),
            _name(d, staff.stand_in(d, e.id, moment)),
        )
        for e in people
    ]


def teams_of(d: Directory, employee_id: int) -> tuple[str, ...]:
    """The names of somebody's teams."""
    return tuple(sorted((team.name for team in d.teams.values() if employee_id in team.members), key=by_name))


def _name(d: Directory, employee_id: int | None) -> str:
    return d.employees[employee_id].name if employee_id in d.employees else ""


async def people_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/people"""
    lines = await request.app[HOUSE].hub.db.read(everybody)
    name = words_for(request, actor).text("People")
    return await settings.page(request, actor, "people.j2", "people", name, lines=lines)


# ── one person ────────────────────────────────────────────────────────────────────────────────────────────────────────
class Opened(Struct, frozen=True):
    """Somebody's page."""

    person: Employee
    row: Any
    teams: tuple[str, ...]
    others: tuple[tuple[int, str], ...]
    usual: int


def _open(conn: Connection, number: int) -> Opened:
    d = directory.current(conn)
    row = conn.execute(sa.select(employees).where(employees.c.id == number)).first()
    if row is None or number not in d.employees:
        raise NotFound
    return Opened(d.employees[number], row, teams_of(d, number), colleagues(d, number), d.settings.capacity)


def colleagues(d: Directory, but: int = 0) -> tuple[tuple[int, str], ...]:
    """Everybody who works here, by name."""
    found = [(e.name, e.id) for e in d.employees.values() if not e.disabled and e.id != but]
    return tuple((number, name) for name, number in sorted(found))


async def person_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/people/<id>"""
    require(actor, "routing")
    return await _person(request, actor, number_in(request))


async def _person(
    request: web.Request,
    actor: Actor,
    number: int,
    form: Form | None = None,
    troubles: tuple[Trouble, ...] = (),
    password: str = "",
) -> web.Response:
    opened = await request.app[HOUSE].hub.db.read(_open, number)
    row = opened.row
    plain = {
        "name": row.name,
        "role": row.role,
        "skills": ", ".join(directory.listed(row.skills)),
        "languages": ", ".join(directory.listed(row.languages)),
        "capacity": row.capacity or "",
        "deputy": row.deputy_id or "",
    }
    return await settings.page(
        request, actor, "person.j2", "people", row.name, status=422 if troubles else 200, troubles=troubles,
        opened=opened, password=password, v=settings.given(form, plain, forms.kept(form) if form else {}),
        may_manage=actor.role in RIGHTS["employees"],
    )  # fmt: skip


async def save_person(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/people/<id>: supervisors change what routing needs, administrators name and role too."""
    require(actor, "routing")
    number, form = number_in(request), await read_form(request)

    def work(conn: Connection) -> bool:
        given = {
            "skills": forms.parts(forms.text(form, "skills")),
            "languages": forms.parts(forms.text(form, "languages")),
            "capacity": forms.number(form, "capacity"),
            "deputy_id": forms.chosen(form, "deputy"),
        }
        if not staff.set_up(conn, number, given, actor.id):
            return False
        if actor.role in RIGHTS["employees"]:
            name, role = forms.word(form, "name", 120), forms.word(form, "role", 20)
            administration.change_employee(conn, number, name=name, role=role, actor_id=actor.id)
        return True

    try:
        if not await request.app[HOUSE].hub.db.write(work):
            raise NotFound
    except (Invalid, forms.Wrong) as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS)
        return await _person(request, actor, number, form, (wrong,))
    return await settings.changed(request, "/settings/people")


async def set_access(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/people/<id>/access: ``disabled`` "yes" ends it, anything else restores it."""
    require(actor, "employees")
    number, form = number_in(request), await read_form(request)
    disabled = forms.word(form, "disabled", 5) == "yes"

    def work(conn: Connection) -> bool:
        return administration.change_employee(conn, number, disabled=disabled, actor_id=actor.id)

    try:
        if not await request.app[HOUSE].hub.db.write(work):
            raise NotFound
    except Invalid as error:
        return await _person(
            request, actor, number, troubles=(forms.trouble(words_for(request, actor), error, FIELDS),)
        )
    return await settings.changed(request, f"/settings/people/{number}", "disabled" if disabled else "enabled")


async def set_password(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/people/<id>/password: a new start password, shown this once."""
    require(actor, "employees")
    number = number_in(request)
    password, hashed = await _start_password(request)

    def work(conn: Connection) -> None:
        if not administration.change_employee(conn, number, actor_id=actor.id):
            raise NotFound
        accounts.set_password(conn, number, hashed)

    await request.app[HOUSE].hub.db.write(work)
    request.app[HOUSE].hub.bus.publish()
    return await _person(request, actor, number, password=password)


async def _start_password(request: web.Request) -> tuple[str, str]:
    password = secrets.token_urlsafe(12)
    async with request.app[HOUSE].hashing:
        return password, await asyncio.to_thread(accounts.hash_password, password)


# ── somebody new ──────────────────────────────────────────────────────────────────────────────────────────────────────
async def new_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/people/new"""
    require(actor, "employees")
    return await _new(request, actor)


async def _new(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    plain = {"name": "", "email": "", "role": "agent", "language": actor.language}
    d = await request.app[HOUSE].hub.db.read(directory.current)
    typed = forms.kept(form) if form else {}
    return await settings.page(
        request, actor, "invite.j2", "people", words_for(request, actor).text("Invite somebody"),
        status=422 if troubles else 200, troubles=troubles, v=settings.given(form, plain, typed),
        teams=sorted(((t.id, t.name) for t in d.teams.values()), key=lambda t: by_name(t[1])),
        chosen=forms.words(form, "teams") if form else (),
    )  # fmt: skip


async def invite(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/people/new: an account with a start password, which the next page shows this once."""
    require(actor, "employees")
    form = await read_form(request)
    password, hashed = await _start_password(request)
    wanted = {int(team) for team in forms.words(form, "teams") if team.isascii() and team.isdecimal()}
    language = forms.word(form, "language", 5)

    def work(conn: Connection) -> int:
        number = accounts.add_employee(
            conn,
            forms.word(form, "email", 254),
            forms.word(form, "name", 120),
            forms.word(form, "role", 20),
            hashed,
            language if language in LANGUAGES else "en",
        )
        for team, members in administration.all_teams(conn):
            if team.id in wanted:
                administration.set_members(conn, team.id, [*members, number], actor.id)
        events.append(conn, [NewEvent("employee.added", actor_id=actor.id, data={"employee": str(number)})])
        return number

    try:
        number = await request.app[HOUSE].hub.db.write(work)
    except Invalid as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS)
        field = wrong.field or ("role" if "role" in str(error) else "email")
        return await _new(request, actor, form, (Trouble(field, wrong.words),))
    request.app[HOUSE].hub.bus.publish()
    return await _person(request, actor, number, password=password)
