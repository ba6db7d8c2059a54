"""The other side of the `api` channel: a small provider with customers, retries, duplicates and bad days.

async with ProviderTwin("secret") as provider:
    provider.targets = [f"http://127.0.0.1:8080/webhooks/api/{key}"]   # the channel's url is provider.url
    await provider.say("customer-1", "Hello")
    …
    assert provider.effects["17"] == 1

It takes the hub's messages like a provider that knows idempotency keys: the same key is one effect. What it tells the hub it
repeats until the hub says 2xx, sometimes twice at once, sometimes too early, sometimes in the wrong order.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct

#: How long one request to the hub may take (seconds); then it counts as lost and is repeated.
PATIENCE = 5.0


class Faults(Struct, frozen=True):
    """How bad the day is: chances from 0 to 1, times in seconds.

    ``unavailable``: 503; ``throttled``: 429 with Retry-After 0 or 1; ``lost_answer``: accepted, then the connection is cut;
    ``slow``: the answer takes up to ``slow_seconds``. ``twice``: a webhook is sent from two connections at once; ``late``: one is
    overtaken by the next. ``early_receipt``: a receipt comes before the answer that names the message; ``receipts``: how many
    messages get receipts at all.
    """

    unavailable: float = 0.05
    throttled: float = 0.03
    lost_answer: float = 0.04
    slow: float = 0.05
    slow_seconds: float = 0.1
    twice: float = 0.10
    late: float = 0.03
    early_receipt: float = 0.3
    receipts: float = 0.5


#: A good day.
NONE = Faults(0, 0, 0, 0, 0, 0, 0, 0, 0)
#: Nothing goes wrong, but every message gets its receipts.
CALM = Faults(0, 0, 0, 0, 0, 0, 0, 0, 1)

_RANK = {"failed": 0, "delivered": 1, "read": 2}


class ProviderTwin:
    """The server and its customers. Counts what the hub did to it; see the attributes."""

    def __init__(self, secret: str, faults: Faults = Faults(), seed: int = 0) -> None:  # noqa: B008 - frozen
        self.secret, self.faults, self.random = secret, faults, random.Random(seed)
        #: where webhooks go: the addresses of the hub's processes
        self.targets: list[str] = []
        #: hub message id and recipient → how often it took effect
        self.effects: Counter[str] = Counter()
        #: conversation → hub message ids in the order in which they took effect first
        self.order: dict[str, list[int]] = {}
        #: the id we gave → the best state that a receipt told and the hub acknowledged
        self.told: dict[str, str] = {}
        #: the id of a customer's message → when it was first sent and when the hub acknowledged it (seconds, monotonic)
        self.first_sent: dict[str, float] = {}
        self.acked: dict[str, float] = {}
        #: seconds from a webhook to its 2xx, statuses of all answers, requests with a wrong signature
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.forged = 0
        self.attempts = 0
        self.retries = 0
        #: called with the ids of customers' messages once they are acknowledged
        self.on_ack: Callable[[list[str]], None] | None = None
        #: what a customer answers to the hub's message (text, conversation, ``path``: where it was posted); None: silence
        self.answer: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        #: while it is not set, customers hold their breath
        self.gate = asyncio.Event()
        self.gate.set()
        self._keys: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._news: list[dict[str, Any]] = []
        self.port = 0

    async def __aenter__(self) -> ProviderTwin:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """What the channel's setting ``url`` must be."""
        return f"http://127.0.0.1:{self.port}/messages"

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback."""
        app = web.Application(client_max_size=100_000_000)
        app.router.add_post("/messages", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False)
        self._spawn(self._tell_for_ever())

    async def stop(self) -> None:
        """End everything, also what still wanted to be told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def duplicates(self) -> int:
        """Messages that took effect more than once, counted per extra time."""
        return sum(n - 1 for n in self.effects.values())

    @property
    def disorder(self) -> int:
        """Messages that overtook an earlier one of their conversation (hub ids are in the order of the agents' sends)."""
        return sum(a > b for line in self.order.values() for a, b in itertools.pairwise(line))

    @property
    def quiet(self) -> bool:
        """Is there nothing left to tell the hub?"""
        return not self._news and len(self._tasks) <= 1

    # ── the hub's messages ────────────────────────────────────────────────────────────────────────────────────────
    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), sign(self.secret, body)):
            self.forged += 1
            return web.json_response({"error": "wrong signature"}, status=403)
        message = json.loads(body)
        if message.get("test"):
            return web.json_response({})
        self.attempts += 1
        dice = self.random.random()
        f = self.faults
        if dice < f.unavailable:
            return web.json_response({"error": "try later"}, status=503)
        if (dice := dice - f.unavailable) < f.throttled:
            wait = str(self.random.randint(0, 1))
            return web.json_response({"error": "too fast"}, status=429, headers={"Retry-After": wait})
        number = self._effect(
            message, request.headers.get("Idempotency-Key") or message.get("idempotency_key", ""), request.path_qs
        )
        await self._before_answer(number)
        if dice - f.throttled < f.lost_answer and request.transport is not None:
            request.transport.abort()
        return web.json_response({"id": number})

    def _effect(self, message: dict[str, Any], key: str, path: str) -> str:
        """One effect per key; the id we give it."""
        if key and key in self._keys:
            return self._keys[key]
        number = f"out-{next(self._numbers)}"
        if key:
            self._keys[key] = number
        name = f"{message['id']}>{message['to']}"
        self.effects[name] += 1
        if self.effects[name] == 1:
            self.order.setdefault(message["conversation"], []).append(int(message["id"]))
            if self.answer is not None:
                self._spawn(self.answer({**message, "path": path}))
        return number

    async def _before_answer(self, number: str) -> None:
        f, dice = self.faults, self.random.random()
        early = self.random.random() < f.early_receipt
        if self.random.random() < f.receipts and number not in self.told:
            self.told[number] = ""
            states = ["read", "delivered"] if self.random.random() < 0.2 else ["delivered", "read"]
            if self.random.random() < 0.4:
                states = ["delivered"]
            if early:
                self._spawn(self._receipts(number, states))
            else:
                self._news += [{"id": number, "state": state} for state in states]
        if early or dice < f.slow:
            await asyncio.sleep(self.random.uniform(0, f.slow_seconds))

    async def _receipts(self, number: str, states: Sequence[str]) -> None:
        for state in states:
            await self.push({"receipts": [{"id": number, "state": state}]})

    async def _tell_for_ever(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            while self._news:
                some, self._news = self._news[:20], self._news[20:]
                if self.random.random() < self.faults.late:
                    self.random.shuffle(some)
                self._spawn(self.push({"receipts": some}))

    # ── webhooks to the hub ───────────────────────────────────────────────────────────────────────────────────────
    async def say(self, customer: str, text: str, number: str = "", **more: Any) -> str:
        """One message of a customer; returns its id when the hub has acknowledged it."""
        number = number or f"in-{next(self._numbers)}"
        await self.push({"messages": [{"id": number, "from": {"address": customer}, "text": text, **more}]})
        return number

    async def push(self, body: dict[str, Any]) -> None:
        """Send a webhook until the hub says 2xx, with backoff; sometimes from two connections at once."""
        raw = json.dumps(body).encode()
        numbers = [m["id"] for m in body.get("messages", ())]
        moment = time.monotonic()
        for number in numbers:
            self.first_sent.setdefault(number, moment)
        if self.random.random() < self.faults.twice and len(self.targets) > 0:
            many = self.random.sample(self.targets, len(self.targets)) * 2
            twins = [self._spawn(self._until_taken(raw, target)) for target in many[:2]]
            await asyncio.wait(twins, return_when=asyncio.FIRST_COMPLETED)
        else:
            await self._until_taken(raw, self.random.choice(self.targets))
        moment = time.monotonic()
        for number in numbers:
            self.acked.setdefault(number, moment)
        for news in body.get("receipts", ()):
            if _RANK[news["state"]] > _RANK.get(self.told.get(news["id"], ""), -1):
                self.told[news["id"]] = news["state"]
        if numbers and self.on_ack is not None:
            self.on_ack(numbers)

    async def _until_taken(self, raw: bytes, target: str) -> None:
        pause = 0.02
        while not 200 <= await self.post(raw, target) < 300:
            self.retries += 1
            await asyncio.sleep(pause * self.random.uniform(0.7, 1.3))
            pause = min(pause * 2, 0.5)
            target = self.random.choice(self.targets)

    async def post(self, raw: bytes, target: str, signature: str = "") -> int:
        """One attempt; the status, 0 for no answer. ``signature``: another one than the right one."""
        assert self._session is not None
        headers = {
            "X-Hub-Signature-256": signature or sign(self.secret, raw),
            "Content-Type": "application/json",
        }
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE), self._session.post(target, data=raw, headers=headers) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
        self.statuses[status] += 1
        if 200 <= status < 300:
            self.latencies.append(time.monotonic() - began)
        return status

    async def customer(self, name: str, stop: asyncio.Event, batch: int = 1, files: float = 0.0) -> None:
        """A customer who writes one message after the other until ``stop``; each waits for the last one's answer.

        ``batch``: up to so many messages in one webhook. ``files``: the chance of an attachment.
        """
        counter = itertools.count(1)
        while not stop.is_set():
            await self.gate.wait()
            said = []
            for number in itertools.islice(counter, self.random.randint(1, batch)):
                message: dict[str, Any] = {"id": f"{name}-{number}", "from": {"address": name}}
                message["text"] = f"{name} says {number}"
                if self.random.random() < files:
                    message["attachments"] = [attachment(f"{name}-{number}")]
                said.append(message)
            if self.random.random() < self.faults.late:
                later = {"messages": [{**said.pop(), "id": f"{name}-late-{next(counter)}"}]}
                self._spawn(self.push(later))
            if said:
                await self.push({"messages": said})
            await asyncio.sleep(0)

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def sign(secret: str, body: bytes) -> str:
    """The signature both sides put on a body."""
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def attachment(seed: str) -> dict[str, str]:
    """A small text file whose bytes nobody else has."""
    import base64

    data = f"File of {seed}\n".encode() * 20
    return {"name": f"{seed}.txt", "type": "text/plain", "content_base64": base64.b64encode(data).decode()}
