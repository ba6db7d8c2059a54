"""On a phone: what is tried of timeline and composer on a wide screen holds at 390 × 844 too. Acceptance M2, M3, X5."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes import until
from tests.web import test_browser_composer as composer
from tests.web import test_browser_list as list_
from tests.web import test_browser_nav as nav
from tests.web import test_browser_timeline as timeline
from tests.web import test_browser_way as way
from tests.web import test_browser_ways as ways
from tests.web import test_browser_work as work
from tests.web.conftest import Site, running
from tests.web.test_browser import chrome, database_kind, one_browser, pytestmark, signed_in, until_true  # noqa: F401
from tests.web.test_browser_way import site as firm  # noqa: F401
from tests.web.test_browser_ways import site as messenger  # noqa: F401

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
    composer.test_undo_brings_back_whom_it_goes_to_with_copies_subject_files_and_the_box_it_stood_in,
    list_.test_what_is_left_of_a_promise_ticks_in_the_page_and_says_why_on_focus,
    work.test_a_snooze_in_words_shows_what_it_means_before_it_is_set,
    work.test_a_quick_choice_snoozes_until_its_moment_or_the_reply,
]
#: The same where a channel has a window, templates, segments and a limit for files, and the firm has a mailbox too.
AT_A_MESSENGER = [
    ways.test_the_clock_passes_while_typing_and_a_template_or_mail_is_offered,
    ways.test_sms_are_counted_as_the_server_counts_them,
    ways.test_a_file_over_the_limit_is_not_uploaded_and_blocks_after_a_change_of_channel,
]
AT_A_FIRM = [
    way.test_another_channel_keeps_the_text_shows_the_recipient_and_asks_for_the_subject,
    way.test_a_copy_to_a_domain_nobody_knows_is_asked_about_first,
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


@pytest.mark.parametrize("walk", AT_A_MESSENGER, ids=lambda walk: walk.__name__.removeprefix("test_")[:40])
async def test_windows_segments_and_limits_hold_on_a_phone(
    chrome: Any,  # noqa: F811
    messenger: Site,  # noqa: F811
    phone: None,
    walk: Any,
) -> None:
    await walk(chrome, messenger)


@pytest.mark.parametrize("walk", AT_A_FIRM, ids=lambda walk: walk.__name__.removeprefix("test_")[:40])
async def test_another_channel_is_chosen_on_a_phone(chrome: Any, firm: Site, phone: None, walk: Any) -> None:  # noqa: F811
    await walk(chrome, firm)


async def test_what_is_opened_on_a_phone_has_its_address_and_is_the_same_when_loaded(
    chrome: Any,  # noqa: F811
    site: Site,
    phone: None,
) -> None:
    """A3"""
    numbers = await nav.several(site)
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/inbox/all")
    await until_true(page, "document.documentElement.dataset.js !== undefined")
    for number in (numbers[2], numbers[1], numbers[2]):
        await page.click(f"#c{number} a.it")
        await page.wait_for_selector(f"[data-conversation='{number}']")
        await page.wait_for_selector("#rows a.un[aria-current]", state="detached")
        clicked, address = await nav.shown(page), page.url
        await page.click(".ch a.only-s")
        await page.wait_for_selector("#rows", state="visible")

    assert address == f"{site.base}/c/{numbers[2]}?in=all"
    await page.goto(address)
    assert await nav.shown(page) == clicked
    assert page.complaints == []


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
            box = await until(lambda s=selector: page.locator(s).bounding_box())  # it may just be drawn anew
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, (selector, height, box)
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, (selector, height, box)

    assert page.complaints == []
