"""The way out: how fast queued replies leave for a provider that answers at once, beside a bare client that posts them."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from sqlalchemy.engine import Connection

from adapters.api import sign
from bench.process import process
from bench.serve import SECRET, add_channel, add_token
from config.app import open_hub
from config.settings import load
from hub import accounts, identity, outbox
from hub.access import Actor
from hub.core import Hub
from hub.messages import Party
from hub.migrations import upgrade
from hub.outbox import Draft

#: Messages per second.
BAR = 300.0
TEXT = "Guten Tag, der Techniker kommt am Donnerstag zwischen acht und zehn Uhr. Mit freundlichen Grüßen " * 2


class Provider:
    """Takes every message at once and remembers in which order they came."""

    def __init__(self) -> None:
        self.came: list[tuple[str, int, str]] = []
        self.times: list[float] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def take(self, request: web.Request) -> web.Response:
        """One message; the answer names it."""
        body = await request.json()
        self.came.append((body["conversation"], int(body["id"]), request.headers["Idempotency-Key"]))
        self.times.append(time.perf_counter())
        return web.json_response({"id": f"p{len(self.came)}"})

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/take", self.take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    def rate(self) -> float:
        """Messages per second between the first and the last."""
        return (len(self.times) - 1) / max(0.001, self.times[-1] - self.times[0])

    def out_of_order(self) -> int:
        """Messages that came after a later one of the same conversation."""
        last: dict[str, int] = {}
        wrong = 0
        for conversation, number, _ in self.came:
            wrong += number <= last.get(conversation, 0)
            last[conversation] = max(number, last.get(conversation, 0))
        return wrong

    def twice(self) -> int:
        """Messages that came more than once."""
        return len(self.came) - len({number for _, number, _ in self.came})


async def queue(env: dict[str, str], url: str, replies: int, homes: int) -> None:
    """Queue the replies while no worker runs."""
    hub = open_hub(load(None, {**os.environ, **env}))
    try:
        await upgrade(hub.db)
        await hub.db.write(add_channel, hub, url)
        await hub.db.write(add_token)
        await hub.load_channels()
        numbers = await hub.db.write(_start, hub, homes)
        for first in range(0, replies, 200):
            await hub.db.write(_reply, hub, numbers, range(first, min(first + 200, replies)))
    finally:
        await hub.db.close()
        await hub.sandbox.close()


def _actor(conn: Connection) -> Actor:
    found = accounts.by_email(conn, "bench@example.org")
    assert found is not None
    return Actor(found.id, found.name, found.email, "admin")


def _start(conn: Connection, hub: Hub, homes: int) -> list[int]:
    channel = next(r.id for r in hub.channels.by_id.values() if r.config.name == "bench")
    numbers = []
    for n in range(homes):
        party = Party(f"api:receiver-{n}", f"Receiver {n}")
        identity.resolve(conn, [party])
        draft = Draft(TEXT, f"start-{n}", via=channel, to=(party,))
        numbers.append(outbox.start(conn, _actor(conn), hub.channels, 0, draft)[0])
    return numbers


def _reply(conn: Connection, hub: Hub, numbers: list[int], which: range) -> None:
    who = _actor(conn)
    for n in which:
        draft = Draft(f"{TEXT}{n}", f"reply-{n}", to=(Party(f"api:receiver-{n % len(numbers)}"),))
        outbox.reply(conn, who, hub.channels, 0, numbers[n % len(numbers)], draft)


async def bare(provider: Provider, count: int, at_once: int = 64) -> float:
    """The same posts by a plain client: as many per second as client and provider together allow."""
    turn = iter(range(count))
    url = f"http://127.0.0.1:{provider.port}/take"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def one() -> None:
            for n in turn:
                body = json.dumps({"conversation": str(n % 50), "id": str(n), "text": TEXT}).encode()
                headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(SECRET, body)}
                async with session.post(url, data=body, headers={**headers, "Idempotency-Key": str(n)}) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(at_once)))
        return count / (time.perf_counter() - began)


async def _run(database: str, replies: int, homes: int) -> dict[str, Any]:
    stand_in = Provider()
    await stand_in.start()
    base = await bare(stand_in, replies)
    await stand_in.stop()
    provider = Provider()
    await provider.start()
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{provider.port}/take"
        env = {
            "HUB_DATA": folder,
            "HUB_DATABASE": database or f"sqlite:///{Path(folder) / 'hub.db'}",
            "HUB_LISTEN": "127.0.0.1:0",
            "HUB_LOG_LEVEL": "warning",
        }
        await queue(env, url, replies, homes)
        wanted = replies + homes
        with process("bench.serve", env={**env, "HUB_BENCH_URL": url}):
            deadline = time.monotonic() + 30 + wanted / 50
            while len(provider.came) < wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            await asyncio.sleep(1.5)  # time enough for a copy too many to show itself
    await provider.stop()
    rate = provider.rate()
    return {
        "queued": wanted,
        "conversations": homes,
        "sent": len(provider.came),
        "rate": round(rate, 1),
        "bar_rate": BAR,
        "bare_rate": round(base, 1),
        "share_of_bare": round(rate / base, 3),
        "out_of_order": provider.out_of_order(),
        "twice": provider.twice(),
        "kept": rate >= BAR and len(provider.came) == wanted and not provider.out_of_order() and not provider.twice(),
    }


def run(database: str, quick: bool) -> dict[str, Any]:
    """The figures."""
    return asyncio.run(_run(database, 500 if quick else 3000, 50 if quick else 200))
