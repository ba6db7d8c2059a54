# ruff: noqa: F811 - fixtures of another file
"""Nothing hostile runs on any screen; and the trap that says so does catch what runs."""

from typing import Any

import pytest
import sqlalchemy as sa

from adapters import _html
from tests.sec.xss_browser import LOADED, POKE, TOGETHER, Vector, batches, clean, look, put, trapped, vectors
from tests.web.conftest import Site
from tests.web.history import PNG
from tests.web.test_browser import chrome, database_kind, one_browser, signed_in, site  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.may_block,
    pytest.mark.xdist_group("browser"),
    pytest.mark.asyncio(loop_scope="module"),
]


#: A page that takes markup as it comes, and pokes at it.
TAKEN = """m => { document.body.innerHTML = m; for (const n of document.body.querySelectorAll('*'))
  for (const kind of ['load', 'error', 'mouseover', 'focus']) n.dispatchEvent(new Event(kind)) }"""
#: Where a click would run something.
LEADS = """() => [...document.querySelectorAll('[href],[src],[action],[formaction]')].flatMap(n => ['href', 'src', 'action', 'formAction']
  .map(k => String(n[k]?.baseVal ?? n[k] ?? ''))).filter(url => /^(javascript|vbscript|data):/i.test(url.trim()))"""


async def prepared(chrome: Any, site: Site) -> tuple[Any, list[str]]:
    page = await signed_in(chrome, site)
    return page, await trapped(page)


async def test_hostile_markup_runs_on_no_screen(chrome: Any, site: Site, request: pytest.FixtureRequest) -> None:
    every = vectors()
    chosen = every if request.config.getoption("--all", default=False) else every[:: len(every) // (2 * TOGETHER) + 1]
    digest = site.server.hub.blobs.put(PNG)
    page, caught = await prepared(chrome, site)
    wrong = []
    owner = sa.text("SELECT customer_id FROM conversations WHERE id = :id")

    for n, portion in enumerate(batches(chosen)):
        number = await site.say("Hello", who=f"evil{n}")
        await site.write(put, number, portion, digest)
        customer = await site.server.hub.db.read(lambda c, number=number: c.execute(owner, {"id": number}).scalar())
        wrong += [f"{portion[0].id} …: {said}" for said in await look(page, site, number, customer)]
        wrong += [f"{portion[0].id} …: {said}" for said in caught]
        caught.clear()

    elsewhere = [url for url in page.complaints if url.startswith(("http://", "https://"))]
    assert len(every) >= 747
    assert wrong == []
    assert elsewhere == []


async def bare(page: Any, site: Site) -> None:
    """An empty page without any policy."""
    await page.route(
        "**/bare", lambda route: route.fulfill(body="<!doctype html><body></body>", content_type="text/html")
    )
    await page.goto(f"{site.base}/bare")


async def firing(page: Any, site: Site, caught: list[str], some: list[Vector]) -> list[Vector]:
    """Those that run in a page that takes them as they come."""
    await bare(page, site)
    fired = []
    for v in some:
        await page.evaluate(TAKEN, v.markup)
        if caught:
            fired.append(v)
        caught.clear()
        if not page.url.startswith(site.base):
            await page.goto(f"{site.base}/bare")
    return fired


async def test_what_the_sanitiser_leaves_of_it_runs_in_no_page_either(chrome: Any, site: Site) -> None:
    """The first wall by itself: without a frame, without a policy."""
    page, caught = await prepared(chrome, site)
    await bare(page, site)
    cleaned = [_html.sanitise(clean(v.markup)) for v in vectors()]

    for start in range(0, len(cleaned), 50):
        await page.evaluate(TAKEN, "<hr>".join(cleaned[start : start + 50]))
        await page.evaluate("new Promise(r => setTimeout(r, 20))")
        assert caught + await page.evaluate(LEADS) == [], cleaned[start : start + 50]

    assert page.url == f"{site.base}/bare"
    assert [url for url in page.complaints if url.startswith(("http://", "https://"))] == []


async def test_the_trap_catches_what_runs_where_nothing_is_cleaned_and_the_frame_lets_none_of_it_run(
    chrome: Any, site: Site
) -> None:
    """The control, and the second wall by itself: mails as they came, in the hub's frames as they are and with their walls down."""
    page, caught = await prepared(chrome, site)
    fired = await firing(page, site, caught, vectors()[:120])
    assert len(fired) >= 10
    number = await site.say("Hello", who="evil")
    await site.write(put, number, fired[:TOGETHER], site.server.hub.blobs.put(PNG), False)

    await seen(page, site, number)
    assert caught == []

    async def open_frames(route: Any) -> None:
        answer = await route.fetch()
        text = (await answer.text()).replace('sandbox="', 'sandbox="allow-scripts ')
        kept = {
            k: v
            for k, v in answer.headers.items()
            if k not in ("content-security-policy", "content-length", "content-encoding")
        }
        await route.fulfill(status=answer.status, headers=kept, body=text)

    await page.route(f"**/c/{number}", open_frames)
    await page.route("**/messages/*/html**", open_frames)
    await seen(page, site, number)
    assert len(caught) >= 3


async def seen(page: Any, site: Site, number: int) -> None:
    """The conversation with every frame loaded and everything in it poked at."""
    await page.goto(f"{site.base}/c/{number}", wait_until="load")
    await page.eval_on_selector_all("iframe", "all => all.forEach(f => f.loading = 'eager')")
    await page.evaluate(LOADED)
    await page.evaluate(POKE)
