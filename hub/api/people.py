"""Employees."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import accounts, administration, assignment, directory, events, presence, staff
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import now, rfc3339
from hub.directory import Directory
from hub.events import NewEvent
from hub.messages import Role
from hub.outbox import NotFound
from hub.routing import Standing

#: Skills or languages; `staff` says how many and how long.
Words = Annotated[list[Line], Meta(max_length=200)]
Password = Annotated[str, Meta(min_length=8, max_length=128)]


class PresenceShown(Struct, frozen=True):
    """``chosen`` is their own word (empty: none), ``state`` what counts: available, busy, away, offline."""

    state: str
    chosen: str


class Employee(Struct, frozen=True, kw_only=True):
    """Somebody of the house. ``capacity``: what they carry at once (0: as usual); ``load``: what they carry now. ``absent_until``
    is null for whoever is here, and for whoever is ``absent`` until further notice.
    """

    id: str
    email: str
    name: str
    role: str
    language: str
    teams: list[str]
    disabled: bool
    created_at: str | None
    skills: list[str]
    languages: list[str]
    capacity: int
    deputy: str | None
    presence: PresenceShown
    load: int
    absent: bool
    absent_until: str | None


class NewEmployee(Struct, forbid_unknown_fields=True):
    """Without a password they cannot sign in, but use an API token."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    name: Line = ""
    role: Role = "agent"
    password: Password | None = None
    language: Annotated[str, Meta(pattern="^(en|de)$")] = "en"
    client_id: ClientId | None = None


class EmployeeChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes. ``disabled`` ends sessions and tokens. Supervisors may change skills, languages, capacity, deputy."""

    name: Line | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    skills: Words | UnsetType = UNSET
    languages: Words | UnsetType = UNSET
    capacity: Annotated[int, Meta(ge=0, le=staff.MOST_CAPACITY)] | UnsetType = UNSET
    deputy: Id | UnsetType | None = UNSET

    def routing(self) -> dict[str, Any]:
        """What `staff.set_up` changes."""
        deputy = int(self.deputy) if isinstance(self.deputy, str) else self.deputy
        given = {"skills": self.skills, "languages": self.languages, "capacity": self.capacity, "deputy_id": deputy}
        return {name: value for name, value in given.items() if value is not UNSET}

    def personal(self) -> bool:
        """Is there anything only administrators may change?"""
        return any(value is not UNSET for value in (self.name, self.role, self.disabled, self.password))


def _employees(conn: Connection, only: int | None = None) -> list[Employee]:
    rows = [row for row in accounts.all_employees(conn) if only in (None, row.id)]
    teams: dict[int, list[str]] = {}
    for team, members in administration.all_teams(conn):
        for number in members:
            teams.setdefault(number, []).append(str(team.id))
    d, at = directory.current(conn), now()
    doing = assignment.standings(conn, d, [row.id for row in rows], at) if rows else {}
    chosen = {number: found.chosen for number, found in presence.everybody(conn).items()}
    return [_employee(d, row, teams.get(row.id, []), doing[row.id], chosen.get(row.id, ""), at) for row in rows]


def _employee(d: Directory, row: Any, teams: list[str], doing: Standing, chosen: str, at: int) -> Employee:
    absence = d.absence(row.id, at)
    return Employee(
        id=str(row.id),
        email=row.email,
        name=row.name,
        role=row.role,
        language=row.language or "en",
        teams=teams,
        disabled=row.disabled_at is not None,
        created_at=rfc3339(row.created_at),
        skills=directory.listed(row.skills),
        languages=directory.listed(row.languages),
        capacity=row.capacity,
        deputy=name(row.deputy_id),
        presence=PresenceShown(doing.state, chosen),
        load=doing.load,
        absent=absence is not None,
        absent_until=rfc3339(absence.ends_at) if absence else None,
    )


async def _one(call: Call, number: int) -> Employee:
    found = await call.read(_employees, number)
    if not found:
        raise NotFound
    return found[0]


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
    """Change skills, languages, capacity or deputy; as administrator also name, role or password, and end or restore access."""
    require(call.actor, "employees" if body.personal() else "routing")
    hashed = await _hash(call, body.password) if isinstance(body.password, str) else None
    if not await call.write(_change, call.actor.id, id, body, hashed):
        raise NotFound
    return await _one(call, id)


def _change(conn: Connection, actor_id: int, number: int, body: EmployeeChange, hashed: str | None) -> bool:
    known = not body.routing() or staff.set_up(conn, number, body.routing(), actor_id)
    known = known and administration.change_employee(
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
