"""The way in: keep first, think later.

`keep` returns when the envelope is committed. Loops do the work, each in batches: `run_journal` commits whatever waits together;
`run_read` reads what is heavy, `run_store` what is not, and stores both. `run_sweep` picks up what a crashed process left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import journal
from hub.adapter import LeaseLost
from hub.clock import now
from hub.core import Hub
from hub.database import DiskFull as DiskFull  # the doors know the core by this module
from hub.database import Unavailable as Unavailable
from hub.database import is_passing
from hub.entries import Item
from hub.events import NewEvent, append
from hub.failpoints import hit
from hub.journal import Entry, Kept
from hub.messages import Envelope, Reading
from hub.reading import Found, Heavy, prepared, reading_weight, weight
from hub.reading import read_now as read_now
from hub.scheduler import Lease, holds
from hub.store import store
from hub.tasks import Backoff
from hub.text import clean_line

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: Envelopes in one transaction.
BATCH = 128
#: Envelopes that may wait to be committed; more are refused with `Busy`.
WAITING = 2000
#: Envelopes kept and not yet stored that are held in memory; the rest wait in the journal.
AHEAD = 1000
#: Entries that the sweep reads at once; each has at most `journal.INLINE` bytes.
TOGETHER = 32
#: Bytes of envelopes and readings that may be in memory; more are refused with `Busy`.
MEMORY = 64 * 1024 * 1024
#: How long storing waits for a fuller batch while envelopes pour in (seconds); nobody waits for it.
GATHER = 0.05
#: How long a provider waits for its answer at the most (seconds).
PATIENCE = 4.0


class Busy(Unavailable):
    """Too much at once: nothing was kept, the sender should try again in a moment."""


class _Waiting(Struct):
    kept: list[Kept]
    readings: list[Reading | None]
    cursor: Mapping[str, str]
    lease: Lease | None
    done: asyncio.Future[None]


class Ingest:
    """The way in of one process."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._waiting: list[_Waiting] = []
        self._some = asyncio.Event()
        self._open: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._ready: asyncio.Queue[tuple[Entry, Found]] = asyncio.Queue(AHEAD)
        #: journal ids in this process's hands: not for the sweep
        self._flying: set[int] = set()
        self._heavy = Heavy(hub, self._pass_read, self._flying)
        #: bytes in memory
        self._held = 0

    # ── keep ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def keep(self, envelope: Envelope, reading: Reading | None = None) -> None:
        """Commit the envelope. ``reading``: what it says, when the door had to look already.

        Raises `Busy`, `database.Unavailable` or `database.DiskFull`; then nothing was kept.
        """
        await self.keep_all([envelope], [reading])

    async def keep_all(
        self,
        envelopes: Sequence[Envelope],
        readings: Sequence[Reading | None] = (),
        cursor: Mapping[str, str] | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Commit several at once, together with a pulling channel's cursor. Raises also `LeaseLost`.

        Who holds a lease (a pulling channel) is in no hurry and waits for room instead of hearing `Busy`.
        """
        found = list(readings) or [None] * len(envelopes)
        size = 0
        for envelope, reading in zip(envelopes, found, strict=True):
            size += len(envelope.body) + reading_weight(reading)
        while busy := self._busy(envelopes, size):
            if lease is None:
                raise Busy(busy)
            await asyncio.sleep(0.05)
        self._held += size
        try:
            await self._keep(envelopes, found, cursor or {}, lease)
        finally:
            self._held -= size

    def _busy(self, envelopes: Sequence[Envelope], size: int) -> str:
        """Why these cannot be taken now, or nothing."""
        if len(self._waiting) >= WAITING or (self._held and self._held + size > MEMORY):
            return "too many messages at once"
        if any(self._heavy.full(e.channel_id) for e in envelopes):
            return "this channel has too many messages waiting to be read"
        return ""

    async def _keep(
        self,
        envelopes: Sequence[Envelope],
        readings: list[Reading | None],
        cursor: Mapping[str, str],
        lease: Lease | None,
    ) -> None:
        kept = [Kept(e) if len(e.body) <= journal.INLINE else await self._with_blob(e) for e in envelopes]
        waiting = _Waiting(kept, readings, cursor, lease, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._some.set()
        self._open.append((asyncio.get_running_loop().time() + PATIENCE, waiting.done))
        await waiting.done

    async def run_patience(self) -> None:
        """Nobody waits longer than `PATIENCE`. One look for all: a timer for each message would cost more than its row."""
        while True:
            self.hub.tasks.beat("patience")
            await asyncio.sleep(0.2)
            moment = asyncio.get_running_loop().time()
            while self._open and (self._open[0][1].done() or self._open[0][0] <= moment):
                _, done = self._open.popleft()
                if not done.done():
                    done.set_exception(Unavailable("the database did not answer in time"))

    async def _with_blob(self, envelope: Envelope) -> Kept:
        try:
            name = await asyncio.to_thread(self.hub.blobs.put, envelope.body)
            return Kept(msgspec.structs.replace(envelope, body=b""), name, len(envelope.body))
        except OSError as error:
            raise DiskFull(str(error)) from error

    async def run_journal(self) -> None:
        """Commit whatever waits, together."""
        while True:
            self.hub.tasks.beat("journal")
            try:
                async with asyncio.timeout(10):
                    await self._some.wait()
            except TimeoutError:
                continue
            self._some.clear()
            while self._waiting:
                self.hub.tasks.beat("journal")
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    await self._commit([w for w in batch if not w.done.done()])
                except OSError as error:
                    # what is committed and not handed on is found by the sweep
                    log.warning("the journal stumbled: %s", error)
                    for w in batch:
                        _fail(w, Unavailable(str(error)))

    async def _commit(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        try:
            numbers = await self.hub.db.write(_journal, batch, int(self.hub.options.lease_seconds * 1000))
        except LeaseLost as error:
            # a batch holds at most one pull per channel: refuse that one, keep the others
            for w in batch:
                if w.lease is not None and w.lease.name == str(error):
                    _fail(w, LeaseLost())
            await self._commit([w for w in batch if not w.done.done()])
            return
        except Exception as error:
            if not is_passing(error):
                log.exception("the journal cannot be written")
                if len(batch) > 1:  # one of them is to blame; the others shall not suffer for it
                    for w in batch:
                        await self._commit([w])
                    return
            for w in batch:
                _fail(w, error if isinstance(error, Unavailable) else Unavailable(str(error)))
            return
        hit("journal.after_commit")
        for w, ids in zip(batch, numbers, strict=True):
            if not w.done.done():
                w.done.set_result(None)
            for number, kept, reading in zip(ids, w.kept, w.readings, strict=True):
                size = kept.size or len(kept.envelope.body)
                await self._line_up(Entry(number, kept.envelope, kept.blob, size), reading)

    async def _line_up(self, entry: Entry, reading: Reading | None) -> None:
        """To whom it is for next. All of a heavy channel goes the long way, so that it keeps its order."""
        self._flying.add(entry.id)
        ready = self.hub.channels.by_id.get(entry.envelope.channel_id)
        if ready is None or ready.adapter.traits.heavy:
            self._heavy.add(entry, reading)
        else:
            await self._pass_on(entry, reading)

    async def _pass_read(self, entry: Entry, found: Found) -> None:
        while self._held > MEMORY:
            self.hub.tasks.beat("read")
            await asyncio.sleep(0.05)
        await self._pass_on(entry, found)

    async def _pass_on(self, entry: Entry, found: Found) -> None:
        self._held += weight(entry, found)
        await self._ready.put((entry, found))

    # ── read and store ────────────────────────────────────────────────────────────────────────────────────────────
    async def run_read(self) -> None:
        """Read what takes long, in its own time; `run_store` stores it."""
        await self._heavy.run()

    async def run_store(self) -> None:
        """Read what is quickly read, and store what was kept, in batches."""
        while True:
            self.hub.tasks.beat("store")
            try:
                async with asyncio.timeout(10):
                    batch = [await self._ready.get()]
            except TimeoutError:
                continue
            try:
                await self._gather(batch)
                items, unread = await self._insist(self._read, batch)
                await self._insist(self._store, items, unread)
            finally:
                self._flying.difference_update([entry.id for entry, _ in batch])
                self._held -= sum(weight(entry, found) for entry, found in batch)

    async def _insist(self, step: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it until it works: a disk without room or a database that is away come back."""
        backoff = Backoff(most=2.0)
        while True:
            self.hub.tasks.beat("store")
            try:
                return await step(*args, **kwargs)
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("storing waits: %s", error)
            await backoff.wait()

    async def _gather(self, batch: list[tuple[Entry, Found]]) -> None:
        """Fill the batch with what waits. While more pours in, a moment's patience makes fewer and larger transactions."""
        patience = asyncio.get_running_loop().time() + GATHER
        while True:
            while len(batch) < BATCH and not self._ready.empty():
                batch.append(self._ready.get_nowait())
            if len(batch) >= BATCH or not self._waiting or asyncio.get_running_loop().time() > patience:
                return
            await asyncio.sleep(GATHER / 10)

    async def _read(self, batch: Sequence[tuple[Entry, Found]]) -> tuple[list[Item], dict[int, str]]:
        """Items ready to store, and the entries nobody could read, with the reason."""
        hit("ingest.before_read")
        return await prepared(self.hub, batch)

    async def _store(self, items: Sequence[Item], unread: Mapping[int, str]) -> None:
        """Store the batch; one that fails for its contents item by item. Doing it twice changes nothing."""
        hit("ingest.before_store")
        try:
            await self.hub.db.write(_store, self.hub, items, unread)
        except Exception as error:
            if is_passing(error):
                raise
            if len(items) <= 1:
                await self._set_aside(items, error)
            else:
                log.warning("a batch of %d failed, trying one by one: %s", len(items), error)
                hit("ingest.alone")
                for item in items:
                    await self._insist(self._store, [item], {})
            if items and unread:
                await self._store([], unread)
            return
        hit("ingest.after_commit")
        self.hub.bus.publish()

    async def _set_aside(self, items: Sequence[Item], error: Exception) -> None:
        log.error("an envelope cannot be stored and is set aside", exc_info=error)
        why = {i.journal_id: f"it could not be stored: {type(error).__name__}: {error}" for i in items}
        await self.hub.db.write(_set_aside, why)
        self.hub.bus.publish()

    # ── what was left behind ──────────────────────────────────────────────────────────────────────────────────────
    async def run_sweep(self) -> None:
        """Pick up unread entries whose reader has gone, and those somebody wants read again."""
        backoff = Backoff()
        while True:
            self.hub.tasks.beat("sweep")
            try:
                found = await self.sweep()
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                await backoff.wait()
                continue
            if not found:
                await asyncio.sleep(2)

    async def catch_up(self, seconds: float = 5) -> None:
        """Before the doors open, for at most ``seconds``: what a crash left behind goes first, so that it keeps its place."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        try:
            while loop.time() < end and (await self.sweep() or self._ready.qsize() > AHEAD // 2):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the store loop takes them away
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("what was left behind has to wait: %s", error)

    async def sweep(self, most: int = 200) -> int:
        """One round; how many entries were picked up."""
        hit("sweep.before_claim")
        if self._ready.qsize() > AHEAD // 2 or self._held > MEMORY // 2:
            return 0
        ids = await self.hub.db.write(journal.claim_orphans, int(self.hub.options.lease_seconds * 1000), most)
        ids = [number for number in ids if number not in self._flying]
        for start in range(0, len(ids), TOGETHER):
            for entry in await self.hub.db.read(journal.entries, ids[start : start + TOGETHER]):
                if not self._heavy.full(entry.envelope.channel_id):  # else it is found again
                    await self._line_up(entry, None)
        return len(ids)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)


def _journal(conn: Connection, batch: Sequence[_Waiting], lease_ms: int) -> list[range]:
    for w in batch:
        if w.lease is not None and not holds(conn, w.lease):
            raise LeaseLost(w.lease.name)
    flat = [k for w in batch for k in w.kept]
    ids = journal.write(conn, flat, lease_ms)
    for w in batch:
        if w.cursor and w.lease is not None:
            journal.move_cursor(conn, int(w.lease.name.rpartition(":")[2]), w.cursor)
    hit("journal.before_commit")
    shares, start = [], 0
    for w in batch:
        shares.append(ids[start : start + len(w.kept)])
        start += len(w.kept)
    return shares


def _store(conn: Connection, hub: Hub, items: Sequence[Item], unread: Mapping[int, str]) -> int:
    closed_after = now() - int(hub.options.reopen_days * 86_400_000)
    mine = journal.own(conn, list(unread)) if unread else set()
    last = store(conn, hub.box, items, closed_after) if items else 0
    _mark_failed(conn, {number: text for number, text in unread.items() if number in mine})
    return last


def _set_aside(conn: Connection, why: Mapping[int, str]) -> None:
    mine = journal.own(conn, list(why))
    _mark_failed(conn, {number: text for number, text in why.items() if number in mine})


def _mark_failed(conn: Connection, why: Mapping[int, str]) -> None:
    why = {number: clean_line(text, 2000) for number, text in why.items()}
    journal.mark_failed(conn, why)
    append(conn, [NewEvent("journal.failed", data={"journal": str(n), "error": text[:300]}) for n, text in why.items()])
