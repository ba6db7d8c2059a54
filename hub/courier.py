"""Carries Web Push to the push services, in one process at a time, for ever, whatever becomes of them."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from hub import pushing, webpush
from hub.clock import now
from hub.core import Hub
from hub.database import is_passing
from hub.pushing import Push
from hub.scheduler import acquire
from hub.tasks import Backoff

log = logging.getLogger(__name__)

#: Seconds between two turns, and that a push service may take.
EVERY, PATIENCE = 1.0, 10.0
#: Seconds for which a service keeps what a device cannot get now.
KEPT = 3600
#: Answers that say: never again to this device; not this message; later.
GONE, REFUSED = (404, 410), (400, 401, 403, 413)


class Courier:
    """One per process; the one that holds the lease works. ``anywhere``: services on private addresses too, for tests."""

    def __init__(self, hub: Hub, *, anywhere: bool = False) -> None:
        self.hub, self.anywhere = hub, anywhere

    async def run(self) -> None:
        """The loop. A service that is down costs nobody anything but a later turn."""
        backoff = Backoff(most=10.0)
        key = ""
        async with aiohttp.ClientSession(connector=self._connector(), timeout=aiohttp.ClientTimeout(PATIENCE)) as http:
            while True:
                self.hub.tasks.beat("push")
                try:
                    key = key or await self.hub.db.write(pushing.key, self.hub.box)
                    await asyncio.sleep(EVERY)
                    await self._turn(http, key)
                    backoff.reset()
                except Exception as error:
                    if not is_passing(error):
                        raise
                    await backoff.wait()

    async def _turn(self, http: aiohttp.ClientSession, key: str) -> None:
        db = self.hub.db
        if await db.read(pushing.idle) or await db.write(acquire, "push", self.hub.node, 30) is None:
            return
        await db.write(pushing.collect)
        waiting = await db.write(pushing.due)
        if not waiting:
            return
        answers = await asyncio.gather(*(self._send(http, key, push) for push in waiting))
        done, gone, later = [], [], []
        for push, (status, asked) in zip(waiting, answers, strict=True):
            if status in GONE:
                gone.append(push)
            elif 200 <= status < 300 or status in REFUSED:
                done.append(push)
            else:
                later.append((push, asked))
        await db.write(pushing.settle, done, gone, later)

    async def _send(self, http: aiohttp.ClientSession, key: str, push: Push) -> tuple[int, float]:
        """(status, seconds to wait); status 0: the service could not be reached."""
        moment = now() // 1000
        headers = {
            "Authorization": webpush.statement(key, push.to.endpoint, self._contact(), moment),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT),
            "Urgency": "high",
        }
        body = webpush.sealed(push.payload.encode(), push.to)
        try:
            async with asyncio.timeout(PATIENCE + 1):
                async with http.post(push.to.endpoint, data=body, headers=headers, allow_redirects=False) as answer:
                    status, asked = answer.status, answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("push: %s cannot be reached: %s", urlsplit(push.to.endpoint).hostname, error)
            return 0, 0.0
        if status in REFUSED:
            log.warning("push: %s refuses a message (%s)", urlsplit(push.to.endpoint).hostname, status)
        return status, float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 0.0

    def _contact(self) -> str:
        url = self.hub.options.public_url
        return url if url.startswith("https://") else f"mailto:postmaster@{urlsplit(url).hostname or 'localhost'}"

    def _connector(self) -> aiohttp.TCPConnector:
        """Looks at the address that is really connected to: a name may lead anywhere, and elsewhere the second time."""

        def opened(info: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, address = info
            if not self.anywhere and not webpush.is_public(address[0]):
                raise OSError(f"{address[0]} is no public address")
            return socket.socket(family=family, type=kind, proto=protocol)

        # not aiodns, which begins a thread at once: a hub that never pushes needs none
        return aiohttp.TCPConnector(
            socket_factory=opened, limit=20, force_close=True, resolver=aiohttp.ThreadedResolver()
        )
