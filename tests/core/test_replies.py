"""Saved replies: who sees them, what fills itself, what is done when one is sent."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import administration, composing, outbox, replies, snoozing
from hub.access import Actor, Forbidden
from hub.accounts import Invalid
from hub.clock import now
from hub.outbox import CannotSend, NotFound
from tests.core.conftest import Rig, message


@pytest.fixture
async def teams(rig: Rig) -> list[int]:
    def make(conn: Connection) -> list[int]:
        return [administration.add_team(conn, name) for name in ("north", "south")]

    return await rig.hub.db.write(make)


async def add(rig: Rig, actor: Actor, name: str = "Hi", text: str = "Hello", **more: Any) -> int:
    return await rig.hub.db.write(replies.add, actor, {"name": name, "text": text, **more})


async def names(rig: Rig, actor: Actor) -> list[str]:
    return [reply.name for reply in await rig.hub.db.read(replies.listing, actor)]


async def conversation(rig: Rig, name: str = "Kim Novak", **more: Any) -> int:
    channel = await rig.channel(url="http://127.0.0.1:1/")
    await rig.hear(channel, message("Hi", name=name, **more))
    return int(await rig.scalar("SELECT max(id) FROM conversations"))


async def fitting(rig: Rig, actor: Actor, number: int, q: str = "") -> list[replies.Filled]:
    return await rig.hub.db.read(replies.for_conversation, actor, number, q)


async def test_everybody_sees_their_own_their_teams_and_everybodys(rig: Rig, teams: list[int]) -> None:
    north, south = await rig.employee(teams=teams[:1]), await rig.employee(teams=teams[1:])
    boss = await rig.employee("supervisor")
    await add(rig, north, "own")
    await add(rig, north, "team", visibility="team", team_id=teams[0])
    await add(rig, boss, "all", visibility="everyone")

    assert await names(rig, north) == ["all", "own", "team"]
    assert await names(rig, south) == ["all"]
    assert await names(rig, boss) == ["all", "team"]


async def test_only_who_made_one_or_runs_the_house_changes_it(rig: Rig) -> None:
    agent, other, boss = await rig.employee(), await rig.employee(), await rig.employee("supervisor")
    shared, own = await add(rig, agent, visibility="everyone"), await add(rig, agent, "own")
    with pytest.raises(Forbidden):
        await rig.hub.db.write(replies.change, other, shared, {"name": "x"})
    with pytest.raises(NotFound):
        await rig.hub.db.write(replies.remove, boss, own)
    await rig.hub.db.write(replies.change, boss, shared, {"name": "better"})
    await rig.hub.db.write(replies.remove, agent, own)

    assert await names(rig, agent) == ["better"]
    with pytest.raises(Forbidden):
        await add(rig, await rig.employee("light"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": " "}, "name"),
        ({"text": " "}, "text"),
        ({"text": "Dear {{customer.firstname}}"}, "customer.firstname"),
        ({"language": "german!"}, "language"),
        ({"shortcut": "a b"}, "shortcut"),
        ({"visibility": "nobody"}, "visibility"),
        ({"visibility": "team"}, "team_id"),
        ({"visibility": "team", "team_id": 999}, "team_id"),
        ({"actions": ["explode"]}, "explode"),
        ({"actions": ["assign:x1"]}, "assign:x1"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(rig: Rig, given: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        await add(rig, await rig.employee(), **{"name": "Hi", "text": "Hello", **given})


async def test_places_fill_themselves_and_what_nobody_knows_stays_open(rig: Rig) -> None:
    actor = await rig.employee()
    text = "{{customer.first_name}}|{{ customer.name }}|{{agent.name}}|{{conversation.number}}|{{conversation.subject}}"
    await add(rig, actor, text=text)
    known, nameless = await conversation(rig), await conversation(rig, "", who="api:+4912345")
    (here,), (there,) = await fitting(rig, actor, known), await fitting(rig, actor, nameless)

    assert here.text == f"Kim|Kim Novak|{actor.name}|{known}|{{{{conversation.subject}}}}"
    assert here.missing == ("conversation.subject",)
    assert there.missing == ("customer.first_name", "customer.name", "conversation.subject")


async def test_a_customers_words_are_no_places(rig: Rig) -> None:
    actor = await rig.employee()
    await add(rig, actor, text="Dear {{customer.name}}")
    number = await conversation(rig, "{{agent.name}}")

    assert (await fitting(rig, actor, number))[0].text == "Dear {{agent.name}}"


async def test_the_customers_language_and_the_shortcut_come_first(rig: Rig) -> None:
    actor = await rig.employee()
    for name, language, shortcut in (("A", "en", ""), ("B", "de", ""), ("C", "", ""), ("D", "fr", "hi")):
        await add(rig, actor, name, f"text of {name}", language=language, shortcut=shortcut)
    number = await conversation(rig)
    speaks = sa.text('UPDATE customers SET attributes = \'{"language": "de-AT"}\'')
    await rig.hub.db.write(lambda c: c.execute(speaks).rowcount)

    assert [f.reply.name for f in await fitting(rig, actor, number)] == ["B", "C", "A", "D"]
    assert [f.reply.name for f in await fitting(rig, actor, number, "/hi")] == ["D"]
    assert [f.reply.name for f in await fitting(rig, actor, number, "TEXT a")] == ["A"]
    assert await fitting(rig, actor, number, "nothing") == []


async def test_sending_does_what_the_reply_wants_or_nothing_at_all(rig: Rig) -> None:
    actor = await rig.employee()
    number = await conversation(rig)

    async def send(text: str, *actions: str) -> int:
        draft = outbox.Draft(text, text, actions=actions)
        return (await rig.hub.db.write(composing.send, actor, rig.hub.channels, 3600, number, draft)).message

    with pytest.raises(CannotSend, match=r"customer\.name"):
        await send("Dear {{customer.name}}")
    for wrong in ("assign:e999", "boom"):
        with pytest.raises(CannotSend):
            await send(f"x {wrong}", "tag:a", wrong)
    assert await rig.count("messages", "direction = 'out'") == await rig.count("tags") == 0
    await send("Done, see {{ manual.page }}", "tag:a", "assign:me", "status:closed")

    (row,) = await rig.rows("SELECT status, assignee_id FROM conversations")
    assert (row["status"], row["assignee_id"]) == ("closed", actor.id)
    assert await rig.count("tags", "tag = 'a'") == 1


async def test_sending_can_snooze_until_a_moment_in_words_or_until_the_customer_replies(rig: Rig) -> None:
    actor, place = await rig.employee(), ZoneInfo("Europe/Berlin")
    number = await conversation(rig)

    async def send(*actions: str) -> dict[str, Any]:
        draft = outbox.Draft("Soon", repr(actions), actions=actions)
        await rig.hub.db.write(composing.send, actor, rig.hub.channels, 0, number, draft, None, place)
        return (await rig.rows("SELECT status, snoozed_until FROM conversations"))[0]

    at = now() + 3_600_000
    assert await send("status:closed", f"snooze:{at}") == {"status": "snoozed", "snoozed_until": at}
    meant = snoozing.understand("übermorgen 9", now(), place).until
    assert await send("snooze:übermorgen 9") == {"status": "snoozed", "snoozed_until": meant}
    assert await send("snooze:reply") == {"status": "snoozed", "snoozed_until": None}
    for wrong in ("snooze:some day", f"snooze:{now() - 1}"):
        with pytest.raises(CannotSend):
            await send(wrong)
    assert await rig.count("messages", "direction = 'out'") == 3
    with pytest.raises(Invalid, match=r"^“snooze”: "):
        await add(rig, actor, "Wrong", "text", actions=["snooze:some day"])
