"""Words of SQL that the two databases spell differently, and rows written in lists."""

from __future__ import annotations

import functools
import itertools
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement


class among(ColumnElement[bool]):
    """``among(column, values)``: column IN values, as one parameter whatever the number of values.

    The statement's text stays the same, so it is compiled and prepared once. ``values`` may be a parameter's name instead: then
    the whole statement can be made once, which hot paths do.
    """

    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own protocol
        ("column", sa.sql.visitors.InternalTraversal.dp_clauseelement),
        ("values", sa.sql.visitors.InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: ColumnElement[Any], values: Iterable[Any] | str) -> None:
        self.column = column
        if isinstance(values, str):
            self.values = sa.bindparam(values, type_=_Listed(column.type))
        else:
            self.values = sa.bindparam(None, list(values), type_=_Listed(column.type), unique=True)

    def self_group(self, against: Any = None) -> among:
        """Never wrapped as ``(…) = 1``, as SQLAlchemy would for SQLite: no index is used for that."""
        return self


class _Listed(sa.types.TypeDecorator[list[Any]]):
    """A list as one parameter: an array on PostgreSQL, JSON text on SQLite."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        item = sa.BigInteger() if isinstance(self.item, sa.Integer) else sa.Text()
        return dialect.type_descriptor(sa.ARRAY(item) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: list[Any] | None, dialect: sa.Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


@compiles(among, "postgresql")
def _among_pg(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.values, **kw)})"


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    inner = compiler.process(element.values, **kw)
    return f"{compiler.process(element.column, **kw)} IN (SELECT value FROM json_each({inner}))"  # noqa: S608 - both parts are compiled SQL


class db_now(sa.sql.functions.GenericFunction[int]):
    """The database's clock in milliseconds: leases of several machines must be measured by one clock."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(db_now, "postgresql")
def _now_pg(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST(extract(epoch from clock_timestamp()) * 1000 AS BIGINT)"


@compiles(db_now, "sqlite")
def _now_sqlite(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def lit(word: str) -> sa.ColumnElement[str]:
    """A constant of ours spelled out in the SQL: partial indexes are only used when the planner sees the very words."""
    assert word.isidentifier() or word == ""
    return sa.literal_column(f"'{word}'", sa.Text)


def is_postgres(conn: Connection) -> bool:
    """Is this connection one to PostgreSQL?"""
    return conn.dialect.name == "postgresql"


def run(conn: Connection, statement: sa.Executable, **values: Any) -> sa.CursorResult[*tuple[Any, ...]]:
    """A statement made once, with its parameters by name, sent as the text it once became.

    For hot paths: SQLAlchemy's way from statement to text costs more than the database does. Rows come as the driver gives them,
    without the column types' own ideas (SQLite says 1 for true).
    """
    made = _made.get((statement, conn.dialect.name))
    if made is None:
        made = _made[statement, conn.dialect.name] = _make(statement, conn.dialect)
    text, names, constants = made
    values = constants | values
    if conn.dialect.name != "postgresql":
        values = {k: _json(v).decode() if isinstance(v, list | tuple) else v for k, v in values.items()}
    return conn.exec_driver_sql(text, tuple([values[name] for name in names]))


_Made = tuple[str, tuple[str, ...], dict[str, Any]]
#: Statements are module constants; there are as many of these as there are calls of `run`.
_made: dict[tuple[sa.Executable, str], _Made] = {}
_json = msgspec.json.Encoder().encode


def _make(statement: sa.Executable, dialect: sa.Dialect) -> _Made:
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every statement has it
    return str(compiled), tuple(compiled.positiontup), dict(compiled.params)


_ALLOCATE = sa.text("UPDATE counters SET value = value + :n WHERE name = :name RETURNING value")


def allocate(conn: Connection, what: str, count: int) -> range:
    """``count`` fresh ids in order, from the counter ``what`` (ids, conversations, journal). One statement.

    The counter's row stays locked until the commit, on purpose: so ids become visible in the order of ids, also between
    processes, and a reader of the feed that has seen 17 never meets a late 16. Take it last, after all other locks.
    """
    if not count:
        return range(0)
    last: int = run(conn, _ALLOCATE, n=count, name=what).scalar_one()
    return range(last - count + 1, last + 1)


_RENEW = sa.text("UPDATE counters SET value = :fresh WHERE name = :name")


def renew(conn: Connection, what: str) -> None:
    """Give a version a number nobody has had: one counted up would come again after a rollback, with other contents."""
    run(conn, _RENEW, fresh=secrets.randbits(62), name=what)


_HOLD = sa.text("SELECT value FROM counters WHERE name = :name FOR UPDATE")


def hold(conn: Connection, what: str) -> None:
    """Hold a counter until the commit without taking a number of it. SQLite has one writer; there is nothing to hold."""
    if is_postgres(conn):
        run(conn, _HOLD, name=what)


def insert_rows(conn: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """All rows in one statement. Every row must have the same keys, in the same order."""
    if rows:
        columns = tuple([table.c[key].name for key in rows[0]])
        _send(conn, _insertion, (table.name, columns), [tuple(row.values()) for row in rows])


def insert_into(
    conn: Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    known: Literal["refused", "ignored"] = "refused",
) -> None:
    """The same for a table that SQLAlchemy does not know, or for rows that are tuples anyway. ``known``: rows already there."""
    if rows:
        _send(conn, _insertion if known == "refused" else _addition, (table, columns), rows)


def update_rows(conn: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Rows by their ``id``, which is each row's last key; all in one statement. The same keys in the same order."""
    if rows:
        columns = tuple([table.c[key].name for key in rows[0]])
        _send(conn, _change, (table.name, columns), [tuple(row.values()) for row in rows])


#: So many rows go to SQLite in one step; more go one by one.
TOGETHER = 128
#: (table, columns)
_Shape = tuple[str, tuple[str, ...]]


def _send(
    conn: Connection, text: Callable[[_Shape, str, int], str], shape: _Shape, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Texts made once and run as they are: per row, SQLAlchemy's own parameter handling costs more than the databases do.

    SQLite gets all rows in one step, because after every step its thread has to win the interpreter back from the event loop.
    Their number is rounded up with empty rows, so that there are few texts to prepare.
    """
    dialect = conn.dialect.name
    if dialect == "postgresql" or len(rows) > TOGETHER:
        conn.exec_driver_sql(text(shape, dialect, 0), list(rows))
        return
    room = 1 if len(rows) == 1 else -(-len(rows) // 16) * 16
    values = list(itertools.chain.from_iterable(rows))
    values += [None] * (room * len(rows[0]) - len(values))
    conn.exec_driver_sql(text(shape, dialect, room), tuple(values))


@functools.cache
def _insertion(shape: _Shape, dialect: str, room: int) -> str:
    table, columns = shape
    marks = ", ".join(_mark(dialect, place) for place in range(1, len(columns) + 1))
    rows = f"SELECT * FROM ({_values(columns, room)}) WHERE column1 IS NOT NULL" if room else f"VALUES ({marks})"  # noqa: S608 - marks only
    return f"INSERT INTO {table} ({', '.join(columns)}) {rows}"


@functools.cache
def _addition(shape: _Shape, dialect: str, room: int) -> str:
    return _insertion(shape, dialect, room) + " ON CONFLICT DO NOTHING"


@functools.cache
def _change(shape: _Shape, dialect: str, room: int) -> str:
    table, columns = shape
    *changed, last = [
        (name, f"new.column{place}" if room else _mark(dialect, place)) for place, name in enumerate(columns, 1)
    ]
    assert last[0] == "id"
    pairs = ", ".join(f"{name} = {value}" for name, value in changed)
    source = f"FROM ({_values(columns, room)}) AS new " if room else ""
    return f"UPDATE {table} SET {pairs} {source}WHERE {table}.id = {last[1]}"  # noqa: S608 - names of our own tables


def _values(columns: tuple[str, ...], room: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"VALUES {', '.join([row] * room)}"


def _mark(dialect: str, place: int) -> str:
    return f"${place}" if dialect == "postgresql" else "?"
