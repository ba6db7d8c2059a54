"""Employees and teams."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import accounts, administration, events
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.events import NewEvent
from hub.messages import Role
from hub.outbox import NotFound

Password = Annotated[str, Meta(min_length=8, max_length=128)]


class Employee(Struct, frozen=True):
    """Somebody of the house."""

    id: str
    email: str
    name: str
    role: str
    language: str
    teams: list[str]
    disabled: bool
    created_at: str | None


class NewEmployee(Struct, forbid_unknown_fields=True):
    """Without a password they cannot sign in, but use an API token."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    name: Line = ""
    role: Role = "agent"
    password: Password | None = None
    language: Annotated[str, Meta(pattern="^(en|de)$")] = "en"
    client_id: ClientId | None = None


class EmployeeChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes. ``disabled`` ends sessions and tokens."""

    name: Line | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET


class Team(Struct, frozen=True):
    """Employees who share conversations."""

    id: str
    name: str
    slug: str
    members: list[str]


class NewTeam(Struct, forbid_unknown_fields=True):
    """A team and who is in it."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    members: Annotated[list[Id], Meta(max_length=1000)] = []
    client_id: ClientId | None = None


class NewMembers(Struct, forbid_unknown_fields=True):
    """All members the team shall have."""

    members: Annotated[list[Id], Meta(max_length=1000)]


def _employees(conn: Connection) -> list[Employee]:
    teams: dict[int, list[str]] = {}
    for team, members in administration.all_teams(conn):
        for number in members:
            teams.setdefault(number, []).append(str(team.id))
    return [_employee(row, teams.get(row.id, [])) for row in accounts.all_employees(conn)]


def _employee(row: Any, teams: list[str]) -> Employee:
    return Employee(
        str(row.id),
        row.email,
        row.name,
        row.role,
        row.language or "en",
        teams,
        row.disabled_at is not None,
        rfc3339(row.created_at),
    )


async def _one(call: Call, number: int) -> Employee:
    found = next((e for e in await call.read(_employees) if e.id == str(number)), None)
    if found is None:
        raise NotFound
    return found


@route("GET", "/me")
async def get_me(call: Call) -> Employee:
    """Whose token this is."""
    return await _one(call, call.actor.id)


@route("GET", "/employees")
async def list_employees(call: Call) -> Page[Employee]:
    """Everybody, also those who have left."""
    return Page(await call.read(_employees))


@route("GET", "/employees/{id}")
async def get_employee(call: Call, id: int) -> Employee:
    """One employee."""
    return await _one(call, id)


@route("POST", "/employees")
async def add_employee(call: Call, body: NewEmployee) -> Made[Employee]:
    """Make an employee."""
    require(call.actor, "employees")
    hashed = await _hash(call, body.password) if body.password else None
    number, fresh = await made_once(call, client_id(call, body.client_id), _add, call.actor.id, body, hashed)
    return Made(await _one(call, number), fresh)


def _add(conn: Connection, actor_id: int, body: NewEmployee, hashed: str | None) -> int:
    number = accounts.add_employee(conn, body.email, body.name, body.role, hashed, body.language)
    data = {"employee": str(number), "role": body.role}
    events.append(conn, [NewEvent("employee.added", actor_id=actor_id, data=data)])
    return number


async def _hash(call: Call, password: str) -> str:
    async with call.house.hashing:
        return await asyncio.to_thread(accounts.hash_password, password)


@route("PATCH", "/employees/{id}")
async def change_employee(call: Call, id: int, body: EmployeeChange) -> Employee:
    """Change name, role or password, end or restore access."""
    require(call.actor, "employees")
    hashed = await _hash(call, body.password) if isinstance(body.password, str) else None
    if not await call.write(_change, call.actor.id, id, body, hashed):
        raise NotFound
    return await _one(call, id)


def _change(conn: Connection, actor_id: int, number: int, body: EmployeeChange, hashed: str | None) -> bool:
    known = administration.change_employee(
        conn,
        number,
        name=None if body.name is UNSET else body.name,
        role=None if body.role is UNSET else body.role,
        disabled=None if body.disabled is UNSET else body.disabled,
        actor_id=actor_id,
    )
    if known and hashed:
        accounts.set_password(conn, number, hashed)
    return known


# ── teams ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _teams(conn: Connection) -> list[Team]:
    found = administration.all_teams(conn)
    return [Team(str(row.id), row.name, row.slug, [str(n) for n in members]) for row, members in found]


async def _team(call: Call, number: int) -> Team:
    return next(team for team in await call.read(_teams) if team.id == str(number))


@route("GET", "/teams")
async def list_teams(call: Call) -> Page[Team]:
    """All teams with their members."""
    return Page(await call.read(_teams))


@route("POST", "/teams")
async def add_team(call: Call, body: NewTeam) -> Made[Team]:
    """Make a team."""
    require(call.actor, "employees")
    number, fresh = await made_once(call, client_id(call, body.client_id), _add_team, call.actor.id, body)
    return Made(await _team(call, number), fresh)


def _add_team(conn: Connection, actor_id: int, body: NewTeam) -> int:
    number = administration.add_team(conn, body.name, actor_id=actor_id)
    if body.members:
        administration.set_members(conn, number, [int(m) for m in body.members], actor_id)
    return number


@route("PUT", "/teams/{id}/members")
async def set_team_members(call: Call, id: int, body: NewMembers) -> Team:
    """Replace who is in the team."""
    require(call.actor, "employees")
    if not await call.write(administration.set_members, id, [int(m) for m in body.members], call.actor.id):
        raise NotFound
    return await _team(call, id)
