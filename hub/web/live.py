"""/stream: who looks at the inbox hears within milliseconds that something happened (server-sent events).

Every event is encoded once and written straight to the sockets of all who may know; there is no queue and no task per
event and reader. What is told is a hint with ids, and of a customer's message how it begins, so that fifty lists that show it
need not ask at once; whoever hears it fetches what changed. A reader that does not keep up is cut off and comes back with the
last id it heard: then it gets what it missed, or is told to load again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
from aiohttp import web
from msgspec import Struct

from hub import accounts, presence
from hub.access import Actor, may_see
from hub.database import Unavailable, is_passing
from hub.events import Event
from hub.http import House, Problem
from hub.sessions import actor_of, credential
from hub.tasks import Backoff
from hub.web.live_reads import MOST_MISSED, Places, Spoken, load_missed, load_places, load_sessions

log = logging.getLogger(__name__)

#: Streams of one process; the next one is asked to come back later.
MOST_STREAMS = 10_000
#: Unsent bytes after which a reader counts as too slow.
MOST_UNSENT = 256 * 1024
#: Seconds between two signs of life, and between two looks at the sessions.
HEARTBEAT, RECHECK = 20.0, 4.0

#: What happens to people and everybody may know of.
PEOPLE = frozenset({"presence.changed", "absence.added", "absence.changed", "absence.removed", "team.changed"})


class Reader(Struct, eq=False, weakref=True):
    """One open stream. ``seen`` is the last event it was told when it joined; ``done`` ends it; a ``person`` came by a browser's
    session, not by a program's token.
    """

    transport: asyncio.Transport
    done: asyncio.Future[None]
    chunked: bool
    session: str
    actor: Actor
    seen: int
    person: bool


def frame(event: Event, spoken: tuple[str, int] | None = None) -> bytes:
    """The event as a server-sent event. ``spoken``: what the conversation's row says now."""
    hint: dict[str, object] = {
        "id": str(event.id),
        "kind": event.kind,
        "conversation": _id(event.conversation_id),
        "customer": _id(event.customer_id),
        "message": _id(event.message_id),
        "actor": _id(event.actor_id),
    }
    if spoken is not None and event.kind == "message.received":
        hint |= {"preview": spoken[0], "unread": spoken[1]}
    return b"id: %d\ndata: %b\n\n" % (event.id, msgspec.json.encode(hint))


def gone(event: Event) -> bytes:
    """For those who may not see the conversation (any more): lists may have changed, and nothing else."""
    return b'id: %d\ndata: {"id":"%d","kind":"lists"}\n\n' % (event.id, event.id)


def people(event: Event) -> bytes:
    """For everybody: somebody came, went, or is doing something else."""
    return b'id: %d\ndata: {"id":"%d","kind":"people"}\n\n' % (event.id, event.id)


def _id(number: int | None) -> str | None:
    return None if number is None else str(number)


def chunk(data: bytes) -> bytes:
    """As one chunk of a chunked body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Live:
    """All streams of this process."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.readers: set[Reader] = set()
        self.told = 0
        #: called with every reader who has just joined
        self.greeters: list[Callable[[Reader], None]] = []
        #: called with the news once they are told, and where their conversations are
        self.followers: list[Callable[[Sequence[Event], Places], None]] = []
        #: what the answer's header says of this version of the hub
        self.version = ""
        self._groups: dict[Actor, set[Reader]] = {}
        self._waiting: list[Event] = []
        self._news = asyncio.Event()
        self._closed = False
        self._ahead: dict[Reader, int] = {}
        self._here: set[int] = set()
        self._said_at = 0.0

    # ── the loops ────────────────────────────────────────────────────────────────────────────────────────────────
    async def start(self, _app: web.Application) -> None:
        """Begin to listen; called when the doors open."""
        self.told = self.house.feed.last
        self.house.feed.subscribe(self.take)
        tasks = self.house.hub.tasks
        tasks.start("live", self.run)
        tasks.start("live-sessions", self.run_sessions)

    def take(self, news: Sequence[Event]) -> None:
        """Reader of the feed: remembers the news and wakes the loop."""
        self._waiting.extend(news)
        self._news.set()

    async def run(self) -> None:
        """Tell the news; every two seconds let go of dead streams, every `HEARTBEAT` seconds show that we live."""
        beat = swept = time.monotonic()
        backoff = Backoff(most=2.0)
        while True:
            self.house.hub.tasks.beat("live")
            try:
                await self._tell()
                backoff.reset()
            except Unavailable:
                await backoff.wait()
            moment = time.monotonic()
            if moment - swept > 1:
                swept = moment
                self._sweep()
            if moment - beat > HEARTBEAT:
                beat = moment
                self._write(self.readers, b": \n\n")
            try:
                async with asyncio.timeout(2):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _tell(self) -> None:
        self._news.clear()
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        try:
            places, spoken = await self._places(batch) if self.readers else ({}, {})
        except BaseException as error:
            self._waiting = batch + self._waiting
            if isinstance(error, Exception) and is_passing(error):
                raise Unavailable(str(error)) from error
            raise
        self.told = batch[-1].id
        if self.readers:
            self._spread(batch, places, spoken)
            for follow in self.followers:
                follow(batch, places)

    async def _places(self, batch: Sequence[Event]) -> tuple[Places, Spoken]:
        wanted = list({e.conversation_id for e in batch if e.conversation_id is not None})
        return await self.house.hub.db.read(load_places, wanted) if wanted else ({}, {})

    def _spread(self, batch: Sequence[Event], places: Places, spoken: Spoken) -> None:
        frames = [(event, frame(event, spoken.get(event.conversation_id or 0))) for event in batch]
        for actor, readers in list(self._groups.items()):
            if self._ahead:
                self._spread_carefully(actor, readers, frames, places)
            elif said := b"".join(told for event, data in frames if (told := _for(actor, event, data, places))):
                self._write(readers, said)
        self._ahead = {reader: seen for reader, seen in self._ahead.items() if seen > self.told}

    def _spread_carefully(
        self, actor: Actor, readers: set[Reader], frames: list[tuple[Event, bytes]], places: Places
    ) -> None:
        """While somebody has just joined and already knows a part of the batch: reader by reader."""
        for reader in list(readers):
            seen = self._ahead.get(reader, 0)
            told = (_for(actor, event, data, places) for event, data in frames if event.id > seen)
            if said := b"".join(told):
                self._write([reader], said)

    def _write(self, readers: Iterable[Reader], data: bytes) -> None:
        chunked = chunk(data)
        for reader in list(readers):
            transport = reader.transport
            if transport.is_closing():
                self._end(reader)
                continue
            transport.write(chunked if reader.chunked else data)
            if transport.get_write_buffer_size() > MOST_UNSENT:
                transport.abort()
                self._end(reader)

    def tell(self, reader: Reader, data: bytes) -> None:
        """Something without an id for one reader."""
        self._write([reader], data)

    def tell_all(self, may: Callable[[Actor], bool], data: bytes) -> None:
        """Something without an id for everybody who may know it: whoever is not there misses it."""
        for actor, readers in list(self._groups.items()):
            if may(actor):
                self._write(readers, data)

    def _sweep(self) -> None:
        for reader in [r for r in self.readers if r.transport.is_closing()]:
            self._end(reader)

    def _end(self, reader: Reader) -> None:
        if not reader.done.done():
            reader.done.set_result(None)

    # ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def run_sessions(self) -> None:
        """End the streams of sessions that have ended, and follow changes of role and teams."""
        while True:
            self.house.hub.tasks.beat("live-sessions")
            await asyncio.sleep(RECHECK)
            if not self.readers and not self._here:
                continue
            try:
                await self._say_who_is_here()
                alive = await self.house.hub.db.read(load_sessions, list({r.session for r in self.readers}))
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("live: the sessions could not be checked: %s", error)
                continue
            for reader in list(self.readers):
                actor = alive.get(reader.session)
                if actor is None:
                    self._end(reader)
                elif actor != reader.actor:
                    self._move(reader, actor)

    async def _say_who_is_here(self) -> None:
        """Write down who has the hub open: when somebody comes or goes, and else every `presence.REFRESH`."""
        here = {r.actor.id for r in self.readers if r.person}
        if here == self._here and time.monotonic() - self._said_at < presence.REFRESH / 1000:
            return
        left = self._here - here
        await self.house.hub.db.write(presence.seen, sorted(here), sorted(left))
        self._here, self._said_at = here, time.monotonic()
        self.house.hub.bus.publish()

    def _move(self, reader: Reader, actor: Actor) -> None:
        self._leave(reader)
        reader.actor = actor
        self._join(reader)

    def end_session(self, session: str) -> None:
        """Somebody logged out here: their streams end now."""
        for reader in [r for r in self.readers if r.session == session]:
            self._end(reader)

    # ── one stream ───────────────────────────────────────────────────────────────────────────────────────────────
    async def stream(self, request: web.Request) -> web.StreamResponse:
        """GET /stream: by session or API token; 401 without, 503 when there are too many."""
        actor = await actor_of(request)
        token = credential(request)
        if actor is None or not token:
            raise Problem(401, "Sign in first.")
        if self._closed or len(self.readers) >= MOST_STREAMS:
            raise Problem(503, "Too many pages are open on this server; trying again in a moment.")
        after = _after(request)
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.headers["X-Hub-Version"] = self.version
        response.content_type = "text/event-stream"
        chunked = request.version >= (1, 1)
        if chunked:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        transport = request.transport
        if transport is None or transport.is_closing():
            return response
        reader = Reader(
            transport,
            asyncio.get_running_loop().create_future(),
            chunked,
            accounts.token_hash(token),
            actor,
            after,
            "Authorization" not in request.headers,
        )
        self.readers.add(reader)
        try:
            await self._catch_up(reader)
            await reader.done
        finally:
            self.readers.discard(reader)
            self._leave(reader)
        return response

    async def _catch_up(self, reader: Reader) -> None:
        """Tell what was missed, then join at exactly that place: nothing twice, nothing left out."""
        if not reader.seen:
            reader.seen = self.told
        while True:
            missed, places, spoken, newest = await self.house.hub.db.read(load_missed, reader.seen)
            if len(missed) > MOST_MISSED or newest < reader.seen:
                reader.seen = newest
                self._write([reader], b"id: %d\nevent: reload\ndata: {}\n\n" % reader.seen)
            elif missed:
                reader.seen = missed[-1].id
                told = (_for(reader.actor, e, frame(e, spoken.get(e.conversation_id or 0)), places) for e in missed)
                if said := b"".join(told):
                    self._write([reader], said)
            if reader.seen >= self.told:
                break  # told may only have moved while we were reading; nothing was awaited since
        self._join(reader)
        if reader.seen > self.told:
            self._ahead[reader] = reader.seen
        for greet in self.greeters:
            greet(reader)

    def _join(self, reader: Reader) -> None:
        self._groups.setdefault(reader.actor, set()).add(reader)

    def _leave(self, reader: Reader) -> None:
        group = self._groups.get(reader.actor)
        if group is not None:
            group.discard(reader)
            if not group:
                del self._groups[reader.actor]
        self._ahead.pop(reader, None)

    async def close(self, _app: web.Application) -> None:
        """The server stops: every stream ends at once."""
        self._closed = True
        for reader in list(self.readers):
            self._end(reader)


def _after(request: web.Request) -> int:
    given = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0


def _for(actor: Actor, event: Event, data: bytes, places: Places) -> bytes:
    """What this actor is told of the event; empty: nothing."""
    if event.conversation_id is None:
        return data if actor.sees_all else people(event) if event.kind in PEOPLE else b""
    place = places.get(event.conversation_id)
    if place is not None and may_see(actor, *place):
        return data
    return gone(event) if event.kind == "conversation.assigned" else b""
