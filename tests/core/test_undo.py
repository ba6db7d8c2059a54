"""Taking back what has not left: either it is withdrawn or it is sent, never both; and everything is as it was before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub import collaboration, drafts, holds, levels, outbox, search, undo
from hub.access import Forbidden
from hub.directory import Conditions
from hub.drafts import Kept
from hub.outbox import CannotSend, NotFound
from hub.undo import TooLate
from tests.core.conftest import Rig, message
from tests.core.test_delivery import Line
from tests.core.test_drafts import Desk
from tests.fakes import until

_FIELDS = "status, closed_at, snoozed_until, waiting_since, last_message_id, last_message_at, preview"


class Held(Line):
    """A line on which what is said waits an hour, or as long as the test says."""

    async def say(self, text: str, client_id: str = "", seconds: float = 3600, **more: Any) -> int:
        draft = outbox.Draft(text, client_id or text, **more)
        args = (self.agent, self.rig.hub.channels, seconds, self.number, draft)
        number, _ = await self.rig.hub.db.write(outbox.reply, *args)
        self.rig.hub.bus.publish()
        return number

    async def back(self, number: int, who: Any = None) -> Kept:
        return await self.rig.hub.db.write(undo.take_back, who or self.agent, number)

    async def home(self) -> dict[str, Any]:
        return (await self.rig.rows(f"SELECT {_FIELDS} FROM conversations WHERE id = :n", n=self.number))[0]

    async def clocks(self) -> list[dict[str, Any]]:
        return await self.rig.rows("SELECT * FROM sla_clocks ORDER BY target")


@pytest.fixture
async def line(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Held:
    here = Held(rig)
    await here.open(monkeypatch)
    return here


async def test_what_is_taken_back_is_the_writers_draft_again_and_nowhere_else(line: Held) -> None:
    before = await line.home()
    number = await line.say("Sorry, wrong zebra", subject="Oops", via=0)
    assert await line.home() != before
    kept = await line.back(number)

    assert (kept.content.text, kept.content.subject, kept.alive) == ("Sorry, wrong zebra", "Oops", True)
    assert await line.home() == before
    assert await line.rig.count("deliveries") == await line.rig.count("holds") == 0
    assert await line.rig.hub.db.read(search.find, "zebra") == []
    assert await line.rig.count("messages", "text LIKE '%zebra%'") == 0
    with pytest.raises((NotFound, TooLate)):
        await line.back(number)
    told = await line.rig.rows("SELECT kind, shown FROM events WHERE message_id = :n ORDER BY id", n=number)
    assert [t["kind"] for t in told] == ["message.sent", "message.withdrawn"]
    assert not any(t["shown"] for t in told)
    assert line.sent == []


async def test_the_same_act_once_more_does_not_send_what_was_taken_back(line: Held) -> None:
    number = await line.say("first", "the act")
    await line.back(number)

    with pytest.raises(CannotSend, match="taken back"):
        await line.say("first", "the act", 0)
    assert await line.rig.count("deliveries") == 0


async def test_only_who_wrote_it_may_and_only_while_it_is_held(line: Held) -> None:
    boss = await line.rig.employee("supervisor")
    held, plain = await line.say("held"), await line.say("plain", seconds=0)
    with pytest.raises(Forbidden):
        await line.back(held, boss)
    with pytest.raises(TooLate):
        await line.back(plain)
    await line.back(held)
    await until(lambda: line.state("sent"))

    assert [o.text for o in line.sent] == ["plain"]


async def test_after_the_hold_it_leaves_by_itself_exactly_once(line: Held) -> None:
    number = await line.say("leaves", seconds=0.2)
    await until(lambda: line.state("sent"))

    assert [o.text for o in line.sent] == ["leaves"]
    with pytest.raises(TooLate):
        await line.back(number)


async def test_undo_and_the_delivery_worker_never_both_win(line: Held) -> None:
    """Messages fall due while they are taken back: each is either sent or withdrawn."""
    taken: set[str] = set()
    both = {"sent": 0, "taken": 0}
    for n in range(600):
        if n >= 40 and all(both.values()):
            break
        number = await line.say(f"m{n}", seconds=0.001)
        await asyncio.sleep(0.002 * (n % 7))  # from before the worker looks to after it has
        try:
            await line.back(number)
        except TooLate:
            both["sent"] += 1
        else:
            both["taken"] += 1
            taken.add(f"m{n}")
    await until(lambda: line.rig.count("deliveries", "state <> 'sent'", wanted=0))

    sent = [o.text for o in line.sent]
    assert len(sent) == len(set(sent)) == both["sent"]
    assert not taken & set(sent)
    assert both["sent"] and both["taken"], both


async def test_many_undos_at_once_take_it_back_once(line: Held) -> None:
    number = await line.say("again and again")
    said = await asyncio.gather(*(line.back(number) for _ in range(10)), return_exceptions=True)

    assert sum(isinstance(s, Kept) for s in said) == 1
    assert all(isinstance(s, Kept | TooLate | NotFound) for s in said), said
    assert (await line.rig.hub.db.read(drafts.one, line.agent, line.number, "reply")).content.text == "again and again"


async def test_files_come_back_and_new_words_are_kept_behind_the_old(line: Held) -> None:
    desk = Desk(line.rig, line.agent, line.number)
    first, second = await desk.upload("first"), await desk.upload("second")
    number = await line.say("With a file", files=(first,))
    await desk.put("Already writing on", files=(second,))
    kept = await line.back(number)

    assert kept.content.text == "With a file\n\nAlready writing on"
    assert kept.content.files == tuple(sorted((first, second)))
    assert await line.rig.count("attachments", "message_id IS NOT NULL") == 0


@pytest.mark.parametrize("status", ["closed", "snoozed"])
async def test_a_conversation_that_the_reply_opened_is_as_closed_as_before(line: Held, status: Any) -> None:
    await line.rig.hub.db.write(
        collaboration.set_status, line.agent, line.number, status, 2**50 if status == "snoozed" else None
    )
    before = await line.home()
    number = await line.say("opens it")
    assert (await line.home())["status"] == "open"
    await line.back(number)

    assert await line.home() == before


async def test_what_the_customer_said_meanwhile_stays_the_last_word(line: Held) -> None:
    channel = await line.rig.scalar("SELECT channel_id FROM conversations")
    waited = (await line.home())["waiting_since"]
    number = await line.say("too late")
    await line.rig.hear(channel, message("And another thing"))
    await line.back(number)

    home = await line.home()
    assert (home["preview"], home["waiting_since"], home["status"]) == ("And another thing", waited, "open")


async def test_who_closed_it_meanwhile_is_not_overruled(line: Held) -> None:
    number = await line.say("bye")
    await line.rig.hub.db.write(collaboration.set_status, line.agent, line.number, "closed")
    await line.back(number)

    home = await line.home()
    assert (home["status"], home["waiting_since"], home["preview"]) == ("closed", None, "Hi")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_two_held_messages_taken_back_in_any_order_leave_everything_as_it_was(
    line: Held, order: tuple[int, int]
) -> None:
    await line.rig.hub.db.write(collaboration.set_status, line.agent, line.number, "closed")
    before = await line.home()
    said = [await line.say("one"), await line.say("two")]
    await line.back(said[order[0]])
    assert (await line.home())["preview"] == ("two", "one")[order[0]]
    await line.back(said[order[1]])

    assert await line.home() == before


async def test_promised_times_run_on_as_if_nothing_had_been_said(line: Held) -> None:
    promised = {"first_minutes": 60, "next_minutes": 30, "resolution_minutes": 600}
    given = {"name": "Gold", "enabled": True, "conditions": Conditions(), **promised}
    await line.rig.hub.db.write(levels.add_policy, given, None)
    channel = await line.rig.scalar("SELECT channel_id FROM conversations")
    await line.rig.hear(channel, message("Anybody?", who="api:else"))
    line.number = await line.rig.scalar("SELECT max(id) FROM conversations")
    before, clocks = await line.home(), await line.clocks()
    assert [c["met_at"] for c in clocks if c["target"] == "first"] == [None]
    number = await line.say("Yes")
    assert [bool(c["met_at"]) for c in await line.clocks() if c["target"] == "first"] == [True]
    await line.back(number)

    assert await line.clocks() == clocks
    assert await line.home() == before


async def test_how_long_it_waits_is_the_channels_word_or_the_employees(line: Held) -> None:
    def ask(kind: str, house: float = 0) -> Any:
        return line.rig.hub.db.read(holds.seconds, line.agent.id, kind, house)

    usual = [await ask(kind) for kind in ("email", "sms", "whatsapp", "telegram", "webchat", "api")]
    await line.rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE employees SET undo_seconds = 30").rowcount)
    own = [await ask("email"), await ask("webchat"), await ask("api", 3)]
    await line.rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE employees SET undo_seconds = 0").rowcount)

    assert usual == [10, 5, 5, 5, 0, 0]
    assert own == [30, 0, 30]
    assert await ask("email") == 0
