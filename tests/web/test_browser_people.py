"""In a real browser: the customer's panel, a merge and its undoing, writing first by keyboard, and no barrier on these screens."""

from __future__ import annotations

from typing import Any

import pytest

from hub import absences, customers
from hub.clock import now
from tests.fakes import lacking
from tests.web.conftest import Site
from tests.web.test_browser import (  # noqa: F401 - fixtures
    barriers,
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    site,
)
from tests.web.test_people import actor, customer_of, made


async def furnish(site: Site) -> tuple[int, int, int]:  # noqa: F811
    """A conversation, its customer with everything that can be known, and another one who is probably the same."""
    number = await site.say("My inverter shows error 302", subject="Inverter shows error 302")
    person, anna = await customer_of(site, number), await actor(site)
    firm = await made(site, "Vogel Solar GmbH", "email:info@vogel-solar.example")
    jonas = site.people["jonas"]
    known = {
        "role": "Installer",
        "timezone": "Asia/Tokyo",
        "preferred": "email",
        "opted_out": True,
        "plant": "PV-2231 · 9.8 kWp",
    }
    await site.write(customers.add_address, anna, person, "tel:+4915122648810", "", True)
    await site.write(customers.add_address, anna, person, "email:katrin.vogel@posteo.example", "", False)
    await site.write(lambda c: customers.change(c, anna, person, attributes=known, company_id=firm, owner_id=jonas))
    away: dict[str, Any] = {"deputy_id": site.people["anna"]}
    await site.write(lambda c: absences.add(c, anna, jonas, now() - 1000, now() + 9 * 86_400_000, **away))
    twin = await made(site, "Katrin Vogel", "tel:015122648810", "api:katrin")
    return number, person, twin


async def test_two_are_merged_and_parted_and_the_panel_hears_of_it(chrome: Any, site: Site) -> None:  # noqa: F811
    number, person, twin = await furnish(site)
    page = await signed_in(chrome, site)
    other = await signed_in(chrome, site)
    for each in (page, other):
        await each.goto(f"{site.base}/c/{number}")
    await page.click(".cust .likely a")
    await page.click("form.fm button.btn-p")
    await page.wait_for_selector("#merges >> text=the same name; the same phone number")
    await other.wait_for_selector(".cust .ids >> text=015122648810")
    assert await customer_of(site, number) == person

    await page.click("#merges button")
    await page.wait_for_url(f"**/customers/{twin}/same*")  # with what was done, or tidied already
    await other.wait_for_selector(".cust .likely")
    assert page.complaints + other.complaints == []


async def test_somebody_is_written_to_first_by_keyboard_alone(chrome: Any, site: Site) -> None:  # noqa: F811
    person = (await furnish(site))[2]
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/settings/people")
    await page.wait_for_selector("[data-act=go_customers][aria-keyshortcuts]")
    await page.keyboard.press("g")
    await page.keyboard.press("c")
    await page.wait_for_url("**/customers")
    await page.wait_for_selector("[type=search]:focus")
    await page.keyboard.type("0151 2264")
    await page.wait_for_selector("#found .fk >> nth=0")
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await page.wait_for_url("**/new")
    await page.wait_for_selector("[type=search]:focus")
    await page.keyboard.type("katrin v")
    await page.wait_for_selector("#found li >> nth=2", state="detached")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/new?customer={person}")
    await page.fill("[name=text]", "Good morning")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/c/*?in=mine")

    await page.wait_for_selector("#timeline >> text=Good morning")
    assert page.complaints == []


async def test_a_conversation_is_given_to_somebody_else_and_back(chrome: Any, site: Site) -> None:  # noqa: F811
    number, person, twin = await furnish(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all&q=inverter")
    await page.click("[data-more] summary")
    await page.click("[data-whose]")
    await page.fill("[name=find]", "katrin")
    await page.click("#found button.fk")
    await page.wait_for_selector(".cust .likely >> text=was of Katrin Vogel before")
    assert (await customer_of(site, number), "q=inverter" in page.url) == (twin, True)

    await page.click(".cust .likely form button")
    await page.wait_for_selector("text=was of Katrin Vogel before", state="detached")
    assert await customer_of(site, number) == person
    assert page.complaints == []


@pytest.mark.parametrize("who", ["anna", "jonas"])
async def test_axe_finds_no_barrier_where_customers_are(chrome: Any, site: Site, who: str) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    number, person, twin = await furnish(site)
    page = await signed_in(chrome, site, who)
    script, said = Axe().axe_script, []
    paths = (
        f"/c/{number}",
        "/customers",
        "/customers?q=nobody",
        "/customers/new",
        f"/customers/{person}",
        f"/customers/{person}/edit",
        f"/customers/{person}/same?q=kat",
        f"/customers/{person}/same?other={twin}",
        f"/c/{number}/customer?find=kat",
        "/new?q=api:somebody",
        f"/new?customer={twin}",
    )
    for path in paths:
        await page.goto(site.base + path)
        said += await barriers(script, page, path)
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.goto(f"{site.base}/c/{number}")
    await page.click(".cust .attred summary")
    said += await barriers(script, page, "the attributes", [1440])
    await site.write(customers.merge, await actor(site), person, twin, "They said so")
    await page.goto(f"{site.base}/customers/{person}/same")
    said += await barriers(script, page, "the merges")

    assert said == []
