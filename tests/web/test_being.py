"""Who is where: told at once to those who may know, kept nowhere, and over by itself."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub import administration, drafts, outbox
from hub.accounts import actor
from hub.drafts import Content
from hub.web.whispers import WHISPERS
from tests.fakes import until
from tests.web.chatting import Chat
from tests.web.conftest import Browser, Site
from tests.web.test_live import Ear, joined, listen


@pytest.fixture
async def chat(site: Site) -> AsyncIterator[Chat]:
    """A server with a web chat."""
    hub = site.server.hub
    row = await site.write(administration.add_channel, hub.box, "webchat", "Chat", {})
    await hub.load_channels()
    made = Chat(site, row)
    yield made
    for visitor in made.visitors:
        await visitor.close()


async def here(browser: Browser, number: int, state: str = "viewing", **more: str) -> int:
    answer = await browser.post(f"/c/{number}/here", {"state": state, "tab": "t1", **more}, X_Hub="part")
    return answer.status


def people(ear: Ear, number: int) -> list[tuple[str, str]]:
    """(name, state) of those the stream has told to be there."""
    found: list[tuple[str, str]] = []
    for kind, said in ear.whispers:
        for home in said["here"] if kind == "nearby" else []:
            if home["conversation"] == str(number):
                found = [(one["name"], one["state"]) for one in home["people"]]
    return found


async def test_viewing_and_replying_are_told_at_once_and_leaving_too(site: Site) -> None:
    number = await site.say()
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    ear = await listen(jonas)
    await joined(site)

    assert await here(anna, number) == 204
    await until(lambda: people(ear, number) == [("Anna Becker", "viewing")], 1)
    await here(anna, number, "replying", mode="reply", via=str(site.channel.config.id), typing="yes")
    await until(lambda: people(ear, number) == [("Anna Becker", "replying")], 1)
    assert ear.whispers[-1][1]["here"][0]["people"][0]["via"] == "Shop"
    await here(anna, number, "gone")
    await until(lambda: people(ear, number) == [], 1)


async def test_whoever_joins_is_told_who_is_there(site: Site) -> None:
    number = await site.say()
    await here(await site.signed_in(), number)

    ear = await listen(await site.signed_in("jonas@firm.example"))

    await until(lambda: people(ear, number) == [("Anna Becker", "viewing")])
    assert ear.whispers[0][1]["all"] is True


async def test_nobody_hears_of_people_where_they_may_not_look(site: Site) -> None:
    number = await site.say()
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")))
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    ears = [await listen(anna), await listen(jonas)]
    await joined(site, 2)

    assert await here(jonas, number) == 404
    await here(anna, number)

    await until(lambda: people(ears[0], number))
    assert people(ears[1], number) == []


async def test_whoever_is_mentioned_sees_who_is_there(site: Site) -> None:
    number = await site.say()
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")))
    boss = await site.server.hub.db.read(actor, site.people["anna"])
    await site.write(outbox.note, boss, number, "@Jonas Meier, look", "n1")
    ear = await listen(await site.signed_in("jonas@firm.example"))
    await joined(site)

    await here(await site.signed_in(), number)

    await until(lambda: people(ear, number) == [("Anna Becker", "viewing")])


async def test_a_light_agent_only_looks_on_while_they_cannot_answer(site: Site) -> None:
    number = await site.say()
    lea = await site.signed_in("lea@firm.example")

    await here(lea, number, "replying", mode="reply")
    nearby = site.server.app[WHISPERS].nearby
    assert [one.state for one in nearby.people(number)] == ["viewing"]
    await here(lea, number, "replying", mode="note")
    assert [(one.state, one.mode) for one in nearby.people(number)] == [("replying", "note")]


async def test_nonsense_and_floods_are_refused_without_harm(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()

    assert await here(anna, number, "dancing") == 400
    assert await here(anna, number, "viewing", mode="song") == 400
    assert await here(anna, 10**18) == 404
    assert {await here(anna, number) for _ in range(100)} == {204, 429}


async def test_a_colleagues_draft_can_be_seen_by_those_who_see_the_conversation(site: Site) -> None:
    number = await site.say()
    anna, jonas, lea = [await site.signed_in(f"{who}@firm.example") for who in ("anna", "jonas", "lea")]
    boss = await site.server.hub.db.read(actor, site.people["anna"])
    await site.write(drafts.put, boss, number, "reply", Content("Dear <b>Katrin</b>"))
    path = f"/c/{number}/drafts/reply/of/{site.people['anna']}"

    assert (await jonas.get(path)).words(".txt") == "Dear <b>Katrin</b>"
    assert (await lea.get(path)).status == 200
    assert (await anna.get(path.replace("reply", "note"))).status == 404
    await site.write(lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 901")))
    assert (await jonas.get(path)).status == 404


async def test_a_visitors_typing_shows_to_agents_and_an_agents_to_that_visitor_alone(site: Site, chat: Chat) -> None:
    visitor, other = await chat.known(), await chat.known()
    for one in (visitor, other):
        await one.say("Hello")
        await one.listen()
    await chat.arrived(2)
    rows = await chat.rows("SELECT conversation_id FROM messages WHERE direction = 'in' ORDER BY id")
    number, anna = rows[0][0], await site.signed_in()
    ear = await listen(anna)
    await joined(site)

    assert (await visitor.typing()) == 204
    await until(lambda: ("typing", str(number)) in [(k, s.get("conversation")) for k, s in ear.whispers], 1)
    await here(anna, number, "replying", mode="note", via=str(chat.row.config.id), typing="yes")
    await here(anna, number, "replying", mode="reply", via=str(chat.row.config.id), typing="yes")
    await until(lambda: ("typing", {"name": "Anna"}) in visitor.heard, 1)

    assert [kind for kind, _ in visitor.heard].count("typing") == 1
    assert "typing" not in [kind for kind, _ in other.heard]


def told(ear: Ear, kind: str) -> list[dict[str, Any]]:
    return [said for name, said in ear.whispers if name == kind]
