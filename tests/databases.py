"""PostgreSQL databases for one test after the other. Making one costs 0.2 s of disk, emptying it a hundredth of that."""

import contextlib
import io
import itertools
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tests.servers import Postgres, apart

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
OTHERS = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


_numbers = itertools.count(1)


class New(Struct, frozen=True):
    """A database as the template gives it: how it looks, how large it is, what makes it empty, which rows it comes with."""

    look: str
    size: int
    emptying: str
    rows: dict[str, bytes]


class Stock:
    """The databases of one worker. Each is lent to one test at a time."""

    def __init__(self, server: Postgres, template: str, worker: str) -> None:
        self.server, self.template, self.worker = server, template, worker
        self._free: list[str] = []
        self._new: New | None = None

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The name of a migrated database with nothing in it. Connections left open are ended afterwards."""
        name = self._free.pop() if self._free else self._make()
        try:
            yield name
        finally:
            if apart(lambda: self._emptied(name)):
                self._free.append(name)
            else:
                self.server.run(f"DROP DATABASE {name} WITH (FORCE)")

    def _make(self) -> str:
        name = f"hub_{self.worker}_{next(_numbers)}"
        self.server.run(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        if self._new is None:
            self._new = apart(lambda: self._seen(name))
        return name

    async def _seen(self, name: str) -> New:
        async with self.server.connected(name) as db:
            tables = [row[0] for row in await db.fetch(TABLES)]
            return New(
                await db.fetchval(LOOK),
                await db.fetchval("SELECT pg_database_size(current_database())"),
                ";".join(
                    [f'DELETE FROM "{t}"' for t in tables] + [await _rewound(db, s) async for s in _sequences(db)]
                ),
                {t: await _copied(db, t) for t in tables if await db.fetchval(f'SELECT count(*) FROM "{t}"')},
            )

    async def _emptied(self, name: str) -> bool:
        """Make it new again; False when more than its rows has changed, or it has grown."""
        assert self._new is not None
        async with self.server.connected(name) as db:
            await db.execute(OTHERS)
            if await db.fetchval(LOOK) != self._new.look:
                return False
            if await db.fetchval("SELECT pg_database_size(current_database())") > self._new.size + GROWN:
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
