"""Reads the spine as it grows and hands every event, once and in order, to whoever in this process listens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from hub import events
from hub.core import Hub
from hub.database import is_passing
from hub.events import Event
from hub.failpoints import hit
from hub.tasks import Backoff

log = logging.getLogger(__name__)

#: Without any hint the database is asked this often (seconds): the safety net under Redis and the command line.
EVERY = 1.0
#: Events of one look.
MOST = 500

Reader = Callable[[Sequence[Event]], None]


class Feed:
    """One per process. Readers are called on the event loop and must not block."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.last = 0
        self._readers: list[Reader] = []
        self._hint = asyncio.Event()
        hub.bus.listen(self._hint.set)

    def subscribe(self, reader: Reader) -> None:
        """Call ``reader`` with every list of new events from now on."""
        self._readers.append(reader)

    async def start(self) -> None:
        """Begin at the newest event: what was before is for those who ask for it."""
        self.last = await self.hub.db.read(events.latest)

    async def run(self) -> None:
        """Look whenever there is a hint, and every `EVERY` seconds."""
        backoff = Backoff(most=EVERY)
        while True:
            self.hub.tasks.beat("feed")
            self._hint.clear()
            try:
                found = await self.hub.db.read(events.after, self.last, MOST)
                if found:
                    self._tell(found)
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                await backoff.wait()
                continue
            if len(found) < MOST:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(EVERY):
                await self._hint.wait()
        except TimeoutError:
            pass

    def _tell(self, found: Sequence[Event]) -> None:
        hit("feed.before_publish")
        self.last = found[-1].id
        for reader in self._readers:
            try:
                reader(found)
            except Exception:
                log.exception("a reader of the feed stumbled")
