"""Taking the sample out again: what was put there, what has been said to it since, and nothing else.

What belongs to the house but points at the sample (a conversation somebody of the sample has) loses only the pointer. The tables tell
by their foreign keys what depends on what, so a table that comes later is looked after too.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import directory, events, rulebook, search
from hub.events import NewEvent
from hub.moving import words_of
from hub.sql import among, hold
from hub.tables import conversations, messages, metadata, samples
from hub.tables import events as happened

#: Tables whose rows are looked after by hand.
APART = {"samples", "events", "counters", "facts"}
Doomed = dict[str, set[int]]


def remove(conn: Connection, actor_id: int | None = None) -> int:
    """Take the sample away; how many conversations went. Nothing to do is fine."""
    for counter in ("people", "conversations", "ids"):
        hold(conn, counter)
    doomed: Doomed = {}
    for row in conn.execute(sa.select(samples.c.kind, samples.c.id)):
        doomed.setdefault(row.kind, set()).add(row.id)
    if not doomed:
        return 0
    for number in sorted(doomed.pop("routing_rules", ())):
        rulebook.remove(conn, number, actor_id)  # the table of questions closes up
    tables = [t for t in metadata.sorted_tables if t.name not in APART]
    for table in tables:
        _follow(conn, table, doomed)
    _unsay(conn, sorted(doomed.get("messages", ())))
    _forget_events(conn, doomed)
    conn.execute(sa.delete(samples))
    for table in reversed(tables):
        _let_go(conn, table, doomed)
        _delete(conn, table, doomed)
    directory.bump(conn)
    events.append(conn, [NewEvent("sample.removed", actor_id=actor_id)])
    return len(doomed.get("conversations", ()))


def _pointers(table: sa.Table) -> list[tuple[sa.Column[int], str]]:
    """The table's single columns that point at another row's id, with that row's table."""
    return [
        (key.parent, key.column.table.name)
        for constraint in table.foreign_key_constraints
        if len(constraint.elements) == 1
        for key in constraint.elements
        if key.column.name == "id"
    ]


def _bound(table: sa.Table) -> list[tuple[sa.Column[int], str]]:
    """Those that must point somewhere: without that row theirs cannot be."""
    return [(column, target) for column, target in _pointers(table) if not column.nullable]


def _follow(conn: Connection, table: sa.Table, doomed: Doomed) -> None:
    """What goes with what goes: parents come before children here."""
    if "id" not in table.c:
        return
    goes = [among(column, sorted(doomed[target])) for column, target in _bound(table) if doomed.get(target)]
    if goes:
        found = conn.execute(sa.select(table.c.id).where(sa.or_(*goes))).scalars()
        doomed.setdefault(table.name, set()).update(found)


def _unsay(conn: Connection, ids: Sequence[int]) -> None:
    m = messages.c
    columns = (m.id, m.direction, m.subject, m.sender_name, m.text)
    rows = conn.execute(sa.select(*columns).where(among(m.id, ids))).all()
    search.remove(conn, [(row.id, words_of(row)) for row in rows])


def _forget_events(conn: Connection, doomed: Doomed) -> None:
    """What happened in and to the sample; what its people did elsewhere stays, without their name."""
    e = happened.c
    about = (("conversations", e.conversation_id), ("customers", e.customer_id), ("messages", e.message_id))
    conn.execute(sa.delete(happened).where(sa.or_(*[among(c, sorted(doomed.get(name, ()))) for name, c in about])))
    people = sorted(doomed.get("employees", ()))
    conn.execute(sa.update(happened).where(among(e.actor_id, people)).values(actor_id=None))


def _let_go(conn: Connection, table: sa.Table, doomed: Doomed) -> None:
    """Rows that stay, and rows of the same table that go, do not point at what goes any more."""
    for column, target in _pointers(table):
        if column.nullable and doomed.get(target):
            gone = among(column, sorted(doomed[target]))
            conn.execute(sa.update(table).where(gone).values({column.name: None}))


def _delete(conn: Connection, table: sa.Table, doomed: Doomed) -> None:
    if "id" in table.c and doomed.get(table.name):
        conn.execute(sa.delete(table).where(among(table.c.id, sorted(doomed[table.name]))))
    elif "id" not in table.c:
        goes = [among(column, sorted(doomed[target])) for column, target in _named(table) if doomed.get(target)]
        if goes:
            conn.execute(sa.delete(table).where(sa.or_(*goes)))


def _named(table: sa.Table) -> list[tuple[sa.Column[int], str]]:
    """Also columns that name a conversation or an employee through another table's key (files of drafts)."""
    known = {column.name for column, _ in _bound(table)}
    through = {"conversation_id": conversations.name, "employee_id": "employees"}
    return _bound(table) + [
        (table.c[name], target) for name, target in through.items() if name in table.c and name not in known
    ]
