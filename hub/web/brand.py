"""The workspace in memory: what every page shows of it, brought up to date when it changes, here or in another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from hub import colour, workspace
from hub.database import is_passing
from hub.events import Event
from hub.http import HOUSE, House
from hub.tasks import Backoff
from hub.workspace import State

#: What changes how a page looks, or the first steps.
KINDS = ("workspace.", "sample.", "channel.", "employee.", "hours.")


class Brand:
    """One per process. ``css`` is the accent's style sheet, empty for the house's own colour."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.company, self.language = house.company, house.language
        self.state = State()
        self.css = ""
        self._changed = asyncio.Event()

    async def refresh(self) -> None:
        """Read it now."""
        self._take(await self.house.hub.db.read(workspace.state))

    def _take(self, found: State) -> None:
        self.state = found
        self.css = colour.css(found.chosen.hue) if found.chosen.hue is not None else ""
        self.house.company = found.chosen.company or self.company
        self.house.language = found.chosen.language or self.language

    def watch(self, news: Sequence[Event]) -> None:
        """A reader of the feed."""
        waits = "message" in self.state.left
        if any(e.kind.startswith(KINDS) or (waits and e.kind == "message.received") for e in news):
            self._changed.set()

    async def follow(self) -> None:
        """Read it again whenever it has changed, however often the database is away."""
        backoff = Backoff(most=5.0)
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.refresh()
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                self._changed.set()
                await backoff.wait()


BRAND = web.AppKey("brand", Brand)


def setup(app: web.Application) -> None:
    """Give the application its brand."""
    app[BRAND] = brand = Brand(app[HOUSE])
    app[HOUSE].feed.subscribe(brand.watch)
    app.cleanup_ctx.append(_follow)


async def _follow(app: web.Application) -> AsyncIterator[None]:
    brand = app[BRAND]
    await brand.refresh()
    task = asyncio.create_task(brand.follow())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
