"""In a real browser: the mention picker by keyboard, the count that goes when one looks, and no barrier on the new screens."""

from __future__ import annotations

from typing import Any

from hub import outbox, views
from hub.filters import Filter
from hub.inbox import counts
from hub.views import Content
from tests.fakes import lacking, until
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401 - fixtures
    barriers,
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
)
from tests.web.test_finding import actor, shop


async def test_somebody_is_mentioned_by_keyboard_alone(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    await page.click("label:has(#mode-note)")
    await page.focus("#note-text")
    await page.keyboard.type("Mail me@firm.example, or @")
    await page.wait_for_selector("#mates [role=option] >> nth=3")
    await page.keyboard.type("jon")
    await page.wait_for_selector("#mates [aria-selected=true] >> text=Jonas Meier")
    assert await page.get_attribute("#note-text", "aria-activedescendant") == f"mn-e{site.people['jonas']}"
    await page.keyboard.press("Enter")
    await page.keyboard.type("and @se")
    await page.wait_for_selector("#mates >> text=Service")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#mates", state="hidden")
    await page.keyboard.type("cret")

    assert await page.input_value("#note-text") == "Mail me@firm.example, or @Jonas Meier and @secret"
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(".nt .mn >> text=@Jonas Meier")
    jonas = await actor(site, "jonas")
    assert (await site.server.hub.db.read(counts, jonas))["mentions"] == 1
    assert page.complaints == []


async def test_the_button_offers_colleagues_too_and_a_click_takes_one(chrome: Any, site: Site) -> None:  # noqa: F811
    one, two = await site.say("Hello"), await site.say("Another", "other", "Other")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{one}?in=all")
    await page.click(f"#c{two} a")
    await page.wait_for_url(f"**/c/{two}*")
    await page.click("label:has(#mode-note)")
    await page.click("[data-mention]")
    await page.click("#mates >> text=Service")

    assert await page.input_value("#note-text") == "@Service "
    await page.wait_for_selector("#mates", state="hidden")
    assert page.complaints == []


async def test_the_count_of_mentions_goes_when_one_looks(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site, "jonas")
    await page.goto(f"{site.base}/inbox/mentions")
    await site.write(outbox.note, await actor(site, "anna"), number, "@Jonas Meier look", "n1")
    await page.wait_for_selector("#views a[href='/inbox/mentions'] .pillc")
    await page.click(f"#c{number} a")
    await page.wait_for_selector(".nt .mn.you")
    await page.wait_for_selector("#views a[href='/inbox/mentions'] .pillc", state="detached")

    jonas = await actor(site, "jonas")
    assert (await site.server.hub.db.read(counts, jonas))["mentions"] == 0
    assert page.complaints == []


async def test_a_views_count_moves_by_itself(chrome: Any, site: Site) -> None:  # noqa: F811
    view = await site.write(views.add, await actor(site, "anna"), {"name": "Unread", "content": Content(unread=True)})
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/view/{view}")
    await site.say("Hello")
    await page.wait_for_selector(f"#views a[href='/inbox/view/{view}'] .count >> text=1")
    await page.click("#rows a.it")
    await page.wait_for_selector(f"#views a[href='/inbox/view/{view}'] .count", state="detached")

    assert f"in=view%3A{view}" in page.url
    wanted = {"x": Filter(status="open", unread=True)}
    anna = await actor(site, "anna")
    await until(lambda: site.server.hub.db.read(lambda c: counts(c, anna, wanted)["x"] == 0))
    assert page.complaints == []


async def test_axe_finds_no_barrier_where_one_finds_things(chrome: Any, site: Site) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    one, _ = await shop(site)
    anna = await actor(site, "anna")
    view = await site.write(views.add, anna, {"name": "Warranty", "icon": "shield", "content": Content(tag="warranty")})
    await site.write(outbox.note, await actor(site, "jonas"), one, "@Anna Becker look; @Sales too", "n1")
    page = await signed_in(chrome, site)
    script, said = Axe().axe_script, []
    for path in (
        "/search",
        "/search?q=roof",
        "/search?q=roof+is:open+tag:none+foo:bar",
        f"/inbox/view/{view}?unread=1",
        "/inbox/all?who=none&waited=120&tag=none",
        "/inbox/mentions",
        "/settings/views",
        f"/settings/views/{view}",
        f"/c/{one}?in=mentions",
    ):
        await page.goto(site.base + path)
        said += await barriers(script, page, path)
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(f"{site.base}/inbox/all?tag=warranty")
        await page.click(".ph details.menu summary >> nth=0")
        await page.click(".filt .more2 summary")
        said += await barriers(script, page, "the filter", [width])
        await page.goto(f"{site.base}/c/{one}?mode=note")
        await page.focus("#note-text")
        await page.keyboard.type("@")
        await page.wait_for_selector("#mates [role=option]")
        said += await barriers(script, page, "the picker", [width])

    assert said == []
