"""The palette in a real browser: everything can be done with it, to what is open and to what is selected."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.web import keys
from tests.fakes import until
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
    until_true,
)
from tests.web.test_browser_work import closed, several, status

FIRST = "#palette-list [aria-selected=true]"


async def ask(page: Any, wish: str) -> None:
    """Type a wish into the palette."""
    await page.keyboard.press("Control+k")
    await page.fill("#palette input", wish)


async def tags_of(site: Site, number: int) -> set[str]:  # noqa: F811
    question = sa.text("SELECT tag FROM tags WHERE conversation_id = :n")
    return set(await site.server.hub.db.read(lambda c: c.execute(question, {"n": number}).scalars().all()))


async def test_every_action_of_the_table_can_be_done_by_the_palette(chrome: Any, site: Site) -> None:  # noqa: F811
    number = (await several(site, 2))[0]
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    missed = []
    await page.keyboard.press("Control+k")
    for b in keys.table():
        if b.id in ("palette", "leave"):  # one is open, the other shuts it
            continue
        await page.fill("#palette input", b.label)
        found = [
            line.strip().split("\n")[0] for line in await page.locator("#palette-list [role=option]").all_inner_texts()
        ]
        wanted = b.label.partition(": ")[2] if b.id.startswith("go_") else b.label
        if wanted.lower() not in [line.lower() for line in found]:
            missed.append(b.id)

    # to be there, these need something to undo, a draft to send, a mail, somebody blocked
    assert set(missed) <= {"undo", "send_close", "history", "forward", "unblock"}
    assert await page.get_attribute("#palette input", "aria-activedescendant")
    assert page.complaints == []


async def test_what_stands_in_a_menu_is_done_without_opening_it(chrome: Any, site: Site) -> None:  # noqa: F811
    number, other = await several(site, 2)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await ask(page, "priority urgent")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#head .chip >> text=Urgent")
    await ask(page, "> merge")
    await page.keyboard.press("Enter")
    await until_true(page, "document.activeElement.name === 'into'")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await ask(page, "spam")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(f"[data-conversation='{other}']")

    assert await status(site, number) == "closed"
    assert page.complaints == []


async def test_it_works_on_everything_that_is_selected(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site, 3)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await page.focus(f"#c{numbers[2]} a")
    await page.keyboard.press("*")
    await page.keyboard.press("a")
    await page.wait_for_selector("#bulk >> text=3 selected")
    await ask(page, "@jonas")
    assert (await page.inner_text(FIRST)).endswith("· 3 selected")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#toast >> text=3 conversations assigned")
    owner = sa.text("SELECT count(*) FROM conversations WHERE assignee_id = :n")
    jonas = {"n": site.people["jonas"]}
    assert await site.server.hub.db.read(lambda c: c.execute(owner, jonas).scalar()) == 3

    await page.keyboard.press("x")
    await page.wait_for_selector("#bulk >> text=1 selected")
    await page.keyboard.press("e")
    await page.wait_for_selector("#toast >> text=/Closed/")
    assert [await closed(site, n) for n in numbers].count(True) == 1
    assert page.complaints == []


async def test_a_colon_tags_and_an_at_sign_finds_people(chrome: Any, site: Site) -> None:  # noqa: F811
    number, other = await several(site, 2)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await ask(page, ":inverter")
    await page.wait_for_selector(f"{FIRST} >> text=+ inverter")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#head [data-tags] > summary >> text=inverter")
    assert await tags_of(site, number) == {"inverter"}
    await page.goto(f"{site.base}/c/{other}?in=all")
    await ask(page, ":inv")
    await page.wait_for_selector(f"{FIRST} >> text=/^inverter$/")
    await page.keyboard.press("Enter")
    await until(lambda: _tagged(site, other))

    await ask(page, "@customer 1")
    await page.click("#palette-list [data-href^='/customers/']")
    await page.wait_for_url("**/customers/*")
    await ask(page, "@jonas")
    await page.click("#palette-list >> text=Jonas Meier")
    await page.wait_for_url(f"**/inbox/all?who={site.people['jonas']}")
    assert page.complaints == []


async def _tagged(site: Site, number: int) -> bool:  # noqa: F811
    return await tags_of(site, number) == {"inverter"}
