"""What a channel can carry, in the composer: its window and templates, SMS counted as they are typed, files it does not take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa

from adapters.api import Channel as Api
from hub import ways
from hub.messages import Outgoing, Sent, Template
from tests.core.test_segments import CASES
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
from tests.web.test_browser_composer import _second_channel

TAKEN: list[Outgoing] = []


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The shop's channel is like a messenger: 24 hours of free text and then templates, texts as SMS, small files."""

    async def templates(self: Api) -> tuple[Template, ...]:
        return (Template("hello", "en", "Hello {{1}}, your order {{order}} is here."),)

    async def send(self: Api, out: Outgoing) -> Sent:
        TAKEN.append(out)
        return Sent(out.id)

    TAKEN.clear()
    traits = msgspec.structs.replace(Api.traits, window_hours=24, templates=True, segments=3, max_file_bytes=1000)
    monkeypatch.setattr(Api, "traits", traits)
    monkeypatch.setattr(Api, "templates", templates)
    monkeypatch.setattr(Api, "send", send)
    async with running(settings(), monkeypatch) as here:
        yield here


async def opened(chrome: Any, site: Site) -> tuple[Any, int]:  # noqa: F811 - the fixture's value
    number = await site.say("Hello")
    await site.write(_second_channel, site)
    await site.server.hub.load_channels()
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    return page, number


async def test_the_clock_passes_while_typing_and_a_template_or_mail_is_offered(chrome: Any, site: Site) -> None:  # noqa: F811
    """C2"""
    page, number = await opened(chrome, site)
    await page.fill("#reply-text", "Half a sentence")
    fields = await page.evaluate("Object.fromEntries(new FormData(document.querySelector('#reply')))")
    earlier = sa.text("UPDATE events SET at = at - :ms")
    await site.write(lambda c: c.execute(earlier, {"ms": 25 * ways.HOUR}).rowcount)
    await page.evaluate("document.querySelector('[name=via]:checked').dataset.until = Date.now() - 1000")
    await page.focus("#reply-text")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector("[data-over] >> text=Your text is kept")
    assert await page.is_visible("[data-over] [data-instead]")
    assert not await page.is_visible("#reply .split")

    anna = await site.signed_in()
    fields.pop("upload", None)
    direct = await anna.post(f"/c/{number}/reply", {k: v for k, v in fields.items() if isinstance(v, str)})
    assert direct.status == 422 and direct.one("#reply-text").text() == "Half a sentence"
    await page.click("a[data-template]")
    await page.fill("#choosing [data-fills='1']", "Katrin")
    await page.fill("#choosing [data-fills=order]", "#7")
    assert await page.inner_text("#choosing .txt") == "Hello Katrin, your order #7 is here."
    await page.click("#choosing button.btn-p")
    await page.wait_for_selector(".bub.out >> text=Hello Katrin, your order #7 is here.")
    assert await page.input_value("#reply-text") == "Half a sentence"
    await until(lambda: TAKEN)
    assert TAKEN[0].template is not None and TAKEN[0].template.values == {"1": "Katrin", "order": "#7"}
    assert page.complaints == []


async def test_sms_are_counted_as_the_server_counts_them(chrome: Any, site: Site) -> None:  # noqa: F811
    """C3"""
    page, _ = await opened(chrome, site)
    for text, parts, units, room, odd in CASES:
        await page.fill("#reply-text", text)
        said = await page.text_content("[data-count]")
        assert said.startswith(f"{units} of {room} · {max(parts, 1)} SMS"), text
        assert bool(odd) == ("leaves only 70" in said), text
    await page.fill("#reply-text", "😀" * 140)
    assert "at most 3" in await page.text_content("[data-count]")
    await page.click(".f-reply .split .btn-p")
    await until_true(page, "document.querySelector('[data-count]').classList.contains('bad-text')")
    assert await page.locator(".bub.out").count() == 0


async def test_a_file_over_the_limit_is_not_uploaded_and_blocks_after_a_change_of_channel(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    """C5"""
    page, _ = await opened(chrome, site)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    large = {"name": "large.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1" + b"x" * 2000}
    await page.set_input_files("[type=file]", large)
    await page.wait_for_selector("#trouble >> text=large.pdf is larger")
    assert not [url for url in sent if url.endswith("/attachments")]

    await page.click(".viabox summary")
    await page.check("[name=via][data-name=Post]", force=True)
    assert await page.inner_text("p[data-whom]") == "to kunde@posteo.example"
    await page.set_input_files("[type=file]", large)
    await page.wait_for_selector("[data-kept] >> text=large.pdf")
    await page.check("[name=via]:not([data-name=Post])", force=True)
    await page.keyboard.press("Escape")
    await page.fill("#reply-text", "See the plan")
    await page.click(".f-reply .split .btn-p")
    await page.wait_for_selector("#trouble >> text=large.pdf is larger")
    assert await page.locator(".bub.out").count() == 0
    assert page.complaints == []
