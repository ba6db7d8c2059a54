"""Teams: who is in them, and how they share what comes."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import administration, staff
from hub.access import require
from hub.api.conversations import ClientId
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.directory import Strategy
from hub.http import Problem
from hub.levels import InUse
from hub.outbox import NotFound

TeamName = Annotated[str, Meta(min_length=1, max_length=120)]
Ringing = Annotated[int, Meta(ge=0, le=staff.MOST_RINGING)]
Silence = Annotated[int, Meta(ge=0, le=staff.MOST_SILENCE)]


class Team(Struct, frozen=True):
    """Employees who share conversations. ``strategy``: who of them is chosen (queue: nobody, they take from it). ``offer_seconds``:
    how long a live contact rings at one of them before the next (0: it is simply given). ``silent_minutes``: after so much business
    time without an answer somebody else gets it (0: never).
    """

    id: str
    name: str
    slug: str
    members: list[str]
    strategy: str
    hours: str | None
    lead: str | None
    offer_seconds: int
    silent_minutes: int


class TeamChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes."""

    name: TeamName | UnsetType = UNSET
    strategy: Strategy | UnsetType = UNSET
    hours: Id | UnsetType | None = UNSET
    lead: Id | UnsetType | None = UNSET
    offer_seconds: Ringing | UnsetType = UNSET
    silent_minutes: Silence | UnsetType = UNSET


class NewTeam(Struct, forbid_unknown_fields=True):
    """A team and who is in it."""

    name: TeamName
    members: Annotated[list[Id], Meta(max_length=1000)] = []
    strategy: Strategy | UnsetType = UNSET
    hours: Id | UnsetType | None = UNSET
    lead: Id | UnsetType | None = UNSET
    offer_seconds: Ringing | UnsetType = UNSET
    silent_minutes: Silence | UnsetType = UNSET
    client_id: ClientId | None = None


class NewMembers(Struct, forbid_unknown_fields=True):
    """All members the team shall have."""

    members: Annotated[list[Id], Meta(max_length=1000)]


def _given(body: NewTeam | TeamChange) -> dict[str, Any]:
    """What `staff.change_team` changes."""
    given: dict[str, Any] = {
        "strategy": body.strategy,
        "hours_id": int(body.hours) if isinstance(body.hours, str) else body.hours,
        "lead_id": int(body.lead) if isinstance(body.lead, str) else body.lead,
        "offer_seconds": body.offer_seconds,
        "silent_minutes": body.silent_minutes,
    }
    if isinstance(body, TeamChange):
        given["name"] = body.name
    return {key: value for key, value in given.items() if value is not UNSET}


def _teams(conn: Connection) -> list[Team]:
    return [_shape(row, members) for row, members in administration.all_teams(conn)]


def _shape(row: Any, members: list[int]) -> Team:
    return Team(
        str(row.id),
        row.name,
        row.slug,
        [str(n) for n in members],
        row.strategy or "longest_idle",
        name(row.hours_id),
        name(row.lead_id),
        row.offer_seconds,
        row.silent_minutes,
    )


async def _one(call: Call, number: int) -> Team:
    found = next((team for team in await call.read(_teams) if team.id == str(number)), None)
    if found is None:
        raise NotFound
    return found


@route("GET", "/teams")
async def list_teams(call: Call) -> Page[Team]:
    """All teams with their members."""
    return Page(await call.read(_teams))


@route("GET", "/teams/{id}")
async def get_team(call: Call, id: int) -> Team:
    """One team."""
    return await _one(call, id)


@route("POST", "/teams")
async def add_team(call: Call, body: NewTeam) -> Made[Team]:
    """Make a team."""
    require(call.actor, "employees")
    number, fresh = await made_once(call, client_id(call, body.client_id), _add, call.actor.id, body)
    return Made(await _one(call, number), fresh)


def _add(conn: Connection, actor_id: int, body: NewTeam) -> int:
    number = administration.add_team(conn, body.name, actor_id=actor_id)
    if body.members:
        administration.set_members(conn, number, [int(m) for m in body.members], actor_id)
    if given := _given(body):
        staff.change_team(conn, number, given, actor_id)
    return number


@route("PATCH", "/teams/{id}")
async def change_team(call: Call, id: int, body: TeamChange) -> Team:
    """Change how the team works."""
    require(call.actor, "routing")
    if not await call.write(staff.change_team, id, _given(body), call.actor.id):
        raise NotFound
    return await _one(call, id)


@route("DELETE", "/teams/{id}")
async def remove_team(call: Call, id: int) -> None:
    """Remove a team that nothing belongs to; 409 while something does."""
    require(call.actor, "employees")
    try:
        if not await call.write(administration.remove_team, id, call.actor.id):
            raise NotFound
    except InUse as error:
        raise Problem(409, str(error)) from error


@route("PUT", "/teams/{id}/members")
async def set_team_members(call: Call, id: int, body: NewMembers) -> Team:
    """Replace who is in the team."""
    require(call.actor, "employees")
    if not await call.write(administration.set_members, id, [int(m) for m in body.members], call.actor.id):
        raise NotFound
    return await _one(call, id)
