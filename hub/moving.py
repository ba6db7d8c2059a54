"""From SQLite to PostgreSQL with everything: table by table in one transaction, the search index made anew, counted afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import search
from hub.tables import counters, customers, employees, messages, metadata, routing_rules

#: Rows in one statement.
BATCH = 500
#: Columns that point into their own table: written in a second round, when every row is there.
INWARD = {
    "employees": ("deputy_id",),
    "customers": ("merged_into", "company_id"),
    "conversations": ("merged_into",),
    "messages": ("reply_to_id",),
}


class MoveFailed(Exception):
    """Nothing was changed; one sentence says why."""


def refuse_filled(conn: Connection) -> None:
    """Raise `MoveFailed` when the target holds anything already."""
    for table in (employees, customers, messages):
        if conn.execute(sa.select(table.c.id).limit(1)).first() is not None:
            raise MoveFailed(f"The target holds rows in “{table.name}” already; give an empty database.")


def copy(source: Connection, target: Connection, say: Callable[[str, int], None]) -> dict[str, int]:
    """Copy every table; rows by table. ``say`` is told of each one. Raises `MoveFailed` when a count differs in the end."""
    refuse_filled(target)
    for table in (counters, routing_rules):  # what a new house comes with
        target.execute(sa.delete(table))
    copied = {}
    for table in metadata.sorted_tables:
        copied[table.name] = _copy_table(source, target, table)
        say(table.name, copied[table.name])
    for name, columns in INWARD.items():
        for column in columns:
            _point_inward(source, target, metadata.tables[name], column)
    copied["search"] = index_again(target)
    say("search", copied["search"])
    _check(source, target)
    return copied


def _batches(source: Connection, statement: sa.Select[Any]) -> Iterator[list[dict[str, Any]]]:
    result = source.execution_options(yield_per=BATCH).execute(statement)
    for rows in result.partitions(BATCH):
        yield [dict(row._mapping) for row in rows]


def _copy_table(source: Connection, target: Connection, table: sa.Table) -> int:
    count = 0
    for rows in _batches(source, sa.select(table)):
        if columns := INWARD.get(table.name):
            rows = [row | dict.fromkeys(columns) for row in rows]
        target.execute(sa.insert(table), rows)
        count += len(rows)
    return count


def _point_inward(source: Connection, target: Connection, table: sa.Table, column: str) -> None:
    pointing = sa.select(table.c.id.label("number"), table.c[column].label("other")).where(table.c[column].is_not(None))
    statement = sa.update(table).where(table.c.id == sa.bindparam("number")).values({column: sa.bindparam("other")})
    for rows in _batches(source, pointing):
        target.execute(statement, rows)


def words_of(row: Any) -> str:
    """What the search index holds of a message's row."""
    return search.of_message(row.direction, row.subject, row.sender_name, row.text)


def index_again(conn: Connection) -> int:
    """Fill an empty search index from the messages; how many."""
    m, last, count = messages.c, 0, 0
    columns = (m.id, m.direction, m.subject, m.sender_name, m.text)
    while True:
        rows = conn.execute(sa.select(*columns).where(m.id > last).order_by(m.id).limit(BATCH)).all()
        if not rows:
            return count
        search.add(conn, [(row.id, words_of(row)) for row in rows])
        last, count = rows[-1].id, count + len(rows)


def _check(source: Connection, target: Connection) -> None:
    for table in metadata.sorted_tables:
        here, there = (
            conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for conn in (source, target)
        )
        if here != there:
            raise MoveFailed(f"“{table.name}” has {here} rows here and {there} there; nothing was kept.")
