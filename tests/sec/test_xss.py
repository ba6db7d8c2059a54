# ruff: noqa: F811 - fixtures of another file
"""Nothing hostile runs on any screen; and the trap that says so does catch what runs."""

from typing import Any

import pytest
import sqlalchemy as sa

from tests.sec.xss_browser import TOGETHER, batches, look, put, trapped, vectors
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


async def test_the_trap_catches_what_runs_where_nothing_is_cleaned(chrome: Any, site: Site) -> None:
    """The control: the same vectors in a page that takes them as they come."""
    every = vectors()
    page, caught = await prepared(chrome, site)
    await page.route(
        "**/bare", lambda route: route.fulfill(body="<!doctype html><body></body>", content_type="text/html")
    )
    await page.goto(f"{site.base}/bare")
    fired = 0

    for v in every[:120]:
        await page.evaluate(TAKEN, v.markup)
        fired += bool(caught)
        caught.clear()
        if not page.url.startswith(site.base):
            await page.goto(f"{site.base}/bare")

    assert fired >= 10
