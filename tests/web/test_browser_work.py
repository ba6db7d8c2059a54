"""Working on conversations in a real browser: snoozing in words, undoing, going on to the next, selecting many."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.fakes import lacking, until
from tests.web.conftest import Site
from tests.web.test_browser import HEIGHT, barriers, chrome, database_kind, one_browser, pytestmark, signed_in, site  # noqa: F401


async def several(site: Site, count: int = 4) -> list[int]:  # noqa: F811
    """Conversations of as many customers; who has waited longest, and stands first, last."""
    made = [await site.say(f"About {n}", f"c{n}", f"Customer {n}", subject=f"Matter {n}") for n in range(count)]
    return made[::-1]


async def status(site: Site, number: int) -> str:  # noqa: F811
    question = sa.text("SELECT status FROM conversations WHERE id = :n")
    return str(await site.server.hub.db.read(lambda c: c.execute(question, {"n": number}).scalar()))


async def closed(site: Site, *numbers: int) -> bool:  # noqa: F811
    return all([await status(site, n) == "closed" for n in numbers])


async def test_after_closing_the_next_opens_and_undo_comes_back(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await page.click(f"#c{numbers[3]} a")
    await page.wait_for_selector(f"[data-conversation='{numbers[3]}']")
    await page.evaluate("window.same = true")

    await page.click("#head >> text=Close")
    await page.wait_for_selector(f"[data-conversation='{numbers[2]}']")
    await page.wait_for_selector(f"#toast >> text=Closed #{numbers[3]}")
    assert await page.evaluate("document.activeElement.tagName") == "H1"
    assert "done=" not in page.url
    await page.keyboard.press("z")
    await page.wait_for_selector(f"[data-conversation='{numbers[3]}']")
    await page.wait_for_selector("#toast >> text=Undone")

    assert await status(site, numbers[3]) == "open"
    assert await page.evaluate("window.same") is True
    assert page.complaints == []


async def test_a_snooze_in_words_shows_what_it_means_before_it_is_set(chrome: Any, site: Site) -> None:  # noqa: F811
    (number,) = await several(site, 1)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.click("#head summary:has-text('Snooze')")
    await page.fill("#head [name=words]", "next friday")
    await page.wait_for_selector("#snooze-says >> text=can mean two days")
    await page.fill("#head [name=words]", "20.12.2030 10 Uhr")
    await page.wait_for_selector("#snooze-says >> text=Friday, 20 December 2030, 10:00")
    await page.keyboard.press("Enter")

    await page.wait_for_selector(f"#toast >> text=Snoozed #{number}")
    assert await status(site, number) == "snoozed"
    await page.goto(f"{site.base}/c/{number}")
    await page.wait_for_selector(".sub >> text=20 December 2030, 10:00 CET")
    assert page.complaints == []


async def test_a_quick_choice_snoozes_until_its_moment_or_the_reply(chrome: Any, site: Site) -> None:  # noqa: F811
    first, second = await several(site, 2)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{second}?in=all")
    await page.click("#head summary:has-text('Snooze')")
    await page.click("#head .choice:has-text('Until the customer replies')")
    await page.wait_for_selector(f"[data-conversation='{first}']")
    assert await status(site, second) == "snoozed"
    await site.say("I am back", "c0", "Customer 0")
    await page.goto(f"{site.base}/c/{second}")

    await page.wait_for_selector(".ev >> text=Back from snooze, the customer replied; set by Anna Becker")


async def test_many_are_selected_closed_and_all_undone_at_once(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    assert not await page.is_visible("#bulk")
    await page.focus(f"#c{numbers[3]} a")
    await page.keyboard.press("x")
    await page.keyboard.press("Shift+J")
    await page.wait_for_selector("#bulk >> text=2 selected")
    await page.check(f"#c{numbers[1]} .pick")
    await page.mouse.move(900, 600)
    await site.say("Somebody else writes", "other", "Other One")
    await page.wait_for_selector("#rows >> text=Other One")
    await page.wait_for_selector("#bulk >> text=3 selected")
    await page.click("#bulk >> text=Close")

    await page.wait_for_selector("#toast >> text=3 conversations closed")
    await page.wait_for_selector("#bulk", state="hidden")
    assert await closed(site, *numbers[1:])
    await page.click("#toast >> text=Undo")
    await page.wait_for_selector("#toast >> text=Undone")
    assert [await status(site, n) for n in numbers] == ["open"] * 4
    assert page.complaints == []


async def test_enter_in_a_field_of_the_bar_does_what_the_field_is_for(chrome: Any, site: Site) -> None:  # noqa: F811
    numbers = await several(site, 2)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    for number in numbers:
        await page.check(f"#c{number} .pick")
    await page.click("#bulk summary:has-text('Tags')")
    await page.fill("#bulk [name=tag]", "inverter")
    await page.keyboard.press("Enter")

    await page.wait_for_selector("#toast >> text=Tags of 2 conversations changed")
    assert [await status(site, n) for n in numbers] == ["open", "open"]


async def test_a_long_job_shows_how_far_it_is(
    chrome: Any,  # noqa: F811
    site: Site,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub.actions.BATCH", 1)
    numbers = await several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await page.check("#selecting", force=True)
    for number in numbers:
        await page.check(f"#c{number} .pick")
    await page.click("#bulk >> text=Close")
    await page.wait_for_selector("#toast progress")
    await page.wait_for_selector("#toast >> text=4 conversations closed")
    await page.click("#toast >> text=Undo")

    await page.wait_for_selector("#toast >> text=/^Undone/")
    assert [await status(site, n) for n in numbers] == ["open"] * 4


async def test_unread_goes_back_to_the_list_and_stays_unread(chrome: Any, site: Site) -> None:  # noqa: F811
    (number,) = await several(site, 1)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.wait_for_selector("#rows a.un", state="detached")
    await page.keyboard.press("u")

    await page.wait_for_url("**/inbox/all")
    await page.wait_for_selector("#rows a.un")
    await page.wait_for_selector(f"#toast >> text=#{number} marked as unread")


async def test_tags_are_suggested_added_and_taken_away_one_by_one(chrome: Any, site: Site) -> None:  # noqa: F811
    first, second = await several(site, 2)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{first}?in=all")
    for tag in ("inverter", "warranty"):
        await page.click("#head [data-tags] summary")
        await page.fill("#head [name=add]", tag)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f"#head [data-tags] summary >> text={tag}")
    await page.click("#head [data-tags] summary")
    await page.click("#head .tagged button:has-text('inverter')")
    await page.wait_for_selector("#head [data-tags] summary .trunc >> text=/^warranty$/")
    await page.goto(f"{site.base}/c/{second}?in=all")
    await page.click("#head [data-tags] summary")

    await page.wait_for_selector("#known-tags option[value=warranty]", state="attached")
    assert page.complaints == []


async def test_two_undo_at_once_and_one_is_told(chrome: Any, site: Site) -> None:  # noqa: F811
    (number,) = await several(site, 1)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    await page.click("#head >> text=Close")
    await page.wait_for_url("**/inbox/all")
    action = (await page.get_attribute("#toast form", "action") or "").split("?")[0]
    await page.evaluate("url => fetch(url, {method: 'POST'})", action)
    await until(lambda: _open(site, number))
    await page.click("#toast >> text=Undo")

    await page.wait_for_selector("#toast >> text=undone already")


async def _open(site: Site, number: int) -> bool:  # noqa: F811
    return await status(site, number) == "open"


async def test_axe_finds_no_barrier_in_menus_bar_and_forms(chrome: Any, site: Site) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    number = (await several(site))[0]
    await site.say("More", "c3", "Customer 3")
    page = await signed_in(chrome, site)
    script, said = Axe().axe_script, []
    for width in (1440, 390):
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        await page.goto(f"{site.base}/c/{number}?in=all")
        await page.click("#head [data-tags] summary")
        await page.fill("#head [name=add]", f"tag {width}")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#toast form")
        for menu in ("snooze", "more", "tags"):
            await page.click(f"#head [data-{menu}] > summary")
            said += await barriers(script, page, menu, [width])
            await page.keyboard.press("Escape")
        await page.goto(f"{site.base}/inbox/all")
        await page.check(f"#c{number} .pick", force=True)
        for place in range(4):
            await page.click(f"#bulk summary >> nth={place}")
            said += await barriers(script, page, f"bulk {place}", [width])
            await page.keyboard.press("Escape")
        await page.goto(f"{site.base}/c/{number}/split?in=all")
        said += await barriers(script, page, "split", [width])

    assert said == []
