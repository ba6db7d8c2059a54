"""Reading: slow mails keep nobody else waiting, nothing is read twice, and memory has a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hub import ingest, journal, reading
from hub.clock import now
from hub.database import Unavailable
from hub.ingest import Ingest
from hub.messages import Envelope, File, Reading, Unreadable
from tests.core.conftest import Rig, message
from tests.fakes import until

LEASES = "SELECT id, lease_until FROM journal WHERE state = 'kept' ORDER BY id"


class Slow:
    """A sandbox that reads nothing until it is told to."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.go = asyncio.Event()

    async def read_many(self, kind: str, envelopes: Sequence[Envelope], deadline: float = 5) -> list[Any]:
        self.asked += [e.body for e in envelopes]
        await self.go.wait()
        return [
            Unreadable("no") if e.body == b"bad" else Reading((message(e.body.decode(), "email:k@x.example"),))
            for e in envelopes
        ]


@pytest.fixture
def slow(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Slow:
    found = Slow()
    monkeypatch.setattr(rig.hub.sandbox, "read_many", found.read_many)
    rig.hub.options = msgspec.structs.replace(rig.hub.options, lease_seconds=0.6)
    return found


async def keep_mails(rig: Rig, channel: int, *bodies: bytes) -> None:
    for body in bodies:
        await rig.server.ingest.keep(Envelope(channel, body, "test", now()))


async def test_slow_mails_keep_other_channels_not_waiting_and_stay_in_order(rig: Rig, slow: Slow) -> None:
    mails, light = await rig.channel("email"), await rig.channel()
    bodies = [b"%03d" % n for n in range(30)]
    await keep_mails(rig, mails, *bodies)
    await rig.server.ingest.keep(Envelope(light, b"{}", "test", now()), Reading((message("quick"),)))

    await until(lambda: rig.count("messages", "text = 'quick'", wanted=1))
    assert await rig.count("messages") == 1
    slow.go.set()
    await rig.quiet()
    texts = [r["text"] for r in await rig.rows("SELECT text FROM messages WHERE text <> 'quick' ORDER BY id")]
    assert texts == [b.decode() for b in bodies]


@pytest.mark.rest
async def test_mails_being_read_are_neither_queued_again_here_nor_taken_by_another_process(
    rig: Rig, slow: Slow
) -> None:
    mails = await rig.channel("email")
    await keep_mails(rig, mails, *(b"%03d" % n for n in range(20)))
    await until(lambda: slow.asked)
    before = {r["id"]: r["lease_until"] for r in await rig.rows(LEASES)}

    async def renewed_twice() -> Any:
        return all(r["lease_until"] > before[r["id"]] + 800 for r in await rig.rows(LEASES))

    await until(renewed_twice)
    assert await rig.server.ingest.sweep() == 0
    assert await Ingest(rig.hub).sweep() == 0
    assert not rig.hub.tasks.dead()
    slow.go.set()
    await rig.quiet()
    assert sorted(slow.asked) == [b"%03d" % n for n in range(20)]
    assert rig.server.ingest._flying == set()
    assert rig.server.ingest._held == 0


async def test_what_this_process_has_in_hands_is_not_swept_even_when_its_lease_has_run_out(
    rig: Rig, slow: Slow
) -> None:
    mails = await rig.channel("email")
    await keep_mails(rig, mails, *(b"%03d" % n for n in range(20)))
    await until(lambda: slow.asked)
    await rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE journal SET lease_until = 0").rowcount)

    assert await rig.server.ingest.sweep() == 0
    slow.go.set()
    await rig.quiet()
    assert sorted(slow.asked) == [b"%03d" % n for n in range(20)]


async def test_channels_take_turns_so_that_one_full_of_slow_mails_does_not_starve_the_others(
    rig: Rig, slow: Slow
) -> None:
    one, two = await rig.channel("email"), await rig.channel("email")
    await keep_mails(rig, one, *(b"one" for _ in range(3 * reading.GROUP)))
    await keep_mails(rig, two, b"two")
    slow.go.set()
    await rig.quiet()

    assert slow.asked.index(b"two") <= 2 * reading.GROUP


async def test_a_mail_nobody_can_read_keeps_its_place_as_a_stand_in_and_is_shown(rig: Rig, slow: Slow) -> None:
    mails = await rig.channel("email")
    await keep_mails(rig, mails, b"a", b"bad", b"c")
    slow.go.set()
    await rig.quiet()

    states = [r["state"] for r in await rig.rows("SELECT state FROM journal ORDER BY id")]
    assert states == ["read", "failed", "read"]
    assert await rig.count("messages") == 3


async def test_a_channel_with_too_many_unread_mails_is_told_alone(
    rig: Rig, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails, light = await rig.channel("email"), await rig.channel()
    monkeypatch.setattr(reading, "LINE", 3)
    with pytest.raises(ingest.Busy):
        await keep_mails(rig, mails, *(b"x" for _ in range(40)))
    await rig.server.ingest.keep(Envelope(light, b"{}", "test", now()), Reading((message("quick"),)))

    await until(lambda: rig.count("messages", "text = 'quick'", wanted=1))
    slow.go.set()
    await rig.quiet()


async def test_more_bytes_than_memory_has_are_refused_until_there_is_room(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await rig.channel()
    honest, way = ingest._store, asyncio.Event()

    def away(*args: Any) -> int:
        if not way.is_set():
            raise Unavailable("gone for a moment")
        return honest(*args)

    monkeypatch.setattr(ingest, "_store", away)
    monkeypatch.setattr(ingest, "MEMORY", 10_000)
    files = (File("a", "text/plain", b"x" * 9000),)
    keep = rig.server.ingest.keep
    await keep(Envelope(channel, b"{}", "test", now()), Reading((message(files=files),)))

    with pytest.raises(ingest.Busy):
        await keep(Envelope(channel, b"x" * 2000, "test", now()), Reading((message(),)))
    way.set()
    await rig.quiet()
    await until(lambda: rig.server.ingest._held == 0)
    await keep(Envelope(channel, b"x" * 2000, "test", now()), Reading((message(),)))
    await rig.quiet()
    assert await rig.count("messages") == 2


async def test_a_large_body_does_not_wait_in_memory_and_is_there_when_it_is_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await rig.channel()
    honest, way = reading.prepared, asyncio.Event()

    async def held(*args: Any) -> Any:
        await way.wait()
        return await honest(*args)

    monkeypatch.setattr("hub.ingest.prepared", held)
    body = b'{"messages": [{"id": "big", "from": {"address": "kim"}, "text": "%s"}]}' % (b"x" * 2 * journal.INLINE)
    await rig.server.ingest.keep(Envelope(channel, body, "test", now()))

    assert rig.server.ingest._held < 1000
    way.set()
    await rig.quiet()
    assert await rig.scalar("SELECT length(text) FROM messages") == 2 * journal.INLINE
