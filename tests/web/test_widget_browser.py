"""The web chat in a real browser: on a stranger's page, without connection, and without a barrier that axe can find."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from hub import administration, collaboration
from hub.accounts import actor
from tests.fakes import lacking, until
from tests.web.chatting import Chat
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401 - fixtures
    barriers,
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
    until_true,
)
from tests.web.test_live import joined

#: A shop's page that measures how much it shifts.
SHOP = """<!doctype html><html lang="de"><meta charset="utf-8"><title>Shop</title><h1>Strom vom eigenen Dach</h1>
<script>window.shift=0;new PerformanceObserver(l=>l.getEntries().forEach(e=>shift+=e.value))
.observe({type:'layout-shift',buffered:true})</script>
<script async src="%s/embed.js"></script><p>Text</p>"""


@pytest_asyncio.fixture(loop_scope="module")
async def chat(site: Site) -> Chat:  # noqa: F811
    """A server with a web chat."""
    hub = site.server.hub
    row = await site.write(administration.add_channel, hub.box, "webchat", "Chat", {"title.de": "Nordlicht Solar"})
    await hub.load_channels()
    return Chat(site, row)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(chat: Chat) -> AsyncIterator[str]:
    """A web site of somebody else (another site to the browser) with the chat on it; its address."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=SHOP % chat.base, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://localhost:{runner.addresses[0][1]}"
    await chat.set(allowed_origins=address)
    yield address
    await runner.cleanup()


async def visiting(chrome: Any, url: str, width: int = 1440, locale: str = "de-DE") -> Any:  # noqa: F811
    """A page of somebody who visits; it remembers what it complained of and whom it asked."""
    context = await chrome.new_context(
        viewport={"width": width, "height": 900 if width > 400 else 844}, locale=locale, timezone_id="Europe/Berlin"
    )
    page = await context.new_page()
    page.set_default_timeout(10_000)
    page.complaints, page.asked = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda m: page.complaints.append(m.text) if "Content Security Policy" in m.text else None)
    page.on("request", lambda r: page.asked.append(r.url))
    await page.goto(url)
    return page


async def test_a_visitor_of_a_web_site_writes_and_is_answered(chrome: Any, chat: Chat, shop: str) -> None:  # noqa: F811
    agent = await signed_in(chrome, chat.site)
    await agent.goto(f"{chat.site.base}/inbox/unassigned")
    page = await visiting(chrome, shop)
    button = page.locator("button[aria-expanded]")
    await button.wait_for()
    before = [url for url in page.asked if url.startswith(chat.site.base)]
    kept = await page.evaluate("[document.cookie, localStorage.length]")

    await button.click()
    frame = page.frame_locator("iframe")
    await frame.locator("#begin").click()
    await page.keyboard.type("Guten Tag, <b>reichen</b> 11 kW?")
    await page.keyboard.press("Enter")
    await frame.locator(".ws >> text=Zugestellt").wait_for()
    await agent.wait_for_selector("#rows .it >> text=reichen")
    await chat.answer("Ja. Mehr auf https://firm.example/wallbox.", "a1")
    await frame.locator(".wm >> text=Ja. Mehr auf").wait_for()
    link = await frame.locator(".wm a").get_attribute("href")
    number = (await chat.rows("SELECT max(message_id) FROM deliveries"))[0][0]

    async def read() -> bool:
        return await chat.state_of(number) == "read"

    await until(read)
    await page.keyboard.press("Escape")
    focused = await page.evaluate("document.activeElement.shadowRoot.activeElement.tagName")
    await chat.answer("Noch etwas?", "a2")
    await until_true(page, "document.body.lastElementChild.shadowRoot.querySelector('b').textContent === '1'")

    assert before == [f"{chat.base}/embed.js"]
    assert kept == ["", 0]
    assert link == "https://firm.example/wallbox"
    assert focused == "BUTTON"
    assert "1" in (await button.get_attribute("aria-label") or "")
    assert await page.evaluate("shift") == 0
    assert await page.context.cookies() == []
    assert page.complaints == []


async def test_what_is_written_offline_leaves_once_and_in_order(chrome: Any, chat: Chat) -> None:  # noqa: F811
    page = await visiting(chrome, f"{chat.base}/page")
    await page.click("#begin")
    await page.fill("#text", "zero")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".ws >> text=Zugestellt")

    await page.context.set_offline(True)
    for text in ("one", "two", "three"):
        await page.fill("#text", text)
        await page.keyboard.press("Enter")
    await page.wait_for_selector("#ban:not([hidden])")
    await page.wait_for_selector(".pend >> text=three")
    offline = await chat.texts()
    await page.wait_for_timeout(5000)  # as long as a tunnel
    await page.context.set_offline(False)
    await page.wait_for_selector("#ban", state="hidden")
    await until_true(page, "!document.querySelector('.pend')")
    texts = await chat.arrived(4)
    await page.reload()
    await page.wait_for_selector(".wm >> text=three")

    assert offline == ["zero"]
    assert texts == ["zero", "one", "two", "three"]
    shown = "[...document.querySelectorAll('.wr.me .wm')].map(n => n.innerText).join()"
    await until_true(page, f"{shown} === 'zero,one,two,three'")  # what waits here is drawn before what the server knows
    assert page.complaints == []


async def test_what_was_written_before_the_window_closed_is_still_sent(chrome: Any, chat: Chat) -> None:  # noqa: F811
    page = await visiting(chrome, f"{chat.base}/page")
    await page.click("#begin")
    await page.fill("#text", "first")
    await page.keyboard.press("Enter")
    await chat.arrived(1)
    await page.context.set_offline(True)
    await page.fill("#text", "written in the tunnel")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".pend >> text=tunnel")
    again = await page.context.new_page()
    await page.close()
    await again.context.set_offline(False)

    await again.goto(f"{chat.base}/page")

    assert await chat.arrived(2) == ["first", "written in the tunnel"]


async def test_a_file_goes_both_ways_and_one_too_large_says_so(chrome: Any, chat: Chat) -> None:  # noqa: F811
    page = await visiting(chrome, f"{chat.base}/page", locale="en-GB")
    await page.click("#begin")
    await page.wait_for_selector("#write:not([hidden])")
    pixel = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

    await page.set_input_files("#file", {"name": "<b>dot</b>.gif", "mimeType": "image/gif", "buffer": pixel})
    await page.wait_for_selector(".att img")
    await page.set_input_files("#file", {"name": "huge.bin", "mimeType": "text/plain", "buffer": b"x" * 10_000_001})
    await page.wait_for_selector(".failed >> text=huge.bin")

    await until_true(page, "document.querySelector('.att img').naturalWidth === 1")
    assert await page.get_attribute(".att img", "alt") == "<b>dot</b>.gif"
    assert "at most 10 MB" in await page.inner_text(".bad-t")
    assert page.complaints == []


async def test_a_foreign_page_shows_one_sentence(chrome: Any, chat: Chat, shop: str) -> None:  # noqa: F811
    await chat.set(allowed_origins="https://other.example")
    page = await visiting(chrome, shop)
    await page.locator("button[aria-expanded]").click()

    await page.frame_locator("iframe").locator("p >> text=nicht für http://localhost").wait_for()


@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
async def test_axe_finds_no_barrier_in_any_state(chrome: Any, chat: Chat, locale: str) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    await chat.set(form__name="required", form__email="optional", form__consent="true", privacy_url="https://x.example")
    script, said = Axe().axe_script, []
    page = await visiting(chrome, f"{chat.base}/page", locale=locale)

    async def look(state: str) -> None:
        said.extend(await barriers(script, page, state))

    await look("start")
    await page.click("#begin")
    await page.click("#form button")
    await page.wait_for_selector("#errors a")
    await look("a form with errors")
    await page.fill("#f-name", "Mehmet Aydın")
    await page.check("#f-consent")
    await page.click("#form button")
    await page.fill("#text", "Hello https://shop.example")
    await page.keyboard.press("Enter")
    await chat.arrived(1)
    await chat.answer("An answer", "a1")
    await page.wait_for_selector(".wm >> text=An answer")
    await look("a conversation")
    await page.context.set_offline(True)
    await page.fill("#text", "waits")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#ban:not([hidden])")
    await look("no connection")
    await page.context.set_offline(False)
    await chat.arrived(2)
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]
    anna = await chat.site.server.hub.db.read(actor, chat.site.people["anna"])
    await chat.site.write(collaboration.set_status, anna, number, "closed")
    await page.wait_for_selector("#end")
    await look("an ended conversation")
    await chat.set(blocked="127.0.0.1")
    await page.reload()
    await look("blocked")
    await chat.set(blocked="")
    agent = await signed_in(chrome, chat.site)
    await agent.goto(f"{chat.site.base}/welcome/chat")
    said += await barriers(script, agent, "trying it")

    assert said == []
    assert page.complaints == []


async def test_typing_shows_on_both_sides_and_a_note_shows_nothing(chrome: Any, chat: Chat) -> None:  # noqa: F811
    page = await visiting(chrome, f"{chat.base}/page", locale="en-GB")
    await page.click("#begin")
    await page.keyboard.type("Hello")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".ws >> text=Delivered")
    rows = await chat.rows("SELECT conversation_id FROM messages ORDER BY id DESC LIMIT 1")
    agent = await signed_in(chrome, chat.site)
    await agent.goto(f"{chat.site.base}/c/{rows[0][0]}?in=all")
    await joined(chat.site)

    await page.type("#text", "And one more")
    await agent.wait_for_selector("#typing.bub", timeout=2000)
    await agent.wait_for_selector(f"#c{rows[0][0]} .tpv >> text=is typing…")
    await page.keyboard.press("Enter")
    await agent.wait_for_selector(".bub >> text=And one more")
    await agent.wait_for_selector("#typing", state="detached", timeout=1500)

    await agent.click("label:has(#mode-note)")
    await agent.type("#note-text", "Difficult customer")
    await agent.wait_for_selector(".f-note [data-state] >> text=Saved")
    assert await page.locator("#dots").count() == 0
    await agent.click("label:has(#mode-reply)")
    await agent.type("#reply-text", "One moment")
    await page.wait_for_selector("#dots", timeout=2000)
    await page.wait_for_selector("#dots", state="detached", timeout=8000)
    assert page.complaints + agent.complaints == []
