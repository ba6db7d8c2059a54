"""Service levels: what is promised to customers who wait."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy.engine import Connection

from hub import levels
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.directory import Conditions
from hub.outbox import NotFound

#: Up to a year of minutes; 0: not promised.
Minutes = Annotated[int, Meta(ge=0, le=527_040)]
Position = Annotated[int, Meta(ge=1, le=100_000)]


class Policy(Struct, frozen=True):
    """A service level. The first enabled one whose conditions hold counts; times are business time of ``hours``, or else of the
    team's, or else of the channel's.
    """

    id: str
    position: int
    name: str
    enabled: bool
    conditions: Conditions
    first_minutes: int
    next_minutes: int
    resolution_minutes: int
    hours: str | None
    created_at: str | None


class NewPolicy(Struct, forbid_unknown_fields=True):
    """``conditions`` as those of routing rules: kinds, channels, teams, priorities, attributes; none: always. Without ``position`` last."""

    name: Line
    enabled: bool = True
    conditions: Conditions = Conditions()
    first_minutes: Minutes = 0
    next_minutes: Minutes = 0
    resolution_minutes: Minutes = 0
    hours: Id | None = None
    position: Position | None = None
    client_id: ClientId | None = None


class PolicyChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes; ``position`` moves it there and the others aside."""

    name: Line | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    conditions: Conditions | UnsetType = UNSET
    first_minutes: Minutes | UnsetType = UNSET
    next_minutes: Minutes | UnsetType = UNSET
    resolution_minutes: Minutes | UnsetType = UNSET
    hours: Id | UnsetType | None = UNSET
    position: Position | UnsetType = UNSET


def _shape(row: Any) -> Policy:
    return Policy(
        str(row.id),
        row.position,
        row.name,
        row.enabled,
        msgspec.json.decode(row.conditions, type=Conditions) if row.conditions else Conditions(),
        row.first_minutes,
        row.next_minutes,
        row.resolution_minutes,
        name(row.hours_id),
        rfc3339(row.created_at),
    )


def _all(conn: Connection) -> list[Policy]:
    return [_shape(row) for row in levels.all_policies(conn)]


async def _one(call: Call, number: int) -> Policy:
    found = next((policy for policy in await call.read(_all) if policy.id == str(number)), None)
    if found is None:
        raise NotFound
    return found


def _columns(body: NewPolicy | PolicyChange) -> dict[str, Any]:
    """What is given, by the names of the columns."""
    given = {key: getattr(body, key) for key in structs.asdict(body) if key not in ("position", "client_id")}
    given = {key: value for key, value in given.items() if value is not UNSET}
    if "hours" in given:
        hours = given.pop("hours")
        given["hours_id"] = int(hours) if hours else None
    return given


@route("GET", "/sla_policies")
async def list_policies(call: Call) -> Page[Policy]:
    """All service levels in their order."""
    return Page(await call.read(_all))


@route("GET", "/sla_policies/{id}")
async def get_policy(call: Call, id: int) -> Policy:
    """One service level."""
    return await _one(call, id)


@route("POST", "/sla_policies")
async def add_policy(call: Call, body: NewPolicy) -> Made[Policy]:
    """Make a service level; it counts for what begins from now on."""
    require(call.actor, "routing")
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, levels.add_policy, _columns(body), body.position, call.actor.id)
    return Made(await _one(call, number), fresh)


@route("PATCH", "/sla_policies/{id}")
async def change_policy(call: Call, id: int, body: PolicyChange) -> Policy:
    """Change, move, enable or disable a service level. Clocks that run keep their time; a disabled one's are withdrawn."""
    require(call.actor, "routing")
    position = None if body.position is UNSET else body.position
    if not await call.write(levels.change_policy, id, _columns(body), position, call.actor.id):
        raise NotFound
    return await _one(call, id)


@route("DELETE", "/sla_policies/{id}")
async def remove_policy(call: Call, id: int) -> None:
    """Remove a service level and all its clocks."""
    require(call.actor, "routing")
    if not await call.write(levels.change_policy, id, {"enabled": False}, None, call.actor.id):
        raise NotFound
    while await call.write(levels.withdraw, id):
        continue
    await call.write(levels.remove_policy, id, call.actor.id)
