"""Background loops that are watched: a loop that ends or goes silent is reported by `/healthz`, never missed quietly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

#: A loop that has not called `beat` for so long (seconds) counts as stuck.
SILENCE = 60.0
#: A loop that died starts again, and counts as dead for so long (seconds).
MOURNING = 60.0


class Supervisor:
    """Starts the loops, knows their health, ends them.

    A loop survives the trouble it expects (dependency down) by itself. What it does not expect ends it: then it is started again
    with growing pauses, and `dead` names it for a minute, so that /healthz stays red as long as it keeps dying.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beats: dict[str, float] = {}
        self._died: dict[str, tuple[float, str]] = {}

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run ``loop()`` until `stop`. It must call `beat(name)` at least every `SILENCE` seconds."""
        self._beats[name] = time.monotonic()
        self._tasks[name] = asyncio.create_task(self._run(name, loop), name=name)

    async def _run(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(first=1.0, most=60.0)
        while True:
            began = time.monotonic()
            try:
                await loop()
                what = "it ended"
            except Exception as error:
                what = f"{type(error).__name__}: {error}"[:300]
                log.exception("background task %s died", name)
            self._died[name] = (time.monotonic(), what)
            if time.monotonic() - began > MOURNING:
                backoff.reset()
            await backoff.wait()
            self.beat(name)
            log.warning("background task %s starts again", name)

    def beat(self, name: str) -> None:
        """The loop is alive."""
        self._beats[name] = time.monotonic()

    def dead(self) -> dict[str, str]:
        """Name → what happened, for every loop that is stuck or died within the last `MOURNING` seconds."""
        moment = time.monotonic()
        stuck = {n: "it is stuck" for n, at in self._beats.items() if at < moment - SILENCE and n in self._tasks}
        return stuck | {n: what for n, (at, what) in self._died.items() if at > moment - MOURNING}

    def names(self) -> list[str]:
        """The loops that were started."""
        return sorted(self._tasks)

    async def stop(self) -> None:
        """Cancel every loop and wait for it, in reverse order of starting."""
        for task in reversed(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()


class Backoff:
    """How long to wait after the n-th failure in a row: 0.1 s doubling to ``most``; `reset` after a success."""

    def __init__(self, first: float = 0.1, most: float = 5.0) -> None:
        self.first, self.most, self._next = first, most, first

    def reset(self) -> None:
        """It went well: begin again with the shortest wait."""
        self._next = self.first

    async def wait(self) -> None:
        """Wait, longer each time."""
        delay, self._next = self._next, min(self.most, self._next * 2)
        await asyncio.sleep(delay)
