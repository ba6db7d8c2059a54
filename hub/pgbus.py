"""Hints and words to the other processes over PostgreSQL itself, by NOTIFY, where there is no Redis.

One connection more for each process. What is to be said is gathered for `GATHER` seconds, so that however much happens a process
notifies at most so often; nothing of it stands in the way of a commit, and while the connection is away everybody looks at the
database every second, as without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL

from hub.bus import Bus
from hub.tasks import Backoff

log = logging.getLogger(__name__)

CHANNEL = "hub"
#: Seconds between two notifications of one process.
GATHER = 0.05
#: Words that wait to be said, beyond that the oldest are dropped; and the bytes of them in one notification (PostgreSQL takes 8000).
MOST_WORDS, MOST_BYTES = 1000, 7500
#: Seconds between two looks whether the connection still answers, and how long that may take.
LOOK, PATIENCE = 5.0, 2.0


class _Note(Struct, omit_defaults=True):
    """One notification: by which process, whether something was committed, and words as (topic, text)."""

    by: str
    look: bool = False
    words: list[tuple[str, str]] = []


class PostgresBus(Bus):
    """Hints and words over LISTEN and NOTIFY. Losing some is no loss: after a new connection everybody looks once more."""

    def __init__(self, url: URL) -> None:
        super().__init__()
        dialect: Any = postgresql.asyncpg.dialect  # without types
        _, given = dialect().create_connect_args(url)
        self._where = {key: value for key, value in given.items() if not key.startswith(("prepared", "async_"))}
        self._name = secrets.token_hex(6)
        self._words: deque[tuple[str, str]] = deque(maxlen=MOST_WORDS)
        self._look = False
        self._waiting = asyncio.Event()
        self._connection: Any = None  # asyncpg has no types
        self._up = True

    def publish(self) -> None:
        super().publish()
        self._look = True
        self._waiting.set()

    def say(self, topic: str, text: str) -> None:
        self._words.append((topic, text))
        self._waiting.set()

    async def run(self, beat: Callable[[], None]) -> None:
        backoff = Backoff(most=2.0)
        while True:
            beat()
            try:
                async with asyncio.timeout(PATIENCE):
                    self._connection = await asyncpg.connect(
                        **self._where, timeout=PATIENCE, server_settings={"application_name": "hub bus"}
                    )
                    await self._connection.add_listener(CHANNEL, self._heard)
                self._up = True
                backoff.reset()
                self._tell()  # what happened while it was away
                await self._talk(beat)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                if self._up:
                    log.warning(
                        "notifications of the database are away, looking at it instead: %s", error or type(error)
                    )
                self._up = False
            await self._hang_up()
            await backoff.wait()

    async def _talk(self, beat: Callable[[], None]) -> None:
        """Say what is to be said, until the connection fails; and look now and then whether it has."""
        while True:
            beat()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._waiting.wait()
            self._waiting.clear()
            said = self._gathered()
            async with asyncio.timeout(PATIENCE):
                for payload in said:
                    await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
                if not said:
                    await self._connection.execute("SELECT 1")
            await asyncio.sleep(GATHER)

    def _gathered(self) -> list[str]:
        """Everything that waits, in as few notifications as it fits in."""
        notes = [_Note(self._name, self._look)] if self._look or self._words else []
        self._look, room = False, MOST_BYTES
        while self._words:
            word = self._words.popleft()
            size = len(msgspec.json.encode(word)) + 1
            if size > MOST_BYTES:
                continue  # nobody says so much at once; a word may get lost
            if size > room:
                notes.append(_Note(self._name))
                room = MOST_BYTES
            room -= size
            notes[-1].words.append(word)
        return [msgspec.json.encode(note).decode() for note in notes]

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        try:
            note = msgspec.json.decode(payload, type=_Note)
        except msgspec.DecodeError:
            return  # somebody else's
        if note.by == self._name:
            return
        if note.look:
            self._tell()
        for topic, text in note.words:
            for ear in self._ears.get(topic, ()):
                ear(text)

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=1)

    async def alive(self) -> bool:
        """Do hints reach the other processes now?"""
        return self._up

    async def close(self) -> None:
        await self._hang_up()
