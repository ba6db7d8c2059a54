"""Giving a conversation to somebody by a list that is searched; and what others see when one is deleted."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hub.directory import bump
from hub.tables import employees
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401
    barriers,
    chrome,
    database_kind,
    lacking,
    one_browser,
    pytestmark,
    signed_in,
    site,
)

OPTIONS = "#assignees [role=option]"


async def test_somebody_is_found_by_name_and_given_it_by_keys_alone(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.keyboard.press("a")
    await page.wait_for_selector(f"{OPTIONS} >> nth=0 >> text=Me")
    said = [" ".join(text.split()) for text in await page.locator(OPTIONS).all_inner_texts()]
    assert any(text.startswith("JM Jonas Meier") and text.endswith("0/30") for text in said), said
    assert said[-1] == "Nobody"
    assert not await page.is_visible("#head select[name=to]")
    await page.keyboard.type("jon")
    await page.wait_for_selector(f"{OPTIONS}[aria-selected=true] >> text=Jonas Meier")
    assert await page.get_attribute("#head .pickone input", "aria-activedescendant") == f"as-e{site.people['jonas']}"
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".sub summary >> text=Jonas Meier")

    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    await page.keyboard.press("a")
    await page.wait_for_selector(OPTIONS)
    assert await barriers(Axe().axe_script, page, "assign") == []
    await page.fill("#head .pickone input", "sal")
    await page.click(f"{OPTIONS} >> text=Sales")
    await page.wait_for_selector(".sub summary >> text=Sales")
    assert page.complaints == []


async def test_the_list_is_short_however_many_people_there_are(site: Site) -> None:  # noqa: F811
    number = await site.say("Hello")
    plain = {"role": "agent", "language": "en", "created_at": 0}
    crowd = [{"id": n, "email": f"p{n}@firm.example", "name": f"Person {n}", **plain} for n in range(5000, 5200)]
    await site.write(lambda c: c.execute(sa.insert(employees), crowd))
    await site.write(bump)
    anna, lea = await site.signed_in(), await site.signed_in("lea@firm.example")

    assert len((await anna.get(f"/c/{number}/assignees")).all("[role=option]")) < 45
    found = await anna.get(f"/c/{number}/assignees?q=person+5150")
    assert [o.attributes["data-to"] for o in found.all("[role=option]")] == ["e5150"]
    assert (await lea.get(f"/c/{number}/assignees")).status == 403
    assert (await anna.get("/c/999999/assignees")).status == 404


async def test_nothing_of_a_deleted_conversation_stays_on_the_screens_of_others(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("Zitronenfalter")
    page = await signed_in(chrome, site, "jonas")
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector("#timeline >> text=Zitronenfalter")
    anna = await site.signed_in()
    await anna.post(f"/c/{number}/delete", {"name": "Katrin Vogel"})

    await page.wait_for_selector("#timeline >> text=Zitronenfalter", state="detached")
    await page.wait_for_selector("#rows >> text=Zitronenfalter", state="detached")
    assert page.complaints == []


async def test_what_is_selected_is_given_to_somebody_found_by_name(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = [await site.say(f"About {n}", f"c{n}", f"Customer {n}") for n in range(2)]
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    for number in numbers:
        await page.check(f"#c{number} .pick")
    await page.keyboard.press("a")
    await page.wait_for_selector("#assignees-bulk [role=option] >> text=Jonas Meier")
    await page.keyboard.type("jon")
    await page.wait_for_selector("#assignees-bulk [aria-selected=true] >> text=Jonas Meier")
    await page.keyboard.press("Enter")

    await page.wait_for_selector("#toast >> text=2 conversations assigned")
    assert page.complaints == []
