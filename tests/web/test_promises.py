"""What was promised, as a chip: its colour by what is left of the time, its words, what it counts down by, and when it rests."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from hub.i18n import catalogue
from hub.inbox import Row
from hub.promised import ClockView, View
from hub.web.promises import promise
from hub.web.when import When, zone

MINUTE = 60_000
NOW = 1_795_000_000_000
WHEN = When(catalogue("en"), zone("Europe/Berlin"), NOW)


def row(*clocks: ClockView, **more: Any) -> Row:
    plain = Row(
        1, "Matter", "open", "", 1, "Katrin", 1, "Shop", "api", (1,), None, "", None, "", "", (), "", 0, NOW - 120 * MINUTE,
        None, 1, NOW, NOW,
    )  # fmt: skip
    return structs.replace(plain, level=View(7, "Gold", clocks), **more)


def reply(left: int, total: int = 60, **more: Any) -> ClockView:
    """A clock that runs, with so many minutes left of those that were promised."""
    due = NOW + left * MINUTE
    clock = ClockView("first", "running", due, left * MINUTE, NOW - (total - left) * MINUTE, total * MINUTE)
    return structs.replace(clock, **more)


def shown(clock: ClockView, **more: Any) -> Any:
    found = promise(row(clock, **more), WHEN)
    assert found is not None
    return found


def test_green_while_more_than_half_is_left_then_amber_then_red() -> None:
    assert (shown(reply(31)).tone, shown(reply(31)).words) == ("ok", "Reply in 31 min")
    assert (shown(reply(30)).tone, shown(reply(29)).tone) == ("warn", "warn")
    assert shown(reply(1)).words == "Reply in 60 s"
    late = shown(structs.replace(reply(-6), state="breached", left_ms=None))
    assert (late.tone, late.words) == ("bad", "6 min overdue")


def test_the_page_is_told_what_to_count_down_by() -> None:
    found = shown(reply(40))

    assert (found.end, found.half, found.stop) == (NOW + 40 * MINUTE, NOW + 10 * MINUTE, 0)
    assert found.say == "Reply in {time}"
    assert shown(reply(40, closes_at=NOW + 5 * MINUTE)).stop == NOW + 5 * MINUTE


def test_outside_the_hours_it_rests_until_they_begin() -> None:
    today, later = shown(reply(40, opens_at=NOW + 2 * MINUTE)), shown(reply(40, opens_at=NOW + 3 * 1440 * MINUTE))

    assert (today.tone, today.end) == ("", 0)
    assert today.words == f"Paused until {WHEN.time(NOW + 2 * MINUTE)}"
    assert WHEN.day(NOW + 3 * 1440 * MINUTE) in later.words


def test_while_the_customer_has_to_answer_a_solution_rests() -> None:
    rests = ClockView("resolution", "paused", None, 40 * MINUTE, NOW, 60 * MINUTE)

    assert shown(rests, status="waiting", waiting_since=None).words == "Paused: the customer has to answer"
    assert promise(row(rests, status="waiting", waiting_since=None), WHEN, brief=True) is None


def test_it_says_target_due_start_calendar_and_rule() -> None:
    facts = dict(shown(reply(31, hours="Office")).facts)

    assert list(facts) == ["Promised", "Due", "Since", "Hours", "Rule"]
    assert (facts["Promised"], facts["Hours"], facts["Rule"]) == ("First answer within 1 h", "Office", "Gold")
    assert dict(shown(reply(31)).facts)["Hours"] == "Around the clock"
