"""On a phone: what is tried of timeline and composer on a wide screen holds at 390 × 844 too. Acceptance M2, M3, X5."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.web import test_browser_composer as composer
from tests.web import test_browser_timeline as timeline
from tests.web.conftest import Site, running
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in  # noqa: F401

WALKS = [
    timeline.test_it_opens_at_the_new_marker_at_a_third_of_the_height_or_at_the_end,
    timeline.test_older_entries_come_by_themselves_and_what_is_read_stays_where_it_is,
    timeline.test_a_new_entry_moves_nothing_while_one_reads_above_and_a_button_says_how_many,
    timeline.test_a_link_to_an_entry_centres_marks_and_focuses_it_wherever_it_is,
    timeline.test_chapters_open_in_place_and_the_whole_history_by_one_click,
    composer.test_a_text_typed_a_blink_before_a_reload_is_back,
    composer.test_a_second_browser_has_the_same_draft_with_its_files,
    composer.test_undo_brings_everything_back_and_nothing_leaves,
    composer.test_a_note_stays_a_note_and_a_discarded_draft_comes_back,
    composer.test_a_saved_reply_fills_itself_and_what_is_missing_blocks_sending,
    composer.test_a_forgotten_attachment_is_asked_about_once,
]


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for three seconds."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="3"), monkeypatch) as here:
        yield here


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is as large as a phone."""
    monkeypatch.setattr("tests.web.test_browser.WIDTHS", (390,))
    monkeypatch.setattr("tests.web.test_browser.HEIGHT", 844)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.removeprefix("test_")[:40])
async def test_what_holds_on_a_wide_screen_holds_on_a_phone(chrome: Any, site: Site, phone: None, walk: Any) -> None:  # noqa: F811
    await walk(chrome, site)


async def test_the_composer_stays_in_sight_above_the_keyboard(chrome: Any, site: Site, phone: None) -> None:  # noqa: F811
    """The page says that the keyboard resizes it (`interactive-widget`), so that is what one sees: a page half as high."""
    number = await site.say("Hello")
    for n in range(12):
        await site.say(f"Line {n}")
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}?in=all")
    assert "interactive-widget=resizes-content" in await page.get_attribute("meta[name=viewport]", "content")
    await page.click("#reply-text")
    for height in (450, 330):
        await page.set_viewport_size({"width": 390, "height": height})
        await page.fill("#reply-text", "\n".join(f"line {n}" for n in range(height // 15)))
        for selector in ("#reply-text", ".f-reply .btn-p[data-act=send]", "#head h1"):
            box = await page.locator(selector).bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, (selector, height, box)
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, (selector, height, box)

    assert page.complaints == []
