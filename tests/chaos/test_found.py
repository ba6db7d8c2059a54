"""What the chaos tests found once, small and quick: these bugs do not come back."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, channels, delivery, ingest, journal, outbox, receipts
from hub.blobs import Blobs
from hub.bus import Bus
from hub.channels import Channels
from hub.core import Hub
from hub.delivery import Delivery, Outcome
from hub.ingest import Ingest
from hub.journal import Entry, Kept
from hub.messages import Envelope, Outgoing, Receipt, Sent
from hub.sandbox import Sandbox
from hub.secretbox import SecretBox, load_keys
from hub.tables import deliveries, messages
from hub.tables import journal as journal_table
from hub.tasks import Supervisor
from tests.fakes import until


class House:
    """A hub's core without its loops, one channel, one employee."""

    def __init__(self, hub: Hub, channel: int, actor: Any) -> None:
        self.hub, self.channel, self.actor = hub, channel, actor
        self.ingest = Ingest(hub)

    async def hear(self, body: str) -> None:
        """A webhook, kept and stored."""
        envelope = Envelope(self.channel, body.encode(), "webhook", 1)
        (number,) = await self.hub.db.write(journal.write, [Kept(envelope)], 60_000)
        reading = ingest.read_now("api", envelope)
        await self.ingest._store(*await self.ingest._read([(Entry(number, envelope), reading)]))

    async def message(self, number: int) -> None:
        """A customer's message; everyone has a conversation of their own."""
        await self.hear(json.dumps({"id": f"m{number}", "from": {"address": f"c{number}"}, "text": "Hello"}))

    async def reply(self, conversation: int) -> int:
        """An answer, queued."""
        draft = outbox.Draft("Yes", f"r{conversation}")
        number, _ = await self.hub.db.write(outbox.reply, self.actor, self.hub.channels, 0, conversation, draft)
        return number

    async def states(self) -> list[str]:
        """Of all deliveries, in order."""
        return await self.hub.db.read(_states)


def _states(conn: Connection) -> list[str]:
    return list(conn.execute(sa.select(deliveries.c.state).order_by(deliveries.c.id)).scalars())


@pytest.fixture
async def house(db: Any, tmp_path: Path) -> AsyncIterator[House]:
    box = SecretBox(load_keys(tmp_path / "secret.key"))
    number = await db.write(accounts.add_employee, "a@x.example", "Agent", "admin", None)
    row = await db.write(channels.add, box, "api", "Provider", {"url": "http://127.0.0.1:9", "secret": "s"})
    hub = Hub(db, Bus(), Blobs(tmp_path / "blobs"), box, Channels(), Supervisor(), Sandbox())
    await hub.load_channels()
    yield House(hub, row.config.id, await db.read(accounts.actor, number))
    await hub.channels.close()


async def test_several_outcomes_are_written_down_at_once(house: House) -> None:
    for number in (1, 2):
        await house.message(number)
        await house.reply(number)
    parcels = await house.hub.db.write(delivery.claim, house.hub, 10)

    done = [Outcome(p, "sent", provider_id=f"out-{p.delivery_id}") for p in parcels]
    await house.hub.db.write(delivery.settle, done)

    assert await house.states() == ["sent", "sent"]


async def test_a_provider_that_gives_one_id_twice_does_not_stop_the_delivery(house: House) -> None:
    for number in (1, 2, 3):
        await house.message(number)
        await house.reply(number)
    parcels = await house.hub.db.write(delivery.claim, house.hub, 10)

    await house.hub.db.write(delivery.settle, [Outcome(p, "sent", provider_id="ok") for p in parcels[:2]])
    await house.hub.db.write(delivery.settle, [Outcome(parcels[2], "sent", provider_id="m1")])

    assert await house.states() == ["sent", "sent", "sent"]


async def test_a_receipt_and_the_answer_it_belongs_to_cannot_miss_each_other(house: House) -> None:
    await house.message(1)
    await house.reply(1)
    (parcel,) = await house.hub.db.write(delivery.claim, house.hub, 10)
    news = [(house.channel, Receipt("out-1", "delivered"))]

    await asyncio.gather(
        house.hub.db.write(lambda conn: receipts.apply(conn, news)),
        house.hub.db.write(delivery.settle, [Outcome(parcel, "sent", provider_id="out-1")]),
    )

    assert await house.states() == ["delivered"]


async def test_what_is_still_being_sent_is_renewed_and_what_is_not_is_taken_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.message(1)
    await house.reply(1)
    monkeypatch.setattr(delivery, "LEASE", 0.0)
    (parcel,) = await house.hub.db.write(delivery.claim, house.hub, 10)
    monkeypatch.setattr(delivery, "LEASE", 60.0)

    await house.hub.db.write(delivery.renew, [parcel])
    renewed = await house.hub.db.write(delivery.claim, house.hub, 10)
    monkeypatch.setattr(delivery, "LEASE", -1.0)
    await house.hub.db.write(delivery.renew, [parcel])
    taken = await house.hub.db.write(delivery.claim, house.hub, 10)
    await house.hub.db.write(delivery.settle, [Outcome(parcel, "failed")])

    assert renewed == []
    assert [p.fence for p in taken] == [parcel.fence + 1]
    assert taken[0].interrupted
    assert await house.states() == ["sending"]


async def test_an_attachment_that_cannot_be_read_is_no_unclear_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.message(1)
    await house.reply(1)
    (parcel,) = await house.hub.db.write(delivery.claim, house.hub, 10)
    tried = []

    async def send(self: Any, out: Outgoing) -> Sent:
        tried.append(out)
        return Sent("out-1")

    def broken(hub: Hub, group: Any) -> Outgoing:
        raise FileNotFoundError("blob")

    monkeypatch.setattr("adapters.api.Channel.send", send)
    monkeypatch.setattr(delivery, "with_files", broken)
    (outcome,) = await Delivery(house.hub)._attempt([parcel])

    assert (outcome.state, tried) == ("queued", [])
    assert outcome.wait > 0


async def test_a_full_disk_makes_storing_wait_and_not_die(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Blobs.put
    failed: list[bytes] = []

    def full(self: Blobs, data: bytes) -> str:
        if len(failed) < 2:
            failed.append(data)
            raise OSError(28, "No space left on device")
        return put(self, data)

    monkeypatch.setattr(Blobs, "put", full)
    tasks = house.hub.tasks
    tasks.start("journal", house.ingest.run_journal)
    tasks.start("store", house.ingest.run_store)
    body = b'{"id": "m1", "from": {"address": "c"}, "attachments": [{"name": "a", "content_base64": "YQ=="}]}'

    await house.ingest.keep(Envelope(house.channel, body, "webhook", 1))
    stored = sa.select(sa.func.count()).select_from(messages)

    async def one_is_there() -> bool:
        return await house.hub.db.read(lambda c: c.execute(stored).scalar()) == 1

    await until(one_is_there)  # type: ignore[arg-type]

    assert len(failed) == 2
    assert tasks.dead() == {}
    await tasks.stop()


async def test_an_entry_whose_body_is_missing_is_set_aside_and_holds_up_nobody(house: House) -> None:
    gone = Kept(Envelope(house.channel, b"x" * 300_000, "webhook", 1), "0" * 64)
    fine = Kept(Envelope(house.channel, b'{"id": "m2", "from": {"address": "c"}}', "webhook", 1))
    await house.hub.db.write(journal.write, [gone, fine], -1)

    await house.ingest.sweep()
    waiting = [house.ingest._ready.get_nowait() for _ in range(2)]
    await house.ingest._store(*await house.ingest._read(waiting))

    rows = await house.hub.db.read(lambda c: c.execute(sa.select(journal_table.c.state, journal_table.c.error)).all())
    assert sorted(row.state for row in rows) == ["failed", "read"]
    assert any("missing" in row.error for row in rows)
