"""Lists of conversations: bounded queries over an index each, page by page by key, never by counting."""

from __future__ import annotations

import base64
import binascii
import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection, Engine

from hub import counting, events, filters, finding, promised
from hub.access import Actor, visible
from hub.clock import now
from hub.filters import MOST_BEGUN, MOST_COUNTED, SOON, Filter, Sort, replies_due, waiting
from hub.sql import among, lit, run
from hub.tables import channels, conversations, customers, employees, messages, participants, tags, teams
from hub.tables import mentions as mentions_table

__all__ = [
    "MOST_BEGUN",
    "MOST_COUNTED",
    "SOON",
    "Filter",
    "Row",
    "Sort",
    "counts",
    "listing",
    "one",
    "replies_due",
    "rows",
    "waiting",
]

#: Where an entry of a list stands: how far in which of the list's parts (see `_parts`).
Place = tuple[int, int, int]


class Row(Struct, frozen=True):
    """A conversation as lists show it. ``channels`` are the ids of all channels it ran over; ``level``: the service level.

    ``last`` is the direction of the message that stands in ``preview``, ``writer`` the colleague who wrote it; ``missed``: it was a
    call nobody answered.
    """

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
    closed_as: str = ""
    merged_into: int | None = None
    last: str = ""
    writer_id: int | None = None
    writer: str = ""
    missed: bool = False
    level: promised.View | None = None


_c = conversations.c


def listing(
    conn: Connection, actor: Actor, wanted: Filter, cursor: str = "", limit: int = 50
) -> tuple[list[Row], str | None]:
    """One page and the cursor of the next one (None: this was the last). Raises ValueError for a cursor that is none.

    Sorted by "waiting" it holds only conversations that are not closed and whose customer waits for an answer, by "due" only those
    that are promised one; unless the filter's ``rest`` wants everybody else after them.
    """
    after = _read_cursor(cursor) if cursor else None
    if wanted.q:
        sought = finding.resolve(conn, actor, wanted)
        if sought.in_messages:
            before = after[0] if after else 2**62
            ids, following = finding.conversations(conn, actor, sought, before, limit)
            return rows(conn, ids), _write_cursor((following, 0, 0)) if following else None
        wanted = sought.wanted
    if wanted.mentioned:
        found = _mentioned(conn, actor, wanted, after, limit + 1)
    elif wanted.sort == "due":
        found = _by_due(conn, actor, wanted, after, limit + 1)
    else:
        found = _walk(conn, actor, wanted, _parts(wanted), after, limit + 1)
    following_ = _write_cursor(found[limit - 1][1]) if len(found) > limit else None
    return rows(conn, [number for number, _ in found[:limit]]), following_


def of_customer(conn: Connection, actor: Actor, customer_id: int, limit: int) -> list[int]:
    """The customer's conversations that the actor may see, the newest first."""
    return list(conn.execute(_of_customer(actor), {"customer": customer_id, "most": limit}).scalars())


@functools.lru_cache(1000)
def _of_customer(actor: Actor) -> sa.Select[int]:
    theirs = sa.select(_c.id).where(_c.customer_id == sa.bindparam("customer"), visible(actor))
    return theirs.order_by(_c.last_message_id.desc()).limit(sa.bindparam("most"))


def _parts(wanted: Filter) -> list[tuple[bool, filters.Conditions]]:
    """The parts of a list, one after the other: by waiting time (else the newest first), and what holds in this part only."""
    if wanted.sort == "priority":
        known = _c.priority != lit("")
        urgent, high, low = ((known, _c.priority == lit(word)) for word in ("urgent", "high", "low"))
        return [(False, urgent), (False, high), (False, (_c.priority.in_(("", "normal")),)), (False, low)]
    if wanted.sort == "waiting" or wanted.waited:
        rest = [(False, (_c.waiting_since.is_(None),))] if wanted.rest and not wanted.waited else []
        return [(True, ()), *rest]
    return [(False, ())]


def _walk(
    conn: Connection,
    actor: Actor,
    wanted: Filter,
    parts: Sequence[tuple[bool, filters.Conditions]],
    after: Place | None,
    limit: int,
) -> list[tuple[int, Place]]:
    """The next conversations of a list of several parts, each with its place."""
    found: list[tuple[int, Place]] = []
    start = after[2] if after else 0
    for part, (by_wait, more) in list(enumerate(parts))[start:]:
        begin = (after[0], after[1]) if after and part == start else None
        some, most = filters.alternatives(conn, actor, wanted, more, by_wait), limit - len(found)
        if len(some) > 1 and not by_wait and filters.all_tags(wanted):
            near = filters.reach(conn, actor, wanted, more, begin, most)
            some = [(*conditions, *near) for conditions in some]
        rows_ = conn.execute(filters.page(some, by_wait, begin, most)).all()
        found += [(row[0], (row[1], row[0], part)) for row in rows_]
        if len(found) >= limit:
            break
    return found


def _by_due(conn: Connection, actor: Actor, wanted: Filter, after: Place | None, limit: int) -> list[tuple[int, Place]]:
    """Those that are promised a reply, the soonest first, looked for among the longest waiting; then the rest, if it is wanted."""
    window = structs.replace(wanted, status=wanted.status or "open")
    promised = filters.replies_due(conn, [number for number, _ in waiting(conn, actor, window)])
    order = sorted((due_at, number) for number, due_at in promised.items())
    found: list[tuple[int, Place]] = []
    if after is None or after[2] == 0:
        begin = (after[0], after[1]) if after else (-1, 0)
        found = [(number, (due_at, number, 0)) for due_at, number in order if (due_at, number) > begin][:limit]
        after = None
    if len(found) < limit and wanted.rest:
        others = (False, (sa.not_(among(_c.id, list(promised))),))
        found += _walk(
            conn, actor, wanted, [(False, (sa.false(),)), others], after or (2**62, 2**62, 1), limit - len(found)
        )
    return found


def _mentioned(
    conn: Connection, actor: Actor, wanted: Filter, after: Place | None, limit: int
) -> list[tuple[int, Place]]:
    """Where colleagues asked for the actor, the newest question first."""
    m, later = mentions_table.c, mentions_table.alias()
    newer = sa.select(later.c.message_id).where(
        later.c.conversation_id == m.conversation_id, later.c.employee_id == actor.id, later.c.message_id > m.message_id
    )
    common = [*filters.state(wanted), *filters.conditions(actor, wanted), *filters.tagged(wanted)]
    statement = (
        sa.select(m.conversation_id, m.message_id)
        .join(conversations, _c.id == m.conversation_id)
        .where(m.employee_id == actor.id, ~newer.exists(), *common)
        .order_by(m.message_id.desc())
        .limit(limit)
    )
    if after:
        statement = statement.where(m.message_id < after[0])
    return [(row[0], (row[1], row[0], 0)) for row in conn.execute(statement)]


_last, _writers = messages.alias(), employees.alias()
_unanswered = sa.and_(_last.c.kind == lit("call"), _last.c.details.like('%"outcome":"missed"%'))
_joined = {
    "customer": customers.c.name,
    "channel": channels.c.name,
    "channel_kind": channels.c.kind,
    "team": sa.func.coalesce(teams.c.name, ""),
    "assignee": sa.func.coalesce(employees.c.name, ""),
    "last": sa.func.coalesce(_last.c.direction, ""),
    "writer_id": _last.c.author_id,
    "writer": sa.func.coalesce(_writers.c.name, ""),
    "missed": sa.case((sa.and_(_last.c.direction == lit("in"), _unanswered), 1), else_=0),
}
#: The fields of a `Row` that one statement gives.
_FIELDS = tuple(f for f in Row.__struct_fields__ if f not in ("channels", "tags", "level"))
_rows = (
    sa.select(*(_joined[name] if name in _joined else _c[name] for name in _FIELDS))
    .join(customers, customers.c.id == _c.customer_id)
    .join(channels, channels.c.id == _c.channel_id)
    .outerjoin(teams, teams.c.id == _c.team_id)
    .outerjoin(employees, employees.c.id == _c.assignee_id)
    .outerjoin(_last, _last.c.id == _c.last_message_id)
    .outerjoin(_writers, _writers.c.id == _last.c.author_id)
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
    levels = promised.of(conn, wanted)
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


def counts(conn: Connection, actor: Actor, views: Mapping[str, Filter] = {}) -> dict[str, int]:
    """How many are open: mine, unassigned, all, snoozed, ``team:<id>`` for each of the actor's teams; ``drafts`` of any status,
    ``mentions`` nobody has answered by a look; and those of ``views`` by their name. Capped. One statement, for views
    another one and one for their tags.

    A view that looks for words in messages is not counted. What views hold is kept until the next event, for some seconds at most.
    """
    found = _counted(conn, _usual(actor))
    countable = tuple((name, wanted) for name, wanted in views.items() if not wanted.q)
    if not countable:
        return found
    latest, at = events.latest(conn), now()
    kept = _kept.setdefault(conn.engine, OrderedDict())
    known = kept.get((actor, countable))
    if known is None or known[0] != latest or not 0 <= at - known[1] < KEPT:
        rare = counting.rare(conn, (wanted for _, wanted in countable))
        known = latest, at, _counted(conn, _of_views(actor, countable, rare, filters.minute()))
        kept[actor, countable] = known
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
    return {**found, **known[2]}


#: So long (ms) what views hold is kept while nothing happens, and for so many people.
KEPT, MOST_KEPT = 10_000, 1000
_Key = tuple[Actor, tuple[tuple[str, Filter], ...]]
_kept: WeakKeyDictionary[Engine, OrderedDict[_Key, tuple[int, int, dict[str, int]]]] = WeakKeyDictionary()


def _counted(conn: Connection, statement: sa.CompoundSelect[Any]) -> dict[str, int]:
    return {row[0]: min(row[1], MOST_COUNTED) for row in conn.execute(statement, {"moment": now()})}


@functools.lru_cache(1000)
def _usual(actor: Actor) -> sa.CompoundSelect[Any]:
    usual = {
        "mine": Filter(status="open", assignee="me"),
        "unassigned": Filter(status="open", assignee="none"),
        "all": Filter(status="open"),
        "snoozed": Filter(status="snoozed", assignee="me"),
        "drafts": Filter(drafted=True),
    } | {f"team:{team}": Filter(status="open", team=team) for team in actor.teams}
    parts = [_number(name, counting.some(actor, wanted)) for name, wanted in usual.items()]
    return sa.union_all(*parts, _number("mentions", counting.asked(actor)))


@functools.lru_cache(1000)
def _of_views(
    actor: Actor, views: tuple[tuple[str, Filter], ...], rare: frozenset[str], _minute: int
) -> sa.CompoundSelect[Any]:
    return sa.union_all(*(_number(name, counting.some(actor, wanted, rare)) for name, wanted in views))


def _number(name: str, some: sa.Subquery) -> sa.Select[str, int]:
    return sa.select(sa.literal(name).label("name"), sa.func.count().label("count")).select_from(some)


def _write_cursor(place: Place) -> str:
    first, number, part = place
    text = f"{first}.{number}.{part}" if part else f"{first}.{number}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> Place:
    try:
        said = [int(n) for n in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(".")]
        first, number, part = said if len(said) == 3 else (*said, 0)
        if max(first, number) < 2**63 and min(first, number) >= 0 and 0 <= part < 4:
            return first, number, part
    except (ValueError, binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(_NO_CURSOR) from error
    raise ValueError(_NO_CURSOR)


_NO_CURSOR = "This cursor is none of ours; begin without one."
