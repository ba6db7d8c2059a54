"""What a visitor did not read for five minutes goes by mail, exactly once, and an answer to the mail joins the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from hub import channels, continuity, events, outbox, search
from hub.access import Actor
from hub.clock import now
from hub.messages import Envelope, Message, Party, Reading
from hub.outbox import Draft
from tests.core.conftest import Rig, numbers
from tests.fakes import until

VISITOR = "a" * 24
LATER = continuity.PATIENCE + 1000


class Talk:
    """A chat, perhaps a mailbox, and one visitor; the clock of the mails is the test's."""

    def __init__(self, rig: Rig, agent: Actor, chat: int) -> None:
        self.rig, self.agent, self.chat = rig, agent, chat
        self.mailbox = 0

    async def says(self, text: str, *also: str) -> None:
        said = Message(f"{VISITOR}:{next(numbers)}", Party(f"webchat:{VISITOR}", "Kim"), text=text, also=also, language="de",
                       fields={"page": "https://shop.example/wallbox"})  # fmt: skip
        await self.rig.hear(self.chat, said)

    async def home(self) -> int:
        return int(await self.rig.scalar("SELECT max(id) FROM conversations"))

    async def answers(self, text: str) -> int:
        hub, draft = self.rig.hub, Draft(text, f"c{next(numbers)}")
        number, _ = await hub.db.write(outbox.reply, self.agent, hub.channels, 0, await self.home(), draft)
        self.rig.hub.bus.publish()
        await until(lambda: self.rig.count("deliveries", f"message_id = {number} AND state = 'sent'"))
        return int(number)

    async def mails(self) -> list[dict[str, Any]]:
        return await self.rig.rows(
            "SELECT m.id, m.subject, m.text, m.html, m.conversation_id, d.recipient FROM messages m"
            " JOIN deliveries d ON d.message_id = m.id WHERE m.kind = 'email' AND m.direction = 'out' ORDER BY m.id"
        )


@pytest.fixture
async def talk(no_jobs: None, rig: Rig) -> AsyncIterator[Talk]:
    def make(conn: Connection, kind: str, settings: dict[str, Any]) -> int:
        row = channels.add(conn, rig.hub.box, kind, kind, settings)
        events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])
        return row.config.id

    made = Talk(rig, await rig.employee("admin"), 0)
    origins = {"allowed_origins": "https://shop.example", "title.de": "Nordlicht"}
    made.chat = await rig.hub.db.write(make, "webchat", origins)
    smtp = {"address": "help@firm.example", "smtp.host": "127.0.0.1", "smtp.port": 1, "smtp.tls": "none"}
    made.mailbox = await rig.hub.db.write(make, "email", smtp)
    await rig.hub.load_channels()
    await continuity.turn(rig.hub)  # from here on everything is followed
    yield made


def in_time(monkeypatch: pytest.MonkeyPatch, ms: int) -> None:
    moment = now() + ms
    monkeypatch.setattr("hub.continuity.now", lambda: moment)


async def test_what_stays_unread_goes_by_mail_once_with_a_way_back(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk.says("Hallo", "email:kim@example.com")
    await talk.answers("Ja, <b>gern</b>")
    await talk.answers("Noch etwas?")

    soon = await continuity.turn(talk.rig.hub)
    in_time(monkeypatch, LATER)
    turns = [await continuity.turn(talk.rig.hub) for _ in range(3)]
    mails = await talk.mails()

    assert (soon, turns) == (0, [1, 0, 0])
    assert [(m["recipient"], m["conversation_id"]) for m in mails] == [("email:kim@example.com", await talk.home())]
    assert "Ja, <b>gern</b>" in mails[0]["text"] and "Noch etwas?" in mails[0]["text"]
    assert "https://shop.example/wallbox" in mails[0]["text"]
    assert "Ja, &lt;b&gt;gern" in mails[0]["html"]
    assert mails[0]["subject"] == "Nordlicht hat im Chat geantwortet"
    # indexed whole: whoever erases it takes out exactly these words
    assert mails[0]["id"] in await talk.rig.hub.db.read(lambda c: search.find(c, "gern etwas"))


async def test_what_was_read_in_time_goes_nowhere(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk.says("Hallo", "email:kim@example.com")
    number = await talk.answers("Ja")
    await talk.rig.hub.db.write(
        lambda c: c.exec_driver_sql(f"UPDATE deliveries SET state = 'read' WHERE message_id = {number}")
    )
    in_time(monkeypatch, LATER)

    assert await continuity.turn(talk.rig.hub) == 0
    assert await talk.mails() == []


async def test_without_an_address_nothing_is_sent_and_nothing_waits_for_ever(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.says("Hallo")
    await talk.answers("Ja")
    in_time(monkeypatch, LATER)

    assert await continuity.turn(talk.rig.hub) == 0
    assert await talk.rig.count("unread_chats") == 0


async def test_a_hub_that_was_down_tells_of_it_afterwards(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has turned since the answer, as if the process had died: the events know."""
    await talk.says("Hallo", "email:kim@example.com")
    await talk.answers("Ja")
    in_time(monkeypatch, 3 * 86_400_000)

    assert await continuity.turn(talk.rig.hub) == 1


async def test_two_processes_at_the_same_moment_write_one_mail(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk.says("Hallo", "email:kim@example.com")
    await talk.answers("Ja")
    await continuity.turn(talk.rig.hub)
    in_time(monkeypatch, LATER)

    turns = await asyncio.gather(*[continuity.turn(talk.rig.hub) for _ in range(4)])

    assert sum(turns) == 1
    assert len(await talk.mails()) == 1


async def test_an_answer_by_mail_joins_the_conversation(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await talk.says("Hallo", "email:kim@example.com")
    await talk.answers("Ja")
    in_time(monkeypatch, LATER)
    await continuity.turn(talk.rig.hub)
    home, mail = await talk.home(), (await talk.mails())[0]
    from hub.conversations import make_token

    def mailed(sender: str) -> Message:
        token = make_token(talk.rig.hub.box, home, mail["id"])
        return Message(f"x{next(numbers)}", Party(sender), kind="email", text=sender, tokens=(token,))

    for sender in ("email:kim@example.com", "email:stranger@example.com"):
        await talk.rig.server.ingest.keep(
            Envelope(talk.mailbox, b"Subject: x\r\n\r\nx", "test", now()), Reading((mailed(sender),))
        )
        await talk.rig.quiet()
    rows = await talk.rig.rows("SELECT text, conversation_id FROM messages WHERE kind = 'email' AND direction = 'in'")

    assert {r["text"]: r["conversation_id"] == home for r in rows} == {
        "email:kim@example.com": True,
        "email:stranger@example.com": False,
    }
