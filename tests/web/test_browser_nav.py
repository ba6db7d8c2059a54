"""Going from one conversation to another in a real browser: without loading a page, and as if one had."""

import asyncio
import random
import re
from typing import Any

from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, site, until_true  # noqa: F401

#: What differs between two loads of the same page: the ids of acts that have not happened, and what scripts keep for themselves.
_ONCE = re.compile(r' (?:nonce|value)="[\w-]{12,}"| data-live="\d+"| class="(?:li fresh)?"| hidden=""')


async def several(site: Site, count: int = 4) -> list[int]:  # noqa: F811
    """Conversations of as many customers, the newest last."""
    return [await site.say(f"About {n}", f"c{n}", f"Customer {n}", subject=f"Matter {n}") for n in range(count)]


async def shown(page: Any) -> list[str]:
    """The page as it stands, without what differs between two loads of it."""
    html = await page.evaluate("document.querySelector('.app').outerHTML")
    return [" ".join(part.split()) for part in _ONCE.sub("", html).split("<")]


async def test_a_conversation_opens_without_loading_a_page_and_looks_as_if_it_had(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await page.evaluate("window.same = true")

    for number in (numbers[2], numbers[1], numbers[2]):
        await page.click(f"#c{number} a")
        await page.wait_for_selector(f"[data-conversation='{number}']")
        await page.wait_for_selector("#rows a.un[aria-current]", state="detached")
    assert page.url == f"{site.base}/c/{numbers[2]}?in=all"
    assert await page.evaluate("window.same") is True
    clicked, title = await shown(page), await page.title()
    await page.reload()

    assert await page.evaluate("window.same") is None
    assert await shown(page) == clicked
    assert await page.title() == title
    assert page.complaints == []


async def test_back_and_forward_go_through_what_was_opened(chrome: Any, site: Site) -> None:  # noqa: F811
    first, second, *_ = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    for number in (first, second):
        await page.click(f"#c{number} a")
        await page.wait_for_selector(f"[data-conversation='{number}']")

    await page.go_back()
    await page.wait_for_selector(f"[data-conversation='{first}']")
    await page.go_back()
    await page.wait_for_selector(".wait")
    assert page.url == f"{site.base}/inbox/all"
    assert await page.locator("aside.cust").count() == 0
    await page.go_forward()
    await page.wait_for_selector(f"[data-conversation='{first}']")

    assert page.complaints == []


async def test_what_is_typed_stays_with_its_conversation_through_fifty_changes(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    typed = dict.fromkeys(numbers, "")
    chance = random.Random(5)

    for turn in range(50):
        number = chance.choice(numbers)
        await page.click(f"#c{number} a")
        await page.wait_for_selector(f"[data-conversation='{number}']")
        assert await page.input_value("#reply-text") == typed[number], turn
        if chance.random() < 0.6:
            typed[number] += f" {turn}"
            await page.fill("#reply-text", typed[number])

    assert page.complaints == []


async def test_what_is_typed_while_its_conversation_is_drawn_anew_stays_with_the_caret_and_is_nobody_elses(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
) -> None:
    number, *_ = await several(site, 1)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    held: list[Any] = []
    let = asyncio.Event()

    async def late(route: Any) -> None:
        answer = await route.fetch()
        held.append(route)
        await let.wait()
        await route.fulfill(response=answer)

    await page.route("**/drafts/reply", late)
    await page.fill("#reply-text", "one")
    await page.evaluate("document.querySelector('.convo').old = true")
    await page.click(f"#c{number} a")
    await until(lambda: asyncio.sleep(0, bool(held)))
    await page.focus("#reply-text")
    await page.keyboard.press("End")
    await page.keyboard.type(" two")
    let.set()
    await until_true(page, "!document.querySelector('.convo').old")
    await page.keyboard.type(" three")

    assert await page.input_value("#reply-text") == "one two three"
    await page.wait_for_selector(".f-reply [data-state] >> text=Saved")
    assert await page.is_hidden("#newer")
    await page.reload()
    assert await page.input_value("#reply-text") == "one two three"
    assert page.complaints == []


async def test_the_list_keeps_its_order_under_the_pointer_until_it_is_asked(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all?sort=newest")
    await page.hover(f"#c{numbers[3]} a")

    await site.say("Once more", "c0", "Customer 0")
    await page.wait_for_selector("#updates:not([hidden])")
    order = await page.evaluate("[...document.querySelectorAll('#rows > li')].map(n => n.id)")
    assert order == [f"c{n}" for n in reversed(numbers)]
    assert "Once more" in await page.inner_text(f"#c{numbers[0]}")
    assert await page.inner_text("#updates") == "1 update"
    await page.click("#updates")

    order = await page.evaluate("[...document.querySelectorAll('#rows > li')].map(n => n.id)")
    assert order[0] == f"c{numbers[0]}"
    assert page.complaints == []


async def test_on_a_phone_the_list_comes_back_where_it_was(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site, 14)
    page = await signed_in(chrome, site)
    await page.set_viewport_size({"width": 390, "height": 600})
    await page.goto(f"{site.base}/inbox/all")
    await page.evaluate("document.querySelector('#listscroll').scrollTop = 300")

    await page.click(f"#c{numbers[6]} a")
    await page.wait_for_selector("#reply-text")
    assert not await page.is_visible("#rows")
    await page.click(".ch a.only-s")
    await page.wait_for_selector("#rows", state="visible")

    assert await page.evaluate("document.querySelector('#listscroll').scrollTop") == 300
    assert page.url == f"{site.base}/inbox/all"
