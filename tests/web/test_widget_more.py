"""The web chat in a real browser, further: who is signed in on the page, greeting, quick replies, rating, transcript, contact form."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from hub import administration, collaboration, levels, signed
from hub.accounts import actor
from tests.fakes import lacking
from tests.web.chatting import Chat
from tests.web.test_browser import barriers, chrome, database_kind, one_browser, signed_in, site  # noqa: F401 - fixtures
from tests.web.test_widget_browser import chat, visiting  # noqa: F401 - fixtures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.may_block,
    pytest.mark.asyncio(loop_scope="module"),
]
SECRET = "a secret of at least 32 characters"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><h1>Shop</h1>
<script async src="%s/embed.js" data-user="%s" data-signature="%s" data-name="Kim"></script>"""


def axe() -> str:
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    return str(Axe().axe_script)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(chat: Chat) -> AsyncIterator[str]:  # noqa: F811
    """A web site whose server signs the user in ``?user=``; with ``&forged=1`` somebody else did."""

    async def page(request: web.Request) -> web.Response:
        user = request.query.get("user", "")
        signature = signed.sign("wrong" if "forged" in request.query else SECRET, user)
        return web.Response(text=PAGE % (chat.base, user, signature), content_type="text/html")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://localhost:{runner.addresses[0][1]}"
    await chat.set(allowed_origins=address, identity_secret=SECRET)
    yield address
    await runner.cleanup()


async def begun(page: Any, text: str) -> Any:
    """Opens the chat on the shop's page and says something."""
    await page.locator("button[aria-expanded]").click()
    frame = page.frame_locator("iframe")
    await frame.locator("#begin, #text").locator("visible=true").first.wait_for()
    if await frame.locator("#begin").is_visible():
        await frame.locator("#begin").click()
    await frame.locator("#text").fill(text)
    await frame.locator("#text").press("Enter")
    await frame.locator(".ws >> text=/Delivered|Read/").first.wait_for()
    return frame


async def test_another_user_never_sees_what_the_one_before_wrote(chrome: Any, chat: Chat, shop: str) -> None:  # noqa: F811
    page = await visiting(chrome, f"{shop}/?user=42", locale="en-GB")
    await begun(page, "from forty-two")
    await page.goto(f"{shop}/?user=43")
    frame = await begun(page, "from forty-three")
    other = await frame.locator("#log").inner_text()
    await page.evaluate(f"hubChat.identify({{ user: '42', signature: '{signed.sign(SECRET, '42')}' }})")
    await frame.locator(".wm >> text=from forty-two").wait_for()
    again = await frame.locator("#log").inner_text()
    await page.evaluate("hubChat.identify(null)")
    await frame.locator(".wm >> text=from forty-two").wait_for(state="detached")

    assert "forty-two" not in other
    assert "forty-three" not in again
    assert [row[0] for row in await chat.rows("SELECT count(DISTINCT customer_id) FROM conversations")] == [2]
    assert page.complaints == []


async def test_whoever_was_signed_badly_is_told_so_and_chats_as_a_guest(chrome: Any, chat: Chat, shop: str) -> None:  # noqa: F811
    page = await visiting(chrome, f"{shop}/?user=42&forged=1", locale="en-GB")
    frame = await begun(page, "as a guest")

    assert "does not fit" in await frame.locator(".guest").inner_text()
    assert (await chat.rows("SELECT count(*) FROM identities WHERE address LIKE 'webchat:u%'"))[0][0] == 0


async def test_the_greeting_comes_on_the_chosen_pages_only_and_answers_are_pressed(
    chrome: Any,  # noqa: F811
    chat: Chat,  # noqa: F811
    shop: str,
) -> None:
    await chat.set(
        invite__seconds=1, invite__pages="/prices /shop/*", greeting__en="May I help?", quick__en="Prices | Hours"
    )
    quiet = await visiting(chrome, f"{shop}/about", locale="en-GB")
    page = await visiting(chrome, f"{shop}/shop/roof", locale="en-GB")
    await page.locator(".hi >> text=May I help?").click()
    frame = page.frame_locator("iframe")
    await frame.locator(".chip >> text=Prices").click()
    await chat.arrived(1)
    await chat.answer("For a roof or a garage?\n[A roof] [A garage]", "a1")
    await frame.locator(".chip >> text=A garage").click()
    texts = await chat.arrived(2)

    assert texts == ["Prices", "A garage"]
    assert "[A roof]" not in await frame.locator("#log").inner_text()
    assert await quiet.locator(".hi").count() == 0
    assert page.complaints == []


async def test_an_ended_chat_is_rated_and_sent_by_mail_without_a_barrier(chrome: Any, chat: Chat) -> None:  # noqa: F811
    hub = chat.site.server.hub
    settings = {"address": "help@firm.example", "smtp.host": "127.0.0.1", "smtp.port": 1, "smtp.tls": "none"}
    await chat.site.write(administration.add_channel, hub.box, "email", "Mail", settings)
    await hub.load_channels()
    page = await visiting(chrome, f"{chat.base}/page", width=390, locale="en-GB")
    await page.click("#begin")
    await page.fill("#text", "Hello")
    await page.keyboard.press("Enter")
    await chat.arrived(1)
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]
    anna = await hub.db.read(actor, chat.site.people["anna"])
    await chat.site.write(collaboration.set_status, anna, number, "closed")
    await page.wait_for_selector("#after:not([hidden])")
    said = await barriers(axe(), page, "an ended chat")

    await page.focus("#rate input")
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_selector("#thanks >> text=Thank you")
    await page.fill("#m-email", "kim@example.com")
    await page.click("#mail button")
    await page.wait_for_selector("#thanks >> text=kim@example.com")

    assert said == []
    assert [row[0] for row in await chat.rows("SELECT score FROM ratings")] == [4]
    assert [r[0] for r in await chat.rows("SELECT recipient FROM deliveries")] == ["email:kim@example.com"]
    assert page.complaints == []


async def test_axe_finds_no_barrier_outside_the_hours_in_the_form_and_in_the_settings(
    chrome: Any,  # noqa: F811
    chat: Chat,  # noqa: F811
) -> None:
    hub, script = chat.site.server.hub, axe()
    hours = await chat.site.write(levels.add_hours, "Never", "Europe/Berlin", "", {}, {})
    await hub.db.write(administration.change_channel, hub.box, chat.row.config.id, {}, hours_id=hours)
    await hub.load_channels()
    page = await visiting(chrome, f"{chat.base}/page")
    await page.wait_for_selector("#away:not([hidden])")
    said = await barriers(script, page, "outside hours, start")
    await page.click("#begin")
    await page.fill("#text", "Hallo")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#note")
    said += await barriers(script, page, "outside hours, conversation")
    await page.goto(f"{chat.base}/form")
    said += await barriers(script, page, "form")
    await page.click("button")
    said += await barriers(script, page, "form with errors")
    agent = await signed_in(chrome, chat.site)
    for path in ("/settings/channels", f"/settings/channels/{chat.row.config.id}/chat"):
        await agent.goto(chat.site.base + path)
        said += await barriers(script, agent, path)

    assert said == []
