"""Channels: the accounts customers reach us at."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import administration, channels
from hub.access import Actor, require
from hub.adapter import Traits, kinds, load
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.channels import ChannelRow
from hub.clock import rfc3339
from hub.http import Problem
from hub.messages import Refused
from hub.outbox import NotFound
from hub.sql import lit
from hub.tables import conversations, deliveries, journal

#: A test of a channel must end (seconds).
TEST_PATIENCE = 40
#: Counts of health stop here.
MOST_COUNTED = 1000

Value = Annotated[str, Meta(max_length=50_000)] | Annotated[int, Meta(ge=-(2**53), le=2**53)] | bool | None
Settings = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=100)], Value], Meta(max_length=200)]


class SettingShown(Struct, frozen=True):
    """One thing an administrator fills in."""

    key: str
    type: str
    required: bool
    default: str | int | bool | None
    choices: list[str]
    label: str
    help: str


class Kind(Struct, frozen=True):
    """A kind of channel. ``webhook``: its provider sends to an address of ours."""

    kind: str
    label: str
    webhook: bool
    settings: list[SettingShown]
    traits: Traits


class Channel(Struct, frozen=True):
    """A configured account. ``key``, ``webhook_url`` and ``settings`` are for administrators; a secret shows only that it is set."""

    id: str
    kind: str
    name: str
    team: str | None
    trouble: str
    trouble_since: str | None
    created_at: str | None
    hours: str | None
    traits: Traits | None
    key: str | None
    webhook_url: str | None
    settings: dict[str, Any] | None


class NewChannel(Struct, forbid_unknown_fields=True):
    """``settings`` by dotted key; ``GET /channels/kinds`` says which there are."""

    kind: Line
    name: Line
    settings: Settings = {}
    team: Id | None = None
    hours: Id | None = None
    client_id: ClientId | None = None


class ChannelChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes; a setting that is null is unset."""

    name: Line | UnsetType = UNSET
    settings: Settings = {}
    team: Id | UnsetType | None = UNSET
    hours: Id | UnsetType | None = UNSET


class Tested(Struct, frozen=True):
    """How a test of the settings went, in the provider's words."""

    ok: bool
    words: str


class Health(Struct, frozen=True):
    """How a channel fares. Counts stop at 1000. ``state``: ok or trouble; ``words`` say what, ``since`` when it began."""

    state: str
    words: str
    since: str | None
    last_message_at: str | None
    journal_failed: int
    journal_waiting: int
    queued: int
    unconfirmed: int


def shown(call: Call, row: ChannelRow) -> Channel:
    """A channel as JSON has it for this employee."""
    admin = call.actor.role == "admin"
    config = row.config
    return Channel(
        id=str(config.id),
        kind=config.kind,
        name=config.name,
        team=name(row.team_id),
        trouble=row.trouble,
        trouble_since=rfc3339(row.trouble_since),
        created_at=rfc3339(row.created_at),
        hours=name(row.hours_id),
        traits=load(config.kind).traits if config.kind in kinds() else None,
        key=config.key if admin else None,
        webhook_url=administration.webhook_url(row, call.house.public_url) if admin else None,
        settings=administration.masked(row) if admin else None,
    )


@route("GET", "/channels")
async def list_channels(call: Call) -> Page[Channel]:
    """All channels in use."""
    return Page([shown(call, row) for row in await call.read(channels.all_rows, call.hub.box)])


@route("GET", "/channels/kinds")
async def list_channel_kinds(call: Call) -> Page[Kind]:
    """The kinds there are, with their settings."""
    return Page([_kind(kind, call.actor) for kind in kinds()])


def _kind(kind: str, actor: Actor) -> Kind:
    adapter, tongue = load(kind), actor.language
    settings = [
        SettingShown(
            s.key,
            s.type,
            s.required,
            s.default,
            list(s.choices),
            s.labels.get(tongue) or s.labels.get("en", s.key),
            s.helps.get(tongue) or s.helps.get("en", ""),
        )
        for s in adapter.settings
    ]
    label = adapter.labels.get(tongue) or adapter.labels.get("en", kind)
    return Kind(kind, label, bool(adapter.provider), settings, adapter.traits)


@route("POST", "/channels")
async def add_channel(call: Call, body: NewChannel) -> Made[Channel]:
    """Make a channel; the answer says the webhook's address."""
    require(call.actor, "channels")
    team = int(body.team) if body.team else None
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, _add, call, body, team)
    await call.hub.load_channels()
    return Made(shown(call, await _one(call, number)), fresh)


def _add(conn: Connection, call: Call, body: NewChannel, team: int | None) -> int:
    row = administration.add_channel(
        conn, call.hub.box, body.kind, body.name, body.settings, team, actor_id=call.actor.id
    )
    if body.hours is not None:
        hours = int(body.hours)
        administration.change_channel(conn, call.hub.box, row.config.id, {}, hours_id=hours, actor_id=call.actor.id)
    return row.config.id


@route("GET", "/channels/{id}")
async def get_channel(call: Call, id: int) -> Channel:
    """One channel."""
    return shown(call, await _one(call, id))


async def _one(call: Call, number: int) -> ChannelRow:
    row = await call.read(channels.one, call.hub.box, number)
    if row is None:
        raise NotFound
    return row


@route("PATCH", "/channels/{id}")
async def change_channel(call: Call, id: int, body: ChannelChange) -> Channel:
    """Change name, settings, team or business hours."""
    require(call.actor, "channels")
    row = await call.write(
        administration.change_channel,
        call.hub.box,
        id,
        body.settings,
        name=None if body.name is UNSET else body.name,
        team_id=int(body.team) if isinstance(body.team, str) else body.team,
        hours_id=int(body.hours) if isinstance(body.hours, str) else body.hours,
        actor_id=call.actor.id,
    )
    if row is None:
        raise NotFound
    await call.hub.load_channels()
    return shown(call, row)


@route("DELETE", "/channels/{id}")
async def remove_channel(call: Call, id: int) -> None:
    """Take a channel out of use; its messages stay."""
    require(call.actor, "channels")
    if not await call.write(administration.remove_channel, id, call.actor.id):
        raise NotFound
    await call.hub.load_channels()


@route("POST", "/channels/{id}/test")
async def test_channel(call: Call, id: int) -> Tested:
    """Try the settings against the provider; always 200, ``ok`` says how it went."""
    require(call.actor, "channels")
    row = await _one(call, id)
    try:
        adapter = load(row.config.kind)(row.config)
    except ValueError as error:
        raise Problem(422, str(error)) from error
    try:
        async with asyncio.timeout(TEST_PATIENCE):
            return Tested(True, await adapter.test())
    except Refused as error:
        return Tested(False, error.reason)
    except TimeoutError:
        return Tested(False, f"No answer within {TEST_PATIENCE} seconds.")
    except (OSError, NotImplementedError) as error:
        return Tested(False, str(error) or "This kind of channel cannot be tested.")
    finally:
        await adapter.close()


@route("GET", "/channels/{id}/health")
async def get_channel_health(call: Call, id: int) -> Health:
    """How the channel fares."""
    return await call.read(_health, await _one(call, id))


def _health(conn: Connection, row: ChannelRow) -> Health:
    number, j, d = row.config.id, journal.c, deliveries.c
    return Health(
        state="trouble" if row.trouble else "ok",
        words=row.trouble,
        since=rfc3339(row.trouble_since),
        last_message_at=rfc3339(_last(conn, number)),
        journal_failed=_count(conn, j.id, j.state == lit("failed"), j.channel_id == number),
        journal_waiting=_count(conn, j.id, j.state == lit("kept"), j.channel_id == number),
        queued=_count(conn, d.id, d.state == lit("queued"), d.channel_id == number),
        unconfirmed=_count(
            conn, d.id, d.state == lit("unconfirmed"), d.not_before > sa.literal_column("0"), d.channel_id == number
        ),
    )


def _count(conn: Connection, column: sa.Column[int], *conditions: sa.ColumnElement[bool]) -> int:
    found = sa.select(column).where(*conditions).limit(MOST_COUNTED).subquery()
    return conn.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()


def _last(conn: Connection, number: int) -> int | None:
    """The newest message's time: one step into the index per status."""
    c = conversations.c
    newest = [
        conn.execute(
            sa.select(c.last_message_at)
            .where(c.channel_id == number, c.status == status)
            .order_by(c.last_message_id.desc())
            .limit(1)
        ).scalar()
        for status in ("open", "waiting", "snoozed", "closed")
    ]
    return max((at for at in newest if at is not None), default=None)
