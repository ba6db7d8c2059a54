"""Lists of conversations: bounded queries over an index each, page by page by key, never by counting."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Sequence
from typing import Any, Literal, get_args

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import search, sla
from hub.access import Actor, visible
from hub.clock import now
from hub.messages import Status
from hub.sql import among, run
from hub.tables import (
    channels,
    conversations,
    customers,
    drafts,
    employees,
    messages,
    participants,
    sla_clocks,
    tags,
    teams,
)

Sort = Literal["newest", "waiting"]

#: Counts stop here; the screen shows "999+".
MOST_COUNTED = 1000
#: Messages that hold the words looked at for one page, after a first look at a few.
SEARCHED = 5000
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
    promised within `SOON`, or overdue; ``since``: begun at that moment (ms) or later;
    ``drafted``: the actor has a draft in them.
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


class Row(Struct, frozen=True):
    """A conversation as lists show it. ``channels`` are the ids of all channels it ran over; ``level``: the service level."""

    id: int
    subject: str
    status: str
    priority: str
    customer_id: int
    customer: str
    channel_id: int
    channel: str
    channel_kind: str
    channels: tuple[int, ...]
    team_id: int | None
    team: str
    assignee_id: int | None
    assignee: str
    reason: str
    tags: tuple[str, ...]
    preview: str
    unread: int
    waiting_since: int | None
    snoozed_until: int | None
    last_message_id: int
    last_message_at: int
    created_at: int
    level: sla.View | None = None


_c = conversations.c


def listing(
    conn: Connection, actor: Actor, wanted: Filter, cursor: str = "", limit: int = 50
) -> tuple[list[Row], str | None]:
    """One page and the cursor of the next one (None: this was the last). Raises ValueError for a cursor that is none.

    Sorted by "waiting" it holds only conversations that are not closed and whose customer waits for an answer.
    """
    after = _read_cursor(cursor) if cursor else None
    if wanted.q:
        ids, following = _searched(conn, actor, wanted, after, limit)
        return rows(conn, ids), following
    found = conn.execute(_page(_alternatives(conn, actor, wanted), wanted.sort, after, limit + 1)).all()
    page = found[:limit]
    following = _write_cursor(page[-1][1], page[-1][0]) if len(found) > limit else None
    return rows(conn, [row[0] for row in page]), following


def _page(alternatives: Sequence[Conditions], sort: Sort, after: tuple[int, int] | None, limit: int) -> sa.Select[Any]:
    """The first ``limit`` of each alternative, merged: each is the beginning of a stretch of one index, so nothing is sorted
    that does not belong to the page of some alternative.
    """
    first: sa.ColumnElement[int] = _c.last_message_id if sort == "newest" else _c.waiting_since
    parts = []
    for conditions in alternatives:
        part = _ordered(sa.select(_c.id, first.label("first")).where(*conditions), first, _c.id, sort)
        if sort == "waiting":
            part = part.where(first.is_not(None))
        if after:
            here, there = sa.tuple_(first, _c.id), sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
            part = part.where(here < there if sort == "newest" else here > there)
        parts.append(part.limit(limit))
    if len(parts) == 1:
        return parts[0]
    merged = _union(parts)
    return _ordered(sa.select(merged.c.id, merged.c.first), merged.c.first, merged.c.id, sort).limit(limit)


def _ordered(
    statement: sa.Select[Any], first: sa.ColumnElement[int], number: sa.ColumnElement[int], sort: Sort
) -> sa.Select[Any]:
    if sort == "newest":
        return statement.order_by(first.desc(), number.desc())
    return statement.order_by(first, number)


def _union(parts: Sequence[sa.Select[Any]]) -> sa.Subquery:
    """Each only once: a conversation of my team may also be assigned to me."""
    return sa.union(*(sa.select(part.subquery()) for part in parts)).subquery()


def _alternatives(conn: Connection, actor: Actor, wanted: Filter) -> list[Conditions]:
    """The filter as conditions of which one must hold, each with a stretch of an index of its own (see `tables.conversations`).

    A database cannot walk one index in order for "my teams' or mine", nor for "open, waiting or closed".
    """
    common = _conditions(actor, wanted)
    if wanted.drafted:
        mine = sa.select(drafts.c.conversation_id).where(drafts.c.employee_id == actor.id, drafts.c.ended_at.is_(None))
        return [(_c.id.in_(mine), visible(actor), *_state(wanted), *common)]
    if wanted.due or wanted.since:
        few = _due(conn, actor, wanted.due) if wanted.due else _begun(conn, wanted)
        return [(among(_c.id, few), visible(actor), *_state(wanted), *common)]
    if wanted.tag:
        tagged, all_of_them = _tagged(conn, wanted.tag)
        if all_of_them:
            return [(among(_c.id, tagged), visible(actor), *_state(wanted), *common)]
        t = tags.alias()
        # not EXISTS: PostgreSQL would join all that have the tag with all conversations, and sort
        own = sa.select(t.c.tag).where(t.c.conversation_id == _c.id, t.c.tag == wanted.tag).scalar_subquery()
        common.append(own.is_not(None))
    return _stretches(actor, wanted, common)


def _stretches(actor: Actor, wanted: Filter, common: Sequence[sa.ColumnElement[bool]]) -> list[Conditions]:
    if wanted.customer is not None:
        return [(visible(actor), *_state(wanted), *common)]
    states = [wanted.status] if wanted.status else [s for s in STATUSES if s != "closed" or wanted.sort == "newest"]
    places = _places(actor, wanted)
    if len(states) * len(places) > MOST_ALTERNATIVES:  # somebody in so many teams sees nearly everything
        places = [visible(actor)]
    return [(_c.status == status, place, *common) for status in states for place in places]


def _state(wanted: Filter) -> Conditions:
    if wanted.status:
        return (_c.status == wanted.status,)
    return (_c.status != "closed",) if wanted.sort == "waiting" else ()


def _places(actor: Actor, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """What the actor may see (`access.visible`) taken apart, as far as the filter leaves a choice."""
    assignee = actor.id if wanted.assignee == "me" else wanted.assignee
    if actor.sees_all or assignee == actor.id or wanted.team in actor.teams:
        return [sa.true()]
    if wanted.team is not None:
        return [_c.assignee_id == actor.id]
    if isinstance(assignee, int):
        return [visible(actor)]
    mine = [] if assignee == "none" else [_c.assignee_id == actor.id]
    return [_c.team_id.is_(None), *(_c.team_id == team for team in sorted(actor.teams)), *mine]


def _conditions(actor: Actor, wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """The filter without status, tag and what the actor may see."""
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
    return parts


def waiting(conn: Connection, actor: Actor, most: int = MOST_COUNTED) -> list[tuple[int, int]]:
    """(conversation, since when) of the customers who wait for an answer, the longest first; at most ``most``."""
    wanted = Filter(status="open", sort="waiting")
    found = conn.execute(_page(_alternatives(conn, actor, wanted), "waiting", None, most))
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


def _due(conn: Connection, actor: Actor, which: str) -> list[int]:
    """Those whose customers wait for a reply that is due soon, or overdue: a clock for a reply only runs while somebody waits."""
    moment, ids = now(), [number for number, _ in waiting(conn, actor)]
    first, last = (moment, moment + SOON) if which == "soon" else (0, moment - 1)
    return [number for number, due_at in replies_due(conn, ids).items() if first <= due_at <= last]


def _begun(conn: Connection, wanted: Filter) -> list[int]:
    """Those begun since then, looked for among the newest `MOST_BEGUN` of the house."""
    newest = sa.select(_c.id, _c.channel_id).where(_c.created_at >= wanted.since).order_by(_c.created_at.desc())
    some = newest.limit(MOST_BEGUN).subquery()
    own = (some.c.channel_id == wanted.channel,) if wanted.channel is not None else ()
    return list(conn.execute(sa.select(some.c.id).where(*own)).scalars())


def _tagged(conn: Connection, tag: str) -> tuple[list[int], bool]:
    """The conversations with the tag, and whether these are all: a rare tag is looked up, a common one is met on the way."""
    statement = sa.select(tags.c.conversation_id).where(tags.c.tag == tag).limit(MOST_TAGGED + 1)
    found = list(conn.execute(statement).scalars())
    return found, len(found) <= MOST_TAGGED


def _searched(
    conn: Connection, actor: Actor, wanted: Filter, after: tuple[int, int] | None, limit: int
) -> tuple[list[int], str | None]:
    """Conversations whose messages hold the words, by their newest hit. ``after`` is the last message id looked at.

    Gives less than a page, but a cursor, when the words are in many messages that the filter leaves out.
    """
    before = after[0] if after else 2**62
    ids: dict[int, int] = {}
    m = messages.c
    conditions = [visible(actor), *_state(wanted), *_conditions(actor, wanted)]
    if wanted.tag:
        conditions.append(_c.id.in_(sa.select(tags.c.conversation_id).where(tags.c.tag == wanted.tag)))
    for most in (2 * limit, SEARCHED):
        hits = search.find(conn, wanted.q, before=before, most=most)
        if not hits:
            return list(ids), None
        statement = (
            sa.select(m.id, m.conversation_id)
            .join(conversations, _c.id == m.conversation_id)
            .where(among(m.id, hits), *conditions)
            .order_by(m.id.desc())
        )
        for message, conversation in conn.execute(statement):
            ids.setdefault(conversation, message)
            if len(ids) == limit:
                return list(ids), _write_cursor(message, 0)
        before = hits[-1]
        if len(hits) < most:
            return list(ids), None
    return list(ids), _write_cursor(before, 0)


_joined = {
    "customer": customers.c.name,
    "channel": channels.c.name,
    "channel_kind": channels.c.kind,
    "team": sa.func.coalesce(teams.c.name, ""),
    "assignee": sa.func.coalesce(employees.c.name, ""),
}
#: The fields of a `Row` that one statement gives.
_FIELDS = tuple(f for f in Row.__struct_fields__ if f not in ("channels", "tags", "level"))
_rows = (
    sa.select(*(_joined[name] if name in _joined else _c[name] for name in _FIELDS))
    .join(customers, customers.c.id == _c.customer_id)
    .join(channels, channels.c.id == _c.channel_id)
    .outerjoin(teams, teams.c.id == _c.team_id)
    .outerjoin(employees, employees.c.id == _c.assignee_id)
    .where(among(_c.id, "ids"))
)
_tags_of = (
    sa.select(tags.c.conversation_id, tags.c.tag).where(among(tags.c.conversation_id, "ids")).order_by(tags.c.tag)
)
_channels_of = (
    sa.select(participants.c.conversation_id, participants.c.channel_id)
    .where(among(participants.c.conversation_id, "ids"))
    .distinct()
)


def rows(conn: Connection, ids: Sequence[int]) -> list[Row]:
    """The conversations in the order of ``ids``. Five statements at most; the caller has checked who may see them."""
    if not ids:
        return []
    wanted = list(ids)
    marks: dict[int, list[str]] = {}
    for number, tag in run(conn, _tags_of, ids=wanted).all():
        marks.setdefault(number, []).append(tag)
    over: dict[int, set[int]] = {}
    for number, channel in run(conn, _channels_of, ids=wanted).all():
        over.setdefault(number, set()).add(channel)
    found = {row[0]: dict(zip(_FIELDS, row, strict=True)) for row in run(conn, _rows, ids=wanted).all()}
    levels = sla.of(conn, wanted)
    return [
        Row(
            **found[n],
            tags=tuple(marks.get(n, ())),
            channels=tuple(sorted(over.get(n, set()) | {found[n]["channel_id"]})),
            level=levels.get(n),
        )
        for n in ids
        if n in found
    ]


def one(conn: Connection, actor: Actor, conversation_id: int) -> Row | None:
    """One conversation, or None when it does not exist for the actor."""
    statement = sa.select(_c.id).where(_c.id == conversation_id, visible(actor))
    found = rows(conn, list(conn.execute(statement).scalars()))
    return found[0] if found else None


def counts(conn: Connection, actor: Actor) -> dict[str, int]:
    """How many are open: mine, unassigned, all, snoozed, ``team:<id>`` for each of the actor's teams; ``drafts`` of any status; capped."""
    return {row[0]: min(row[1], MOST_COUNTED) for row in conn.execute(_counting(actor)).all()}


@functools.lru_cache(1000)
def _counting(actor: Actor) -> sa.CompoundSelect[Any]:
    views = {
        "mine": Filter(status="open", assignee="me"),
        "unassigned": Filter(status="open", assignee="none"),
        "all": Filter(status="open"),
        "snoozed": Filter(status="snoozed", assignee="me"),
        "drafts": Filter(drafted=True),
    } | {f"team:{team}": Filter(status="open", team=team) for team in actor.teams}
    limited = []
    for name, wanted in views.items():
        alternatives = _stretches(actor, wanted, _conditions(actor, wanted))
        parts = [sa.select(_c.id).where(*conditions).limit(MOST_COUNTED) for conditions in alternatives]
        found = _union(parts) if len(parts) > 1 else parts[0].subquery()
        number = sa.select(sa.literal(name).label("name"), sa.func.count().label("count"))
        limited.append(number.select_from(found))
    return sa.union_all(*limited)


def _write_cursor(first: int, number: int) -> str:
    return base64.urlsafe_b64encode(f"{first}.{number}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[int, int]:
    try:
        first, _, number = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(".")
        if max(int(first), int(number)) < 2**63 and min(int(first), int(number)) >= 0:
            return int(first), int(number)
    except (ValueError, binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(_NO_CURSOR) from error
    raise ValueError(_NO_CURSOR)


_NO_CURSOR = "This cursor is none of ours; begin without one."
