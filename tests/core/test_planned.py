"""Messages that leave later: once, at their time, also after a restart; had back, put off, or failed where everybody sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from hub import composing, drafts, failures, merging, outbox, planning, plans, privacy, uploads
from hub.access import Actor, Forbidden
from hub.clock import now
from hub.messages import Party
from hub.outbox import CannotSend, NotFound
from hub.plans import Plan
from hub.repeats import OtherWords
from hub.undo import TooLate
from tests.core.conftest import Rig
from tests.core.test_delivery import Line
from tests.fakes import until

HOUR = 3_600_000


class Later(Line):
    """A line on which things are planned; the job runs only when the test says so."""

    async def plan(self, text: str, due_at: int = 0, who: Actor | None = None, **more: Any) -> int:
        draft = outbox.Draft(text, more.pop("client_id", text), **more)
        args = (who or self.agent, self.rig.hub.channels, self.number, draft, due_at or now() + HOUR, "Europe/Berlin")
        return await self.rig.hub.db.write(composing.plan, *args)

    async def when_due(self) -> None:
        """Its time comes."""
        await self.rig.hub.db.write(lambda c: c.execute(sa.text("UPDATE plans SET due_at = 1")).rowcount)
        await planning.turn(self.rig.hub)

    async def one(self, number: int) -> Plan:
        found = await self.rig.hub.db.read(plans.one, number)
        assert found is not None
        return found

    async def home(self) -> dict[str, Any]:
        fields = "status, waiting_since, last_message_id, unread"
        return (await self.rig.rows(f"SELECT {fields} FROM conversations WHERE id = :n", n=self.number))[0]


@pytest.fixture
async def line(no_jobs: None, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Later:
    here = Later(rig)
    await here.open(monkeypatch)
    return here


async def test_until_its_time_nobody_is_answered_and_then_it_leaves_once(line: Later) -> None:
    before = await line.home()
    number = await line.plan("Good morning")
    await planning.turn(line.rig.hub)
    assert await line.home() == before and before["waiting_since"]
    assert await line.rig.count("messages", "direction = 'out'") == 0

    await line.when_due()
    await line.when_due()
    await until(lambda: line.state_soon("sent"))
    assert [o.text for o in line.sent] == ["Good morning"]
    there, after = await line.one(number), await line.home()
    assert (there.state, after["last_message_id"], after["waiting_since"]) == ("sent", there.message_id, None)
    assert await line.rig.count("plan_files") == 0
    assert await line.plan("Good morning") == number  # a late repeat of the form
    assert await line.rig.count("plans") == 1


async def test_many_that_send_it_at_once_send_it_once(line: Later) -> None:
    number = await line.plan("Only one of me")
    hub = line.rig.hub
    tries = [hub.db.write(planning.send_now, line.agent, hub.channels, number) for _ in range(5)]
    tries += [hub.db.write(planning.take_back, line.agent, number) for _ in range(3)]
    found = await asyncio.gather(*tries, return_exceptions=True)

    assert [type(f) for f in found if isinstance(f, BaseException)] == [TooLate] * 7
    out = await line.rig.count("messages", "direction = 'out'")
    drafted = await line.rig.count("drafts", "ended_at IS NULL")
    assert (out, drafted) in ((1, 0), (0, 1))


async def test_a_crash_before_the_commit_leaves_it_waiting_and_it_leaves_later(
    line: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await line.plan("After the crash")
    with monkeypatch.context() as ill:
        ill.setattr("hub.outbox.search.add", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await line.rig.hub.db.write(planning.send_now, line.agent, line.rig.hub.channels, number)
    assert (await line.one(number)).state == "waiting"
    await line.when_due()

    assert await line.rig.count("messages", "direction = 'out'") == 1


async def test_one_that_cannot_even_be_shown_as_not_sent_keeps_no_other_one(
    line: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill, well = await line.plan("Ill"), await line.plan("Well")
    known = planning.leave

    def leave(conn: Any, channels: Any, number: int) -> int:
        return 1 // 0 if number == ill else known(conn, channels, number)

    monkeypatch.setattr(planning, "leave", leave)
    monkeypatch.setattr(planning, "give_up", lambda *_: 1 // 0)
    await line.when_due()

    assert (await line.one(ill)).state == "given up"
    assert (await line.one(well)).state == "sent"


async def test_taken_back_it_is_a_draft_with_all_of_it_whoever_takes_it(line: Later) -> None:
    colleague = await line.rig.employee()
    (file,) = await line.rig.hub.db.write(
        uploads.keep, line.agent.id, [uploads.Upload("a.txt", "text/plain", 1, "0" * 64)]
    )
    number = await line.plan("With a file", subject="Offer", files=(file,), actions=("status:closed",))
    old = {"at": now() - 3 * uploads.PATIENCE}
    await line.rig.hub.db.write(lambda c: c.execute(sa.text("UPDATE attachments SET created_at = :at"), old).rowcount)
    assert await line.rig.hub.db.write(uploads.prune_uploads) == 0
    kept = await line.rig.hub.db.write(planning.take_back, colleague, number)

    content = kept.content
    assert (content.text, content.subject, content.actions) == ("With a file", "Offer", ("status:closed",))
    assert (content.to, content.sure, kept.uploads) == (("api:kim",), True, {file})
    there = await line.one(number)
    assert (there.state, there.draft.text, there.files) == ("withdrawn", "", ())  # its words are the draft's alone
    await line.when_due()
    assert await line.rig.count("messages", "direction = 'out'") == 0
    with pytest.raises(CannotSend, match="taken back"):
        await line.plan("With a file")
    with pytest.raises(TooLate):
        await line.rig.hub.db.write(planning.take_back, line.agent, number)


async def test_planning_ends_the_draft_and_other_words_under_its_name_are_refused(line: Later) -> None:
    await line.rig.hub.db.write(drafts.put, line.agent, line.number, "reply", drafts.Content("Tomorrow"))
    number = await line.plan("Tomorrow")
    assert await line.rig.count("drafts", "ended_at IS NULL") == 0
    with pytest.raises(OtherWords, match="Tomorrow"):
        await line.plan("Next week", client_id="Tomorrow")
    with pytest.raises(CannotSend, match="over already"):
        await line.plan("too late", now() - 1)
    with pytest.raises(CannotSend, match="boom"):
        await line.plan("wrong act", actions=("boom",))
    with pytest.raises(CannotSend, match=r"customer\.name"):
        await line.plan("Dear {{customer.name}}")
    later = now() + 5 * HOUR
    await line.rig.hub.db.write(planning.put_off, line.agent, number, later)
    assert (await line.one(number)).due_at == later


async def test_what_shall_be_done_is_done_when_it_leaves_and_a_snooze_lasts_over_it(line: Later) -> None:
    await line.plan("Bye", actions=("tag:done", "status:closed"))
    assert await line.rig.count("tags") == 0
    await line.when_due()
    assert (await line.home())["status"] == "closed" and await line.rig.count("tags", "tag = 'done'") == 1

    await line.plan("One more thing")
    await line.when_due()
    assert (await line.home())["status"] == "closed"


async def test_a_snooze_that_is_over_when_it_leaves_does_not_keep_it_from_leaving(line: Later) -> None:
    number = await line.plan("Late", actions=(f"snooze:{now() + HOUR}", "tag:late"))
    with pytest.MonkeyPatch.context() as clock:
        for module in (planning, plans):
            clock.setattr(module, "now", lambda: now() + 2 * HOUR)
        await planning.turn(line.rig.hub)

    assert (await line.one(number)).state == "sent"
    assert (await line.home())["status"] == "open" and await line.rig.count("tags", "tag = 'late'") == 1


async def test_what_something_else_was_sent_under_the_name_of_fails_in_sight(line: Later) -> None:
    number, hub = await line.plan("Planned words", client_id="one"), line.rig.hub
    await hub.db.write(outbox.reply, line.agent, hub.channels, 0, line.number, outbox.Draft("Other words", "one"))
    await line.when_due()

    there = await line.one(number)
    (failed,) = await line.rig.rows(
        "SELECT m.id, m.text FROM deliveries d JOIN messages m ON m.id = message_id WHERE d.state = 'failed'"
    )
    assert (there.state, there.message_id, failed["text"]) == ("given up", failed["id"], "Planned words")


async def test_what_was_put_off_before_it_is_given_up_waits(line: Later) -> None:
    number, hub = await line.plan("Put off"), line.rig.hub
    assert await hub.db.write(planning.give_up, number, "whatever it was") == 0
    assert (await line.one(number)).state == "waiting"


async def test_a_merge_just_before_it_is_had_back_brings_the_words_to_where_it_goes_on(line: Later) -> None:
    number, hub = await line.plan("Mine again"), line.rig.hub
    begun = outbox.Draft("Two", "x", via=next(iter(hub.channels.by_id)), to=(Party("api:else"),))
    other, _, _ = await hub.db.write(outbox.start, line.agent, hub.channels, 0, begun)
    boss, known = await line.rig.employee("supervisor"), plans.one
    before = await line.one(number)
    answers = [before, before]
    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(plans, "one", lambda conn, n: answers.pop() if answers else known(conn, n))
        await hub.db.write(merging.merge, boss, line.number, other, True)
        kept = await hub.db.write(planning.take_back, boss, number)

    assert kept.conversation_id == other


@pytest.mark.parametrize("why", ["channel", "author", "stranger", "rights", "consent"])
async def test_what_cannot_leave_any_more_fails_in_sight_and_opens_the_conversation(line: Later, why: str) -> None:
    number = await line.plan("Too bad", to=(Party("api:kim"),), sure=True)
    hub, args = line.rig.hub, {"n": line.agent.id}
    broken = {
        "author": "UPDATE employees SET disabled_at = 1 WHERE id = :n",
        "stranger": "UPDATE identities SET address = 'api:other'",
        "consent": "INSERT INTO consents (id, customer_id, kind, state, at) SELECT 9, customer_id, 'api', 'out', 1 FROM conversations",
        "rights": "UPDATE employees SET role = 'light' WHERE id = :n",
    }
    if why == "stranger":
        await hub.db.write(lambda c: c.execute(sa.text("DELETE FROM participants")).rowcount)
    if why == "channel":
        hub.channels.by_id.clear()
    else:
        await hub.db.write(lambda c: c.execute(sa.text(broken[why]), args if ":n" in broken[why] else {}).rowcount)
    await hub.db.write(lambda c: c.execute(sa.text("UPDATE conversations SET status = 'closed'")).rowcount)
    await line.when_due()
    await line.when_due()
    await hub.db.write(failures.reopen)

    if why == "consent":
        with pytest.raises(CannotSend, match="opted out"):
            await line.plan("One more")
    (row,) = await line.rig.rows(
        "SELECT d.state, d.error, m.text, m.author_id FROM deliveries d JOIN messages m ON m.id = message_id"
    )
    assert (row["state"], row["text"], row["author_id"]) == ("failed", "Too bad", line.agent.id)
    assert row["error"] and "fault" not in row["error"]
    assert (await line.home())["status"] == "open" and (await line.home())["waiting_since"]
    assert (await line.one(number)).state == "given up"
    assert await line.rig.count("events", "kind = 'delivery.failed'") == 1
    assert line.sent == []


async def test_free_text_is_not_planned_for_after_the_channels_window(
    line: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ready,) = line.rig.hub.channels.by_id.values()
    windowed = msgspec.structs.replace(ready.adapter.traits, window_hours=24)
    monkeypatch.setattr(type(ready.adapter), "traits", windowed)
    await line.plan("in time", now() + 23 * HOUR)
    with pytest.raises(CannotSend, match="free text"):
        await line.plan("too late", now() + 25 * HOUR)

    await line.rig.hub.db.write(
        lambda c: c.execute(sa.text("UPDATE events SET at = 1 WHERE kind = 'message.received'")).rowcount
    )
    await line.when_due()  # the window has closed meanwhile after all
    assert await line.state("failed")


async def test_nobody_sees_or_changes_what_is_not_theirs(line: Later) -> None:
    stranger, light = await line.rig.employee(), await line.rig.employee("light")
    number = await line.plan("Ours")
    await line.rig.hub.db.write(
        lambda c: c.execute(sa.text("INSERT INTO teams (id, slug, name, created_at) VALUES (77, 't', 'T', 0)")).rowcount
    )
    await line.rig.hub.db.write(
        lambda c: (
            c.execute(sa.text("UPDATE conversations SET team_id = 77, assignee_id = :n"), {"n": line.agent.id}).rowcount
        )
    )
    for work in (planning.take_back, planning.view, planning.send_now, planning.put_off):
        args: tuple[Any, ...] = {
            planning.send_now: (line.rig.hub.channels, number),
            planning.put_off: (number, now() + HOUR),
        }.get(work, (number,))
        with pytest.raises(NotFound):
            await line.rig.hub.db.write(work, stranger, *args)
    with pytest.raises(Forbidden):
        await line.rig.hub.db.write(planning.take_back, light, number)
    assert (await line.one(number)).state == "waiting"


async def test_what_waits_goes_with_a_merge_and_dies_with_its_conversation(line: Later) -> None:
    await line.plan("First")
    hub = line.rig.hub
    kim = int(await line.rig.scalar("SELECT customer_id FROM conversations"))
    begun = outbox.Draft("Two", "x", via=next(iter(hub.channels.by_id)))
    other, _, _ = await hub.db.write(outbox.start, line.agent, hub.channels, 0, begun, kim)
    boss = await line.rig.employee("supervisor")
    await line.rig.hub.db.write(merging.merge, boss, line.number, other)
    (waiting,) = await line.rig.hub.db.read(plans.of_conversation, other)
    assert waiting.draft.text == "First"
    await line.rig.hub.db.write(privacy.erase_conversation, other, boss.id)

    assert await line.rig.count("plans") == 0


async def test_what_went_with_a_merge_comes_back_when_it_is_undone(line: Later) -> None:
    number, hub = await line.plan("First"), line.rig.hub
    begun = outbox.Draft("Two", "x", via=next(iter(hub.channels.by_id)), to=(Party("api:else"),))
    other, _, _ = await hub.db.write(outbox.start, line.agent, hub.channels, 0, begun)
    boss = await line.rig.employee("supervisor")
    join = await hub.db.write(merging.merge, boss, line.number, other, True)
    assert (await line.one(number)).conversation_id == other
    draft = outbox.Draft("Since then", "since then")
    since, _ = await hub.db.write(planning.plan, boss, hub.channels, other, draft, now() + HOUR)
    await hub.db.write(merging.separate, boss, join)

    assert (await line.one(number)).conversation_id == line.number
    assert (await line.one(since)).conversation_id == other


async def test_what_is_long_over_is_forgotten_and_what_waits_is_not(line: Later) -> None:
    one, two = await line.plan("One"), await line.plan("Two")
    await line.rig.hub.db.write(planning.take_back, line.agent, one)
    await line.rig.hub.db.write(lambda c: c.execute(sa.text("UPDATE plans SET changed_at = 1")).rowcount)

    assert await line.rig.hub.db.write(plans.prune) == 1
    assert (await line.one(two)).state == "waiting"
