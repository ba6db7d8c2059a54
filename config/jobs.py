"""The routine of the house: what the scheduler does, how often, in one process at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy.engine import Connection

from hub import (
    absences,
    accounts,
    actions,
    claims,
    collaboration,
    continuity,
    drafts,
    failures,
    holds,
    modes,
    once,
    overdue,
    planning,
    plans,
    privacy,
    receipts,
    uploads,
)
from hub.core import Hub
from hub.scheduler import Job


async def _ring(hub: Hub) -> None:
    await overdue.ring(hub)


async def _unread(hub: Hub) -> None:
    await continuity.turn(hub)


async def _prune(hub: Hub) -> None:
    await hub.db.write(accounts.prune)


async def _forget(hub: Hub) -> None:
    for work in (
        once.prune,
        receipts.prune,
        drafts.prune,
        modes.prune,
        holds.prune,
        plans.prune,
        actions.prune,
        uploads.prune_uploads,
    ):
        await hub.db.write(work)


async def _sweep(hub: Hub) -> None:
    await privacy.sweep_blobs(hub)


def _telling(work: Callable[[Connection], int]) -> Callable[[Hub], Awaitable[None]]:
    """A job that does the work and wakes whoever is looking when it did something."""

    async def run(hub: Hub) -> None:
        if await hub.db.write(work):
            hub.bus.publish()

    return run


JOBS = [
    Job("wake", 5, _telling(collaboration.wake_snoozed)),
    Job("failures", 1, _telling(failures.reopen)),
    Job("absences", 5, _telling(absences.turn)),
    Job("silent", 30, _telling(absences.silent)),
    Job("plans", 1, planning.turn),
    Job("offers", 1, _telling(claims.expire)),
    Job("queues", 2, _telling(claims.serve)),
    Job("ring", 5, _ring),
    Job("unread chats", 10, _unread),
    Job("prune", 600, _prune),
    Job("forget", 3600, _forget),
    Job("blobs", 86_400, _sweep),
]
