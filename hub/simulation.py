"""Trying a changed table of questions on the traffic of the last days before it goes live.

Simulations are rows; one process at a time computes them one after the other in a worker process (`hub.simulation_worker`) and
writes down how far it is. What was being computed when a hub went down begins again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

import hub
from hub import rulebook
from hub.accounts import Invalid
from hub.clock import now
from hub.core import Hub
from hub.database import Database, PostgresDatabase, SqliteDatabase, Unavailable
from hub.directory import Rule, Settings, current
from hub.rehearsal import Asked, Result
from hub.scheduler import acquire
from hub.simulation_worker import Said, Task
from hub.sql import allocate, lit
from hub.tables import simulations
from hub.tasks import Backoff

log = logging.getLogger(__name__)

DAY = 86_400_000
MOST_DAYS = 365
#: Simulations that may wait, and those that are kept.
MOST_WAITING, KEPT = 5, 50
#: Conversations that are read at once.
BATCH = 500
#: How often it is looked for work, and written down how far it is (seconds).
TELL = 1.0
#: A worker that says nothing for so long is given up (seconds).
SILENCE = 120.0
#: The longest line of a worker (bytes): the result.
MOST_SAID = 64 << 20
#: How long a worker that closed its pipe gets to end (seconds).
LAST_BREATH = 2.0
#: How long another process waits before it takes over (seconds).
LEASE = 15
#: The program that computes.
PROGRAM = ("-P", "-m", "hub.simulation_worker")
#: What it inherits of our environment: nothing that could be a secret.
_INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH")

_s = simulations.c
_unfinished = _s.state.in_(("queued", "running"))


# ── asked for, looked at, called off ──────────────────────────────────────────────────────────────────────────────────
def add(
    conn: Connection,
    days: int,
    rules: Sequence[Rule],
    settings: Settings | None = None,
    actor_id: int | None = None,
    until: int | None = None,
) -> int:
    """Ask for a simulation of the ``days`` before ``until`` (now) with the whole table ``rules``; its id. Raises `Invalid`."""
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"“days”: 1 to {MOST_DAYS}.")
    number = allocate(conn, "rules", 1)[0]
    waiting = conn.execute(sa.select(sa.func.count()).select_from(simulations).where(_unfinished)).scalar_one()
    if waiting >= MOST_WAITING:
        raise Invalid(f"{waiting} simulations are waiting already; let one end, or cancel one.")
    table = rulebook.check_table(current(conn), rules, rulebook.questions(conn))
    if settings is not None:
        rulebook.check_settings(settings)
    moment = now()
    end = moment if until is None else until
    asked = msgspec.json.encode(Asked(end - days * DAY, end, table, settings)).decode()
    row = {"id": number, "actor_id": actor_id, "state": "queued", "asked": asked}
    conn.execute(sa.insert(simulations).values(**row, created_at=moment, changed_at=moment))
    old = sa.select(_s.id).order_by(_s.id.desc()).offset(KEPT)
    conn.execute(sa.delete(simulations).where(_s.id.in_(old), ~_unfinished))
    return number


def latest(conn: Connection) -> list[Any]:
    """The rows of all that are kept, the newest first, without what was found."""
    columns = (column for column in _s if column.name not in ("asked", "result"))
    return list(conn.execute(sa.select(*columns).order_by(_s.id.desc())).all())


def one(conn: Connection, number: int) -> Any | None:
    """The row of a simulation."""
    return conn.execute(sa.select(simulations).where(_s.id == number)).first()


def cancel(conn: Connection, number: int) -> bool:
    """Call it off, unless it has ended; False when there is none."""
    if conn.execute(sa.select(_s.id).where(_s.id == number)).first() is None:
        return False
    conn.execute(_of(number).where(_unfinished).values(state="cancelled", changed_at=now()))
    return True


def asked_of(row: Any) -> Asked:
    """What was asked for."""
    return msgspec.json.decode(row.asked, type=Asked)


def result_of(row: Any) -> Result | None:
    """What was found; None before it is done."""
    return msgspec.json.decode(row.result, type=Result) if row.state == "done" else None


# ── worked off ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _of(number: int) -> sa.Update:
    return sa.update(simulations).where(_s.id == number)


def _next(conn: Connection) -> int | None:
    return conn.execute(sa.select(sa.func.min(_s.id)).where(_unfinished)).scalar()


def _begin(conn: Connection, node: str, number: int) -> str | None:
    """What was asked, when it is ours to compute."""
    if acquire(conn, "simulations", node, LEASE) is None:
        return None
    begun = _of(number).where(_unfinished).values(state="running", done=0, total=0, changed_at=now())
    return conn.execute(begun.returning(_s.asked)).scalar()


def _note(conn: Connection, node: str, number: int, said: Said) -> bool:
    """Write down how far it is. False when it was called off, or another process has taken over."""
    if acquire(conn, "simulations", node, LEASE) is None:
        return False
    noted = _of(number).where(_s.state == lit("running"))
    return bool(conn.execute(noted.values(done=said.done, total=said.total, changed_at=now())).rowcount)


def _end(conn: Connection, number: int, said: Said) -> None:
    values: dict[str, Any] = {"state": "failed", "result": said.failed}
    if said.result is not None:
        found = msgspec.json.encode(said.result).decode()
        values = {"state": "done", "result": found, "done": said.done, "total": said.total}
    conn.execute(_of(number).where(_s.state == lit("running")).values(changed_at=now(), **values))


class Simulations:
    """The loop that computes what was asked for, in whichever process holds the lease."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def run(self) -> None:
        """Work for ever."""
        backoff = Backoff(most=5)
        while True:
            self.hub.tasks.beat("simulations")
            try:
                if not await self._one():
                    await asyncio.sleep(TELL)
                backoff.reset()
            except Unavailable:
                await backoff.wait()

    async def _one(self) -> bool:
        """Compute the next one; False when there is none for us."""
        number = await self.hub.db.read(_next)
        if number is None:
            return False
        asked = await self.hub.db.write(_begin, self.hub.node, number)
        if asked is None:
            return False
        task = Task(_address(self.hub.db), msgspec.json.decode(asked, type=Asked), BATCH)
        async with _worker() as process:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(task) + b"\n")
            await self._follow(number, process)
        return True

    async def _follow(self, number: int, process: Process) -> None:
        """Listen to the worker until it is done, and write down what it says."""
        assert process.stdout is not None
        said, heard, noted = Said(), time.monotonic(), 0.0
        line = asyncio.ensure_future(process.stdout.readline())
        try:
            while True:
                await asyncio.wait({line}, timeout=TELL)
                self.hub.tasks.beat("simulations")
                if line.done():
                    text, heard = line.result(), time.monotonic()
                    said = msgspec.json.decode(text, type=Said) if text else Said(failed=await _epitaph(process))
                    if said.result is not None or said.failed:
                        await self._finish(number, said)
                        break
                    line = asyncio.ensure_future(process.stdout.readline())
                elif time.monotonic() - heard > SILENCE:
                    await self._finish(number, Said(failed="The computation got stuck."))
                    break
                if time.monotonic() - noted >= TELL:
                    noted = time.monotonic()
                    if not await self.hub.db.write(_note, self.hub.node, number, said):
                        break
        finally:
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)

    async def _finish(self, number: int, said: Said) -> None:
        """Write the end down; a database that is away for a moment is waited for: the work is done."""
        backoff = Backoff(most=5)
        if said.failed:
            log.error("simulation %d: %s", number, said.failed)
        while True:
            try:
                await self.hub.db.write(_end, number, said)
                break
            except Unavailable:
                self.hub.tasks.beat("simulations")
                await backoff.wait()


@asynccontextmanager
async def _worker() -> AsyncIterator[Process]:
    """The process that computes; it has ended afterwards, however we are interrupted."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            sys.executable,
            *PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(),
            limit=MOST_SAID,
        )
    )
    try:
        yield await asyncio.shield(starting)  # interrupted half-way, a process would be nobody's
    finally:
        ending = asyncio.ensure_future(_end_of(starting))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise


async def _end_of(starting: asyncio.Future[Process]) -> None:
    process = await starting
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _epitaph(process: Process) -> str:
    """Why it fell silent: it gets a moment to end by itself, so that its exit code can tell."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_BREATH):
            await process.wait()
    return f"The computation broke off (code {process.returncode})."


def _address(db: Database) -> str:
    """How another process reaches the same database."""
    if isinstance(db, SqliteDatabase):
        return f"sqlite:///{db.path.absolute()}"
    assert isinstance(db, PostgresDatabase)
    return db.url.render_as_string(hide_password=False)


def _environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["PYTHONPATH"] = str(Path(hub.__file__).resolve().parent.parent)
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment
