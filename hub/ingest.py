"""The way in: keep first, think later.

`keep` returns when the envelope is committed. Two loops do the work, each in batches: `run_journal` commits whatever waits
together; `run_store` reads and stores. A third, `run_sweep`, picks up what a crashed process left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import journal
from hub.adapter import LeaseLost, load
from hub.clock import now
from hub.core import Hub
from hub.database import DiskFull as DiskFull  # the doors know the core by this module
from hub.database import Unavailable as Unavailable
from hub.database import is_passing
from hub.events import NewEvent, append
from hub.failpoints import hit
from hub.journal import Entry, Kept
from hub.messages import Envelope, File, Reading, Unreadable
from hub.scheduler import Lease, holds
from hub.store import Item, StoredFile, store
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
        self._ready: asyncio.Queue[tuple[Entry, Reading | None]] = asyncio.Queue(AHEAD)

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
        """Commit several at once, together with a pulling channel's cursor. Raises also `LeaseLost`."""
        if len(self._waiting) >= WAITING:
            raise Busy("too many messages at once")
        kept = [await self._with_blob(e) for e in envelopes]
        waiting = _Waiting(
            kept, list(readings) or [None] * len(kept), cursor or {}, lease, asyncio.get_running_loop().create_future()
        )
        self._waiting.append(waiting)
        self._some.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await waiting.done
        except TimeoutError as error:
            raise Unavailable("the database did not answer in time") from error

    async def _with_blob(self, envelope: Envelope) -> Kept:
        if len(envelope.body) <= journal.INLINE:
            return Kept(envelope)
        try:
            return Kept(envelope, await asyncio.to_thread(self.hub.blobs.put, envelope.body))
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
                await self._ready.put((Entry(number, kept.envelope), reading))

    # ── read and store ────────────────────────────────────────────────────────────────────────────────────────────
    async def run_store(self) -> None:
        """Read what was kept and store what it says, in batches."""
        while True:
            self.hub.tasks.beat("store")
            try:
                async with asyncio.timeout(10):
                    batch = [await self._ready.get()]
            except TimeoutError:
                continue
            await self._gather(batch)
            items, unread = await self._insist(self._read, batch)
            await self._insist(self._store, items, unread)

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

    async def _gather(self, batch: list[tuple[Entry, Reading | None]]) -> None:
        """Fill the batch with what waits. While more pours in, a moment's patience makes fewer and larger transactions."""
        patience = asyncio.get_running_loop().time() + GATHER
        while True:
            while len(batch) < BATCH and not self._ready.empty():
                batch.append(self._ready.get_nowait())
            if len(batch) >= BATCH or not self._waiting or asyncio.get_running_loop().time() > patience:
                return
            await asyncio.sleep(GATHER / 10)

    async def _read(self, batch: Sequence[tuple[Entry, Reading | None]]) -> tuple[list[Item], dict[int, str]]:
        """Items ready to store, and the entries nobody could read, with the reason."""
        hit("ingest.before_read")
        readings = await self._readings(batch)
        items, unread = [], {}
        for (entry, _), reading in zip(batch, readings, strict=True):
            if isinstance(reading, Unreadable):
                unread[entry.id] = str(reading)
                stand_in = self._placeholder(entry, str(reading))
                if stand_in is None:
                    continue
                reading = stand_in
            ready = self.hub.channels.by_id.get(entry.envelope.channel_id)
            if ready is None:
                unread[entry.id] = "the channel is not in use any more"
                continue
            files = await self._keep_files(reading)
            traits = ready.adapter.traits
            items.append(
                Item(
                    entry.id,
                    ready.id,
                    ready.row.team_id,
                    traits.reply_in_thread,
                    entry.envelope.received_at,
                    reading,
                    files,
                )
            )
        return items, unread

    async def _readings(self, batch: Sequence[tuple[Entry, Reading | None]]) -> list[Reading | Unreadable]:
        """Every entry's reading; heavy kinds together in the sandbox, the others at once."""
        found: list[Reading | Unreadable | None] = [reading for _, reading in batch]
        heavy: dict[str, list[int]] = {}
        for position, (entry, reading) in enumerate(batch):
            if reading is not None:
                continue
            ready = self.hub.channels.by_id.get(entry.envelope.channel_id)
            if ready is None:
                found[position] = Unreadable("the channel is not in use any more")
            elif ready.adapter.traits.heavy:
                heavy.setdefault(ready.config.kind, []).append(position)
            else:
                found[position] = read_now(ready.config.kind, entry.envelope)
        for kind, positions in heavy.items():
            answers = await self.hub.sandbox.read_many(kind, [batch[p][0].envelope for p in positions])
            for position, answer in zip(positions, answers, strict=True):
                found[position] = answer
        return [r if r is not None else Unreadable("nothing was read") for r in found]

    def _placeholder(self, entry: Entry, reason: str) -> Reading | None:
        ready = self.hub.channels.by_id.get(entry.envelope.channel_id)
        if ready is None:
            return None
        try:
            return ready.adapter.placeholder(entry.envelope, reason)
        except Exception:
            log.exception("no placeholder for envelope %s", entry.id)
            return None

    async def _keep_files(self, reading: Reading) -> tuple[tuple[StoredFile, ...], ...]:
        if not any(m.files for m in reading.messages):
            return ()
        hit("ingest.before_blobs")
        return await asyncio.to_thread(lambda: tuple(tuple(map(self._keep_file, m.files)) for m in reading.messages))

    def _keep_file(self, file: File) -> StoredFile:
        name = self.hub.blobs.put(file.data)
        return StoredFile(clean_line(file.name, 255), clean_line(file.type, 100), len(file.data), name, file.inline_id)

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
        if self._ready.qsize() > AHEAD // 2:
            return 0
        ids = await self.hub.db.write(journal.claim_orphans, int(self.hub.options.lease_seconds * 1000), most)
        if not ids:
            return 0
        for found in await self.hub.db.read(journal.entries, ids):
            try:
                entry = await asyncio.to_thread(journal.with_body, found, self.hub.blobs)
            except FileNotFoundError as error:
                await self.hub.db.write(_set_aside, {found[0].id: f"its body is missing: {error.filename}"})
                continue
            await self._ready.put((entry, None))
        return len(ids)


def read_now(kind: str, envelope: Envelope) -> Reading | Unreadable:
    """Read on this very thread: for channels whose messages are small and simple."""
    try:
        return load(kind).read(envelope)
    except Unreadable as error:
        return error
    except Exception as error:
        log.exception("the adapter %s stumbled", kind)
        return Unreadable(f"the adapter stumbled over it: {type(error).__name__}")


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
