"""Two processes on one PostgreSQL, without Redis: who is where, and which visitor is there, is known in both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hub import administration
from hub.web.whispers import WHISPERS
from hub.web.widget_doors import VISITORS
from tests.fakes import ON_POSTGRES, until
from tests.web.chatting import Chat
from tests.web.conftest import Site
from tests.web.test_being import here

pytestmark = ON_POSTGRES


@pytest.fixture
async def other(site: Site, settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A second process beside the first, with the same people."""
    from config.app import build

    server = await build(settings())
    await server.start()
    beside = Site(server, site.channel, site.people)
    yield beside
    for browser in beside.browsers:
        await browser.http.close()
    await server.stop()


async def test_who_looks_at_a_conversation_in_one_process_is_seen_in_the_other(site: Site, other: Site) -> None:
    number = await site.say()
    anna, jonas = await site.signed_in(), await other.signed_in("jonas@firm.example")
    seen = other.server.app[WHISPERS].nearby

    async def told() -> bool:
        await here(anna, number, "replying", mode="reply")
        return [one.name for one in seen.people(number)] == ["Anna Becker"]

    await until(told)
    assert (await jonas.get(f"/c/{number}?in=all")).status == 200
    await here(anna, number, "gone")
    await until(lambda: not seen.people(number))


async def test_a_visitor_of_one_process_is_not_offline_in_the_other(site: Site, other: Site) -> None:
    row = await site.write(administration.add_channel, site.server.hub.box, "webchat", "Chat", {})
    await site.server.hub.load_channels()
    chat = Chat(site, row)
    visitor = await chat.known()
    await visitor.listen()
    mine, theirs = (each.server.app[VISITORS] for each in (site, other))

    await until(lambda: bool(mine.windows))
    [place] = mine.windows
    await until(lambda: theirs.attendance.here(place), 12)
    await visitor.close()
    await until(lambda: not theirs.attendance.here(place))
