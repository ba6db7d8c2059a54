"""Every screen there is, in a house full of sample data: no barrier, nothing clipped or too small, nobody else asked, and light."""

import itertools
import json
from typing import Any

import pytest
from yarl import URL

from hub.sample.loading import load
from tests.fakes import lacking
from tests.web.conftest import Site, running
from tests.web.screens import crawl, faults
from tests.web.test_browser import (  # noqa: F401 - fixtures
    ASKED,
    HEIGHT,
    chrome,
    database_kind,
    fresh,
    one_browser,
    pytestmark,
    signed_in,
    site,
)

WIDTHS = (1440, 1024, 390)
MATRIX = list(itertools.product(("light", "dark"), WIDTHS, ("en", "de")))
#: What a cold inbox may weigh, as sent (bytes), and how many requests it may take.
HTML, CSS, JS, REQUESTS = 30_000, 20_000, 60_000, 8


async def furnished(site: Site) -> list[str]:  # noqa: F811
    """The sample moves in; every screen's address."""
    hub = site.server.hub
    await site.write(lambda c: load(c, hub.box, me=site.people["anna"]))
    await hub.load_channels()
    return list(await crawl(site, await site.signed_in()))


def axe() -> str:
    """The script that looks for barriers."""
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    return str(Axe().axe_script)


async def look(page: Any, script: str, base: str, path: str, scheme: str, width: int, shown: str = "body") -> list[str]:
    """Everything that is wrong with one screen at one width in one light, once ``shown`` is to be seen."""
    await page.set_viewport_size({"width": width, "height": HEIGHT})
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.goto(base + path)
    await page.wait_for_selector(shown)
    said = await faults(page, path, width)
    await page.evaluate(script)
    found = await page.evaluate(f"axe.run({json.dumps(ASKED)})")
    return said + [
        f"{path}, {width}, {scheme}: {v['id']}: {n['html'][:160]} {n.get('failureSummary', '')[:200]}"
        for v in found["violations"]
        for n in v["nodes"]
    ]


async def speak(site: Site, language: str) -> None:  # noqa: F811
    import sqlalchemy as sa

    from hub.tables import employees

    change = sa.update(employees).where(employees.c.id == site.people["anna"]).values(language=language)
    await site.write(lambda c: c.execute(change))


async def test_every_screen_once_in_turn_through_light_widths_and_languages(chrome: Any, site: Site) -> None:  # noqa: F811
    paths, script = await furnished(site), axe()
    page, said = await signed_in(chrome, site), []

    for language in ("en", "de"):
        await speak(site, language)
        mine = [m for m in MATRIX if m[2] == language]
        for place, path in enumerate(paths[0 if language == "en" else 1 :: 2]):
            scheme, width, _ = mine[place % len(mine)]
            said += await look(page, script, site.base, path, scheme, width)

    assert not said, "\n".join(said)
    assert page.complaints == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_every_screen_in_every_light_width_and_language(chrome: Any, site: Site) -> None:  # noqa: F811
    paths, script = await furnished(site), axe()
    page, said = await signed_in(chrome, site), []

    for language in ("en", "de"):
        await speak(site, language)
        for path, (scheme, width, _) in itertools.product(paths, [m for m in MATRIX if m[2] == language]):
            said += await look(page, script, site.base, path, scheme, width)

    assert not said, "\n".join(said)
    assert page.complaints == []


async def test_every_part_of_the_screens_in_every_light_width_and_language(
    chrome: Any,  # noqa: F811
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(settings(HUB_WEB__DEV="true"), monkeypatch) as dev:
        page, script, said = await signed_in(chrome, dev), axe(), []
        for language in ("en", "de"):
            await speak(dev, language)
            for scheme, width, _ in [m for m in MATRIX if m[2] == language]:
                said += await look(page, script, dev.base, "/dev/components", scheme, width)
        said += page.complaints
        await page.context.close()

    assert not said, "\n".join(said)


async def test_at_320_pixels_and_at_400_percent_nothing_has_to_be_scrolled_sideways(chrome: Any, site: Site) -> None:  # noqa: F811
    """X5: 400 % of 1280 pixels are 320."""
    paths = await furnished(site)
    page, said = await signed_in(chrome, site), []
    await speak(site, "de")
    await page.set_viewport_size({"width": 320, "height": 640})

    for path in paths:
        await page.goto(site.base + path)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        said += [f"{path} is {wide} wide"] if wide > 320 else []

    assert not said, "\n".join(said)


async def test_a_cold_inbox_is_light_and_asks_nobody_else(chrome: Any, site: Site) -> None:  # noqa: F811
    """P1, P2."""
    await furnished(site)
    page = await signed_in(chrome, site)
    answers: list[Any] = []
    page.on("response", lambda r: None if r.url.startswith("data:") or "/stream" in r.url else answers.append(r))

    await page.goto(f"{site.base}/inbox/mine")
    await page.wait_for_load_state("load")

    weight: dict[str, int] = {}
    for answer in answers:
        kind = (answer.headers.get("content-type") or "").partition(";")[0].rpartition("/")[2]
        weight[kind] = weight.get(kind, 0) + (await answer.request.sizes())["responseBodySize"]
    assert len(answers) + 1 <= REQUESTS, [a.url for a in answers]
    assert {URL(a.url).host for a in answers} == {"127.0.0.1"}
    assert (weight["html"] <= HTML, weight["css"] <= CSS, weight["javascript"] <= JS) == (True, True, True), weight
    assert page.complaints == []


async def test_the_drawers_open_by_button_and_key_and_shut_by_escape(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    for width in (1100, 390):
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.goto(f"{site.base}/c/{number}")
        assert await page.is_visible("#cust") is False
        await page.click(".less")
        await page.wait_for_selector("#cust >> text=Katrin Vogel")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('#cust') !== null")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("#cust", state="hidden")
        assert await page.evaluate("document.activeElement.matches('.less')")
    await page.set_viewport_size({"width": 800, "height": HEIGHT})
    assert await page.is_visible("#side") is False
    await page.click(".burger")
    await page.click("#side >> text=Unassigned")
    await page.wait_for_url("**/inbox/unassigned")
    await page.set_viewport_size({"width": 1440, "height": HEIGHT})
    await page.goto(f"{site.base}/c/{number}")
    await page.keyboard.press("d")
    await page.keyboard.press("b")
    await page.wait_for_selector("#cust", state="hidden")
    await page.reload()
    assert (await page.is_visible("#cust"), await page.is_visible("#side")) == (False, False)
    await page.click(".less")
    await page.click(".burger")

    assert (await page.is_visible("#cust"), await page.is_visible("#side")) == (True, True)
    assert page.complaints == []


async def test_from_an_empty_folder_to_the_first_real_message_in_twelve_steps(chrome: Any, settings: Any) -> None:  # noqa: F811
    """F1."""
    from config.app import build
    from hub import accounts

    server = await build(settings(), migrate=True)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    page = await (await chrome.new_context(viewport={"width": 1440, "height": HEIGHT}, locale="en-GB")).new_page()
    try:
        token = await server.hub.db.write(accounts.make_setup_link)
        steps: list[Any] = [
            page.goto(f"{base}/welcome?token={token}"),
            page.fill("[name=name]", "Anna Becker"),
            page.fill("[name=email]", "anna@firm.example"),
            page.fill("[name=password]", "correct horse"),
            page.click("text=Create and sign in"),
            page.fill("[name=company]", "Nordlicht Solar"),
            page.click("text=Continue"),
            page.click("text=Try it now"),
            page.frame_locator(".try-chat").locator("#begin").click(),
            page.frame_locator(".try-chat").locator("#text").fill("The first real message"),
            page.frame_locator(".try-chat").locator("#send").click(),
        ]
        for step in steps:
            await step
        await page.frame_locator(".try-inbox").locator("#rows .it >> text=The first real message").wait_for()
        assert len(steps) <= 12
    finally:
        await page.context.close()
        await server.stop()
