"""The web chat: thousands of visitors on one process, an agent's answer to their screens, and everybody back after a restart."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench.live import migrated
from bench.process import process, resident
from hub import channels, events, visitors
from hub.database import open_database
from hub.secretbox import SecretBox, load_keys
from hub.tables import messages

#: Milliseconds from the agent's request until the visitor's screen has it, 95 of 100; bytes for a visitor; seconds until all are back.
BAR_P95, BAR_MEMORY, BAR_BACK = 150.0, 40_000, 5.0
#: Visitors who write and are answered; the others only look.
TALKERS = 100
_SAID = re.compile(rb"event: said\ndata: (\{.*\})\n")
_ALL = re.compile(rb"event: all\ndata: (\{.*\})\n")


class Visitor:
    """One widget: connects, remembers when it saw which of our messages, and comes back as the widget's script does."""

    def __init__(self, key: str, token: str) -> None:
        self.key, self.token = key, token
        self.seen: dict[str, float] = {}
        self.back_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.connected = asyncio.Event()

    def start(self, port: int) -> None:
        """Connect, and go on connecting."""
        self._task = asyncio.create_task(self._run(port))

    async def _run(self, port: int) -> None:
        failures = 0
        while True:
            try:
                await self._listen(port)
            except OSError:
                pass
            failures = 0 if self.connected.is_set() else failures + 1
            self.connected.clear()
            await asyncio.sleep(
                min(30 if failures > 12 else 2, 2 ** max(0, failures - 1)) * (0.5 + random.random() * 1.5)
            )  # as widget.js

    async def _listen(self, port: int) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(
            f"GET /w/{self.key}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode()
        )
        rest = b""
        while data := await reader.read(65536):
            rest += data
            *whole, rest = rest.split(b"\n\n")
            for block in whole:
                self._hear(block + b"\n")
        self._writer.close()

    def _hear(self, block: bytes) -> None:
        moment = time.perf_counter()
        if found := _ALL.search(block):
            for message in json.loads(found[1])["messages"]:
                self.seen.setdefault(message["id"], moment)
            self.back_at = time.monotonic()
            self.connected.set()
        elif found := _SAID.search(block):
            self.seen.setdefault(json.loads(found[1])["id"], moment)

    async def close(self) -> None:
        """Hang up for good."""
        if self._task is not None:
            self._task.cancel()
        if self._writer is not None:
            self._writer.close()


async def _prepare(url: str, folder: str, count: int) -> tuple[str, list[str]]:
    """A chat in a migrated database; its key and so many visitors' tokens."""
    await migrated(url)
    box = SecretBox(load_keys(Path(os.environ.get("HUB_SECRET_KEY_FILE") or Path(folder) / "secret.key")))

    def make(conn: Connection) -> str:
        row = channels.add(conn, box, "webchat", "Chat", {})
        events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])
        return row.config.key

    db = open_database(url)
    try:
        key = await db.write(make)
    finally:
        await db.close()
    return key, [visitors.new_token(box, key) for _ in range(count)]


async def _talk(
    http: aiohttp.ClientSession, facts: dict[str, Any], url: str, everybody: list[Visitor]
) -> dict[str, str]:
    """The first visitors write; by visitor the number of their conversation."""
    base = f"http://127.0.0.1:{facts['port']}"
    for visitor in everybody[:TALKERS]:
        body = {"messages": [{"id": "1", "text": "Hello"}]}
        headers = {"Authorization": f"Bearer {visitor.token}"}
        async with http.post(f"{base}/w/{visitor.key}/messages", json=body, headers=headers) as answer:
            answer.raise_for_status()
    deadline = time.monotonic() + 30
    while any(not v.seen for v in everybody[:TALKERS]) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    db = open_database(url)
    try:
        rows = await db.read(lambda c: c.execute(sa.select(messages.c.sender, messages.c.conversation_id)).all())
    finally:
        await db.close()
    return {row[0].partition(":")[2]: str(row[1]) for row in rows if row[0]}


async def _answer(
    http: aiohttp.ClientSession, facts: dict[str, Any], who: list[tuple[Visitor, str]], count: int
) -> list[tuple[Visitor, str, float]]:
    """The agent answers; whom, which message, and when it was asked for."""
    said = []
    headers = {"Authorization": f"Bearer {facts['token']}"}
    for n in range(count):
        visitor, home = who[n % len(who)]
        url = f"http://127.0.0.1:{facts['port']}/api/v1/conversations/{home}/messages"
        began = time.perf_counter()
        async with http.post(url, json={"text": f"Answer {n}"}, headers=headers) as answer:
            answer.raise_for_status()
            said.append((visitor, str((await answer.json())["id"]), began))
        await asyncio.sleep(0.02)
    return said


async def _arrived(said: list[tuple[Visitor, str, float]], seconds: float = 15) -> list[float]:
    """Milliseconds until each answer was on its visitor's screen; what never came is left out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(number not in v.seen for v, number, _ in said):
        await asyncio.sleep(0.02)
    return sorted((v.seen[number] - began) * 1000 for v, number, began in said if number in v.seen)


def _slow(port: int, visitor: Visitor) -> socket.socket:
    """A reader who never reads, with a small buffer."""
    plug = socket.socket()
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plug.connect(("127.0.0.1", port))
    plug.sendall(
        f"GET /w/{visitor.key}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {visitor.token}\r\n\r\n".encode()
    )
    return plug


async def _measure(
    facts: dict[str, Any], url: str, key: str, tokens: list[str], count: int
) -> tuple[dict[str, Any], list[Visitor], list[tuple[Visitor, str]]]:
    everybody = [Visitor(key, token) for token in tokens]
    before = resident(facts["pid"])
    for first in range(0, len(everybody), 100):
        for visitor in everybody[first : first + 100]:
            visitor.start(facts["port"])
        await asyncio.gather(*(v.connected.wait() for v in everybody[first : first + 100]))
    found: dict[str, Any] = {"visitors": len(everybody)}
    found["bytes_per_visitor"] = (resident(facts["pid"]) - before) // len(everybody)
    async with aiohttp.ClientSession() as http:
        homes = await _talk(http, facts, url, everybody)
        who = [(v, homes[v.token.partition(".")[0]]) for v in everybody[:TALKERS] if v.token.partition(".")[0] in homes]
        took = await _arrived(await _answer(http, facts, who, count))
        plugs = [_slow(facts["port"], who[0][0]) for _ in range(4)]
        beside = await _arrived(await _answer(http, facts, who, count))
        for plug in plugs:
            plug.close()
    found |= {
        "answer_p50_ms": round(took[len(took) // 2], 1),
        "answer_p95_ms": round(took[int(len(took) * 0.95)], 1),
        "beside_slow_p95_ms": round(beside[int(len(beside) * 0.95)], 1),
        "missing": 2 * count - len(took) - len(beside),
    }
    return found, everybody, who


async def _restart(
    stack: ExitStack, env: dict[str, str], child: Any, facts: dict[str, Any], everybody: list[Visitor], who: Any
) -> dict[str, Any]:
    """Kill the process with answers on their way, start it again; when all are back and whether anything was missed."""
    async with aiohttp.ClientSession() as http:
        said = await _answer(http, facts, who, 20)
    child.kill()
    await asyncio.to_thread(child.wait)
    began = time.monotonic()
    env = env | {"HUB_LISTEN": f"127.0.0.1:{facts['port']}"}
    started = await asyncio.to_thread(lambda: stack.enter_context(process("bench.serve", env=env))[1])
    up = time.monotonic()
    assert json.loads(started)["port"] == facts["port"]
    while any(v.back_at < began for v in everybody) and time.monotonic() < up + 60:
        await asyncio.sleep(0.02)
    back = sum(v.back_at >= began for v in everybody)
    missed = len(said) - len(await _arrived(said, 20))
    last = max(v.back_at for v in everybody)
    return {"back": back, "all_back_s": round(last - up, 2), "down_s": round(up - began, 2), "missed": missed}


def run(database: str, quick: bool) -> dict[str, Any]:
    """The figures beside their bars."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = min(300 if quick else 2000, most - 200)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = database or f"sqlite:///{Path(folder) / 'hub.db'}"
        env = {"HUB_DATA": folder, "HUB_DATABASE": url, "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "error"}

        async def work() -> dict[str, Any]:
            key, tokens = await _prepare(url, folder, count)
            child, line = stack.enter_context(process("bench.serve", env=env))
            facts = json.loads(line)
            found, everybody, who = await _measure(facts, url, key, tokens, 50 if quick else 300)
            found |= await _restart(stack, env, child, facts, everybody, who)
            for visitor in everybody:
                await visitor.close()
            return found

        figures = asyncio.run(work())
    figures["kept"] = (
        figures["answer_p95_ms"] <= BAR_P95
        and figures["beside_slow_p95_ms"] <= BAR_P95
        and figures["bytes_per_visitor"] <= BAR_MEMORY
        and figures["all_back_s"] <= BAR_BACK
        and figures["back"] == figures["visitors"]
        and not figures["missing"]
        and not figures["missed"]
    )
    return figures
