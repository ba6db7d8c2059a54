"""Two databases, one way to use them: a unit of work is a plain function over a connection.

    customer = await db.write(make_customer, "Katrin Vogel")

`write` runs the function in one transaction and commits it; nothing can be awaited inside, so no transaction is ever open
while a network answers. On SQLite one thread per process writes (WAL, synchronous=FULL, BEGIN IMMEDIATE) and a few read; on
PostgreSQL the same function runs over asyncpg. A unit of work may run twice when the connection broke: it must be safe to repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement

P = ParamSpec("P")
T = TypeVar("T")

#: How long a person waits for a database that does not answer before the hub says so (seconds).
PATIENCE = 4.5


class Unavailable(Exception):
    """The database does not answer now. HTTP says 503 with Retry-After; loops wait and try again."""


class DiskFull(Unavailable):
    """There is no room left; said as 507."""


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


class Database:
    """The way to one database. Make it with `open_database`."""

    kind: str = "sqlite"

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` in one transaction and commit. Raises `Unavailable` when the database does not answer."""
        raise NotImplementedError

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` on one snapshot without writing."""
        raise NotImplementedError

    def sync_engine(self) -> Engine:
        """A plain engine for migrations and the command line."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of every connection."""
        raise NotImplementedError


class SqliteDatabase(Database):
    """One file. One writer thread, so nobody waits for a lock inside the process; a few reader threads."""

    kind = "sqlite"

    def __init__(self, path: Path, readers: int = 3) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = ThreadPoolExecutor(1, "sqlite-writer")
        self._readers = ThreadPoolExecutor(readers, "sqlite-reader")
        self._write_engine = _sqlite_engine(path, 1, immediate=True)
        self._read_engine = _sqlite_engine(path, readers, immediate=False)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._writer, self._write_engine, lambda c: work(c, *args, **kwargs))

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._readers, self._read_engine, lambda c: work(c, *args, **kwargs))

    async def _run(self, pool: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, _unit, engine, work)

    def sync_engine(self) -> Engine:
        return self._write_engine

    async def close(self) -> None:
        """Let go of every connection."""
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._write_engine.dispose()
        self._read_engine.dispose()


def _unit(engine: Engine, work: Callable[[Connection], T]) -> T:
    """One transaction on SQLite; another process's lock or a full disk becomes `Unavailable`."""
    try:
        with engine.begin() as conn:
            return work(conn)
    except OperationalError as error:
        raise _translated(error) from error


def _translated(error: OperationalError) -> Exception:
    words = str(error.orig)
    if "disk is full" in words or "disk I/O error" in words:
        return DiskFull(words)
    if "locked" in words or "busy" in words or "unable to open" in words:
        return Unavailable(words)
    return error


def _sqlite_engine(path: Path, size: int, *, immediate: bool) -> Engine:
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=sa.pool.QueuePool,
        pool_size=size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": 5, "cached_statements": 512},
        query_cache_size=1500,
    )
    begin = "BEGIN IMMEDIATE" if immediate else "BEGIN"

    @sa_event.listens_for(engine, "connect")
    def _connect(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves; the driver's own way loses updates silently
        pragmas = [
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
            "mmap_size=268435456",
        ]
        for pragma in (
            ["busy_timeout=5000", "journal_mode=WAL", *pragmas] if immediate else ["busy_timeout=5000", *pragmas]
        ):
            raw.execute(f"PRAGMA {pragma}").close()
        if not immediate:
            raw.execute("PRAGMA query_only=ON").close()

    @sa_event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        conn.exec_driver_sql(begin)

    return engine


class PostgresDatabase(Database):
    """PostgreSQL over asyncpg. Every wait has an end: connecting 2 s, a statement 3 s, a lock 3 s, the whole `PATIENCE`."""

    kind = "postgresql"

    def __init__(self, url: str, size: int = 12) -> None:
        from sqlalchemy.ext.asyncio import create_async_engine

        self.url = make_url(url)
        self._engine = create_async_engine(
            self.url.set(drivername="postgresql+asyncpg"),
            pool_size=size,
            max_overflow=4,
            pool_timeout=PATIENCE,
            pool_pre_ping=True,
            query_cache_size=1500,
            connect_args={
                "timeout": 2,
                "command_timeout": 3,
                "server_settings": {
                    "application_name": "hub",
                    "lock_timeout": "3000",
                    "statement_timeout": "4000",
                    "idle_in_transaction_session_timeout": "15000",
                    "jit": "off",
                    # what is read is mostly in memory: walking an index in order beats reading much and sorting it
                    "random_page_cost": "1.1",
                },
            },
        )

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(lambda c: work(c, *args, **kwargs))

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(lambda c: work(c, *args, **kwargs))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                for attempt in (1, 2, 3):
                    try:
                        return await self._once(work)
                    except Exception as error:
                        if not is_passing(error):
                            raise
                        if attempt == 3:
                            raise Unavailable(str(error)) from error
                        await asyncio.sleep(0.05 * attempt)
        except TimeoutError as error:
            raise Unavailable(f"the database did not answer within {PATIENCE} s") from error
        raise AssertionError("unreachable")

    async def _once(self, work: Callable[[Connection], T]) -> T:
        async with self._engine.connect() as conn, conn.begin():
            return await conn.run_sync(work)

    def sync_engine(self) -> Engine:
        raise TypeError("PostgreSQL is reached asynchronously only")

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """For migrations: no time limit of ours, the caller's own transaction."""
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(self.url.set(drivername="postgresql+asyncpg"), poolclass=sa.pool.NullPool)
        try:
            async with engine.connect() as conn, conn.begin():
                return await conn.run_sync(work)
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Let go of every connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                await self._engine.dispose()


#: After these the same unit of work may succeed: serialisation, deadlock, lock timeout, shutdown, too many connections.
_PASSING = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57014", "53300", "08000", "08003", "08006", "08001"}


def is_passing(error: BaseException) -> bool:
    """Is this the kind of error that goes away by itself (connection, deadlock, timeout), not one of the data?"""
    if isinstance(error, Unavailable | TimeoutError | ConnectionError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        if isinstance(error.orig, TimeoutError | ConnectionError | OSError):
            return True
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
        if state is not None:
            return state in _PASSING
        return isinstance(error, InterfaceError) or (
            isinstance(error, OperationalError) and isinstance(_translated(error), Unavailable)
        )
    return isinstance(error, OSError)


def open_database(url: str) -> Database:
    """``sqlite:///path`` or ``postgresql://…``. Raises ValueError with one sentence for anything else."""
    if url.startswith("sqlite:///"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
        try:
            return PostgresDatabase(url.replace("postgres://", "postgresql://", 1))
        except ImportError as error:
            raise ValueError(
                "PostgreSQL needs the package asyncpg: pip install 'omnichannel-hub[postgres]'."
            ) from error
    raise ValueError(
        f"“{url.split(':')[0]}:…” is no database address the hub knows. Use sqlite:///path or postgresql://…."
    )


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
