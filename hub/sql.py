"""Words of SQL that the two databases spell differently, and rows written in lists."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

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


_ALLOCATE = sa.text("UPDATE counters SET value = value + :n WHERE name = :name RETURNING value")


def allocate(conn: Connection, what: str, count: int) -> range:
    """``count`` fresh ids in order, from the counter ``what`` (ids, conversations, journal). One statement.

    The counter's row stays locked until the commit, on purpose: so ids become visible in the order of ids, also between
    processes, and a reader of the feed that has seen 17 never meets a late 16. Take it last, after all other locks.
    """
    if not count:
        return range(0)
    last: int = conn.execute(_ALLOCATE, {"n": count, "name": what}).scalar_one()
    return range(last - count + 1, last + 1)


_RENEW = sa.text("UPDATE counters SET value = :fresh WHERE name = :name")


def renew(conn: Connection, what: str) -> None:
    """Give a version a number nobody has had: one counted up would come again after a rollback, with other contents."""
    conn.execute(_RENEW, {"fresh": secrets.randbits(62), "name": what})


_HOLD = sa.text("SELECT value FROM counters WHERE name = :name FOR UPDATE")


def hold(conn: Connection, what: str) -> None:
    """Hold a counter until the commit without taking a number of it. SQLite has one writer; there is nothing to hold."""
    if is_postgres(conn):
        conn.execute(_HOLD, {"name": what})


def insert_rows(conn: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """All rows in one statement. Every row must have the same keys, in the same order."""
    if rows:
        statement = _insert_text(conn.dialect.name, table, tuple(rows[0]))
        conn.exec_driver_sql(statement, [tuple(row.values()) for row in rows])


def update_rows(conn: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Rows by their ``id``, which is each row's last key; all in one statement. The same keys in the same order."""
    if rows:
        statement = _update_text(conn.dialect.name, table, tuple(rows[0]))
        conn.exec_driver_sql(statement, [tuple(row.values()) for row in rows])


# Texts made once and run as they are: per row, SQLAlchemy's own parameter handling costs more than the databases do.
@functools.cache
def _insert_text(dialect: str, table: sa.Table, keys: tuple[str, ...]) -> str:
    columns = ", ".join(table.c[key].name for key in keys)
    marks = ", ".join(_mark(dialect, place) for place in range(1, len(keys) + 1))
    return f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 - names of our own tables


@functools.cache
def _update_text(dialect: str, table: sa.Table, keys: tuple[str, ...]) -> str:
    *changed, last = (table.c[key].name for key in keys)
    assert last == "id"
    pairs = ", ".join(f"{name} = {_mark(dialect, place)}" for place, name in enumerate(changed, 1))
    return f"UPDATE {table.name} SET {pairs} WHERE id = {_mark(dialect, len(keys))}"  # noqa: S608 - names of our own


def _mark(dialect: str, place: int) -> str:
    return f"${place}" if dialect == "postgresql" else "?"
