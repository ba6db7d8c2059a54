"""Work that only one process may do: leases with fencing numbers, and the clock that runs routine jobs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.core import Hub
from hub.database import is_passing
from hub.failpoints import hit
from hub.sql import db_now
from hub.tables import leases

log = logging.getLogger(__name__)


class Lease(Struct, frozen=True):
    """The right to do ``name`` alone. ``fence`` grows with every new holder: a late writer is recognised by it."""

    name: str
    fence: int


_take = sa.text(
    "INSERT INTO leases (name, owner, fence, expires_at) VALUES (:name, :owner, 1, :until)"
    " ON CONFLICT (name) DO UPDATE SET owner = :owner, expires_at = :until,"
    " fence = CASE WHEN leases.owner = :owner THEN leases.fence ELSE leases.fence + 1 END"
    " WHERE leases.owner = :owner OR leases.expires_at < :now RETURNING fence"
)


def acquire(conn: Connection, name: str, owner: str, seconds: float) -> Lease | None:
    """Take or renew the lease; None while somebody else holds it. Time is the database's."""
    moment = conn.execute(sa.select(db_now())).scalar_one()
    fence = conn.execute(
        _take, {"name": name, "owner": owner, "now": moment, "until": moment + int(seconds * 1000)}
    ).scalar()
    return Lease(name, fence) if fence is not None else None


def holds(conn: Connection, lease: Lease) -> bool:
    """Is this still the newest holder? In the writer's own transaction; an expired lease nobody took is still held."""
    return conn.execute(sa.select(leases.c.fence).where(leases.c.name == lease.name)).scalar() == lease.fence


def release(conn: Connection, owner: str) -> None:
    """Give back everything this process holds."""
    conn.execute(sa.update(leases).where(leases.c.owner == owner).values(expires_at=0))


class Job(Struct, frozen=True):
    """Something to do every ``every`` seconds in one process only."""

    name: str
    every: float
    run: Callable[[Hub], Awaitable[None]]


async def run_jobs(hub: Hub, jobs: list[Job]) -> None:
    """Run the jobs for ever, in whichever process holds the lease. A failing job is logged and tried at its next turn."""
    due = {job.name: 0.0 for job in jobs}
    while True:
        hub.tasks.beat("scheduler")
        await asyncio.sleep(1)
        try:
            if await hub.db.write(acquire, "scheduler", hub.node, 15) is None:
                continue
        except Exception as error:
            if not is_passing(error):
                raise
            continue
        for job in jobs:
            if time.monotonic() >= due[job.name]:
                due[job.name] = time.monotonic() + job.every
                await _run(hub, job)


async def _run(hub: Hub, job: Job) -> None:
    try:
        hit("scheduler.before_run")
        async with asyncio.timeout(30):
            await job.run(hub)
    except Exception as error:
        log.log(
            logging.WARNING if is_passing(error) else logging.ERROR,
            "job %s: %s",
            job.name,
            error,
            exc_info=not is_passing(error),
        )
