"""The way in: kept once, in order, and set aside alone when it is poisonous."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from hub import ingest, journal, store
from hub.clock import now
from hub.database import Unavailable
from hub.identity import address_hash
from hub.messages import Envelope, File, Message, Party, Reading, Receipt
from tests.core.conftest import Rig, message
from tests.fakes import until


async def test_a_message_becomes_customer_conversation_message_and_event(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.hear(channel, message("Grüß Gott", who="api:kim", name="Kim Lee"))

    (row,) = await rig.rows(
        "SELECT m.text, c.name, v.status, v.unread, v.waiting_since FROM messages m"
        " JOIN customers c ON c.id = m.customer_id JOIN conversations v ON v.id = m.conversation_id"
    )
    assert (row["text"], row["name"], row["status"], row["unread"]) == ("Grüß Gott", "Kim Lee", "open", 1)
    assert row["waiting_since"] is not None
    kinds = [r["kind"] for r in await rig.rows("SELECT kind FROM events WHERE conversation_id IS NOT NULL ORDER BY id")]
    assert kinds == ["customer.created", "conversation.created", "message.received"]


async def test_the_same_provider_message_is_stored_once_however_often_it_comes(rig: Rig) -> None:
    channel = await rig.channel()
    same = [Envelope(channel, b"{}", "test", now()) for _ in range(40)]
    reading = Reading((message(provider_id="once"),))
    await asyncio.gather(*(rig.server.ingest.keep(e, reading) for e in same))
    await rig.quiet()

    assert await rig.count("messages") == 1
    assert await rig.count("journal") == 40


async def test_the_same_id_on_two_channels_is_two_messages(rig: Rig) -> None:
    one, two = await rig.channel(), await rig.channel()
    await rig.hear(one, message(provider_id="x"))
    await rig.hear(two, message(provider_id="x"))

    assert await rig.count("messages") == 2


async def test_messages_of_one_sender_keep_their_order_and_share_a_conversation(rig: Rig) -> None:
    channel = await rig.channel()
    said = [message(f"{i:03}") for i in range(150)]
    await asyncio.gather(
        *(rig.server.ingest.keep(Envelope(channel, b"{}", "test", now()), Reading((m,))) for m in said)
    )
    await rig.quiet()

    texts = [r["text"] for r in await rig.rows("SELECT text FROM messages ORDER BY id")]
    assert texts == sorted(texts)
    assert await rig.count("conversations") == 1


async def test_a_poisonous_message_is_set_aside_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await rig.channel()
    honest = store.message_row

    def poisoned(e: Any, home: Any) -> dict[str, Any]:
        if e.message.text == "poison":
            raise IntegrityError("INSERT", {}, ValueError("poison"))
        return honest(e, home)

    monkeypatch.setattr(store, "message_row", poisoned)
    said = [message("poison" if i == 7 else f"fine {i}", who=f"api:{i}") for i in range(20)]
    await asyncio.gather(
        *(rig.server.ingest.keep(Envelope(channel, b"{}", "test", now()), Reading((m,))) for m in said)
    )
    await rig.quiet()

    assert await rig.count("messages") == 19
    (failed,) = await rig.rows("SELECT id, error FROM journal WHERE state = 'failed'")
    assert "poison" in failed["error"]
    assert await rig.count("events", "kind = 'journal.failed'") == 1

    monkeypatch.setattr(store, "message_row", honest)
    body = b'{"messages": [{"id": "late", "from": {"address": "7"}, "text": "cured"}]}'
    await rig.hub.db.write(lambda c: c.execute(journal.journal.update().values(body=body)).rowcount)
    await rig.hub.db.write(lambda c: journal.replay(c, failed=True))
    await rig.server.ingest.sweep()
    await until(lambda: rig.count("messages", "text = 'cured'", wanted=1))


@pytest.mark.rest
async def test_what_a_crashed_process_had_kept_is_read_by_the_sweep(rig: Rig) -> None:
    channel = await rig.channel()
    body = b'{"messages": [{"id": "left", "from": {"address": "kim"}, "text": "left behind"}]}'
    kept = [journal.Kept(Envelope(channel, body, "test", now()))]
    await rig.hub.db.write(lambda c: list(journal.write(c, kept, -1000)))

    await until(lambda: rig.count("messages", "text = 'left behind'", wanted=1))


async def test_another_process_lease_is_respected_while_it_lasts(rig: Rig) -> None:
    channel = await rig.channel()
    kept = [journal.Kept(Envelope(channel, b'{"id":"a","from":{"address":"k"}}', "test", now()))]
    await rig.hub.db.write(lambda c: list(journal.write(c, kept, 60_000)))

    assert await rig.server.ingest.sweep() == 0


async def test_attachments_lie_in_the_blob_store_under_their_hash(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.hear(channel, message(files=(File("../../etc/passwd", "text/plain", b"data"),)))

    (row,) = await rig.rows("SELECT name, sha256, size FROM attachments")
    assert (row["name"], row["size"]) == ("../../etc/passwd", 4)
    assert rig.hub.blobs.get(row["sha256"]) == b"data"
    names = [p.name for p in rig.hub.blobs.folder.rglob("*") if p.is_file()]
    assert names == [row["sha256"][2:]]


async def test_a_large_body_is_kept_byte_for_byte_in_the_blob_store(rig: Rig) -> None:
    channel = await rig.channel()
    body = bytes(range(256)) * 2000
    await rig.hear(channel, message(), body=body)

    (row,) = await rig.rows("SELECT blob, size FROM journal")
    assert row["size"] == len(body)
    assert rig.hub.blobs.get(row["blob"]) == body


async def test_too_many_waiting_are_refused_and_nothing_of_them_is_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await rig.channel()
    monkeypatch.setattr(ingest, "WAITING", 0)

    with pytest.raises(ingest.Busy):
        await rig.server.ingest.keep(Envelope(channel, b"{}", "test", now()), Reading())
    assert await rig.count("journal") == 0


async def test_a_database_that_is_away_refuses_and_later_serves_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await rig.channel()
    write = rig.hub.db.write

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("away")

    monkeypatch.setattr(rig.hub.db, "write", away)
    with pytest.raises(Unavailable):
        await rig.server.ingest.keep(Envelope(channel, b"{}", "test", now()), Reading((message(),)))
    monkeypatch.setattr(rig.hub.db, "write", write)
    await rig.hear(channel, message("back"))

    assert await rig.count("messages") == 1


async def test_storing_waits_for_the_database_and_loses_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = await rig.channel()
    times = iter(range(3))
    honest = ingest._store

    def flaky(*args: Any) -> int:
        if next(times, None) is not None:
            raise Unavailable("gone for a moment")
        return honest(*args)

    monkeypatch.setattr(ingest, "_store", flaky)
    await rig.hear(channel, message("still here"))

    assert await rig.count("messages", "text = 'still here'") == 1


async def test_early_receipts_are_parked_and_one_state_only_climbs(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.server.ingest.keep(
        Envelope(channel, b"{}", "test", now()), Reading((), (Receipt("p1", "read"), Receipt("p1", "delivered")))
    )
    await rig.quiet()

    assert await rig.count("early_receipts") == 2


async def bury(rig: Rig, address: str, at: int) -> None:
    """Its owner was erased then."""
    digest = address_hash(address)
    await rig.hub.db.write(lambda c: c.exec_driver_sql(f"INSERT INTO tombstones VALUES ('{digest}', {at})").rowcount)


async def test_what_an_erased_customer_said_before_does_not_come_back_and_the_journal_says_so(rig: Rig) -> None:
    channel = await rig.channel()
    moment = now()
    await bury(rig, "api:gone", moment)
    await rig.hear(channel, message(who="api:gone", at=moment), message("else", who="api:stays"))

    assert [r["text"] for r in await rig.rows("SELECT text FROM messages")] == ["else"]
    (entry,) = await rig.rows("SELECT state, error FROM journal")
    assert (entry["state"], entry["error"]) == ("read", store.STAYS_OUT)


async def test_an_erased_customer_who_writes_again_is_welcome_as_a_new_one(rig: Rig) -> None:
    channel = await rig.channel()
    moment = now() - 1000
    await bury(rig, "api:gone", moment)
    await rig.hear(channel, message("dated", who="api:gone", at=moment + 1))
    await rig.hear(channel, message("undated", who="api:gone"))

    assert [r["text"] for r in await rig.rows("SELECT text FROM messages ORDER BY id")] == ["dated", "undated"]
    assert await rig.count("customers") == 1
    assert await rig.count("journal", "error <> ''") == 0


async def test_an_unreadable_envelope_is_shown_in_the_journal_with_the_reason(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.server.ingest.keep(Envelope(channel, b"no json", "test", now()))
    await rig.quiet()

    (row,) = await rig.rows("SELECT state, error, body FROM journal")
    assert row["state"] == "failed"
    assert "JSON" in row["error"]
    assert bytes(row["body"]) == b"no json"


def test_a_message_needs_no_text_at_all() -> None:
    assert Message("x", Party("api:a")).text == ""
