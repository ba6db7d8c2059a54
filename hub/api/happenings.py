"""The feed: everything that happened, in the order of record."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events
from hub.access import Actor, visible
from hub.api import shapes
from hub.api.shapes import Happened, Id, Limit
from hub.api.wire import Call, route
from hub.events import Event
from hub.http import Problem
from hub.sql import among
from hub.tables import conversations

#: Events looked at for one page.
LOOKED_AT = 2000


class EventsQuery(Struct, forbid_unknown_fields=True):
    """``after``: the last id you have (``cursor`` is the same); 0 begins at the beginning."""

    after: Id | None = None
    cursor: Id | None = None
    limit: Limit = 50


class FeedPage(Struct, frozen=True):
    """Oldest first. ``next`` is null when there is no more for now; then ask again with ``after`` = ``last``."""

    items: list[Happened]
    next: str | None
    last: str


@route("GET", "/events")
async def list_events(call: Call, query: EventsQuery) -> FeedPage:
    """What happened after an event, as far as the employee may see it."""
    if query.after and query.cursor:
        raise Problem(422, "Give “after” or “cursor”, not both.", field="cursor")
    return await call.read(_feed, call.actor, int(query.after or query.cursor or 0), query.limit)


def _feed(conn: Connection, actor: Actor, after: int, limit: int) -> FeedPage:
    found: list[Event] = []
    last, more = after, True
    for _ in range(LOOKED_AT // 200):
        look = events.after(conn, last, 200)
        more = len(look) == 200
        for event in _seen_by(conn, actor, look):
            found.append(event)
            if len(found) == limit:
                break
        if len(found) == limit:
            last, more = found[-1].id, more or found[-1].id < look[-1].id
            break
        last = look[-1].id if look else last
        if not more:
            break
    return FeedPage([shapes.happened(e) for e in found], str(last) if more else None, str(last))


def _seen_by(conn: Connection, actor: Actor, look: list[Event]) -> list[Event]:
    """Agents get what belongs to conversations they may see; administrators and supervisors everything."""
    if actor.sees_all:
        return look
    ids = sorted({e.conversation_id for e in look if e.conversation_id is not None})
    theirs = sa.select(conversations.c.id).where(among(conversations.c.id, ids), visible(actor))
    allowed = set(conn.execute(theirs).scalars()) if ids else set()
    return [e for e in look if e.conversation_id in allowed]
