"""Reading what was kept, before it is stored: light kinds on the spot, heavy ones in a line of their own.

A mail may take its reader many seconds. So heavy envelopes wait here, without their bodies, and only their own channels wait for
them: each channel in order, the channels in turn. While a group is read its journal leases are renewed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from hub import journal
from hub.adapter import load
from hub.blobs import Blobs
from hub.channels import Ready
from hub.core import Hub
from hub.database import is_passing
from hub.entries import Item, StoredFile
from hub.failpoints import hit
from hub.journal import Entry
from hub.messages import Envelope, File, Reading, Unreadable
from hub.tasks import Backoff
from hub.text import clean_line

log = logging.getLogger(__name__)

T = TypeVar("T")

#: What is known of an entry's contents; None: nothing yet.
Found = Reading | Unreadable | None
#: Heavy envelopes of one channel that may wait to be read; its door is told to come back later.
LINE = 2000
#: Mails read together: so many, and so many bytes unless a single one is larger.
GROUP, GROUP_BYTES = 8, 10_000_000


class BodyMissing(Unreadable):
    """The blob store does not have the envelope's body: there is nothing to make a stand-in of."""


def read_now(kind: str, envelope: Envelope) -> Reading | Unreadable:
    """Read on this very thread: for channels whose messages are small and simple."""
    try:
        return load(kind).read(envelope)
    except Unreadable as error:
        return error
    except Exception as error:
        log.exception("the adapter %s stumbled", kind)
        return Unreadable(f"the adapter stumbled over it: {type(error).__name__}")


def weight(entry: Entry, found: Found) -> int:
    """Bytes that an entry on its way occupies, roughly."""
    return len(entry.envelope.body) + reading_weight(found)


def reading_weight(found: Found) -> int:
    """Bytes that a reading occupies, roughly."""
    total = 0
    for message in found.messages if isinstance(found, Reading) else ():
        total += len(message.text) + len(message.html)
        for file in message.files:
            total += len(file.data)
    return total


def without_body(entry: Entry) -> Entry:
    """The entry for a place where it may have to wait."""
    return msgspec.structs.replace(entry, envelope=msgspec.structs.replace(entry.envelope, body=b""))


async def with_body(hub: Hub, entry: Entry) -> Entry | BodyMissing:
    """The entry with its body, from the blob store where it lies there."""
    if not entry.blob:
        return entry
    try:
        return await asyncio.to_thread(journal.with_body, entry, hub.blobs)
    except FileNotFoundError as error:
        return BodyMissing(f"its body is missing: {error.filename}")


async def prepared(hub: Hub, batch: Sequence[tuple[Entry, Found]]) -> tuple[list[Item], dict[int, str]]:
    """Items ready to store, their files kept, and the entries nobody could read, with the reason. Raises OSError."""
    items, unread = [], {}
    for entry, found in batch:
        ready = hub.channels.by_id.get(entry.envelope.channel_id)
        if ready is None:
            unread[entry.id] = "the channel is not in use any more"
            continue
        reading = await _reading(hub, ready, entry) if found is None else found
        if isinstance(reading, Unreadable):
            unread[entry.id] = str(reading)
            stand_in = None if isinstance(reading, BodyMissing) else _placeholder(ready, entry, str(reading))
            if stand_in is None:
                continue
            reading = stand_in
        files = await _keep_files(hub.blobs, reading)
        in_thread, received_at = ready.adapter.traits.reply_in_thread, entry.envelope.received_at
        items.append(Item(entry.id, ready.id, ready.row.team_id, in_thread, received_at, reading, files))
    return items, unread


async def _reading(hub: Hub, ready: Ready, entry: Entry) -> Reading | Unreadable:
    full = await with_body(hub, entry)
    return full if isinstance(full, BodyMissing) else read_now(ready.config.kind, full.envelope)


def _placeholder(ready: Ready, entry: Entry, reason: str) -> Reading | None:
    try:
        return ready.adapter.placeholder(entry.envelope, reason)
    except Exception:
        log.exception("no placeholder for envelope %s", entry.id)
        return None


async def _keep_files(blobs: Blobs, reading: Reading) -> tuple[tuple[StoredFile, ...], ...]:
    if not any(m.files for m in reading.messages):
        return ()
    hit("ingest.before_blobs")
    return await asyncio.to_thread(
        lambda: tuple(tuple(_keep_file(blobs, f) for f in m.files) for m in reading.messages)
    )


def _keep_file(blobs: Blobs, file: File) -> StoredFile:
    name = blobs.put(file.data)
    return StoredFile(clean_line(file.name, 255), clean_line(file.type, 100), len(file.data), name, file.inline_id)


class Heavy:
    """The line of heavy envelopes. ``pass_on`` gets every entry with what was found; it may make the line wait.

    ``flying`` are the journal ids in this process's hands; those that a dying loop drops are taken out of it.
    """

    def __init__(self, hub: Hub, pass_on: Callable[[Entry, Found], Awaitable[None]], flying: set[int]) -> None:
        self.hub, self._pass_on, self._flying = hub, pass_on, flying
        self._lines: dict[int, deque[tuple[Entry, Found]]] = {}
        self._some = asyncio.Event()
        self._reading: list[int] = []
        self._renewed = 0.0

    def full(self, channel_id: int) -> bool:
        """Has this channel as many waiting as it may?"""
        return len(self._lines.get(channel_id, ())) >= LINE

    def add(self, entry: Entry, found: Found) -> None:
        """At the end of the channel's line. What is not read yet waits without its body, which the journal has."""
        waiting = entry if found is not None else without_body(entry)
        self._lines.setdefault(entry.envelope.channel_id, deque()).append((waiting, found))
        self._some.set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            self.hub.tasks.beat("read")
            try:
                async with asyncio.timeout(10):
                    await self._some.wait()
            except TimeoutError:
                continue
            self._some.clear()
            while group := self._next():
                left = [entry.id for entry, _ in group]
                try:
                    for entry, found in await self._insist(group):
                        await self._pass_on(entry, found)
                        left.remove(entry.id)
                finally:
                    self._flying.difference_update(left)
                    self._reading = []

    def _next(self) -> list[tuple[Entry, Found]]:
        """The beginning of the line whose turn it is; its channel's next turn comes after all others."""
        if not self._lines:
            return []
        channel = next(iter(self._lines))
        line, room = self._lines.pop(channel), GROUP_BYTES
        group: list[tuple[Entry, Found]] = []
        while line and len(group) < GROUP and (not group or line[0][0].size <= room):
            room -= line[0][0].size
            group.append(line.popleft())
        if line:
            self._lines[channel] = line
        self._reading = [entry.id for entry, _ in group]
        return group

    async def _insist(self, group: list[tuple[Entry, Found]]) -> list[tuple[Entry, Found]]:
        backoff = Backoff(most=2.0)
        while True:
            try:
                return await self._holding(self._read(group))
            except Exception as error:
                if not is_passing(error) and not isinstance(error, OSError):
                    raise
                log.warning("reading waits: %s", error)
            await backoff.wait()

    async def _holding(self, work: Awaitable[T]) -> T:
        """Do it, however long it takes: the loop is alive, and what waits in this process is not another's to read."""
        task = asyncio.ensure_future(work)
        pause = self.hub.options.lease_seconds / 3
        try:
            while True:
                self.hub.tasks.beat("read")
                if asyncio.get_running_loop().time() - self._renewed > pause:
                    await self._renew()
                if (await asyncio.wait([task], timeout=pause))[0]:
                    return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _renew(self) -> None:
        self._renewed = asyncio.get_running_loop().time()
        waiting = [entry.id for line in self._lines.values() for entry, _ in line]
        await self.hub.db.write(journal.renew, self._reading + waiting, int(self.hub.options.lease_seconds * 1000))

    async def _read(self, group: Sequence[tuple[Entry, Found]]) -> list[tuple[Entry, Found]]:
        """The group in order, each with what was found; only what nobody could read keeps its body."""
        known = {entry.id: (entry, found) for entry, found in group if found is not None}
        unread = await self.hub.db.read(journal.entries, [entry.id for entry, found in group if found is None])
        ready = await self.hub.ready(group[0][0].envelope.channel_id)
        asked: list[Entry] = []
        for bare in unread:
            entry = await with_body(self.hub, bare)
            if isinstance(entry, BodyMissing):
                known[bare.id] = (bare, entry)
            elif ready is None:
                known[bare.id] = (without_body(entry), Unreadable("the channel is not in use any more"))
            elif not ready.adapter.traits.heavy:
                known[bare.id] = (entry, read_now(ready.config.kind, entry.envelope))
            else:
                asked.append(entry)
        if ready is not None and asked:
            answers = await self.hub.sandbox.read_many(ready.config.kind, [entry.envelope for entry in asked])
            for entry, answer in zip(asked, answers, strict=True):
                known[entry.id] = (entry if isinstance(answer, Unreadable) else without_body(entry), answer)
        return [known.get(entry.id, (entry, BodyMissing("it is not in the journal any more"))) for entry, _ in group]
