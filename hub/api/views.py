"""Saved views: lists with a name, for oneself, a team or everybody."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy.engine import Connection

from hub import inbox, views
from hub.access import Actor
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.filters import Sort
from hub.messages import Status
from hub.views import Content, Due, View, Visibility

Minutes = Annotated[int, Meta(ge=0, le=525_600)]


class ViewFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """What a view holds, in the words of GET /conversations. ``status`` null: every status; ``waited``: minutes that the customer
    waits already; ``assignee`` is an id, ``me`` (whoever looks) or ``none``.
    """

    status: Status | None = "open"
    assignee: Annotated[str, Meta(pattern="^([0-9]{1,18}|me|none)$")] | None = None
    team: Id | None = None
    channel: Id | None = None
    tag: Annotated[str, Meta(max_length=60)] = ""
    q: Annotated[str, Meta(max_length=200)] = ""
    due: Due = ""
    unread: bool = False
    waited: Minutes = 0
    sort: Sort = "waiting"


class SavedView(Struct, frozen=True):
    """A list with a name. ``count``: how many it holds now, at most 1000; null when it searches for words in messages."""

    id: str
    name: str
    icon: str
    visibility: str
    team: str | None
    owner: str | None
    filter: ViewFilter
    count: int | None
    changed_at: str | None


class NewView(Struct, forbid_unknown_fields=True):
    """``team`` goes with the visibility ``team``."""

    name: Line
    icon: Annotated[str, Meta(max_length=20)] = "filter"
    visibility: Visibility = "mine"
    team: Id | None = None
    filter: ViewFilter = ViewFilter()
    client_id: ClientId | None = None


class ViewChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes. ``position``: the place among those you see, 1 is the first."""

    name: Line | UnsetType = UNSET
    icon: Annotated[str, Meta(max_length=20)] | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    team: Id | UnsetType | None = UNSET
    filter: ViewFilter | UnsetType = UNSET
    position: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET


def _content(given: ViewFilter) -> Content:
    return Content(
        given.status or "",
        given.assignee or "",
        int(given.team or 0),
        int(given.channel or 0),
        given.tag,
        given.q,
        given.due,
        given.unread,
        given.waited,
        given.sort,
    )


def _filter(content: Content) -> ViewFilter:
    said = structs.asdict(content)
    said["status"] = content.status or None
    for key in ("assignee", "team", "channel"):
        said[key] = str(said[key]) if said[key] else None
    return msgspec.convert(said, ViewFilter)


def _given(body: NewView | ViewChange) -> dict[str, Any]:
    given = {key: value for key in ("name", "icon", "visibility") if (value := getattr(body, key)) is not UNSET}
    if body.team is not UNSET:
        given["team_id"] = int(body.team) if isinstance(body.team, str) else None
    if isinstance(body.filter, ViewFilter):
        given["content"] = _content(body.filter)
    return given


def _look(conn: Connection, actor: Actor, number: int | None = None) -> list[SavedView]:
    found = views.listing(conn, actor) if number is None else [views.one(conn, actor, number)]
    wanted = views.countable(conn, actor, found[: views.SHOWN])
    counted = inbox.counts(conn, actor, wanted)
    return [_shown(view, counted.get(f"view:{view.id}", 0) if f"view:{view.id}" in wanted else None) for view in found]


def _shown(view: View, count: int | None) -> SavedView:
    return SavedView(
        str(view.id),
        view.name,
        view.icon,
        view.visibility,
        name(view.team_id),
        name(view.owner_id),
        _filter(view.content),
        count,
        rfc3339(view.changed_at),
    )


async def _one(call: Call, number: int) -> SavedView:
    return (await call.read(_look, call.actor, number))[0]


@route("GET", "/views")
async def list_views(call: Call) -> Page[SavedView]:
    """All you may use, in their order: everybody's, your teams', your own. The first 30 are counted."""
    return Page(await call.read(_look, call.actor))


@route("GET", "/views/{id}")
async def get_view(call: Call, id: int) -> SavedView:
    """One saved view."""
    return await _one(call, id)


@route("POST", "/views")
async def add_view(call: Call, body: NewView) -> Made[SavedView]:
    """Save a view."""
    number, fresh = await made_once(call, client_id(call, body.client_id), views.add, call.actor, _given(body))
    return Made(await _one(call, number), fresh)


@route("PATCH", "/views/{id}")
async def change_view(call: Call, id: int, body: ViewChange) -> SavedView:
    """Change or move one of your own; supervisors and administrators change what others use too."""

    def work(conn: Connection) -> None:
        if given := _given(body):
            views.change(conn, call.actor, id, given)
        if isinstance(body.position, int):
            views.move(conn, call.actor, id, body.position)

    await call.write(work)
    return await _one(call, id)


@route("DELETE", "/views/{id}")
async def remove_view(call: Call, id: int) -> None:
    """Remove one."""
    await call.write(views.remove, call.actor, id)
