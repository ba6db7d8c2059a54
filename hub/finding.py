"""From a search as it was written to what it finds: operators looked up, messages found by index, newest first.

Words go to the full-text index. What only says which conversations are wanted becomes a `Filter`. Everything else (who wrote it,
when, with a file) is asked of the hits, or, without any words, of the customers' conversations or of the newest messages; then a page
may be short and have a cursor, because only so many messages are looked at for one page.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import directory, filters, search
from hub.access import Actor, visible
from hub.addresses import spellings
from hub.directory import Directory
from hub.filters import Filter
from hub.query import Hint, Query, parse
from hub.sql import among
from hub.tables import attachments, identities, messages
from hub.tables import conversations as table
from hub.tables import customers as customers_table
from hub.tables import events as events_table
from hub.text import fold, split, words

#: Messages looked at for one page, after a first look at a few.
SEARCHED = 5000
#: The same where their texts have to be read.
PHRASED = 500
#: Customers that one ``from:`` or phone number may mean.
MOST_CUSTOMERS = 20
#: A message read so long after it came (ms) is still found by its day.
LATE = 7 * 86_400_000

_c, _m = table.c, messages.c


class Sought(Struct, frozen=True):
    """A search, looked up. ``wanted`` is the filter it makes, ``text`` the words, ``phrases`` what must stand together;
    ``number`` one conversation; ``senders`` are (customers, employees) by one ``from:`` each, ``since`` and ``until`` moments (ms).
    """

    query: Query
    wanted: Filter
    hints: tuple[Hint, ...] = ()
    text: str = ""
    phrases: tuple[str, ...] = ()
    number: int = 0
    senders: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    attachment: bool = False
    since: int = 0
    until: int = 0
    nobody: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that must be in a message."""
        return tuple(words(" ".join((*self.phrases, self.text))))

    @property
    def in_messages(self) -> bool:
        """Does it ask for messages, not only for conversations?"""
        asked = self.words or self.number or self.senders or self.attachment or self.since or self.until
        return bool(asked) or self.nobody


def resolve(conn: Connection, actor: Actor, wanted: Filter) -> Sought:
    """Look up what ``wanted.q`` names. What nobody knows is said in the hints, and finds nothing where it would have narrowed."""
    query = parse(wanted.q)
    made = _Lookup(conn, actor, directory.current(conn), structs.replace(wanted, q=""), list(query.hints))
    for term in query.terms:
        made.take(term.kind, term.value)
    place = _zone(wanted.zone)
    after, before = query.day("after"), query.day("before")
    return Sought(
        query,
        made.wanted,
        tuple(made.hints),
        " ".join(made.text),
        query.values("phrase"),
        made.number,
        tuple(made.senders),
        "attachment" in query.values("has"),
        _begin(after + timedelta(days=1), place) if after and after < date.max else 0,
        _begin(before, place) if before else 0,
        made.nobody,
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _begin(day: date, place: tzinfo) -> int:
    """When the day begins (ms); one that no clock knows is as early as can be."""
    try:
        return max(1, int(datetime.combine(day, datetime.min.time(), place).timestamp() * 1000))
    except (OverflowError, ValueError, OSError):
        return 1


class _Lookup:
    """Takes term after term."""

    def __init__(self, conn: Connection, actor: Actor, d: Directory, wanted: Filter, hints: list[Hint]) -> None:
        self.conn, self.actor, self.d, self.wanted, self.hints = conn, actor, d, wanted, hints
        self.text: list[str] = []
        self.senders: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self.number, self.nobody = 0, False

    def take(self, kind: str, value: str) -> None:
        work = getattr(self, f"_{kind}", None)
        if work is not None:
            work(value)

    def _narrow(self, **more: Any) -> None:
        self.wanted = structs.replace(self.wanted, **more)

    def _unknown(self, code: str, value: str) -> None:
        self.hints.append(Hint(code, value))
        self.nobody = True

    def _word(self, value: str) -> None:
        self.text.append(value)

    def _number(self, value: str) -> None:
        known = self.conn.execute(sa.select(_c.id).where(_c.id == int(value), visible(self.actor))).scalar()
        if known is None:
            self.text.append(value)
        else:
            self.number = known

    def _phone(self, value: str) -> None:
        found = self._customers(among(identities.c.bare, spellings(value)))
        if not found:
            self.text.append(value)
            return
        before = self.wanted.customers
        self._narrow(customers=tuple(n for n in found if not before or n in before))
        self.nobody = self.nobody or not self.wanted.customers

    def _from(self, value: str) -> None:
        wanted = fold(value)
        i, c = identities.c, customers_table.c
        if wanted.lstrip("+0")[:1].isdigit() and len(spelled := spellings(value)) > 1:
            near = self._customers(among(i.bare, spelled))
        else:
            by_name = sa.select(c.id).where(c.folded >= wanted, c.folded < wanted + chr(0x10FFFF))
            near = self._customers(sa.and_(i.bare >= wanted, i.bare < wanted + chr(0x10FFFF)), by_name)
        parts = fold(value).split()
        colleagues = [e.id for e in self.d.employees.values() if all(p in fold(e.name).split() for p in parts)]
        named = self._named(value) if not near else ()
        if not near and not colleagues and not named:
            self._unknown("sender", value)
        self.senders.append(((*near, *named), tuple(colleagues)))

    def _named(self, value: str) -> tuple[int, ...]:
        """Customers whose messages hold the name, where they do not begin with it: "Vogel" for Katrin Vogel."""
        hits = search.find(self.conn, value, most=500)
        statement = sa.select(_m.customer_id, _m.sender_name).where(among(_m.id, hits), _m.direction == "in")
        parts = fold(value).split()
        found = dict.fromkeys(
            row[0] for row in self.conn.execute(statement) if all(p in fold(row[1]).split() for p in parts)
        )
        return tuple(found)[:MOST_CUSTOMERS]

    def _customers(self, face: sa.ColumnElement[bool], *others: sa.Select[Any]) -> tuple[int, ...]:
        found: dict[int, None] = {}
        for statement in (sa.select(identities.c.customer_id).where(face), *others):
            found |= dict.fromkeys(self.conn.execute(statement.limit(MOST_CUSTOMERS + 1)).scalars())
        if len(found) > MOST_CUSTOMERS:
            self.hints.append(Hint("many", str(MOST_CUSTOMERS)))
        return tuple(found)[:MOST_CUSTOMERS]

    def _channel(self, value: str) -> None:
        said = fold(value)
        found = tuple(c.id for c in self.d.channels.values() if said in (fold(c.kind), fold(c.name)))
        if not found:
            found = tuple(c.id for c in self.d.channels.values() if fold(c.name).startswith(said))
        if not found:
            self._unknown("channel", value)
            return
        both = self.wanted.channels
        self._narrow(channels=tuple(n for n in found if not both or n in both))
        self.nobody = self.nobody or not self.wanted.channels

    def _tag(self, value: str) -> None:
        self._narrow(tags=(*self.wanted.tags, value))

    def _team(self, value: str) -> None:
        said = fold(value)
        found = [t.id for t in self.d.teams.values() if said in (fold(t.name), fold(t.slug))]
        found = found or [t.id for t in self.d.teams.values() if fold(t.name).startswith(said)]
        if found:
            self._narrow(team=found[0])
        else:
            self._unknown("team", value)

    def _assignee(self, value: str) -> None:
        said = fold(value)
        if said in ("me", "ich", "mir"):
            self._narrow(assignee="me")
        elif said in ("none", "nobody", "niemand", "niemandem"):
            self._narrow(assignee="none")
        elif found := self._employees(said):
            self._narrow(assignee=found[0])
        else:
            self._unknown("assignee", value)

    def _employees(self, said: str) -> list[int]:
        whole = [e.id for e in self.d.employees.values() if fold(e.name) == said]
        parts = said.split()
        return whole or [e.id for e in self.d.employees.values() if all(p in fold(e.name).split() for p in parts)]

    def _is(self, value: str) -> None:
        match value:
            case "unread":
                self._narrow(unread=True)
            case "mine":
                self._narrow(assignee="me")
            case "unassigned":
                self._narrow(assignee="none")
            case "mentioned":
                self._narrow(mentioned=True)
            case _:
                if self.wanted.status and self.wanted.status != value:
                    self.hints.append(Hint("order", value))
                self._narrow(status=value)


# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def conversations(
    conn: Connection, actor: Actor, sought: Sought, before: int, limit: int
) -> tuple[list[int], int | None]:
    """Conversations by their newest hit, and the id of the message after which the next page begins (None: that was all)."""
    ids: dict[int, int] = {}
    hits, following = found(conn, actor, sought, before, limit, each_once=True)
    for message, conversation in hits:
        ids.setdefault(conversation, message)
    return list(ids), following


def found(
    conn: Connection, actor: Actor, sought: Sought, before: int, limit: int, *, each_once: bool = False
) -> tuple[list[tuple[int, int]], int | None]:
    """(message, conversation) of the newest hits below ``before``, at most ``limit`` (``each_once``: conversations), and where to go
    on. Gives less than a page, but a place to go on from, when what was asked is in few of the messages looked at.
    """
    if sought.nobody:
        return [], None
    before = min(before, _highest(conn, sought))
    made: list[tuple[int, int]] = []
    seen: set[int] = set()
    for most in (2 * limit, PHRASED if sought.phrases else SEARCHED):
        some, reached = _candidates(conn, sought, before, most)
        if some is None:
            return made, None
        for message, conversation in _together(conn, _narrowed(actor, sought, some), sought.phrases):
            if each_once and conversation in seen:
                continue
            seen.add(conversation)
            made.append((message, conversation))
            if len(made) == limit:
                return made, message
        if reached is None:
            return made, None
        before = reached
    return made, before


def _highest(conn: Connection, sought: Sought) -> int:
    """No message that was asked for has this number or a higher one."""
    return _number_at(conn, sought.until + LATE) if sought.until else 2**62


def _number_at(conn: Connection, moment: int) -> int:
    """The number of the first thing that happened at that moment or later: halving, for numbers are given in order of time."""
    e = events_table.c
    low, high = 0, (conn.execute(sa.select(sa.func.max(e.id))).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = conn.execute(sa.select(e.id, e.at).where(e.id >= middle).order_by(e.id).limit(1)).first()
        if row is None or row.at >= moment:
            high = middle
        else:
            low = row.id + 1
    return low


def _candidates(
    conn: Connection, sought: Sought, before: int, most: int
) -> tuple[sa.ColumnElement[bool] | None, int | None]:
    """Which messages to look at now, and the number below which the next look begins (None: this is all there is)."""
    if sought.words:
        hits = search.find(conn, " ".join(sought.words), before=before, most=most)
        whole = len(hits) < most or (sought.since and hits[-1] < _floor(conn, sought))
        return (among(_m.id, hits) if hits else None), None if whole or not hits else hits[-1]
    homes = _homes(sought)
    if homes is not None:
        return sa.and_(_m.conversation_id.in_(homes), _m.id < before), None
    newest = list(conn.execute(sa.select(_m.id).where(_m.id < before).order_by(_m.id.desc()).limit(most)).scalars())
    if not newest:
        return None, None
    whole = len(newest) < most or (sought.since and newest[-1] < _floor(conn, sought))
    return among(_m.id, newest), None if whole else newest[-1]


def _floor(conn: Connection, sought: Sought) -> int:
    """Every message that was asked for has this number or a higher one: none is read before it came."""
    return _number_at(conn, sought.since)


def _homes(sought: Sought) -> sa.Select[Any] | None:
    """The conversations of the customers who are meant, where nobody else can have written it; the newest of them."""
    if sought.number:
        return sa.select(_c.id).where(_c.id == sought.number)
    customers = [n for people, colleagues in sought.senders if not colleagues for n in people]
    customers = customers or list(sought.wanted.customers)
    if not customers:
        return None
    newest = sa.select(_c.id).where(among(_c.customer_id, customers)).order_by(_c.last_message_id.desc()).limit(200)
    return sa.select(newest.subquery().c.id)


def _narrowed(actor: Actor, sought: Sought, some: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The candidates that everything else holds for, newest first."""
    wanted = sought.wanted
    where = [some, _m.direction != "withdrawn", visible(actor)]
    where += [*filters.state(wanted), *filters.conditions(actor, wanted), *filters.tagged(wanted)]
    if sought.number:
        where.append(_m.conversation_id == sought.number)
    for people, colleagues in sought.senders:
        theirs = sa.and_(_m.direction == "in", among(_m.customer_id, people))
        where.append(sa.or_(theirs, among(_m.author_id, colleagues)))
    if sought.attachment:
        a = attachments.alias()
        where.append(sa.select(a.c.id).where(a.c.message_id == _m.id, a.c.inline_id == "").exists())
    if sought.since:
        where.append(_m.received_at >= sought.since)
    if sought.until:
        where.append(_m.received_at < sought.until)
    if wanted.mentioned:
        where.append(filters.asked(actor))
    if wanted.customers:
        where.append(among(_c.customer_id, wanted.customers))
    columns = (_m.subject, _m.sender_name, _m.text) if sought.phrases else ()
    joined = sa.select(_m.id, _m.conversation_id, *columns).join(table, _c.id == _m.conversation_id)
    return joined.where(*where).order_by(_m.id.desc())


def _together(conn: Connection, statement: sa.Select[Any], phrases: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Those in which the words of every phrase stand together. Read here, for PostgreSQL's index does not know their places."""
    wanted = [f" {' '.join(split(fold(phrase)))} " for phrase in phrases]
    for row in conn.execute(statement):
        if wanted:
            said = f" {' '.join(split(search.indexed(row[2], row[3], row[4])))} "
            if not all(phrase in said for phrase in wanted):
                continue
        yield row[0], row[1]
