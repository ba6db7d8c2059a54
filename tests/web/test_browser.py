"""In a real browser: live updates, answers without reloading, nothing typed is lost, and no barrier that axe can find."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fakes import lacking, until
from tests.web.conftest import PASSWORD, Site, running
from tests.web.test_live import joined

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.may_block,
    pytest.mark.asyncio(loop_scope="module"),
]

ARGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS, HEIGHT = (1440, 390), 900


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What a browser sees does not depend on the database: one is enough here."""
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def one_browser(chromium: str) -> AsyncIterator[Any]:
    """The browser of all these tests; skips where Playwright or Chromium is missing."""
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        lacking("playwright is not installed here")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def chrome(one_browser: Any) -> AsyncIterator[Any]:
    """A browser; what a test opened in it, cookies and all, is gone with the test."""
    yield one_browser
    for context in one_browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server of each test's own, in the loop that the browser is driven from."""
    async with running(settings(), monkeypatch) as here:
        yield here


@pytest_asyncio.fixture(loop_scope="module")
async def taken(site: Site) -> AsyncIterator[None]:
    """The shop takes what is sent to it. Without this every delivery fails, and a moment later its conversation is open again."""
    from hub import administration

    async def take(request: web.Request) -> web.Response:
        return web.json_response({})

    app, hub, channel = web.Application(), site.server.hub, site.channel.config.id
    app.router.add_post("/", take)
    async with TestServer(app) as shop:
        await site.write(administration.change_channel, hub.box, channel, {"url": str(shop.make_url("/"))})
        await hub.load_channels()
        yield


async def signed_in(chrome: Any, site: Site, who: str = "anna") -> Any:
    """A page of somebody who has a session, empty yet; see `fresh`."""
    page = await fresh(chrome, site)
    await page.context.add_cookies([{"name": "sid", "value": await site.session(who), "url": site.base}])
    return page


async def fresh(chrome: Any, site: Site) -> Any:
    """A page of a stranger; what it complains of and whom else it asks is in ``complaints``."""
    context = await chrome.new_context(
        viewport={"width": WIDTHS[0], "height": HEIGHT}, locale="en-GB", timezone_id="Europe/Berlin"
    )
    page = await context.new_page()
    page.set_default_timeout(10_000)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda m: page.complaints.append(m.text) if "Content Security Policy" in m.text else None)
    page.on("request", lambda r: None if r.url.startswith((site.base, "data:")) else page.complaints.append(r.url))
    return page


async def until_true(page: Any, expression: str, argument: Any = None) -> None:
    """Ask the page again and again. Playwright's own waiting evaluates text in the page, which our policy forbids."""
    await until(lambda: page.evaluate(expression, argument))


async def test_a_message_appears_live_and_is_answered_noted_and_closed_without_a_reload(
    chrome: Any, site: Site
) -> None:
    page = await fresh(chrome, site)
    await page.goto(f"{site.base}/login")
    await page.fill("[name=email]", "anna@firm.example")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button")
    await page.wait_for_url("**/inbox/mine")
    await page.goto(f"{site.base}/inbox/unassigned")
    number = await site.say("Does this appear?", subject="Live")
    await page.wait_for_selector("#rows .it >> text=Live")
    await page.click("#rows .it")
    await page.wait_for_url(f"**/c/{number}?in=unassigned")
    await page.evaluate("window.same = true")

    await site.say("And this?")
    await page.wait_for_selector(".bub >> text=And this?")
    await page.fill("#reply-text", "Yes, it does")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(".bub.out >> text=Yes, it does")
    assert await page.input_value("#reply-text") == ""
    await page.click("label:has(#mode-note)")
    await page.fill("#note-text", "Remember this")
    await page.click(".f-note button:not([type=button])")
    await page.wait_for_selector(".nt >> text=Remember this")
    await page.click("#head >> text=Close")
    await page.wait_for_selector(f"#toast >> text=Closed #{number}")
    await page.wait_for_url("**/inbox/unassigned")  # nothing else is in the list

    assert await page.evaluate("window.same") is True
    assert (await page.title()).endswith("Unassigned · Hub")
    assert page.complaints == []


async def test_two_people_see_each_other_and_nothing_typed_is_lost(chrome: Any, site: Site) -> None:
    number = await site.say("Hello")
    anna, jonas = await signed_in(chrome, site), await signed_in(chrome, site, "jonas")
    for page in (anna, jonas):
        await page.goto(f"{site.base}/c/{number}")
    await anna.fill("#reply-text", "I am still writi")

    await jonas.fill("#reply-text", "Faster")
    await jonas.click(".f-reply button.btn-p")
    await anna.wait_for_selector(".bub.out >> text=Faster")
    await site.say("Thank you")
    await anna.wait_for_selector(".bub >> text=Thank you")
    assert await anna.input_value("#reply-text") == "I am still writi"
    await anna.reload()
    assert await anna.input_value("#reply-text") == "I am still writi"

    assert anna.complaints + jonas.complaints == []


async def test_a_delivery_that_fails_turns_red_by_itself(chrome: Any, site: Site) -> None:
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")

    await page.fill("#reply-text", "Goes nowhere")
    await page.click(".f-reply button.btn-p")

    await page.wait_for_selector(".bub.failed .trouble >> text=no url")
    assert page.complaints == []


async def test_without_connection_the_page_says_so_and_catches_up_afterwards(
    chrome: Any, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    await page.wait_for_selector("#reply-text")
    live = await joined(site)
    monkeypatch.setattr("hub.web.live.MOST_STREAMS", 0)
    try:
        for reader in list(live.readers):
            reader.transport.abort()
        await page.wait_for_selector("#connection:not([hidden])")
        await page.fill("#reply-text", "typed while offline")
        await site.say("Said meanwhile")
    finally:
        monkeypatch.undo()

    await page.wait_for_selector(".bub >> text=Said meanwhile", timeout=20_000)
    await page.wait_for_selector("#connection", state="hidden")
    assert await page.input_value("#reply-text") == "typed while offline"


async def test_the_html_of_a_mail_shows_in_a_frame_that_can_do_nothing(chrome: Any, site: Site) -> None:
    number = await site.say("shown as text")
    evil = (
        '<p id="ok">Designed</p><script>top.hacked=1</script><img src="x" onerror="top.hacked=2">'
        '<img data-remote-src="https://tracker.example/x.gif"><iframe src="javascript:top.hacked=3"></iframe>'
    )
    await site.write(lambda c: c.execute(sa.text("UPDATE messages SET html = :html, kind = 'email'"), {"html": evil}))
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    frame = page.frame_locator("iframe.frame")
    await frame.locator("#ok").wait_for()

    assert await page.evaluate("window.hacked") is None
    assert await page.locator(".blocked").is_visible()
    assert all("tracker" not in text for text in page.complaints if text.startswith("http"))


async def test_axe_finds_no_barrier(chrome: Any, site: Site) -> None:
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    number = await site.say(
        "A first message", subject="Barriers", attachments=[{"name": "a.txt", "content_base64": "YQ=="}]
    )
    await site.say("Somebody else", "other", "Henrik Sørensen")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    await page.fill("#reply-text", "This will fail")
    await page.click(".f-reply button.btn-p")
    await page.wait_for_selector(".trouble")
    await page.click("label:has(#mode-note)")
    await page.fill("#note-text", "A note")
    await page.click(".f-note button:not([type=button])")
    await page.wait_for_selector(".nt")
    customer = await page.get_attribute(".cust a[href^='/customers']", "href")
    script, said = Axe().axe_script, []

    paths = [
        f"/c/{number}",
        "/inbox/all",
        "/inbox/mine",
        customer,
        "/search?q=message",
        "/me",
        "/welcome/channels",
        "/c/999999",
    ]
    for path in paths:
        await page.goto(site.base + path)
        said += await barriers(script, page, path)
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.goto(f"{site.base}/c/{number}")
        await page.click("details.menu summary >> visible=true >> nth=0")
        said += await barriers(script, page, "an open menu", [width])
    await page.context.clear_cookies()
    for path in ("/login", "/welcome"):
        await page.goto(site.base + path)
        said += await barriers(script, page, path)

    assert said == []


#: What axe is asked: everything in the light, and the colours once more in the dark. There is no sound to be loaded first.
ASKED: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
LOOKS = (("light", ASKED), ("dark", {**ASKED, "runOnly": ["color-contrast"]}))


async def barriers(script: str, page: Any, path: str, widths: Sequence[int] = WIDTHS) -> list[str]:
    """What axe has to say about the page, a line each, at every width; and whether one has to scroll sideways."""
    said = []
    await page.evaluate(script)
    for width, (scheme, rules) in itertools.product(widths, LOOKS):
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        async with asyncio.timeout(30):
            found = await page.evaluate(f"axe.run({json.dumps(rules)})")
        said += [
            f"{path}, {width}, {scheme}: {v['id']}: {n['html'][:160]} {n.get('failureSummary', '')[:200]}"
            for v in found["violations"]
            for n in v["nodes"]
        ]
        if (wide := await page.evaluate("document.documentElement.scrollWidth")) > width:
            said.append(f"{path} is {wide} wide on a screen of {width}")
    return said
