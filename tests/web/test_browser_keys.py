"""Working by keys alone, in a real browser."""

from typing import Any

import pytest

from hub.web import keys
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401
    barriers,
    chrome,
    database_kind,
    lacking,
    one_browser,
    pytestmark,
    signed_in,
    site,
    taken,
)


async def at_work(chrome: Any, site: Site, count: int = 3) -> tuple[Any, list[int]]:  # noqa: F811
    numbers = [await site.say(f"About {n}", f"c{n}", f"Customer {n}", subject=f"Matter {n}") for n in range(count)]
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all?sort=newest")
    return page, numbers


async def focused(page: Any) -> str:
    """What has the focus."""
    said = await page.evaluate(
        "(e => e === document.body ? 'body' : e.closest('li[id]')?.id || e.id || e.tagName)(document.activeElement)"
    )
    return str(said)


@pytest.mark.usefixtures("taken")
async def test_answering_noting_and_closing_takes_nothing_but_keys(chrome: Any, site: Site) -> None:  # noqa: F811
    page, numbers = await at_work(chrome, site)
    press = page.keyboard.press

    await press("j")
    await page.wait_for_selector(f"[data-conversation='{numbers[2]}']")
    await press("j")
    await page.wait_for_selector(f"[data-conversation='{numbers[1]}']")
    await press("k")
    await page.wait_for_selector(f"[data-conversation='{numbers[2]}']")
    assert await focused(page) == f"c{numbers[2]}"
    await press("r")
    assert await focused(page) == "reply-text"
    await page.keyboard.type("re: jkeh?")
    await press("Control+Enter")
    await page.wait_for_selector(".bub.out >> text=re: jkeh?")
    assert await page.locator(".bub.out").count() == 1
    await press("Escape")
    assert await focused(page) == "timeline"
    await press("m")
    assert await focused(page) == "note-text"
    await page.keyboard.type("only us")
    await press("Control+Enter")
    await page.wait_for_selector(".nt >> text=only us")
    await press("Escape")
    await press("i")
    await page.wait_for_selector(".sub summary >> text=Anna")
    await press("n")
    assert await page.evaluate("document.activeElement.closest('#timeline .li') !== null")
    await press("e")
    await page.wait_for_selector(f"#c{numbers[2]}", state="detached")

    assert await focused(page) != "body"
    assert page.complaints == []


async def test_the_palette_finds_actions_in_both_languages_places_and_people(chrome: Any, site: Site) -> None:  # noqa: F811
    page, numbers = await at_work(chrome, site)
    await page.goto(f"{site.base}/c/{numbers[0]}?in=all")
    press = page.keyboard.press

    await press("Control+k")
    assert await page.get_attribute("#palette input", "aria-activedescendant") == "palette-0"
    await page.keyboard.type("zuruckst")
    first = page.locator("#palette-list [aria-selected=true]")
    assert "Snooze" in await first.inner_text()
    await press("Enter")
    await page.wait_for_selector("details.menu[open] [name=until]")
    await press("Escape")
    await press("Control+k")
    await page.keyboard.type("customer 2")
    await page.wait_for_selector("#palette-list [data-href^='/customers/']")
    await page.fill("#palette input", f"#{numbers[1]}")
    await press("Enter")
    await page.wait_for_selector(f"[data-conversation='{numbers[1]}']")
    await press("Control+k")
    await page.fill("#palette input", "@jonas")
    await press("Enter")
    await page.wait_for_selector(".sub summary >> text=Jonas")

    assert page.complaints == []


async def test_the_help_sheet_shows_the_keys_that_work_here(chrome: Any, site: Site) -> None:  # noqa: F811
    page, numbers = await at_work(chrome, site, 1)

    await page.keyboard.press("?")
    assert "Next conversation" in await page.inner_text("#help")
    assert "Close or open again" not in await page.inner_text("#help")
    await page.keyboard.press("Escape")
    await page.goto(f"{site.base}/c/{numbers[0]}?in=all")
    await page.keyboard.press("?")
    assert "Close or open again" in await page.inner_text("#help")

    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    script = Axe().axe_script
    said = await barriers(script, page, "help")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    said += await barriers(script, page, "palette")
    await page.goto(f"{site.base}/settings/keyboard")
    said += await barriers(script, page, "keyboard")
    assert said == []


async def test_keys_can_be_changed_and_switched_off(chrome: Any, site: Site) -> None:  # noqa: F811
    page, numbers = await at_work(chrome, site, 1)
    await page.goto(f"{site.base}/settings/keyboard")
    await page.focus("[name=key-close]")
    await page.keyboard.press("q")
    await page.click(".fm button.btn-p")
    await page.goto(f"{site.base}/c/{numbers[0]}?in=all")
    await page.keyboard.press("e")
    await page.keyboard.press("q")
    await page.wait_for_selector("#toast >> text=Closed")

    await page.goto(f"{site.base}/settings/keyboard")
    await page.uncheck("[name=on]")
    await page.click(".fm button.btn-p")
    await page.goto(f"{site.base}/c/{numbers[0]}?in=all&status=closed")
    single = [key for b in keys.table() if b.single and b.id != "leave" for key in b.keys if len(key) == 1]
    before = await page.evaluate("document.querySelector('.app').outerHTML")
    for key in single:
        await page.keyboard.press(key)
    assert await page.evaluate("document.querySelector('.app').outerHTML") == before
    await page.keyboard.press("Control+k")
    assert await page.is_visible("#palette")
