"""What people who do not see the screen are told, and how often. Acceptance X6."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hub import outbox
from hub.accounts import actor
from hub.outbox import Draft
from tests.web.conftest import Site, running
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, until_true  # noqa: F401
from tests.web.test_live import joined

#: Writes down what is put into the two places, and when.
EAR = """addEventListener('DOMContentLoaded', () => { window.told = []
  for (const id of ['said', 'alerted']) { const box = document.getElementById(id)
    if (box) new MutationObserver(() => told.push([performance.now(), id, box.textContent])).observe(box, { childList: true }) } })"""


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for half a minute."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="30"), monkeypatch) as here:
        yield here


async def listening(chrome: Any, site: Site, number: int) -> Any:  # noqa: F811
    page = await signed_in(chrome, site)
    await page.context.add_init_script(EAR)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector("#reply-text")
    await joined(site)
    return page


async def told(page: Any, count: int) -> list[list[str]]:
    """So many texts, once they have been said."""
    await until_true(page, "count => told.length >= count", count)
    return [entry[1:] for entry in await page.evaluate("told")]


async def reply(site: Site, number: int, text: str, hold: int = 30) -> None:
    jonas = await site.server.hub.db.read(actor, site.people["jonas"])
    await site.write(outbox.reply, jonas, site.server.hub.channels, hold, number, Draft(text, text))


async def test_what_is_said_in_a_session_is_what_was_meant_to_be_said(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello", subject="Inverter")
    other = await site.say("Me too", "other", "Other One", subject="Battery")
    page = await listening(chrome, site, number)

    await site.say("It blinks\nred. " + "x" * 300)
    first = await told(page, 1)
    assert first == [["said", "Katrin Vogel by Shop: " + ("It blinks red. " + "x" * 300)[:200]]]
    await page.fill("#reply-text", "I am looking")
    await reply(site, number, "Already on it")  # a collision, and a new entry below: what is urgent comes first
    said = (await told(page, 3))[1:]
    assert said[0][0] == "alerted"
    assert said[0][1].startswith("Jonas Meier replied")
    assert said[1] == ["said", "Jonas Meier by Shop: Already on it"]
    await page.click("#collision >> text=Send anyway")
    assert (await told(page, 4))[3][1] == "Sent"
    await page.click("#head >> text=Close")
    await page.wait_for_selector(f"[data-conversation='{other}']")
    said = (await told(page, 5))[4:]
    assert [said[0][0], *said[0][1].split(". ")] == ["said", f"Closed #{number}", "Next: Other One, Battery"]

    times = [entry[0] for entry in await page.evaluate("told")]
    assert all(after - before >= 1990 for before, after in itertools.pairwise(times)), times
    assert page.complaints == []


async def test_many_messages_are_said_in_one_go_and_what_is_not_news_is_not_said(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await listening(chrome, site, number)
    for n in range(4):
        await site.say(f"Line {n}")
    await site.say("In another conversation", "other", "Other One")
    await page.wait_for_selector(".bub >> text=Line 3")
    await page.wait_for_selector("#rows >> text=Other One")
    await page.wait_for_selector("#rows a.un[aria-current]", state="detached")
    await site.say("The last one")
    await until_true(page, "told.some(t => t[2].endsWith('The last one'))")

    said = ". ".join(text for _, text in await told(page, 1))
    assert said == ". ".join(
        f"Katrin Vogel by Shop: {text}" for text in ("Line 0", "Line 1", "Line 2", "Line 3", "The last one")
    )
    places = ":is([role=alert], [role=status], [aria-live]):not([aria-live=off])"
    found = await page.eval_on_selector_all(places, "all => all.map(n => n.id)")
    assert sorted(found) == ["alerted", "palette-count", "said"]  # the palette's own: a dialog makes all else inert


async def test_a_delivery_that_fails_is_urgent(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await listening(chrome, site, number)
    await reply(site, number, "Goes nowhere", 0)
    await until_true(page, "told.some(t => t[1] === 'alerted' && t[2].includes('no url'))")


async def test_one_may_hear_only_from_whom_or_nothing(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    anna = await site.signed_in()
    form = "form[action='/me/announce']"
    await anna.send(await anna.get("/me"), form, announce="sender")
    await anna.post("/settings/notifications", {"desktop": "yes"})  # the other page leaves it as it is
    assert (await anna.get("/me")).fields(form)["announce"] == "sender"
    assert (await anna.post("/me/announce", {"announce": "x"})).status == 400
    page = await listening(chrome, site, number)
    await site.say("A secret")
    assert await told(page, 1) == [["said", "Katrin Vogel by Shop"]]

    await anna.send(await anna.get("/me"), form, announce="off")
    await page.context.close()
    page = await listening(chrome, site, number)
    await site.say("Another secret")
    await page.wait_for_selector(".bub >> text=Another secret")
    await page.focus("#timeline")
    await page.keyboard.press("x")
    assert await told(page, 1) == [["said", "1 selected"]]
