"""The loop that works off what somebody did to very many conversations, in whichever process holds the lease."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.engine import Connection

from hub import actions
from hub.core import Hub
from hub.database import is_passing
from hub.scheduler import acquire
from hub.tasks import Backoff

log = logging.getLogger(__name__)

#: How often it is looked for work (seconds), and how long another process waits before it takes over.
LOOK, LEASE = 0.5, 15


def _turn(conn: Connection, node: str, number: int) -> bool | None:
    """One batch, when this process may; None when another one does it."""
    if acquire(conn, "actions", node, LEASE) is None:
        return None
    return actions.advance(conn, number)


class Jobs:
    """Works off what was asked for, the oldest first."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    async def run(self) -> None:
        """Work for ever."""
        backoff = Backoff(most=5)
        while True:
            self.hub.tasks.beat("jobs")
            try:
                if not await self._one():
                    await asyncio.sleep(LOOK)
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                await backoff.wait()

    async def _one(self) -> bool:
        """A batch of the next action; False when there is none for us."""
        number = await self.hub.db.read(actions.waiting)
        if number is None:
            return False
        try:
            going_on = await self.hub.db.write(_turn, self.hub.node, number)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("action %d cannot be done", number)
            await self.hub.db.write(actions.finish, number, "failed")
            going_on = False
        if going_on is None:
            return False
        self.hub.bus.publish()
        return True
