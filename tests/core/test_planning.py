"""Absences are planned by those who may; and who stays silent loses what they do not answer."""

from __future__ import annotations

from typing import Any

import pytest

from hub import absences, claims, collaboration, directory, levels, staff
from hub.access import Forbidden
from hub.accounts import Invalid
from hub.outbox import NotFound
from tests.core.firm import DAY, HOUR, MINUTE, MONDAY, Firm
from tests.core.test_absences import four, of_anna


# ── planning ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_own_absences_are_everybodys_to_plan_those_of_others_the_supervisors(firm: Firm) -> None:
    await four(firm)
    anna, bea, boss = (firm.people[name] for name in ("Anna", "Bea", "Boss"))
    with pytest.raises(Forbidden):
        await firm.db.write(absences.add, bea, anna.id, MONDAY, None)
    number = await firm.db.write(absences.add, boss, anna.id, MONDAY + DAY, None, note="x\ny")
    with pytest.raises(Forbidden):
        await firm.db.write(absences.change, bea, number, {"kind": "sick"})
    with pytest.raises(Forbidden):
        await firm.db.write(absences.remove, bea, number)
    await firm.db.write(absences.change, anna, number, {"ends_at": MONDAY + 2 * DAY, "deputy_id": bea.id})
    (row,) = await firm.db.read(absences.listing, anna.id)

    assert (row.note, row.ends_at, row.deputy_id, row.kind) == ("x y", MONDAY + 2 * DAY, bea.id, "leave")
    await firm.db.write(absences.remove, anna, number)
    assert await firm.db.read(absences.listing, anna.id, over=True) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"starts_at": MONDAY + DAY, "ends_at": MONDAY}, "ends before it begins"),
        ({"starts_at": MONDAY, "ends_at": MONDAY}, "ends before it begins"),
        ({"starts_at": MONDAY, "ends_at": None, "kind": "party"}, "no kind of absence"),
        ({"starts_at": MONDAY, "ends_at": None, "deputy_id": 10**9}, "no active employee"),
    ],
)
async def test_an_absence_that_cannot_be_is_refused_with_a_sentence(
    firm: Firm, values: dict[str, Any], words: str
) -> None:
    anna = await firm.person("Anna")
    with pytest.raises(Invalid, match=words):
        await firm.db.write(absences.add, anna, anna.id, **values)
    with pytest.raises(Invalid, match="their own deputy"):
        await firm.db.write(absences.add, anna, anna.id, MONDAY, None, deputy_id=anna.id)


async def test_what_has_begun_keeps_its_beginning(firm: Firm) -> None:
    anna = await firm.person("Anna")
    number = await firm.away("Anna", 24)
    with pytest.raises(Invalid, match="begun already"):
        await firm.db.write(absences.change, anna, number, {"starts_at": MONDAY + HOUR})
    await firm.db.write(absences.change, anna, number, {"starts_at": MONDAY, "ends_at": MONDAY + HOUR})
    await firm.turn(hours=1)

    with pytest.raises(NotFound):
        await firm.db.write(absences.change, anna, number, {"note": "too late"})


async def test_dates_are_days_where_the_employee_works(firm: Firm) -> None:
    anna = await firm.person("Anna")
    await firm.team("North", "Anna")
    d = await firm.db.read(directory.current)
    assert absences.zone_of(d, anna.id) == "UTC"
    berlin = await firm.db.write(levels.add_hours, "Office", "Europe/Berlin", "", {}, {})
    tokyo = await firm.db.write(levels.add_hours, "Far", "Asia/Tokyo", "", {}, {})
    await firm.db.write(staff.change_team, firm.teams["North"], {"hours_id": tokyo})
    d = await firm.db.read(directory.current)

    assert (absences.zone_of(d, anna.id), absences.zone_of(d, None)) == ("Asia/Tokyo", "Europe/Berlin")
    assert berlin < tokyo
    read = absences.read_moment
    assert read("2026-11-24", "Europe/Berlin") == MONDAY + 14 * HOUR
    assert read("2026-11-24", "Europe/Berlin", end=True) == MONDAY + 38 * HOUR
    assert read("2026-10-25", "Europe/Berlin", end=True) == (read("2026-10-25", "Europe/Berlin") or 0) + 25 * HOUR
    assert read("2026-11-23T10:00:00+01:00", "Asia/Tokyo") == MONDAY
    for nonsense in ("", "tomorrow", "2026-13-01", "0000-01-01", "9999-12-31", "2026-11-24T", "99999999999", "-1"):
        assert read(nonsense, "UTC", end=True) is None, nonsense


# ── silence ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_who_stays_silent_past_the_teams_limit_of_business_time_loses_it_to_somebody_else(firm: Firm) -> None:
    await four(firm)
    office = await firm.db.write(
        levels.add_hours, "Office", "UTC", "", {"mon": ["08:00-10:00"], "tue": ["08:00-17:00"]}, {}
    )
    await firm.db.write(staff.change_team, firm.teams["North"], {"silent_minutes": 120, "hours_id": office})
    (home,) = await of_anna(firm)
    firm.moment = MONDAY + 22 * HOUR
    assert await firm.db.write(absences.silent) == 0, "it is closed"
    firm.moment = MONDAY + DAY - MINUTE
    assert await firm.db.write(absences.silent) == 0, "a long time has passed, but too little of it was open"
    firm.moment = MONDAY + DAY + 2 * MINUTE
    assert await firm.db.write(absences.silent) == 1

    assert await firm.holder(home) == "Bea"
    assert (await firm.why(home))[0] == "Anna has not answered for 120 minutes"
    assert await firm.db.write(absences.silent) == 0, "whoever has it now has their own time"


async def test_an_answered_a_closed_and_a_fresh_conversation_are_not_silent(firm: Firm) -> None:
    await four(firm)
    await firm.db.write(staff.change_team, firm.teams["North"], {"silent_minutes": 30})
    answered, closed, given_late, silent = await of_anna(firm, 4)
    await firm.sql("UPDATE conversations SET waiting_since = NULL WHERE id = :n", n=answered)
    await firm.db.write(collaboration.set_status, firm.people["Boss"], closed, "closed")
    firm.moment += 25 * MINUTE
    await firm.give(given_late, "Dora")
    firm.moment += 10 * MINUTE
    await firm.db.write(absences.silent)

    assert [await firm.holder(n) for n in (answered, closed, given_late, silent)] == ["Anna", "Anna", "Dora", "Bea"]


async def test_nobody_but_the_silent_one_fits_so_it_waits_in_the_queue_for_the_others(firm: Firm) -> None:
    await firm.person("Anna")
    await firm.person("Bea", here=False)
    await firm.team("North", "Anna", "Bea", silent_minutes=30)
    home = await firm.hear("North")
    assert await firm.holder(home) == "Anna"
    firm.moment += 31 * MINUTE
    await firm.db.write(absences.silent)
    assert await firm.holder(home) is None

    await firm.is_doing("Bea", "available")
    await firm.db.write(claims.serve)
    assert await firm.holder(home) == "Bea"
