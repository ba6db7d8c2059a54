"""What could not be delivered comes back to work, once, whoever finds out and however late."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.engine import Connection

from hub import collaboration, failures, receipts
from hub.messages import Outgoing, Receipt, Refused, Sent, TryLater
from tests.core.conftest import Rig
from tests.core.test_delivery import Line, line  # noqa: F401
from tests.fakes import until


def refuse(_: Outgoing) -> Sent:
    raise Refused("550 5.1.1 unknown user")


async def status(line: Line) -> str:  # noqa: F811
    return str(await line.rig.scalar("SELECT status FROM conversations"))


async def close(line: Line) -> None:  # noqa: F811
    await line.rig.hub.db.write(collaboration.set_status, line.agent, line.number, "closed")


async def test_a_refused_message_opens_its_closed_conversation_and_says_why(line: Line) -> None:  # noqa: F811
    closed: list[bool] = []

    def answer(out: Outgoing) -> Sent:
        if not closed:
            raise TryLater("busy", 0.01)
        return refuse(out)

    line.answer = answer
    number = await line.say("Into the void")
    await close(line)
    closed.append(True)

    await until(lambda: line.state_soon("failed"))
    await until(lambda: line.rig.count("conversations", "status = 'open'", wanted=1))
    told = await line.rig.rows("SELECT data FROM events WHERE kind = 'conversation.status' ORDER BY id DESC LIMIT 1")
    assert f'"failed":"{number}"' in told[0]["data"]


async def test_news_of_a_failure_days_later_opens_it_too_and_only_once(line: Line) -> None:  # noqa: F811
    await line.say("Fine so far")
    await until(lambda: line.state("sent"))
    await close(line)
    channel, provider = (await line.rig.rows("SELECT channel_id, provider_id FROM deliveries"))[0].values()

    def late(conn: Connection) -> None:
        receipts.apply(conn, [(channel, Receipt(provider, "failed", error="mailbox full"))])

    await line.rig.hub.db.write(late)
    await until(lambda: line.rig.count("conversations", "status = 'open'", wanted=1))
    await close(line)
    await line.rig.hub.db.write(late)

    assert await line.rig.hub.db.write(failures.reopen) == 0
    assert await status(line) == "closed"


async def test_two_processes_that_find_it_together_tell_it_once(
    no_jobs: None, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await Line(rig).open(monkeypatch)  # noqa: F811
    line.answer = refuse
    await line.say("Into the void")
    await until(lambda: line.state("failed"))
    await close(line)

    found = await asyncio.gather(*(rig.hub.db.write(failures.reopen) for _ in range(5)))

    assert await status(line) == "open"
    assert await rig.count("events", "kind = 'conversation.status' AND data LIKE '%failed%'") == 1
    assert sum(found) == 1


async def test_an_open_conversation_is_left_as_it_is(line: Line) -> None:  # noqa: F811
    line.answer = refuse
    await line.say("Into the void")
    await until(lambda: line.state("failed"))
    await until(lambda: line.rig.count("deliveries", "not_before > 0", wanted=0))

    assert await line.rig.count("events", "kind = 'conversation.status'") == 0
