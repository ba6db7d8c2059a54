"""Channels that fetch for themselves (IMAP): one process each, under a lease; restarted with patience when they fall over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy.engine import Connection

from hub import channels, events, journal
from hub.adapter import LeaseLost, Pull
from hub.channels import Ready
from hub.core import Hub
from hub.database import is_passing
from hub.events import NewEvent
from hub.ingest import Ingest
from hub.messages import Envelope, Refused, TryLater
from hub.scheduler import Lease, acquire

log = logging.getLogger(__name__)

#: A lease lasts so long without renewal (seconds); it is renewed every third of it.
LEASE = 15.0


class Pulling:
    """Keeps one task per pulling channel, following what is configured."""

    def __init__(self, hub: Hub, ingest: Ingest) -> None:
        self.hub, self.ingest = hub, ingest
        self._tasks: dict[int, tuple[Ready, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Start what is configured and not running, stop what is not configured any more."""
        try:
            while True:
                self.hub.tasks.beat("pulling")
                wanted = {r.id: r for r in self.hub.channels.by_id.values() if r.adapter.pulls}
                for number, (ready, task) in list(self._tasks.items()):
                    if wanted.get(number) is None or wanted[number].adapter is not ready.adapter or task.done():
                        await self._stop(number)
                for number, ready in wanted.items():
                    if number not in self._tasks:
                        self._tasks[number] = (ready, asyncio.create_task(self._keep_pulling(ready)))
                await asyncio.sleep(1)
        finally:
            for number in list(self._tasks):
                await self._stop(number)

    async def _stop(self, number: int) -> None:
        _, task = self._tasks.pop(number)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _keep_pulling(self, ready: Ready) -> None:
        delay = 1.0
        while True:
            try:
                lease = await self.hub.db.write(acquire, f"pull:{ready.id}", self.hub.node, LEASE)
                if lease is not None:
                    await self._pull_once(ready, lease)
                    delay = 1.0
            except (LeaseLost, asyncio.CancelledError):
                raise
            except Exception as error:
                await self._trouble(ready, error)
                delay = min(60.0, delay * 2)
            await asyncio.sleep(delay)

    async def _pull_once(self, ready: Ready, lease: Lease) -> None:
        cursor = await self.hub.db.read(journal.read_cursor, ready.id)

        async def keep(envelopes: list[Envelope], cursor: Mapping[str, str]) -> None:
            await self.ingest.keep_all(envelopes, (), cursor, lease)

        async def state(words: str) -> None:
            await self.set_trouble(ready.id, words)

        pulling = asyncio.create_task(ready.adapter.pull(Pull(cursor, keep, state)))
        try:
            while not pulling.done():
                await asyncio.wait([pulling], timeout=LEASE / 3)
                if await self.hub.db.write(acquire, lease.name, self.hub.node, LEASE) != lease:
                    raise LeaseLost(lease.name)
            await pulling
        finally:
            pulling.cancel()
            await asyncio.gather(pulling, return_exceptions=True)

    async def _trouble(self, ready: Ready, error: Exception) -> None:
        words = error.reason if isinstance(error, Refused | TryLater) else f"{type(error).__name__}: {error}"
        log.warning("channel %s (%s): %s", ready.id, ready.config.name, words)
        try:
            await self.set_trouble(ready.id, words)
        except Exception as again:
            if not is_passing(again):
                raise

    async def set_trouble(self, channel_id: int, words: str) -> None:
        """Show how the channel is; empty words: well again."""
        if await self.hub.db.write(_set_trouble, channel_id, words[:500]):
            self.hub.bus.publish()


def _set_trouble(conn: Connection, channel_id: int, words: str) -> bool:
    changed = channels.set_trouble(conn, channel_id, words)
    if changed:
        kind = "channel.trouble" if words else "channel.recovered"
        events.append(conn, [NewEvent(kind, channel_id=channel_id, data={"words": words} if words else {})])
    return changed
