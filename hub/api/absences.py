"""Absences: who is away, from when until when, and who stands in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import absences, directory
from hub.access import Actor
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.http import Problem
from hub.outbox import NotFound
from hub.tables import employees

Kind = Literal["leave", "sick", "training", "other"]
#: RFC 3339, or a plain date: the whole day where the employee works.
Moment = Annotated[str, Meta(max_length=40)]


class Absence(Struct, frozen=True):
    """Away from ``starts_at`` until ``ends_at`` (null: until further notice). ``state``: planned, begun, on, over. Of others' absences
    colleagues see neither the note nor the kind (“absent”).
    """

    id: str
    employee: str
    starts_at: str | None
    ends_at: str | None
    kind: str
    note: str
    deputy: str | None
    state: str
    created_at: str | None


class AbsenceQuery(Struct, forbid_unknown_fields=True):
    """``over``: also those that have ended."""

    over: bool = False


class CalendarQuery(Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Those that last some of the time from ``from`` until ``to`` (times or dates, the last day included)."""

    from_: Moment | None = None
    to: Moment | None = None


class NewAbsence(Struct, forbid_unknown_fields=True):
    """A time (RFC 3339) or a date (“2026-12-24”): the day where the employee works, which is the time zone of their team's business
    hours, or else of the house's first, or else UTC. A date as end means: that day is the last one. Without end: until further notice.
    """

    starts_at: Moment
    ends_at: Moment | None = None
    kind: Kind = "leave"
    note: Line = ""
    deputy: Id | None = None
    client_id: ClientId | None = None


class AbsenceChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes; ``ends_at`` null: until further notice."""

    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    kind: Kind | UnsetType = UNSET
    note: Line | UnsetType = UNSET
    deputy: Id | UnsetType | None = UNSET


def _shape(row: Any, actor: Actor) -> Absence:
    private = row.employee_id != actor.id and not actor.sees_all
    return Absence(
        str(row.id),
        str(row.employee_id),
        rfc3339(row.starts_at),
        rfc3339(row.ends_at),
        "absent" if private else row.kind,
        "" if private else row.note,
        name(row.deputy_id),
        row.state,
        rfc3339(row.created_at),
    )


def _one(conn: Connection, actor: Actor, number: int) -> Absence:
    row = absences.one(conn, number)
    if row is None:
        raise NotFound
    return _shape(row, actor)


def _of(conn: Connection, actor: Actor, employee: int, over: bool) -> list[Absence]:
    if conn.execute(sa.select(employees.c.id).where(employees.c.id == employee)).first() is None:
        raise NotFound
    return [_shape(row, actor) for row in absences.listing(conn, employee, over=over)]


def _moment(text: str, zone: str, field: str, *, end: bool = False) -> int:
    at = absences.read_moment(text, zone, end=end)
    if at is None:
        words = f"“{field}” must be a time like 2026-12-24T12:00:00Z or a date like 2026-12-24."
        raise Problem(422, words, field=field)
    return at


async def _zone(call: Call, employee: int | None) -> str:
    return absences.zone_of(await call.read(directory.current), employee)


@route("GET", "/employees/{id}/absences")
async def list_employee_absences(call: Call, id: int, query: AbsenceQuery) -> Page[Absence]:
    """An employee's absences by their beginning."""
    return Page(await call.read(_of, call.actor, id, query.over))


@route("GET", "/absences")
async def list_absences(call: Call, query: CalendarQuery) -> Page[Absence]:
    """Everybody's absences by their beginning: those that are not over, or those of a time."""
    zone = await _zone(call, call.actor.id)
    since = _moment(query.from_, zone, "from") if query.from_ is not None else 0
    until = _moment(query.to, zone, "to", end=True) if query.to is not None else None
    asked = query.from_ is not None or query.to is not None
    rows = await call.read(absences.listing, over=asked, since=since, until=until)
    return Page([_shape(row, call.actor) for row in rows])


@route("POST", "/employees/{id}/absences")
async def add_absence(call: Call, id: int, body: NewAbsence) -> Made[Absence]:
    """Plan an absence: one's own, or as supervisor or administrator somebody else's."""
    zone = await _zone(call, id)
    starts = _moment(body.starts_at, zone, "starts_at")
    ends = _moment(body.ends_at, zone, "ends_at", end=True) if body.ends_at is not None else None
    deputy = int(body.deputy) if body.deputy else None
    act = client_id(call, body.client_id)
    number, fresh = await made_once(
        call, act, absences.add, call.actor, id, starts, ends, kind=body.kind, note=body.note, deputy_id=deputy
    )
    return Made(await call.read(_one, call.actor, number), fresh)


@route("PATCH", "/absences/{id}")
async def change_absence(call: Call, id: int, body: AbsenceChange) -> Absence:
    """Change an absence. What has begun keeps its beginning; what is over stays as it was."""
    known = await call.read(absences.one, id)
    zone = await _zone(call, known.employee_id if known else None)
    values: dict[str, Any] = {"kind": body.kind, "note": body.note}
    values["deputy_id"] = int(body.deputy) if isinstance(body.deputy, str) else body.deputy
    values["starts_at"] = (
        _moment(body.starts_at, zone, "starts_at") if isinstance(body.starts_at, str) else body.starts_at
    )
    values["ends_at"] = (
        _moment(body.ends_at, zone, "ends_at", end=True) if isinstance(body.ends_at, str) else body.ends_at
    )
    given = {key: value for key, value in values.items() if value is not UNSET}
    await call.write(absences.change, call.actor, id, given)
    return await call.read(_one, call.actor, id)


@route("DELETE", "/absences/{id}")
async def remove_absence(call: Call, id: int) -> None:
    """Call off an absence; one that has begun ends now, and what was passed on comes back."""
    await call.write(absences.remove, call.actor, id)
