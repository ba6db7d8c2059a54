"""The visitors' streams: what is answered reaches the widget within milliseconds, and nobody hears of anybody else.

Like `hub.web.live` there is no queue and no task per message and reader: every message is encoded once and written straight to
the sockets of its visitor. Who connects first gets the newest messages whole, so nothing can have been missed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from hub import visitors
from hub.attendance import Attendance
from hub.channels import Ready
from hub.database import is_passing
from hub.events import Event
from hub.http import House, Problem
from hub.tasks import Backoff
from hub.visitors import PREFIX, Shown, State
from hub.web.live import HEARTBEAT, MOST_UNSENT, chunk

log = logging.getLogger(__name__)

#: Streams of one process, and of one visitor (windows); beyond the latter the oldest ends.
MOST_STREAMS, MOST_WINDOWS = 10_000, 6
#: So long a look at a visitor's messages waits for others' (seconds), and so many are looked for in one read.
TOGETHER, MOST_TOGETHER = 0.004, 50
#: What brings a message to its visitor's screen, and what changes where the conversation stands.
SAID = frozenset({"message.received", "delivery.sent"})
CHANGED = frozenset({"conversation.seen", "conversation.status", "conversation.assigned"})


class Window(Struct, eq=False):
    """One open stream. ``early`` holds what came while the newest messages were being looked up; None: in step."""

    transport: asyncio.Transport
    done: asyncio.Future[None]
    chunked: bool
    early: list[bytes] | None


class Visitors:
    """All visitors' streams of this process, by (channel, address)."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.windows: dict[tuple[int, str], list[Window]] = {}
        self.count = 0
        self.attendance = Attendance(house.hub.bus)
        self._waiting: list[Event] = []
        self._news = asyncio.Event()
        self._closed = False
        self._asking: list[tuple[int, str, asyncio.Future[tuple[list[Shown], State]]]] = []
        self._looking: set[asyncio.Future[None]] = set()

    async def start(self, _app: web.Application) -> None:
        """Begin to listen; called when the doors open."""
        self.house.feed.subscribe(self.take)
        self.house.hub.tasks.start("visitors", self.run)

    def take(self, news: Sequence[Event]) -> None:
        """Reader of the feed: remembers what visitors may want to know."""
        if self.windows:
            self._waiting.extend(e for e in news if e.kind in SAID or e.kind in CHANGED)
            self._news.set()

    async def run(self) -> None:
        """Tell the news; every second let go of closed windows, every `HEARTBEAT` seconds show that we live."""
        beat = swept = time.monotonic()
        backoff = Backoff(most=2.0)
        while True:
            self.house.hub.tasks.beat("visitors")
            self.attendance.beat()
            self._news.clear()
            try:
                await self._tell()
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                await backoff.wait()
                continue
            if time.monotonic() - swept > 0.9:
                swept = time.monotonic()
                self._sweep()
            if time.monotonic() - beat > HEARTBEAT:
                beat = time.monotonic()
                for windows in list(self.windows.values()):
                    _write(windows, b": \n\n")
            try:
                async with asyncio.timeout(1):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _sweep(self) -> None:
        for windows in list(self.windows.values()):
            for window in windows:
                if window.transport.is_closing():
                    _end(window)

    async def _tell(self) -> None:
        batch, self._waiting = self._waiting, []
        chats = [r.id for r in self.house.hub.channels.by_id.values() if r.adapter.widget]
        said = [e.message_id for e in batch if e.kind in SAID and e.channel_id in chats and e.message_id]
        changed = [e.conversation_id for e in batch if e.kind in CHANGED and e.conversation_id]
        if not (said or changed) or not self.windows:
            return
        present = list({address for _, address in self.windows})
        try:
            found = await self.house.hub.db.read(visitors.news, chats, said, changed, present)
        except BaseException:
            self._waiting = batch + self._waiting
            raise
        for channel, address, what in found:
            windows = self.windows.get((channel, address))
            if windows:
                _write(windows, self.frame(address[len(PREFIX) :], what))

    def show(self, channel: int, address: str, data: bytes) -> None:
        """Something that nobody keeps, for whoever is there now."""
        _write([w for w in self.windows.get((channel, address), ()) if w.early is None], data)

    def frame(self, visitor: str, what: Shown | State) -> bytes:
        """A message or state as a server-sent event."""
        if isinstance(what, State):
            return b"event: state\ndata: %b\n\n" % msgspec.json.encode(what)
        return b"event: said\ndata: %b\n\n" % msgspec.json.encode(self.plain(visitor, what))

    def plain(self, visitor: str, message: Shown) -> dict[str, Any]:
        """A message as the widget gets it: ids as text, files with the mark that opens them."""
        box = self.house.hub.box
        files = [
            {"name": name, "type": kind, "size": size, "id": str(n), "mark": visitors.file_mark(box, visitor, n)}
            for n, name, kind, size in message.files
        ]
        given = msgspec.structs.asdict(message)
        return given | {"id": str(message.id), "conversation": str(message.conversation), "files": files}

    # ── one stream ───────────────────────────────────────────────────────────────────────────────────────────────
    async def stream(
        self, request: web.Request, ready: Ready, visitor: str, more: dict[str, Any]
    ) -> web.StreamResponse:
        """Answer with an endless stream; first ``all`` with the newest messages, the state, and ``more``."""
        if self._closed or self.count >= MOST_STREAMS:
            raise Problem(503, "Too many people are chatting right now; trying again in a moment.")
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        chunked = request.version >= (1, 1)
        if chunked:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        transport = request.transport
        if transport is None or transport.is_closing():
            return response
        window = Window(transport, asyncio.get_running_loop().create_future(), chunked, [])
        place = (ready.id, PREFIX + visitor)
        self._join(place, window)
        try:
            await self._catch_up(ready, visitor, window, more)
            await window.done
        finally:
            self._leave(place, window)
        return response

    async def _catch_up(self, ready: Ready, visitor: str, window: Window, more: dict[str, Any]) -> None:
        """The newest messages first, then what came meanwhile; the widget knows what it has by its id."""
        said, state = await self._look(ready.id, visitor)
        whole = {"messages": [self.plain(visitor, m) for m in said], "state": state, **more}
        early, window.early = window.early or [], None
        _write([window], b"event: all\ndata: %b\n\n" % msgspec.json.encode(whole) + b"".join(early))

    async def _look(self, channel: int, visitor: str) -> tuple[list[Shown], State]:
        """What the visitor sees. Whoever asks within `TOGETHER` seconds is answered by one read: after a restart all come at once."""
        answer: asyncio.Future[tuple[list[Shown], State]] = asyncio.get_running_loop().create_future()
        self._asking.append((channel, visitor, answer))
        if len(self._asking) == 1:
            asyncio.get_running_loop().call_later(TOGETHER, self._begin_looking)
        return await answer

    def _begin_looking(self) -> None:
        asked, self._asking = self._asking, []
        for first in range(0, len(asked), MOST_TOGETHER):
            task = asyncio.ensure_future(self._look_for(asked[first : first + MOST_TOGETHER]))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _look_for(self, asked: Sequence[tuple[int, str, asyncio.Future[tuple[list[Shown], State]]]]) -> None:
        try:
            found = await self.house.hub.db.read(visitors.shown_to, [(channel, who) for channel, who, _ in asked])
        except Exception as error:  # everybody who asked hears of it: the widget comes again
            for *_, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (*_, answer), one in zip(asked, found, strict=True):
            if not answer.done():
                answer.set_result(one)

    def _join(self, place: tuple[int, str], window: Window) -> None:
        windows = self.windows.setdefault(place, [])
        windows.append(window)
        self.count += 1
        if len(windows) == 1:
            self.attendance.came(place)
        if len(windows) > MOST_WINDOWS:
            _end(windows[0])

    def _leave(self, place: tuple[int, str], window: Window) -> None:
        windows = self.windows[place]
        windows.remove(window)
        self.count -= 1
        if not windows:
            del self.windows[place]
            self.attendance.left(place)

    async def close(self, _app: web.Application) -> None:
        """The server stops: every stream ends at once."""
        self._closed = True
        for windows in list(self.windows.values()):
            for window in windows:
                _end(window)


def _write(windows: Iterable[Window], data: bytes) -> None:
    chunked = chunk(data)
    for window in list(windows):
        if window.early is not None:
            window.early.append(data)
            continue
        transport = window.transport
        if transport.is_closing():
            _end(window)
            continue
        transport.write(chunked if window.chunked else data)
        if transport.get_write_buffer_size() > MOST_UNSENT:
            transport.abort()
            _end(window)


def _end(window: Window) -> None:
    if not window.done.done():
        window.done.set_result(None)
