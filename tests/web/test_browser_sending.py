"""Sending in a real browser: at once on the screen, exactly once at the customer's, whatever the connection does."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from adapters.api import Channel as Api
from config.app import build
from hub.database import Unavailable
from tests.fakes import until
from tests.web.conftest import Site, running
from tests.web.test_browser import (  # noqa: F401 - fixtures
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    until_true,
)
from tests.web.test_browser_composer import becomes, counted, drafted, opened, value

WAITS = ".pend >> text=Is sent when the connection is back"
SENT = "[data-message] .bub.out"
STORED = "Object.keys(localStorage).filter(k => k.startsWith('out:')).length"


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for two seconds."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="2"), monkeypatch) as here:
        yield here


async def said(site: Site) -> int:
    return await counted(site, "messages", "direction = 'out'")


async def test_what_is_sent_offline_stands_there_with_a_clock_and_leaves_once_with_undo(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    page = await opened(chrome, site, await site.say())
    await page.context.set_offline(True)
    await page.fill("#reply-text", "Said in a tunnel")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(WAITS)
    assert await value(page) == ""
    await page.keyboard.type("And something else")
    await page.context.set_offline(False)

    await page.wait_for_selector(f"{SENT} >> text=Said in a tunnel")
    await page.wait_for_selector(".pend", state="detached")
    assert await value(page) == "And something else"
    assert await page.evaluate(STORED) == 0
    await page.click("#toast button")
    await becomes(page, "Said in a tunnel\n\nAnd something else")
    await page.wait_for_selector(SENT, state="detached")
    assert await counted(site, "deliveries") == 0
    assert page.complaints == []


async def test_what_waits_survives_a_reload_and_is_not_in_the_box_again(
    chrome: Any,  # noqa: F811
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = await opened(chrome, site, await site.say())
    await page.fill("#reply-text", "Patience")
    await until(lambda: drafted(site, "Patience"))
    with monkeypatch.context() as ill:
        ill.setattr("hub.composing.send", _unavailable)
        await page.click(".f-reply .btn-p")
        await page.wait_for_selector(WAITS)
        await page.reload()
        await page.wait_for_selector(".pend >> text=Patience")
        assert await value(page) == ""
    await page.evaluate("dispatchEvent(new Event('online'))")

    await page.wait_for_selector(f"{SENT} >> text=Patience")
    await page.wait_for_selector(".pend", state="detached")
    assert await said(site) == 1
    assert await counted(site, "drafts", "ended_at IS NULL") == 0
    assert page.complaints == []


def _unavailable(*args: Any) -> int:
    raise Unavailable("the database is away")


async def test_a_restart_of_the_server_loses_neither_a_draft_nor_what_was_sent_meanwhile(
    chrome: Any,  # noqa: F811
    site: Site,
    settings: Any,
) -> None:
    """D3, and the same for sending."""
    number, other = await site.say(), await site.say("Hello", "other", "Other")
    page, second = await opened(chrome, site, number), await opened(chrome, site, other)
    port = site.server.port
    await site.server.stop()
    await page.fill("#reply-text", "nobody hears me")
    await page.wait_for_selector(".f-reply [data-state].warn >> text=this device only")
    await second.fill("#reply-text", "sent to a server that is away")
    await second.keyboard.press("Control+Enter")
    await second.wait_for_selector(WAITS)
    site.server = await build(settings(HUB_SENDING__UNDO_SECONDS="2", HUB_LISTEN=f"127.0.0.1:{port}"), migrate=True)
    await site.server.start()

    await page.wait_for_selector(".f-reply [data-state]:not(.warn) >> text=Saved", timeout=20_000)
    assert await drafted(site, "nobody hears me")
    await second.wait_for_selector(f"{SENT} >> text=sent to a server that is away", timeout=20_000)
    assert await said(site) == 1
    assert page.complaints + second.complaints == []


async def again(page: Any) -> bool:
    """Say that the connection is back; is everything sent by now?"""
    await page.evaluate("dispatchEvent(new Event('online'))")
    return bool(await page.evaluate(STORED) == 0)


async def test_answers_dropped_five_times_and_a_double_click_make_one_message(chrome: Any, site: Site) -> None:  # noqa: F811
    """L2: the server has it, but nobody is told."""
    page = await opened(chrome, site, await site.say())
    dropped = itertools.count(1)

    async def drop(route: Any) -> None:
        await route.fetch()
        await route.abort()
        if next(dropped) == 5:
            await page.unroute("**/reply?*")

    await page.route("**/reply?*", drop)
    await page.fill("#reply-text", "Once")
    await page.dblclick(".f-reply .btn-p")
    await page.wait_for_selector(".pend >> text=Once")
    await until(lambda: again(page), 30)

    await page.wait_for_selector(f"{SENT} >> text=Once")
    assert next(dropped) == 6
    assert (await said(site), await page.locator(SENT).count()) == (1, 1)
    await until(lambda: counted(site, "deliveries", "state <> 'queued'"), 8)
    assert await counted(site, "deliveries") == 1


async def test_two_tabs_with_the_same_draft_send_it_once_each_press(chrome: Any, site: Site) -> None:  # noqa: F811
    """L2: what waits is of the tab that was pressed in; the other one neither sends nor keeps it."""
    number = await site.say()
    one = await opened(chrome, site, number)
    two = await one.context.new_page()
    await two.goto(f"{site.base}/c/{number}")
    await one.route("**/reply?*", lambda route: route.abort())
    await one.fill("#reply-text", "From one tab")
    await one.click(".f-reply .btn-p")
    await one.wait_for_selector(WAITS)
    await two.wait_for_selector(".pend >> text=From one tab")
    for tab in (one, two):
        await tab.evaluate("dispatchEvent(new Event('online'))")
    assert await said(site) == 0
    await one.unroute("**/reply?*")
    await one.evaluate("dispatchEvent(new Event('online'))")

    for tab in (one, two):
        await tab.bring_to_front()
        await tab.wait_for_selector(f"{SENT} >> text=From one tab")
        await tab.wait_for_selector(".pend", state="detached")
    assert await said(site) == 1


async def test_the_words_of_a_page_that_was_closed_at_once_arrive_once(chrome: Any, site: Site) -> None:  # noqa: F811
    """D6: also when another page of the same browser finds them still waiting."""
    number = await site.say()
    page = await opened(chrome, site, number)
    other = await page.context.new_page()
    await page.fill("#reply-text", "I am off")
    await page.keyboard.press("Control+Enter")
    await page.close()
    await other.goto(f"{site.base}/inbox/all")

    await until(lambda: said(site))
    await until(lambda: counted(site, "deliveries", "state <> 'queued'"), 10)
    await until_true(other, f"{STORED} === 0")
    assert await said(site) == await counted(site, "deliveries") == 1


async def test_what_a_colleague_outran_while_it_waited_comes_back_into_the_box(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say()
    anna, jonas = await opened(chrome, site, number), await signed_in(chrome, site, "jonas")
    await jonas.goto(f"{site.base}/c/{number}")
    await anna.context.set_offline(True)
    await anna.fill("#reply-text", "I was slower")
    await anna.keyboard.press("Control+Enter")
    await anna.wait_for_selector(WAITS)
    await jonas.fill("#reply-text", "Faster")
    await jonas.keyboard.press("Control+Enter")
    await jonas.wait_for_selector(SENT)
    await anna.context.set_offline(False)

    await anna.wait_for_selector("#collision >> text=Faster")
    await becomes(anna, "I was slower")
    assert await anna.locator(".pend").count() == 0
    await anna.click("#collision [data-late=send]")
    await anna.wait_for_selector(f"{SENT} >> text=I was slower")
    assert await said(site) == 2


async def test_what_is_refused_later_stands_in_its_conversation_with_the_reason(
    chrome: Any,  # noqa: F811
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number, other = await site.say(), await site.say("Hello", "other", "Other")
    page = await opened(chrome, site, number)
    await page.context.set_offline(True)
    await page.fill("#reply-text", "Too late")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(WAITS)
    await page.keyboard.type("Bye")
    monkeypatch.setattr(Api, "traits", msgspec.structs.replace(Api.traits, max_length=7))
    await page.context.set_offline(False)
    await page.wait_for_selector(".pend .trouble >> text=at most 7 characters")
    await page.goto(f"{site.base}/c/{other}")
    assert await page.locator(".pend").count() == 0
    await page.goto(f"{site.base}/c/{number}")
    await page.wait_for_selector(".pend .trouble >> text=at most 7 characters")
    assert (await value(page), await said(site)) == ("Bye", 0)

    await page.click(".pend [data-pend=edit]")
    await becomes(page, "Too late\n\nBye")
    assert await page.locator(".pend").count() == await page.evaluate(STORED) == 0
    assert page.complaints == []
