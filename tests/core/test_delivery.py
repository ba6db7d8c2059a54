"""The way out: once, in order, with patience, and honest about what it does not know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hub import delivery, outbox, undo
from hub.access import Forbidden
from hub.adapter import Adapter
from hub.messages import Outgoing, Refused, Sent, TryLater
from tests.core.conftest import Rig, message
from tests.fakes import until

Answer = Callable[[Outgoing], Sent]


class Line:
    """A conversation whose channel's adapter answers as the test says."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.sent: list[Outgoing] = []
        self.answer: Answer = lambda out: Sent(f"p{out.id}")
        self.number = 0

    async def open(self, monkeypatch: pytest.MonkeyPatch, repeat: str = "safe") -> Line:
        channel = await self.rig.channel(url="http://127.0.0.1:1/")
        self.agent = await self.rig.employee()
        adapter = self.rig.hub.channels.by_id[channel].adapter

        async def send(_: Adapter, out: Outgoing) -> Sent:
            self.sent.append(out)
            await asyncio.sleep(0)
            return self.answer(out)

        import msgspec

        monkeypatch.setattr(type(adapter), "send", send)
        monkeypatch.setattr(type(adapter), "traits", msgspec.structs.replace(adapter.traits, repeat=repeat))
        await self.rig.hear(channel, message("Hi"))
        self.number = await self.rig.scalar("SELECT id FROM conversations")
        return self

    async def say(self, text: str, client_id: str = "", **more: Any) -> int:
        draft = outbox.Draft(text, client_id or text, **more)
        number, _ = await self.rig.hub.db.write(outbox.reply, self.agent, self.rig.hub.channels, 0, self.number, draft)
        self.rig.hub.bus.publish()
        return number

    async def state(self, wanted: str) -> bool:
        return bool(await self.rig.count("deliveries", f"state = '{wanted}'"))

    async def state_soon(self, wanted: str) -> bool:
        """The same, but the worker need not wait for its second to pass before it looks again."""
        worker = self.rig.server.delivery
        assert worker is not None
        worker._wake.set()
        return await self.state(wanted)


@pytest.fixture
async def line(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Line:
    return await Line(rig).open(monkeypatch)


async def test_a_reply_leaves_once_and_is_told_in_events(line: Line) -> None:
    number = await line.say("Hello back")
    await until(lambda: line.state("sent"))

    assert [o.text for o in line.sent] == ["Hello back"]
    assert line.sent[0].recipients == ("api:kim",)
    assert await line.rig.scalar("SELECT provider_id FROM messages WHERE id = :n", n=number) == f"p{number}"
    assert await line.rig.count("events", "kind = 'delivery.sent'") == 1


async def test_replies_of_one_conversation_leave_in_order(line: Line) -> None:
    for i in range(30):
        await line.say(f"{i:02}")
    await until(lambda: line.rig.count("deliveries", "state = 'sent'", wanted=30))

    assert [o.text for o in line.sent] == [f"{i:02}" for i in range(30)]


async def test_the_same_client_id_is_the_same_message(line: Line) -> None:
    first = await line.say("once", "same")
    second = await line.say("once", "same")
    await until(lambda: line.state("sent"))

    assert first == second
    assert [o.text for o in line.sent] == ["once"]


async def test_a_postponed_message_is_tried_again_with_the_same_key(line: Line) -> None:
    def answer(out: Outgoing) -> Sent:
        if out.attempt < 3:
            raise TryLater("busy", 0.01)
        return Sent("fine")

    line.answer = answer
    await line.say("patience")
    await until(lambda: line.state_soon("sent"))

    assert [o.attempt for o in line.sent] == [1, 2, 3]
    assert len({o.idempotency_key for o in line.sent}) == 1


async def test_a_postponed_message_holds_back_those_behind_it(line: Line) -> None:
    def answer(out: Outgoing) -> Sent:
        if out.text == "first" and out.attempt == 1:
            raise TryLater("busy", 0.2)
        return Sent(out.id)

    line.answer = answer
    await line.say("first")
    await line.say("second")
    await until(lambda: line.rig.count("deliveries", "state = 'sent'", wanted=2))

    assert [o.text for o in line.sent] == ["first", "first", "second"]


async def test_a_refusal_is_final_and_keeps_the_providers_words(line: Line) -> None:
    def answer(_: Outgoing) -> Sent:
        raise Refused("550 no such user")

    line.answer = answer
    await line.say("nobody home")
    await until(lambda: line.state("failed"))

    assert await line.rig.scalar("SELECT error FROM deliveries") == "550 no such user"
    assert len(line.sent) == 1


async def test_a_person_can_have_a_failed_message_tried_again(line: Line) -> None:
    def refuse(_: Outgoing) -> Sent:
        raise Refused("no")

    line.answer = refuse
    number = await line.say("again")
    await until(lambda: line.state("failed"))
    line.answer = lambda out: Sent("ok")
    await line.rig.hub.db.write(undo.retry, line.agent, number)
    line.rig.hub.bus.publish()

    await until(lambda: line.state("sent"))


async def test_without_a_clear_answer_an_idempotent_channel_tries_again(line: Line) -> None:
    def answer(out: Outgoing) -> Sent:
        if out.attempt == 1:
            raise ConnectionResetError("gone after the request")
        return Sent("ok")

    line.answer = answer
    await line.say("unclear")
    await until(lambda: line.state_soon("sent"), 8)

    assert len(line.sent) == 2


async def test_without_a_clear_answer_other_channels_show_it_as_unconfirmed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await Line(rig).open(monkeypatch, repeat="never")

    def answer(_: Outgoing) -> Sent:
        raise ConnectionResetError("gone after the request")

    line.answer = answer
    await line.say("unclear")
    await until(lambda: line.state("unconfirmed"))

    assert len(line.sent) == 1
    assert await rig.count("events", "kind = 'delivery.unconfirmed'") == 1


async def test_an_attempt_taken_over_by_another_process_settles_nothing(line: Line) -> None:
    gate = asyncio.Event()
    honest = delivery.settle
    line.answer = lambda out: Sent("late")
    await line.say("slow")
    await until(lambda: line.state("sent"))
    (row,) = await line.rig.rows("SELECT id, fence FROM deliveries")
    await line.rig.hub.db.write(
        lambda c: c.exec_driver_sql("UPDATE deliveries SET fence = fence + 1, state = 'sending'").rowcount
    )
    parcel = delivery.Parcel(row["id"], 1, 1, 1, 1, "api:kim", row["fence"], 1, 0, "queued", line.sent[0])
    await line.rig.hub.db.write(honest, [delivery.Outcome(parcel, "failed", error="stale")])
    gate.set()

    assert await line.rig.scalar("SELECT state FROM deliveries") == "sending"


async def test_a_receipt_that_came_first_is_joined_when_the_answer_is_written_down(line: Line) -> None:
    from hub.clock import now
    from hub.messages import Envelope, Reading, Receipt

    channel = await line.rig.scalar("SELECT channel_id FROM conversations")
    await line.rig.server.ingest.keep(
        Envelope(channel, b"{}", "test", now()),
        Reading((), (Receipt("early-1", "read"), Receipt("early-1", "delivered"))),
    )
    await until(lambda: line.rig.count("early_receipts", wanted=2))
    line.answer = lambda out: Sent("early-1")
    await line.say("read before sent")

    await until(lambda: line.state("read"))
    assert await line.rig.count("early_receipts") == 0


async def test_a_stale_screen_is_told_what_it_has_not_seen(line: Line) -> None:
    seen = await line.rig.scalar("SELECT max(id) FROM messages")
    newer = await line.say("a colleague was faster")

    with pytest.raises(outbox.Stale) as stale:
        await line.say("late", seen=seen)
    assert stale.value.newer == [newer]


async def test_light_agents_cannot_answer_customers(line: Line) -> None:
    line.agent = await line.rig.employee("light")

    with pytest.raises(Forbidden):
        await line.say("not mine to say")


async def test_an_agent_of_another_team_does_not_even_see_it(line: Line) -> None:
    await line.rig.hub.db.write(
        lambda c: c.exec_driver_sql("INSERT INTO teams (id, slug, name, created_at) VALUES (900, 'a', 'A', 0)").rowcount
    )
    await line.rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE conversations SET team_id = 900").rowcount)

    with pytest.raises(outbox.NotFound):
        await line.say("hello")
    line.agent = await line.rig.employee("agent", teams=[900])
    assert await line.say("hello again")


async def test_an_address_with_a_line_break_never_gets_into_the_queue(line: Line) -> None:
    from hub.messages import Party

    with pytest.raises(outbox.CannotSend):
        await line.say("x", to=(Party("api:a\r\nRCPT TO:<b>"),))
    assert await line.rig.count("deliveries") == 0


async def test_every_recipient_of_a_channel_without_copies_gets_a_message_of_his_own(line: Line) -> None:
    from hub.messages import Party

    await line.say("to both", to=(Party("api:kim"), Party("api:lee")))
    await until(lambda: line.rig.count("deliveries", "state = 'sent'", wanted=2))

    assert sorted(o.recipients for o in line.sent) == [("api:kim",), ("api:lee",)]


async def test_a_customers_id_that_equals_one_of_ours_is_no_copy(line: Line) -> None:
    line.answer = lambda out: Sent("77")
    await line.say("ours is 77")
    await until(lambda: line.state("sent"))
    channel = await line.rig.scalar("SELECT channel_id FROM conversations")
    await line.rig.hear(channel, message("mine is 77 too", provider_id="77"))
    await line.rig.hear(channel, message("an answer to yours", reply_to="77"))

    assert await line.rig.count("messages", "text = 'mine is 77 too'") == 1
    answered = await line.rig.scalar("SELECT reply_to_id FROM messages WHERE text = 'an answer to yours'")
    assert await line.rig.scalar("SELECT text FROM messages WHERE id = :n", n=answered) == "ours is 77"


async def test_whatever_a_provider_says_about_time_and_trouble_the_worker_lives(line: Line) -> None:
    def answer(out: Outgoing) -> Sent:
        if out.text == "never":
            raise TryLater("come back\0in\ud800 years", 1e30)
        return Sent(out.id)

    line.answer = answer
    await line.say("never", to=(message().sender,))
    await until(lambda: line.rig.count("deliveries", "error <> ''"))
    from hub.messages import Party

    await line.say("after", to=(Party("api:lee"),))
    await until(lambda: line.state("sent"))

    (row,) = await line.rig.rows("SELECT not_before, changed_at FROM deliveries WHERE state = 'queued'")
    assert row["not_before"] - row["changed_at"] <= delivery.LONGEST * 1000 + 1000


async def test_a_stop_lets_the_provider_finish_its_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    line = await Line(rig).open(monkeypatch, repeat="once")
    gate = asyncio.Event()

    async def slow(_: Adapter, out: Outgoing) -> Sent:
        line.sent.append(out)
        await gate.wait()
        return Sent("done")

    adapter = next(iter(rig.hub.channels.by_id.values())).adapter
    monkeypatch.setattr(type(adapter), "send", slow)
    await line.say("in the middle")
    await until(lambda: line.sent)
    stopping = asyncio.create_task(rig.server.stop())
    await asyncio.sleep(0)
    gate.set()
    await stopping
    from hub.database import open_database

    after = open_database(database_url)
    states = await after.read(lambda c: c.exec_driver_sql("SELECT state FROM deliveries").scalars().all())
    await after.close()

    assert list(states) == ["sent"]


async def test_the_same_beginning_at_the_same_moment_begins_once(line: Line) -> None:
    from hub.messages import Party

    channel = await line.rig.scalar("SELECT channel_id FROM conversations")
    draft = outbox.Draft("hello", "begin", via=channel, to=(Party("api:new"),))
    begun = await asyncio.gather(
        *(line.rig.hub.db.write(outbox.start, line.agent, line.rig.hub.channels, 3600, draft) for _ in range(6))
    )

    assert len({(c, m) for c, m, _ in begun}) == 1
    assert sum(new for _, _, new in begun) == 1
