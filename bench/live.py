"""Live updates: from a note to the screens of those who look, in one process and over Redis; what open streams cost."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import resource
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy.engine import Connection

from bench.process import process, resident
from hub import accounts
from hub.database import open_database
from hub.migrations import upgrade

#: Milliseconds from the answer to the one who wrote until the screens know, half of them and 99 of 100.
BAR_P50, BAR_P99, BAR_MEMORY, BAR_IDLE = 50.0, 250.0, 40_000, 120_000_000
_ID = re.compile(rb'"message":"(\d+)"')


class Screen:
    """One open stream that remembers when it heard of which message."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, port: int, session: str, *, listen: bool = True) -> None:
        """Connect and wait for the first bytes; one that does not listen lets the rest pile up in small buffers."""
        self.plug = plug = socket.socket()
        if not listen:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
        reader, self._writer = await asyncio.open_connection(sock=plug, limit=1024 if not listen else 65536)
        self._writer.write(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sid=%b\r\n\r\n" % session.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(head.decode("latin-1"))
        self.reader = reader
        if listen:
            self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while data := await self.reader.read(65536):
            moment = time.perf_counter()
            for found in _ID.findall(data):
                self.heard.setdefault(found.decode(), moment)

    def is_cut_off(self) -> bool:
        """Has the server let go of the connection? Asked of the kernel, for what is sent but not read hides it from this end."""
        here, there = self.plug.getsockname()[1], self.plug.getpeername()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, state = line.split()[:4]
            if int(local.rpartition(":")[2], 16) == there and int(remote.rpartition(":")[2], 16) == here:
                return state != "01"  # established
        return True

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()


async def sessions(url: str, count: int) -> list[str]:
    """Sessions of the bench's administrator."""

    def make(conn: Connection) -> list[str]:
        found = accounts.by_email(conn, "bench@example.org")
        assert found is not None
        return [accounts.open_session(conn, found.id, "bench") for _ in range(count)]

    db = open_database(url)
    try:
        return await db.write(make)
    finally:
        await db.close()


async def migrated(url: str) -> None:
    """Bring the database to the current schema."""
    db = open_database(url)
    try:
        await upgrade(db)
    finally:
        await db.close()


async def message(http: aiohttp.ClientSession, facts: dict[str, Any], name: str, count: int = 1) -> None:
    """Customers write."""
    body = {
        "messages": [
            {"id": f"{name}-{n}", "from": {"address": f"{name}-{n % 50}"}, "text": "Hallo"} for n in range(count)
        ]
    }
    data = json.dumps(body).encode()
    headers = {"X-Hub-Signature-256": "sha256=" + hmac.digest(b"bench", data, hashlib.sha256).hex()}
    url = f"http://127.0.0.1:{facts['port']}/webhooks/api/{facts['key']}"
    async with http.post(url, data=data, headers=headers) as answer:
        answer.raise_for_status()


async def conversation(http: aiohttp.ClientSession, facts: dict[str, Any]) -> str:
    """The number of some conversation."""
    await message(http, facts, "first")
    headers = {"Authorization": f"Bearer {facts['token']}"}
    for _ in range(200):
        async with http.get(f"http://127.0.0.1:{facts['port']}/api/v1/conversations", headers=headers) as answer:
            items = (await answer.json())["items"]
        if items:
            return str(items[0]["id"])
        await asyncio.sleep(0.05)
    raise RuntimeError("no conversation")


async def notes(
    http: aiohttp.ClientSession, facts: dict[str, Any], home: str, count: int
) -> dict[str, tuple[float, float]]:
    """Write notes; by message when each was sent and when its answer, after the commit, was there."""
    url = f"http://127.0.0.1:{facts['port']}/api/v1/conversations/{home}/notes"
    said = {}
    for n in range(count):
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {facts['token']}"}
        async with http.post(url, json={"text": f"Note {n}"}, headers=headers) as answer:
            number = str((await answer.json())["id"])
        said[number] = began, time.perf_counter()
        await asyncio.sleep(0.02)
    return said


def quantiles(screens: list[Screen], said: dict[str, tuple[float, float]], prefix: str) -> dict[str, float]:
    """From the request until each screen heard, and from the answer (what is before counts as nothing)."""
    whole = sorted((s.heard[n] - began) * 1000 for n, (began, _) in said.items() for s in screens if n in s.heard)
    rest = sorted(max(0.0, s.heard[n] - done) * 1000 for n, (_, done) in said.items() for s in screens if n in s.heard)
    missing = len(said) * len(screens) - len(whole)
    return {
        f"{prefix}_p50_ms": round(rest[len(rest) // 2], 2),
        f"{prefix}_p99_ms": round(rest[int(len(rest) * 0.99)], 2),
        f"{prefix}_with_request_p50_ms": round(whole[len(whole) // 2], 2),
        f"{prefix}_with_request_p99_ms": round(whole[int(len(whole) * 0.99)], 2),
        f"{prefix}_missing": missing,
    }


async def told(
    http: aiohttp.ClientSession, facts: dict[str, Any], screens: list[Screen], count: int, prefix: str
) -> dict[str, float]:
    """Write notes and see when the screens hear of them."""
    said = await notes(http, facts, await conversation(http, facts), count)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(n not in s.heard for n in said for s in screens):
        await asyncio.sleep(0.05)
    return quantiles(screens, said, prefix)


async def _one_process(facts: dict[str, Any], url: str, connections: int, count: int, slow: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"idle_rss_mb": round(resident(facts["pid"]) / 1e6, 1)}
    keys = await sessions(url, 8)
    async with aiohttp.ClientSession() as http:
        few = [Screen() for _ in range(20)]
        for n, screen in enumerate(few):
            await screen.open(facts["port"], keys[n % 8])
        found |= await told(http, facts, few, count, "live")
        if slow:
            found |= await _slow_reader(http, facts, keys, few, count)
        before = resident(facts["pid"])
        many = [Screen() for _ in range(connections)]
        for first in range(0, connections, 100):
            await asyncio.gather(*(s.open(facts["port"], keys[0]) for s in many[first : first + 100]))
        found["connections"] = connections
        found["bytes_per_connection"] = (resident(facts["pid"]) - before) // connections
        found |= await told(http, facts, many, 10, "all")
        for screen in few + many:
            await screen.close()
    return found


async def _slow_reader(
    http: aiohttp.ClientSession, facts: dict[str, Any], keys: list[str], others: list[Screen], count: int
) -> dict[str, Any]:
    """One does not read while much happens: it is cut off, and the others notice nothing."""
    slow = Screen()
    await slow.open(facts["port"], keys[0], listen=False)
    rss = resident(facts["pid"])
    burst = asyncio.create_task(_burst(http, facts, slow))
    during = await told(http, facts, others, count, "beside_slow")
    took = await burst
    extra = round((resident(facts["pid"]) - rss) / 1e6, 1)
    cut = slow.is_cut_off()
    await slow.close()
    return {**during, "slow_was_cut_off": cut, "slow_lived_s": round(took, 1), "slow_extra_rss_mb": extra}


async def _burst(http: aiohttp.ClientSession, facts: dict[str, Any], slow: Screen) -> float:
    """Customers write until the slow one is cut off (at most a minute): the kernel alone keeps some megabytes for it."""
    began = time.monotonic()
    posts = 0
    while not slow.is_cut_off() and time.monotonic() - began < 60:
        await message(http, facts, f"burst{posts}", 200)
        posts += 1
    return time.monotonic() - began


async def _two_processes(here: dict[str, Any], there: dict[str, Any], url: str, count: int) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http:
        screens = [Screen() for _ in range(20)]
        for key, screen in zip(await sessions(url, 20), screens, strict=True):
            await screen.open(there["port"], key)
        found = await told(http, here, screens, count, "redis")
        for screen in screens:
            await screen.close()
    return found


def run(database: str, quick: bool, redis: str = "") -> dict[str, Any]:
    """The figures; with ``redis`` (and PostgreSQL) also those over two processes."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    connections = min(1000 if quick else 9000, most - 200)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = database or f"sqlite:///{Path(folder) / 'hub.db'}"
        env = {"HUB_DATA": folder, "HUB_DATABASE": url, "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "warning"}
        env |= {"HUB_REDIS": redis} if redis else {}
        asyncio.run(migrated(url))  # beforehand: the tool for it stays in the memory of the process that used it
        facts = json.loads(stack.enter_context(process("bench.serve", env=env))[1])
        figures: dict[str, Any] = {}
        if redis:
            other = json.loads(stack.enter_context(process("bench.serve", env=env))[1])
            figures = asyncio.run(_two_processes(facts, other, url, 30 if quick else 200))
        figures |= asyncio.run(_one_process(facts, url, connections, 30 if quick else 200, not quick))
    figures["kept"] = (
        figures["live_p50_ms"] <= BAR_P50
        and figures["live_p99_ms"] <= BAR_P99
        and not figures["live_missing"]
        and figures.get("redis_p50_ms", 0) <= BAR_P50
        and not figures.get("redis_missing", 0)
        and figures["bytes_per_connection"] <= BAR_MEMORY
        and figures["idle_rss_mb"] * 1e6 <= BAR_IDLE
        and figures.get("slow_was_cut_off", True)
    )
    return figures
