"""Looks at the plans that a database makes for the hub's own statements, and complains about those that grow with the house."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import event
from sqlalchemy.engine import Connection

from hub.database import Database
from hub.sql import is_postgres

#: Tables that grow for ever: none of them may be read from end to end, or sorted.
GROWING = frozenset(
    {"messages", "events", "conversations", "journal", "deliveries", "identities", "customers", "participants"}
)
#: Indexes over what waits to be done: there is never so much of it that all of it could not be read.
SHORT = (
    "ix_conversations_waiting",
    "ix_conversations_snoozed",
    "ix_journal_unread",
    "ix_journal_failed",
    "ix_deliveries_due",
    "ix_deliveries_second",
    "ix_deliveries_leased",
    "ix_deliveries_order",
)
#: PostgreSQL tells how many rows of a table it looked at; a page of 50 out of the longest merge needs no more.
MOST_ROWS = 1600
_numbers = itertools.count()
T = TypeVar("T")


class Statement(Struct, frozen=True):
    """SQL as the driver got it."""

    sql: str
    parameters: Any


@contextmanager
def listening(db: Database) -> Iterator[list[tuple[Statement, bool]]]:
    """Every statement sent meanwhile, and whether it was sent for many rows at once."""
    heard: list[tuple[Statement, bool]] = []

    def before(_c: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        heard.append((Statement(sql, parameters[0] if many else parameters), many))

    engines = engines_of(db)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", before)
    try:
        yield heard
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", before)


def engines_of(db: Database) -> list[Any]:
    """The SQLAlchemy engines behind a database, for listeners."""
    if db.kind == "sqlite":
        return [vars(db)["_write_engine"], vars(db)["_read_engine"]]
    return [vars(db)["_engine"]]


class _Undo(Exception):
    pass


async def undone(db: Database, work: Callable[[Connection], T]) -> T:
    """What ``work`` gives back; nothing it does stays."""
    given: list[T] = []

    def run(conn: Connection) -> None:
        given[:] = [work(conn)]
        raise _Undo

    try:
        await db.write(run)
    except _Undo:
        pass
    return given[0]


async def statements_of(db: Database, works: Sequence[Callable[[Connection], Any]]) -> list[list[Statement]]:
    """What each of ``works`` sends to the database, one after the other in one transaction; nothing of it stays."""
    begins = ("BEGIN", "INSERT", "SAVEPOINT", "EXPLAIN")
    with listening(db) as heard:

        def each(conn: Connection) -> list[list[Statement]]:
            found = []
            for work in works:
                heard.clear()
                work(conn)
                found.append([s for s, _ in heard if not s.sql.lstrip().upper().startswith(begins)])
            return found

        return await undone(db, each)


def complaints(
    conn: Connection, statement: Statement, *, backlog: bool = False, in_order: bool = False, most: int = MOST_ROWS
) -> list[str]:
    """What is wrong with the plan.

    ``backlog``: sorting the conversations that wait is fine, they are never many. ``in_order``: the statement wants the next or
    the last rows of a table, whatever they are, so it may walk along the primary key.
    """
    if is_postgres(conn):
        return _postgres(conn, statement, most)
    return _sqlite(conn, statement, backlog, in_order)


def _endless(step: str, in_order: bool) -> bool:
    """Does this step of SQLite's walk through a whole table or a whole index?"""
    along = "INTEGER PRIMARY KEY (rowid>?)" in step or "INTEGER PRIMARY KEY (rowid<?)" in step
    return "(ANY(" in step or (not in_order and (along or step.startswith("SCAN ")))


def _sqlite(conn: Connection, statement: Statement, backlog: bool, in_order: bool) -> list[str]:
    # an EXPLAIN, new or prepared before, does not notice by itself that an index has gone
    conn.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    fresh = f"EXPLAIN QUERY PLAN /* {next(_numbers)} */ "
    rows = conn.exec_driver_sql(fresh + statement.sql, statement.parameters).all()
    aliases = _aliases(statement.sql)
    by_parent: dict[int, list[str]] = {}
    for _, parent, _, detail in rows:
        by_parent.setdefault(parent, []).append(detail)
    said = []
    for details in by_parent.values():
        steps = [d for d in details if d.startswith(("SCAN ", "SEARCH "))]
        tables = [aliases.get(step.split()[1], step.split()[1]) for step in steps]
        for step, table in zip(steps, tables, strict=True):
            if table in GROWING and _endless(step, in_order) and not step.endswith(SHORT):
                said.append(step)
        sorts = [d for d in details if "TEMP B-TREE FOR" in d and "ORDER BY" in d]
        listed = any("json_each" in d or "LIST SUBQUERY" in d or "INTEGER PRIMARY KEY (rowid=?)" in d for d in details)
        if sorts and not listed and not backlog and tables and tables[0] in GROWING:
            said.append(f"{sorts[0]} after {steps[0]}")
    return said


def _aliases(sql: str) -> dict[str, str]:
    words = sql.replace(",", " ").replace("(", " ").replace(")", " ").split()
    return {alias: table for table, word, alias in zip(words, words[1:], words[2:], strict=False) if word == "AS"}


def _postgres(conn: Connection, statement: Statement, most: int) -> list[str]:
    """A small table is read from end to end for good reason: so with that forbidden, is there another way?"""
    conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
    row = conn.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + statement.sql, statement.parameters).scalar_one()
    plan = (json.loads(row) if isinstance(row, str) else row)[0]["Plan"]
    return [complaint for node in _nodes(plan) for complaint in _node(node, most)]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _node(node: dict[str, Any], most: int) -> list[str]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    if table in GROWING and kind == "Seq Scan":
        return [f"Seq Scan on {table}"]
    looked = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    if table in GROWING and looked > most:
        return [f"{kind} on {table} with {node.get('Index Name', 'no index')} looked at {looked:.0f} rows"]
    if kind == "Sort" and node["Plans"][0]["Actual Rows"] * node["Actual Loops"] > most:
        return [f"Sort of {node['Plans'][0]['Actual Rows']} rows by {node['Sort Key']}"]
    return []


def in_words(name: str, statement: Statement, said: Sequence[str]) -> str:
    """For a failed test."""
    return f"{name}: {'; '.join(said)}\n    {' '.join(statement.sql.split())[:1500]}"
