"""What came late stands where it belongs and says so, on a page and on a screen that was open. ux.md 5.6, 6."""

from __future__ import annotations

from typing import Any

import pytest

from hub.clock import now
from tests.web.conftest import Site
from tests.web.history import DAY, many

#: Ten in the morning of yesterday, by UTC.
TEN, MINUTE = now() // DAY * DAY - DAY + 10 * 3_600_000, 60_000


async def spoken(site: Site, *given: dict[str, Any]) -> int:
    """A conversation with these messages after its first."""
    number = await site.say("Hello")
    await site.write(many, number, given)
    return number


def texts(page: Any) -> list[str]:
    """What stands in the timeline, from above."""
    return [n.text().strip() for n in page.all(".tl .bub .txt")]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_came_late_stands_at_its_time_and_says_when_it_arrived(site: Site) -> None:
    number = await spoken(
        site,
        {"text": "at ten", "at": TEN},
        {"text": "at half past", "at": TEN + 30 * MINUTE, "direction": "out"},
        {"text": "at a quarter past", "at": TEN + 58 * MINUTE, "written": TEN + 15 * MINUTE},
    )
    page = await (await site.signed_in()).get(f"/c/{number}", Cookie="tz=UTC")

    assert texts(page) == ["at ten", "at a quarter past", "at half past", "Hello"]
    assert page.words(".late") == "arrived 10:58"
    late = page.one(".li:has(.late)")
    assert late.css("time")[-1].text() == "10:15"
    assert [n.attributes.get("data-at") for n in page.all(".tl .li:has(.bub)")][1] == str(TEN + 15 * MINUTE)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_clock_that_is_days_off_moves_nothing(site: Site) -> None:
    number = await spoken(
        site,
        {"text": "one", "at": TEN},
        {"text": "two", "at": TEN + 30 * MINUTE, "written": TEN - 3 * DAY},
        {"text": "three", "at": TEN + 40 * MINUTE, "written": TEN + 9 * DAY},
        {"text": "four", "at": TEN + 50 * MINUTE, "written": TEN + 49 * MINUTE},
    )
    page = await (await site.signed_in()).get(f"/c/{number}", Cookie="tz=UTC")

    assert texts(page) == ["one", "two", "three", "four", "Hello"]
    assert len(page.all(".late")) == 1 and page.words(".late").startswith("written ")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_pages_of_older_entries_go_by_the_order_of_record(site: Site) -> None:
    given = [{"text": f"No. {n}", "at": TEN + n * MINUTE} for n in range(100)]
    given[80] |= {"written": TEN + 71 * MINUTE + 1}
    number = await spoken(site, *given)
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    seen = texts(page)
    while page.all("#older:not([hidden])"):
        older = page.one("#older").attributes
        page = await anna.get(f"{older['data-more']}{older['data-at']}", X_Hub="part")
        seen = [n.text().strip() for n in page.all(".bub .txt")] + seen

    assert sorted(seen) == sorted([f"No. {n}" for n in range(100)] + ["Hello"])
    assert seen.index("No. 80") == seen.index("No. 71") + 1
