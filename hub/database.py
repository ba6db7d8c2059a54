"""Two databases, one way to use them: a unit of work is a plain function over a connection.

    customer = await db.write(make_customer, "Katrin Vogel")

`write` runs the function in one transaction and commits it; nothing can be awaited inside, so no transaction is ever open
while a network answers. On SQLite one thread per process writes (WAL, synchronous=FULL, BEGIN IMMEDIATE) and a few read; on
PostgreSQL the same function runs over asyncpg. A unit of work runs again when the
connection broke before its commit; a commit whose answer was lost raises `Unclear` instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.util import greenlet_spawn, memoized_property
from sqlalchemy.util.queue import AsyncAdaptedQueue

P = ParamSpec("P")
T = TypeVar("T")

#: How long a person waits for a database that does not answer before the hub says so (seconds).
PATIENCE = 4.0


class Unavailable(Exception):
    """The database does not answer now. HTTP says 503 with Retry-After; loops wait and try again."""


class Unclear(Unavailable):
    """The commit's answer was lost: it may have happened. Only who can tell, or can do it twice, should try again."""


class DiskFull(Unavailable):
    """There is no room left; said as 507."""


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


class InUse(Exception):
    """Another process has taken this SQLite file over."""


def only_process(path: Path) -> IO[str]:
    """Hold the SQLite file for this process until the handle is closed. Raises `InUse`."""
    file = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise InUse(str(path)) from error
    return file


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
        hide_parameters=True,
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
            "wal_autocheckpoint=4000",  # pages that change all the time are copied back less often
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


#: Connections to PostgreSQL that a process keeps, and how many more it opens while all of them are busy.
CONNECTIONS, MORE = 12, 4
#: Statements that one connection knows how to do: a page asks sixty, and a loop that passes by must not make it forget them.
KNOWN = 400


class _Warmest(asyncio.LifoQueue[Any]):
    """Connections that are free; the one that was used most comes first, because it knows most statements. A new one has to be told all
    of them again: that makes a page three times as slow.
    """

    _queue: list[Any]

    def _get(self) -> Any:
        best = max(range(len(self._queue)), key=lambda n: self._queue[n].info.get("used", 0))
        found = self._queue.pop(best)
        found.info["used"] = found.info.get("used", 0) + 1
        return found


class _Free(AsyncAdaptedQueue[Any]):
    @memoized_property
    def _queue(self) -> asyncio.Queue[Any]:
        return _Warmest(self.maxsize)


class _Pool(sa.pool.AsyncAdaptedQueuePool):
    _queue_class = _Free


# named after this class, not after SQLAlchemy's own, it would tell of every engine that ends
logging.getLogger(f"{__name__}.{_Pool.__name__}").setLevel(logging.WARNING)


class PostgresDatabase(Database):
    """PostgreSQL over asyncpg. Every wait has an end: connecting 2 s, a statement 3 s, a lock 3 s, the whole `PATIENCE`."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        #: also those that nobody waits for any more: they are letting go of their connections
        self._running: set[asyncio.Task[Any]] = set()
        # not by sqlalchemy.ext.asyncio, which loads the whole ORM: a fifth of the time that a start takes
        self._engine = sa.create_engine(
            self.url.set(drivername="postgresql+asyncpg"),
            poolclass=_Pool,
            pool_size=CONNECTIONS,
            max_overflow=MORE,
            pool_timeout=PATIENCE,
            pool_pre_ping=True,
            query_cache_size=1500,
            hide_parameters=True,
            connect_args={
                "timeout": 2,
                "command_timeout": 3,
                "prepared_statement_cache_size": KNOWN,
                "server_settings": {
                    "application_name": "hub",
                    "lock_timeout": "3000",
                    "statement_timeout": "4000",
                    "idle_in_transaction_session_timeout": "15000",
                    "jit": "off",
                    "synchronous_commit": "on",
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
        """The unit of work in a task of its own: letting go of a silent connection takes seconds that nobody has to wait for."""
        committing = asyncio.Event()
        task = asyncio.create_task(self._attempts(work, committing))
        self._running.add(task)
        task.add_done_callback(self._over)
        try:
            done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        task.cancel()
        words = f"the database did not answer within {PATIENCE} s"
        raise Unclear(words) if committing.is_set() else Unavailable(words)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has been told

    async def _attempts(self, work: Callable[[Connection], T], committing: asyncio.Event) -> T:
        for attempt in (1, 2, 3):
            try:
                return await self._once(work, committing)
            except Unclear:
                raise
            except Exception as error:
                if not is_passing(error):
                    raise
                if attempt == 3:
                    raise Unavailable(str(error)) from error
                await asyncio.sleep(0.05 * attempt)
        raise AssertionError("unreachable")

    async def _once(self, work: Callable[[Connection], T], committing: asyncio.Event) -> T:
        committing.clear()
        return await greenlet_spawn(_transaction, self._engine, work, committing.set)

    def sync_engine(self) -> Engine:
        raise TypeError("PostgreSQL is reached asynchronously only")

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """For migrations: no time limit of ours, a connection of its own."""
        engine = sa.create_engine(self.url.set(drivername="postgresql+asyncpg"), poolclass=sa.pool.NullPool)
        return await greenlet_spawn(_transaction, engine, work, lambda: None)

    async def close(self) -> None:
        """Let go of every connection."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                if self._running:
                    await asyncio.wait(self._running)
                await greenlet_spawn(self._engine.dispose)


def _transaction(engine: Engine, work: Callable[[Connection], T], committing: Callable[[], None]) -> T:
    """One transaction on PostgreSQL; ``committing`` is called when only its commit is left. In a greenlet of SQLAlchemy's."""
    with engine.connect() as conn, conn.begin() as transaction:
        result = work(conn)
        committing()
        try:
            transaction.commit()
        except Exception as error:
            if is_passing(error) and not _refused(error):
                raise Unclear(str(error)) from error
            raise
        return result


#: After these the same unit of work may succeed: serialisation, deadlock, lock timeout, shutdown, too many connections.
_PASSING = {"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57014", "53300", "08000", "08003", "08006", "08001"}


def _refused(error: Exception) -> bool:
    """Did the database itself say no (serialisation, deadlock)? Then nothing was committed."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state is not None and not state.startswith(("08", "57"))


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
