"""Answering by another channel from the same box, and what is asked before it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa

from adapters.api import Channel as Api
from tests.web.conftest import Site, running
from tests.web.test_browser import (  # noqa: F401 - fixtures
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
)
from tests.web.test_browser_ways import opened


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The shop's channel has a window of 24 hours and takes pictures only; the firm has a mailbox too."""
    traits = msgspec.structs.replace(Api.traits, window_hours=24, file_types=("image/",))
    monkeypatch.setattr(Api, "traits", traits)
    async with running(settings(), monkeypatch) as here:
        yield here


async def choose(page: Any, way: str) -> None:
    await page.click(".viabox summary")
    await page.check(f"[name=via]{way}", force=True)
    await page.keyboard.press("Escape")


async def counted(site: Site) -> int:
    question = sa.text("SELECT count(*) FROM deliveries")
    return int(await site.server.hub.db.read(lambda c: c.execute(question).scalar()))


async def test_another_channel_keeps_the_text_shows_the_recipient_and_asks_for_the_subject(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    """C1"""
    page, _ = await opened(chrome, site)
    await page.fill("#reply-text", "Dear Katrin")
    assert await page.is_visible("[data-window] >> text=Free text for another")
    await choose(page, "[data-name=Post]")

    assert await page.input_value("#reply-text") == "Dear Katrin"
    assert await page.inner_text("p[data-whom]") == "to kunde@posteo.example"
    assert not await page.is_visible("[data-window]")
    await page.click(".f-reply .split .btn-p")
    await page.wait_for_selector("[data-no-subject] >> text=There is no subject.")
    assert (await counted(site), await page.input_value("#reply-text")) == (0, "Dear Katrin")
    await page.click("[data-doubt] [data-sure]")
    await page.wait_for_selector(".card.out >> text=Dear Katrin")
    assert await counted(site) == 1
    assert page.complaints == []


async def test_a_copy_to_a_domain_nobody_knows_is_asked_about_first(chrome: Any, site: Site) -> None:  # noqa: F811
    page, _ = await opened(chrome, site)
    await choose(page, "[data-name=Post]")
    await page.click(".rcp summary")
    await page.fill("[name=subject]", "Your question")
    await page.fill("#reply-text", "Dear Katrin")
    await page.fill("[name=cc]", "boss@firm.example, lawyer@posteo.example, eve@elsewhere.example")
    await page.click(".f-reply .split .btn-p")
    await page.wait_for_selector("[data-outside]")

    assert await page.inner_text("[data-outside]") == "This goes outside: eve@elsewhere.example"
    assert not await page.is_visible("[data-no-subject]")
    assert await counted(site) == 0
    await page.click("[data-doubt] [data-sure]")
    await page.wait_for_selector(".card.out >> text=Dear Katrin")
    assert await counted(site) == 4
    assert page.complaints == []


async def test_copies_within_the_firm_and_to_the_customers_own_domain_go_at_once(chrome: Any, site: Site) -> None:  # noqa: F811
    page, _ = await opened(chrome, site)
    await choose(page, "[data-name=Post]")
    await page.click(".rcp summary")
    await page.fill("[name=subject]", "Your question")
    await page.fill("#reply-text", "Dear Katrin")
    await page.fill("[name=cc]", "boss@firm.example")
    await page.fill("[name=bcc]", "lawyer@posteo.example")
    await page.click(".f-reply .split .btn-p")

    await page.wait_for_selector(".card.out >> text=Dear Katrin")
    assert await counted(site) == 3


async def test_a_file_of_a_kind_the_channel_does_not_take_is_refused_here_and_by_the_server(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    page, number = await opened(chrome, site)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    plan = {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"}
    await page.set_input_files("[type=file]", plan)
    await page.wait_for_selector("#trouble >> text=This channel does not take files like plan.pdf.")
    assert not [url for url in sent if url.endswith("/attachments")]

    await choose(page, "[data-name=Post]")
    await page.set_input_files("[type=file]", plan)
    await page.wait_for_selector("[data-kept] >> text=plan.pdf")
    await choose(page, ":not([data-name=Post])")
    await page.fill("#reply-text", "See the plan")
    await page.click(".f-reply .split .btn-p")
    await page.wait_for_selector("#trouble >> text=This channel does not take files like plan.pdf.")
    assert await counted(site) == 0

    fields = await page.evaluate("Object.fromEntries(new FormData(document.querySelector('#reply')))")
    fields = {k: v for k, v in fields.items() if isinstance(v, str)}
    direct = await (await site.signed_in()).post(f"/c/{number}/reply", fields)
    assert direct.status == 422 and "takes only image/" in direct.words("#trouble")
    assert await counted(site) == 0
    assert page.complaints == []
