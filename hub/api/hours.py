"""Business hours."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy.engine import Connection

from hub import hours, levels
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.wire import Call, Made, Page, route
from hub.clock import now, rfc3339
from hub.http import Problem
from hub.outbox import NotFound

Spans = Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(max_length=48)]
Week = Annotated[dict[str, Spans], Meta(max_length=7)]
Exceptions = Annotated[dict[str, Spans], Meta(max_length=hours.MOST_EXCEPTIONS)]


class Hours(Struct, frozen=True):
    """When somebody is there. ``open`` now, and until when (``closes_at``) or from when again (``opens_at``)."""

    id: str
    name: str
    zone: str
    region: str
    week: dict[str, list[str]]
    exceptions: dict[str, list[str]]
    open: bool
    opens_at: str | None
    closes_at: str | None


class NewHours(Struct, forbid_unknown_fields=True):
    """``zone`` like Europe/Berlin; ``region`` like DE or DE-NI: its public holidays are closed. ``week``: {"mon": ["08:00-12:00"]}, an end
    not after the start is on the next day. ``exceptions``: {"2026-12-24": ["08:00-12:00"], "2026-12-31": []}.
    """

    name: Line
    zone: Line
    region: Line = ""
    week: Week = {}
    exceptions: Exceptions = {}
    client_id: ClientId | None = None


class HoursChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes, each as a whole."""

    name: Line | UnsetType = UNSET
    zone: Line | UnsetType = UNSET
    region: Line | UnsetType = UNSET
    week: Week | UnsetType = UNSET
    exceptions: Exceptions | UnsetType = UNSET


def _shape(given: hours.Hours) -> Hours:
    moment = now()
    opened = hours.is_open(given, moment)
    return Hours(
        str(given.id),
        given.name,
        given.zone,
        given.region,
        hours.week_form(given),
        hours.exceptions_form(given),
        opened,
        None if opened else rfc3339(hours.next_open(given, moment)),
        rfc3339(hours.closes_at(given, moment)),
    )


def _all(conn: Connection) -> list[Hours]:
    return [_shape(given) for given in levels.all_hours(conn)]


def _one(conn: Connection, number: int) -> Hours:
    found = levels.one_hours(conn, number)
    if found is None:
        raise NotFound
    return _shape(found)


@route("GET", "/hours")
async def list_hours(call: Call) -> Page[Hours]:
    """All business hours."""
    return Page(await call.read(_all))


@route("GET", "/hours/{id}")
async def get_hours(call: Call, id: int) -> Hours:
    """Business hours by id."""
    return await call.read(_one, id)


@route("POST", "/hours")
async def add_hours(call: Call, body: NewHours) -> Made[Hours]:
    """Make business hours; teams, channels, service levels and rules can have them."""
    require(call.actor, "routing")
    act = client_id(call, body.client_id)
    number, fresh = await made_once(
        call, act, levels.add_hours, body.name, body.zone, body.region, body.week, body.exceptions, call.actor.id
    )
    return Made(await call.read(_one, number), fresh)


@route("PATCH", "/hours/{id}")
async def change_hours(call: Call, id: int, body: HoursChange) -> Hours:
    """Change business hours. What is already due stays due."""
    require(call.actor, "routing")
    changes = {name: value for name, value in structs.asdict(body).items() if value is not UNSET}
    if not await call.write(levels.change_hours, id, changes, call.actor.id):
        raise NotFound
    return await call.read(_one, id)


@route("DELETE", "/hours/{id}")
async def remove_hours(call: Call, id: int) -> None:
    """Remove business hours that nobody has any more."""
    require(call.actor, "routing")
    try:
        if not await call.write(levels.remove_hours, id, call.actor.id):
            raise NotFound
    except levels.InUse as error:
        raise Problem(409, str(error)) from error
