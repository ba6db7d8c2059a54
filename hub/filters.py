"""Which conversations: a filter, and the conditions it becomes, each with a stretch of an index of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub.access import Actor, belongs, visible
from hub.clock import now
from hub.messages import Status
from hub.sql import among
from hub.tables import conversations, drafts, mentions, sla_clocks, tags

Sort = Literal["newest", "waiting", "due", "priority"]

#: Counts stop here; the screen shows "999+".
MOST_COUNTED = 1000
#: A tag on at most so many conversations is looked up first.
MOST_TAGGED = 2000
#: New conversations that are looked at, or counted, for "today".
MOST_BEGUN = 10_000
#: A reply that is due within this time is due soon (ms).
SOON = 3_600_000
#: Alternatives of one list (statuses times teams) that are merged.
MOST_ALTERNATIVES = 60

STATUSES = get_args(Status)
Conditions = tuple[sa.ColumnElement[bool], ...]


class Filter(Struct, frozen=True):
    """Which conversations. Empty fields do not filter. ``assignee`` is an employee's id, "me" or "none"; ``due``: a reply is
    promised within `SOON`, or overdue; ``since``: begun at that moment (ms) or later; ``drafted``: the actor has a draft in them.

    ``channels``, ``customers``: one of these; ``tags``: all of these; ``unread``: something in it nobody has looked at;
    ``waited``: the customer waits for so long already (ms); ``mentioned``:
    the actor was. ``rest``: a list by waiting, due or priority goes on with everybody
    else, newest first. ``zone`` (IANA) is where the days of ``q`` begin; UTC when empty.
    """

    status: str = ""
    assignee: int | Literal["me", "none"] | None = None
    team: int | None = None
    channel: int | None = None
    customer: int | None = None
    tag: str = ""
    q: str = ""
    sort: Sort = "newest"
    due: Literal["", "soon", "late"] = ""
    since: int = 0
    drafted: bool = False
    channels: tuple[int, ...] = ()
    customers: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    unread: bool = False
    waited: int = 0
    mentioned: bool = False
    rest: bool = False
    zone: str = ""


_c = conversations.c
#: Spelled out, so that the planner sees the very words of the partial index.
UNREAD = _c.unread > sa.literal_column("0", sa.Integer)


def page(
    alternatives: Sequence[Conditions], by_wait: bool, after: tuple[int, int] | None, limit: int
) -> sa.Select[Any]:
    """The first ``limit`` of each alternative, merged: each is the beginning of a stretch of one index, so nothing is sorted
    that does not belong to the page of some alternative. ``by_wait``: the longest waiting first, else the newest.
    """
    parts = [_part(conditions, by_wait, after, limit) for conditions in alternatives]
    if len(parts) == 1:
        return parts[0]
    merged = union(parts)
    return _ordered(sa.select(merged.c.id, merged.c.first), merged.c.first, merged.c.id, by_wait).limit(limit)


def _part(conditions: Conditions, by_wait: bool, after: tuple[int, int] | None, limit: int) -> sa.Select[Any]:
    """The beginning of one stretch."""
    first: sa.ColumnElement[int] = _c.waiting_since if by_wait else _c.last_message_id
    part = _ordered(sa.select(_c.id, first.label("first")).where(*conditions), first, _c.id, by_wait)
    if by_wait:
        part = part.where(first.is_not(None))
    if after:
        here, there = sa.tuple_(first, _c.id), sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        part = part.where(here > there if by_wait else here < there)
    return part.limit(limit)


def reach(
    conn: Connection, actor: Actor, wanted: Filter, more: Conditions, after: tuple[int, int] | None, limit: int
) -> Conditions:
    """How far back a page of the newest with common tags can reach; () when the newest of every stretch do not fill it.

    Without it a team that never uses the tag would be read to its end, for the sake of a page that others fill.
    """
    bare = structs.replace(wanted, tag="", tags=())
    parts = []
    for conditions_ in stretches(actor, bare, [*conditions(actor, bare), *more]):
        newest = _part(conditions_, False, after, 2 * limit).subquery()
        parts.append(sa.select(newest.c.id, newest.c.first).where(*tagged(wanted, newest.c.id)))
    merged = union(parts)
    found = conn.execute(sa.select(merged.c.first).order_by(merged.c.first.desc()).limit(limit)).scalars().all()
    return (_c.last_message_id >= found[-1],) if len(found) == limit else ()


def _ordered(
    statement: sa.Select[Any], first: sa.ColumnElement[int], number: sa.ColumnElement[int], by_wait: bool
) -> sa.Select[Any]:
    if by_wait:
        return statement.order_by(first, number)
    return statement.order_by(first.desc(), number.desc())


def union(parts: Sequence[sa.Select[Any]]) -> sa.Subquery:
    """Each only once: a conversation of my team may also be assigned to me."""
    return sa.union(*(sa.select(part.subquery()) for part in parts)).subquery()


def alternatives(
    conn: Connection, actor: Actor, wanted: Filter, more: Conditions = (), by_wait: bool = False
) -> list[Conditions]:
    """The filter as conditions of which one must hold, each with a stretch of an index of its own (see `tables.conversations`).

    A database cannot walk one index in order for "my teams' or mine", nor for "open, waiting or closed".
    """
    common = [*conditions(actor, wanted), *more]
    if wanted.drafted:
        mine = sa.select(drafts.c.conversation_id).where(drafts.c.employee_id == actor.id, drafts.c.ended_at.is_(None))
        return [(_c.id.in_(mine), visible(actor), *state(wanted, by_wait), *common)]
    if wanted.due or wanted.since:
        few = _due(conn, actor, wanted) if wanted.due else _begun(conn, wanted)
        return [(among(_c.id, few), belongs(actor), *state(wanted, by_wait), *tagged(wanted), *common)]
    first = next(iter(all_tags(wanted)), "")
    if first:
        found, all_of_them = _tagged(conn, first)
        if all_of_them:
            return [(among(_c.id, found), belongs(actor), *state(wanted, by_wait), *tagged(wanted), *common)]
    return stretches(actor, wanted, [*common, *tagged(wanted)], by_wait)


def stretches(
    actor: Actor, wanted: Filter, common: Sequence[sa.ColumnElement[bool]], by_wait: bool = False
) -> list[Conditions]:
    """The same without looking anything up: every alternative is a status and a place."""
    if wanted.customer is not None:
        return [(visible(actor), *state(wanted, by_wait), *common)]
    if wanted.customers:
        return [(_c.customer_id == n, visible(actor), *state(wanted, by_wait), *common) for n in wanted.customers]
    waits = by_wait or bool(wanted.waited) or wanted.unread  # whoever closes one has read it
    states = [wanted.status] if wanted.status else [s for s in STATUSES if s != "closed" or not waits]
    places = _places(actor, wanted)
    if len(states) * len(places) > MOST_ALTERNATIVES:  # somebody in so many teams sees nearly everything
        places = [belongs(actor)]
    return [(_c.status == status, place, *common) for status in states for place in places]


def state(wanted: Filter, by_wait: bool = False) -> Conditions:
    """The status, for a list whose order does not need it."""
    if wanted.status:
        return (_c.status == wanted.status,)
    return (_c.status != "closed",) if by_wait else ()


def _places(actor: Actor, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """What belongs to the actor (`access.belongs`) taken apart, as far as the filter leaves a choice."""
    assignee = actor.id if wanted.assignee == "me" else wanted.assignee
    if actor.sees_all or assignee == actor.id or wanted.team in actor.teams:
        return [sa.true()]
    if wanted.team is not None:
        return [_c.assignee_id == actor.id]
    if isinstance(assignee, int):
        return [belongs(actor)]
    mine = [] if assignee == "none" else [_c.assignee_id == actor.id]
    return [_c.team_id.is_(None), *(_c.team_id == team for team in sorted(actor.teams)), *mine]


def conditions(actor: Actor, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """The filter without status, tags and what the actor may see."""
    parts: list[sa.ColumnElement[bool]] = []
    if wanted.assignee == "none":
        parts.append(_c.assignee_id.is_(None))
    for column, value in (
        (_c.assignee_id, actor.id if wanted.assignee == "me" else wanted.assignee),
        (_c.team_id, wanted.team),
        (_c.channel_id, wanted.channel),
        (_c.customer_id, wanted.customer),
    ):
        if isinstance(value, int):
            parts.append(column == value)
    if len(wanted.channels) == 1:
        parts.append(_c.channel_id == wanted.channels[0])
    elif wanted.channels:
        parts.append(among(_c.channel_id, wanted.channels))
    if wanted.unread:
        parts.append(UNREAD)
    if wanted.waited:
        parts += [_c.waiting_since.is_not(None), _c.waiting_since <= minute() - wanted.waited]
    return parts


def minute() -> int:
    """The beginning of this minute (ms): what waits is counted by whole minutes, so that statements can be kept."""
    return now() // 60_000 * 60_000


def all_tags(wanted: Filter) -> list[str]:
    """Every tag a conversation must have."""
    return [*([wanted.tag] if wanted.tag else []), *wanted.tags]


def asked(actor: Actor) -> sa.ColumnElement[bool]:
    """Somebody mentioned the actor in it."""
    m = mentions.alias()
    mine = sa.select(m.c.message_id).where(m.c.conversation_id == _c.id, m.c.employee_id == actor.id)
    return mine.exists()


def tagged(wanted: Filter, number: sa.ColumnElement[int] = _c.id) -> list[sa.ColumnElement[bool]]:
    """It (the conversation ``number``) has every one of the tags.

    No EXISTS: PostgreSQL would join all that have the tag with all conversations, and sort.
    """
    parts: list[sa.ColumnElement[bool]] = []
    for tag in all_tags(wanted):
        t = tags.alias()
        own = sa.select(t.c.tag).where(t.c.conversation_id == number, t.c.tag == tag).scalar_subquery()
        parts.append(own.is_not(None))
    return parts


def _tagged(conn: Connection, tag: str) -> tuple[list[int], bool]:
    """The conversations with the tag, and whether these are all: a rare tag is looked up, a common one is met on the way."""
    statement = sa.select(tags.c.conversation_id).where(tags.c.tag == tag).limit(MOST_TAGGED + 1)
    found = list(conn.execute(statement).scalars())
    return found, len(found) <= MOST_TAGGED


def waiting(
    conn: Connection, actor: Actor, wanted: Filter | None = None, most: int = MOST_COUNTED
) -> list[tuple[int, int]]:
    """(conversation, since when) of the customers who wait for an answer, the longest first; at most ``most``."""
    wanted = wanted or Filter(status="open")
    common = [*conditions(actor, wanted), *tagged(wanted)]
    found = conn.execute(page(stretches(actor, wanted, common, by_wait=True), True, None, most))
    return [(row[0], row[1]) for row in found]


def replies_due(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """When the next reply is due in those of these conversations that are promised one (ms)."""
    k = sla_clocks.c
    promised = (
        sa.select(k.conversation_id, sa.func.min(k.due_at))
        .where(among(k.conversation_id, ids), k.target != "resolution", k.met_at.is_(None), k.due_at.is_not(None))
        .group_by(k.conversation_id)
    )
    return {row[0]: row[1] for row in conn.execute(promised)} if ids else {}


def due_between(which: str) -> tuple[int, int]:
    """From when to when (ms) a reply must be due to be due soon, or late."""
    moment = now()
    return (moment, moment + SOON) if which == "soon" else (0, moment - 1)


def _due(conn: Connection, actor: Actor, wanted: Filter) -> list[int]:
    """Those whose customers wait for a reply that is due soon, or overdue: a clock for a reply only runs while somebody waits."""
    ids = [number for number, _ in waiting(conn, actor, structs.replace(wanted, status="open", due=""))]
    first, last = due_between(wanted.due)
    return [number for number, due_at in replies_due(conn, ids).items() if first <= due_at <= last]


def _begun(conn: Connection, wanted: Filter) -> list[int]:
    """Those begun since then, looked for among the newest `MOST_BEGUN` of the house."""
    newest = sa.select(_c.id, _c.channel_id).where(_c.created_at >= wanted.since).order_by(_c.created_at.desc())
    some = newest.limit(MOST_BEGUN).subquery()
    own = (some.c.channel_id == wanted.channel,) if wanted.channel is not None else ()
    return list(conn.execute(sa.select(some.c.id).where(*own)).scalars())
