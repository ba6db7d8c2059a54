"""How the composer behaves in a real browser: its mode stays, Enter does what its writer wants, emoji and files come along."""

from __future__ import annotations

from typing import Any

from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401 - fixtures
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
    until_true,
)
from tests.web.test_browser_composer import _second_channel, counted, opened, value

SENT = "[data-message] .out"


async def test_the_mode_is_as_it_was_left_after_going_elsewhere(chrome: Any, site: Site) -> None:  # noqa: F811
    one, two = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    page = await opened(chrome, site, one)
    await page.click("label:has(#mode-note)")
    await until(lambda: counted(site, "modes", "mode = 'note'"))
    await page.click(f"#c{two} a.it")
    await page.wait_for_url(f"**/c/{two}?*")
    assert await page.is_checked("#mode-reply")
    await page.click(f"#c{one} a.it")
    await page.wait_for_url(f"**/c/{one}?*")

    assert await page.is_checked("#mode-note")
    assert page.complaints == []


async def test_enter_sends_in_chats_begins_a_line_in_mail_and_never_while_composing(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
) -> None:
    await site.say("Hello", "kunde")
    number = await site.say("Hello", "kunde")
    await site.write(_second_channel, site)
    await site.server.hub.load_channels()
    page = await opened(chrome, site, number)
    await page.fill("#reply-text", "a word being comp")
    for how in ({"isComposing": True}, {"keyCode": 229}):
        said = {"key": "Enter", "bubbles": True, "cancelable": True, **how}
        await page.dispatch_event("#reply-text", "keydown", said)
    await page.press("#reply-text", "Shift+Enter")
    assert (await value(page), await counted(site, "messages", "direction = 'out'")) == ("a word being comp\n", 0)
    await page.fill("#reply-text", "Hi")
    await page.press("#reply-text", "Enter")
    await page.wait_for_selector(f"{SENT} >> text=Hi")

    await page.click(".viabox summary")
    await page.check("[name=via][data-name=Post]", force=True)
    await page.keyboard.press("Escape")
    await page.fill("#reply-text", "Dear customer")
    await page.press("#reply-text", "Enter")
    assert await value(page) == "Dear customer\n"
    await page.press("#reply-text", "Control+Enter")
    if await page.is_visible("[data-sure]"):
        await page.click("[data-sure]")
    await page.wait_for_selector(f"{SENT} >> text=Dear customer")
    assert page.complaints == []


async def test_enter_does_as_its_writer_chose(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say()
    anna = await site.signed_in()
    await anna.post("/me/appearance", {"enter_chat": "line"})
    page = await opened(chrome, site, number)
    await page.fill("#reply-text", "Hi")
    await page.press("#reply-text", "Enter")

    assert await value(page) == "Hi\n"
    assert page.complaints == []
