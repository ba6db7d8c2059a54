"""Telling the other processes "look again". A hint may get lost; the database is the truth and is asked every second anyway.

Words are the other thing that travels: what nobody keeps, like who is typing. They reach the processes that listen right now.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from hub.failpoints import hit

Listener = Callable[[], None]
#: Hears the text of a word.
Ear = Callable[[str], None]


class Bus:
    """In one process: a hint calls the listeners at once. `redisbus` and `pgbus` add the other processes."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._ears: dict[str, list[Ear]] = {}

    def listen(self, listener: Listener) -> None:
        """``listener`` is called (on the event loop, it must not block) whenever something was committed anywhere."""
        self._listeners.append(listener)

    def hear(self, topic: str, ear: Ear) -> None:
        """``ear`` is called (likewise) with every word another process says about the topic."""
        self._ears.setdefault(topic, []).append(ear)

    def say(self, topic: str, text: str) -> None:
        """A word to the other processes, if there are any that can be reached; never waits, never fails."""

    def publish(self) -> None:
        """Something was committed. Never waits, never fails."""
        with contextlib.suppress(OSError):  # a lost hint is no loss: everybody looks by himself every second
            hit("bus.before_publish")
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    async def run(self, beat: Callable[[], None]) -> None:
        """The listening loop; here there is nothing to listen to."""
        while True:
            beat()
            await asyncio.sleep(20)

    async def alive(self) -> bool:
        """Do hints reach the other processes now?"""
        return True

    async def close(self) -> None:
        """Let go of connections."""
