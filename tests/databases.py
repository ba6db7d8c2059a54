"""What makes a database for every test cheap: PostgreSQL databases are emptied and used again, compiled statements are kept."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy.engine import Engine

from tests.servers import Postgres

T = TypeVar("T")

#: A database that has grown by more than this (bytes) is not worth emptying: what was deleted still lies about in it.
GROWN = 4_000_000

#: Changes with every statement about the schema and with every ANALYZE; what tests do with rows leaves it alone.
LOOK = "SELECT concat_ws(' ', {})".format(
    ", ".join(
        f"(SELECT concat(count(*), '/', max(xmin::text::bigint)) FROM {catalogue})"
        for catalogue in (
            "pg_class",
            "pg_attribute",
            "pg_constraint",
            "pg_trigger",
            "pg_proc",
            "pg_statistic",
            "pg_extension",
            "pg_namespace",
            "pg_db_role_setting",
        )
    )
)
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname"
SEQUENCES = (
    "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY relname"
)
SIZE = "SELECT pg_database_size(current_database())"
OTHERS = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


_numbers = itertools.count(1)


class New(Struct, frozen=True):
    """A database as the template gives it: how it looks, how large it is, what makes it empty, which rows it comes with."""

    look: str
    size: int
    emptying: str
    rows: dict[str, bytes]


class Compiled:
    """What all engines of one kind have compiled. Every test has engines of its own, which would begin with nothing."""

    def __init__(self) -> None:
        self._found: dict[Any, Any] = {}

    def get(self, key: tuple[Any, ...]) -> Any:
        """As a dictionary's. The key begins with the dialect, which is every engine's own and the same."""
        return self._found.get(key[1:])

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._found[key[1:]] = compiled


def share_compiled() -> None:
    """From now on engines of one kind share what they compile."""
    kept: dict[str, Compiled] = {}

    def of(engine: Engine) -> Compiled:
        return kept.setdefault(f"{engine.dialect.name}+{engine.dialect.driver}", Compiled())

    def keep_to_it(_engine: Engine, _own: Any) -> None:
        """An engine wants a cache of its own."""

    Engine._compiled_cache = property(of, keep_to_it)  # type: ignore[assignment]


class Stock:
    """The databases of one worker. Each is lent to one test at a time. Use it with ``with``."""

    def __init__(self, server: Postgres, template: str, worker: str) -> None:
        self.server, self.template, self.worker = server, template, worker
        self._free: list[str] = []
        self._new: New | None = None
        #: a connection to each database, kept because a new one has to read about every table first
        self._open: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Stock:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._open):
            self._do(self._let_go(name))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The name of a migrated database with nothing in it. Connections left open are ended afterwards."""
        name = self._free.pop() if self._free else self._make()
        try:
            yield name
        finally:
            if self._do(self._emptied(name)):
                self._free.append(name)
            else:
                self._do(self._let_go(name))
                self.server.run(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def _make(self) -> str:
        name = f"hub_{self.worker}_{next(_numbers)}"
        self.server.run(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        if self._new is None:
            self._new = self._do(self._seen(name))
        return name

    async def _connected(self, name: str) -> Any:
        if name not in self._open:
            self._open[name] = await self.server.connect(name)
        return self._open[name]

    async def _let_go(self, name: str) -> None:
        if name in self._open:
            await self._open.pop(name).close(timeout=10)

    async def _seen(self, name: str) -> New:
        db = await self._connected(name)
        tables = [row[0] for row in await db.fetch(TABLES)]
        return New(
            await db.fetchval(LOOK),
            await db.fetchval(SIZE),
            ";".join([f'DELETE FROM "{t}"' for t in tables] + [await _rewound(db, s) async for s in _sequences(db)]),
            {t: await _copied(db, t) for t in tables if await db.fetchval(f'SELECT count(*) FROM "{t}"')},
        )

    async def _emptied(self, name: str) -> bool:
        """Make it new again; False when more than its rows has changed, or it has grown."""
        assert self._new is not None
        db = await self._connected(name)
        await db.execute(OTHERS)
        if await db.fetchval(LOOK) != self._new.look or await db.fetchval(SIZE) > self._new.size + GROWN:
            return False
        await db.execute("SET session_replication_role = replica")  # no order among the tables, no triggers
        await db.execute(self._new.emptying)
        for table, rows in self._new.rows.items():
            await db.copy_to_table(table, source=io.BytesIO(rows), format="binary")
        return True


async def _sequences(db: Any) -> Any:
    for row in await db.fetch(SEQUENCES):
        yield row[0]


async def _rewound(db: Any, sequence: str) -> str:
    last, called = await db.fetchrow(f'SELECT last_value, is_called FROM "{sequence}"')
    return f"SELECT setval('\"{sequence}\"', {last}, {called})"


async def _copied(db: Any, table: str) -> bytes:
    into = io.BytesIO()
    await db.copy_from_table(table, output=into, format="binary")
    return into.getvalue()
