"""In a real browser: the live board moves by itself, a rule is dragged, somebody absent is asked about, and axe finds no barrier."""

from typing import Any

from hub import staff
from hub.directory import Conditions, Target
from hub.levels import add_hours, add_policy
from hub.rulebook import add
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
from tests.web.test_settings import away


async def furnished(site: Site) -> int:  # noqa: F811
    """Something on every screen; the hours' id."""
    await away(site, "jonas", "anna")
    await site.write(staff.set_up, site.people["jonas"], {"skills": ["billing"], "capacity": 4})
    hours: int = await site.write(add_hours, "House", "Europe/Berlin", "DE-NI", {"mon": ["08:00-12:00"]}, {})
    await site.write(add, "Invoices", Conditions(subject=("Rechnung",)), Target(team="900"))
    promised = {"name": "Gold", "enabled": True, "conditions": Conditions(), "first_minutes": 30, "next_minutes": 0}
    await site.write(add_policy, {**promised, "resolution_minutes": 600, "hours_id": None}, None)
    return hours


async def test_the_board_moves_by_itself_within_two_seconds(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/live")
    await page.wait_for_selector("[data-n=waiting] >> text=0")
    await page.wait_for_selector("[data-n=available] >> text=1")
    await page.evaluate("window.same = true")

    await site.say("I wait")
    await page.wait_for_selector("[data-n=waiting].flash >> text=1", timeout=2000)
    await page.click("#me summary")
    await page.click("#me [value=away]")
    await page.wait_for_selector("[data-n=away] >> text=1")

    assert page.url == f"{site.base}/live"
    assert page.complaints == []


async def test_a_rule_is_dragged_to_its_place(chrome: Any, site: Site) -> None:  # noqa: F811
    await furnished(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/settings/routing")

    await page.drag_and_drop(".rules > li:has-text('Invoices')", ".rules > li:nth-child(1)")

    await page.wait_for_selector(".rules > li:nth-child(1):has-text('Invoices')")
    await page.reload()
    assert "Invoices" in await page.inner_text(".rules > li:nth-child(1)")
    assert page.complaints == []


async def test_the_reason_shows_at_the_name_and_somebody_absent_is_asked_about(chrome: Any, site: Site) -> None:  # noqa: F811
    await furnished(site)
    number = await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    await page.evaluate("window.same = true")
    await page.hover(".whybox summary")
    await page.wait_for_selector("#why >> text=Team of the channel: Service")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#why", state="hidden")

    await page.click(".whybox summary")
    await page.click("#assignees >> text=Jonas Meier")
    await page.click(".ask >> text=Give it to the deputy, Anna Becker")
    await page.wait_for_selector(".whybox summary >> text=Anna Becker")

    assert await page.evaluate("window.same") is True
    assert page.complaints == []


async def test_axe_finds_no_barrier_in_the_settings(chrome: Any, site: Site) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    hours = await furnished(site)
    await site.say("Hello")
    page = await signed_in(chrome, site)
    await page.request.post(f"{site.base}/settings/routing/draft", headers={"Sec-Fetch-Site": "same-origin"})
    script, said = Axe().axe_script, []
    jonas = site.people["jonas"]
    for path in (
        "/live", "/live?tv=1", "/inbox/all?due=soon", "/settings/people", f"/settings/people/{jonas}",
        "/settings/teams", "/settings/teams/900", "/settings/absences", "/settings/absences/new",
        "/settings/routing/new", "/settings/routing/draft", f"/settings/hours/{hours}", "/settings/sla",
    ):  # fmt: skip
        await page.goto(site.base + path)
        said += await barriers(script, page, path)
    await page.goto(f"{site.base}/settings/hours/new")
    await page.fill("#f-name", "Night")
    await page.fill("#f-zone", "Mars")
    await page.click('main button:has-text("Save")')
    await page.wait_for_selector("#summary:focus")
    said += await barriers(script, page, "a form that came back")

    assert said == []
    assert page.complaints == []
