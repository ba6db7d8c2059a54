"""Background loops that are watched: a loop that ends or goes silent is reported by `/healthz`, never missed quietly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

#: A loop that has not called `beat` for so long (seconds) counts as stuck.
SILENCE = 60.0


class Supervisor:
    """Starts the loops, knows their health, ends them.

    A loop survives the trouble it expects (dependency down) by itself. What it does not expect ends it; then `dead` names it
    and the process should be restarted by whoever runs it.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beats: dict[str, float] = {}
        self._dead: dict[str, str] = {}

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run ``loop()`` until `stop`. It must call `beat(name)` at least every `SILENCE` seconds."""
        self._beats[name] = time.monotonic()
        self._tasks[name] = asyncio.create_task(self._run(name, loop), name=name)

    async def _run(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
            self._dead[name] = "it ended"
            log.error("background task %s ended", name)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._dead[name] = f"{type(error).__name__}: {error}"[:300]
            log.exception("background task %s died", name)

    def beat(self, name: str) -> None:
        """The loop is alive."""
        self._beats[name] = time.monotonic()

    def dead(self) -> dict[str, str]:
        """Name → what happened, for every loop that is dead or stuck."""
        late = time.monotonic() - SILENCE
        stuck = {n: "it is stuck" for n, at in self._beats.items() if at < late and n in self._tasks}
        return stuck | self._dead

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
