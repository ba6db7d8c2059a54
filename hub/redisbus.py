"""Hints and words to the other processes over Redis. A module of its own: the hub without Redis does not load its client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from hub.bus import Bus
from hub.tasks import Backoff

log = logging.getLogger(__name__)

STREAM, WORDS = "hub:hints", "hub:words"
#: Words that wait to be said; beyond that the oldest are dropped.
MOST_WORDS = 1000


def _client(url: str, patience: float) -> Any:
    # Any: redis-py's answers are typed for every protocol version and decoding at once
    return Redis.from_url(
        url,
        socket_timeout=patience,
        socket_connect_timeout=1.0,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


class RedisBus(Bus):
    """Hints over a Redis stream, read from the last id seen, so that a reconnect misses nothing.

    Redis is never on the way of an answer: publishing happens in the background with a short patience, and while Redis is down
    every process still looks at the database every second.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._out = _client(url, patience=0.5)
        self._in = _client(url, patience=6.0)
        self._last = {STREAM: "$", WORDS: "$"}
        self._name = secrets.token_hex(6)
        self._words: deque[tuple[str, str]] = deque(maxlen=MOST_WORDS)
        self._look = False
        self._waiting = asyncio.Event()
        self._up = True

    def publish(self) -> None:
        super().publish()
        self._look = True
        self._waiting.set()

    def say(self, topic: str, text: str) -> None:
        self._words.append((topic, text))
        self._waiting.set()

    async def run(self, beat: Callable[[], None]) -> None:
        await asyncio.gather(self._send(), self._receive(beat))

    async def _send(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            look, self._look = self._look, False
            words = [self._words.popleft() for _ in range(len(self._words))]
            try:
                async with asyncio.timeout(1):
                    await self._add(look, words)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("redis: hint not sent: %s", error)
                await asyncio.sleep(0.25)

    async def _add(self, look: bool, words: list[tuple[str, str]]) -> None:
        adding = self._out.pipeline(transaction=False)
        if look:
            adding.xadd(STREAM, {"look": "1"}, maxlen=1000, approximate=True)
        for topic, text in words:
            adding.xadd(WORDS, {"topic": topic, "text": text, "by": self._name}, maxlen=MOST_WORDS, approximate=True)
        await adding.execute()

    async def _receive(self, beat: Callable[[], None]) -> None:
        backoff = Backoff(most=2.0)
        while True:
            beat()
            try:
                async with asyncio.timeout(8):
                    for stream, last in self._last.items():
                        if last == "$":
                            self._last[stream] = await self._tip(stream)
                    found = await self._in.xread(self._last, count=1000, block=4000)
                self._up = True
                backoff.reset()
            except (RedisError, OSError, TimeoutError) as error:
                if self._up:
                    log.warning("redis is away, looking at the database instead: %s", error)
                self._up = False
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    async with asyncio.timeout(1):
                        await self._in.connection_pool.disconnect()
                await backoff.wait()
                continue
            for stream, entries in found:
                self._last[stream] = str(entries[-1][0])
                if stream == STREAM:
                    self._tell()
                else:
                    self._repeat([fields for _, fields in entries])

    def _repeat(self, words: list[dict[str, str]]) -> None:
        for word in words:
            if word.get("by") == self._name:
                continue
            for ear in self._ears.get(word.get("topic", ""), ()):
                ear(word.get("text", ""))

    async def _tip(self, stream: str) -> str:
        newest = await self._in.xrevrange(stream, count=1)
        return str(newest[0][0]) if newest else "0-0"

    async def alive(self) -> bool:
        """Do hints reach the other processes now?"""
        return self._up

    async def close(self) -> None:
        for client in (self._out, self._in):
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await client.aclose()
