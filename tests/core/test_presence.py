"""What people are doing, and that routing knows it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hub import assignment, directory, presence
from hub.database import open_database
from tests.core.firm import HOUR, Firm
from tests.fakes import ON_POSTGRES


async def state(firm: Firm, name: str) -> str:
    """What somebody is doing, as everybody sees it."""
    return (await firm.db.read(presence.one, firm.people[name].id)).state


async def told(firm: Firm, name: str) -> list[str]:
    """What was told of somebody, in order."""
    number = str(firm.people[name].id)
    return [data["state"] for data in await firm.told("presence.changed") if data["employee"] == number]


async def test_what_somebody_chose_counts_while_they_are_seen_and_again_when_they_come_back(firm: Firm) -> None:
    anna = await firm.person("Anna", here=False)
    assert await state(firm, "Anna") == "offline"
    await firm.db.write(presence.seen, [anna.id])
    assert await state(firm, "Anna") == "available", "whoever has chosen nothing is available"
    await firm.is_doing("Anna", "away")
    firm.moment += presence.SEEN - 1
    assert await state(firm, "Anna") == "away"
    firm.moment += 1
    assert await state(firm, "Anna") == "offline"
    await firm.db.write(presence.seen, [anna.id])

    assert await state(firm, "Anna") == "away"
    assert await told(firm, "Anna") == ["available", "away", "away"]
    found = (await firm.db.read(presence.everybody))[anna.id]
    assert (found.chosen, found.seen_at) == ("away", firm.moment)


async def test_being_seen_again_and_again_tells_nothing(firm: Firm) -> None:
    anna = await firm.person("Anna")
    for _ in range(5):
        firm.moment += presence.REFRESH
        await firm.db.write(presence.seen, [anna.id])

    assert await told(firm, "Anna") == ["available"]
    assert await state(firm, "Anna") == "available"


async def test_on_a_call_one_is_busy_whatever_one_chose_until_the_last_call_ends(firm: Firm) -> None:
    anna = await firm.person("Anna")
    for _ in range(2):
        await firm.db.write(presence.call, anna.id, begins=True)
    await firm.is_doing("Anna", "available")
    assert await state(firm, "Anna") == "busy"
    await firm.db.write(presence.call, anna.id, begins=False)
    assert await state(firm, "Anna") == "busy"
    firm.moment += presence.SEEN + 1
    assert await state(firm, "Anna") == "busy", "also while no page is open"
    await firm.is_doing("Anna", "available")
    for _ in range(3):
        await firm.db.write(presence.call, anna.id, begins=False)

    found = await firm.db.read(presence.one, anna.id)
    assert (found.state, found.calls, found.active_at) == ("available", 0, firm.moment)
    assert await told(firm, "Anna") == ["available", "busy", "available"]


async def test_whoever_closes_the_last_page_is_gone_half_a_minute_later(firm: Firm) -> None:
    anna = await firm.person("Anna")
    await firm.db.write(presence.seen, [], [anna.id])
    firm.moment += presence.GRACE - 1
    assert await state(firm, "Anna") == "available"
    firm.moment += 1
    assert await state(firm, "Anna") == "offline"


async def test_whoever_closes_a_page_here_and_has_one_open_elsewhere_stays_here(
    firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    anna = await firm.person("Anna")
    other = open_database(settings().database_url) if database_kind == "postgresql" else firm.db
    try:
        await other.write(presence.seen, [anna.id])
        await firm.db.write(presence.seen, [], [anna.id])
        firm.moment += presence.REFRESH
        await other.write(presence.seen, [anna.id])
        firm.moment += presence.GRACE + 1
        assert await state(firm, "Anna") == "available"
    finally:
        if other is not firm.db:
            await other.close()

    assert await told(firm, "Anna") == ["available"]


@ON_POSTGRES
async def test_two_processes_whose_people_change_places_wait_in_no_circle(
    firm: Firm, settings: Callable[..., Any], database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await firm.person(f"Agent{n}")).id for n in range(8)]
    others = [open_database(settings().database_url) for _ in range(2)]
    attempts = 0
    for db in others:
        honest = db._once  # type: ignore[attr-defined]

        async def counted(*args: Any, honest: Any = honest) -> Any:
            nonlocal attempts
            attempts += 1
            return await honest(*args)

        monkeypatch.setattr(db, "_once", counted)
    try:
        for n in range(6):
            here, left = (ids[:4], ids[4:]) if n % 2 else (ids[4:], ids[:4])
            firm.moment += 1
            await asyncio.gather(
                others[0].write(presence.seen, here, left), others[1].write(presence.seen, left[::-1], here[::-1])
            )
    finally:
        for db in others:
            await db.close()

    assert attempts == 12, "somebody had to try again"


async def test_what_a_supervisor_says_of_somebody_does_not_make_them_be_here(firm: Firm) -> None:
    anna = await firm.person("Anna", here=False)
    await firm.db.write(presence.choose, anna.id, "available", here=False)
    assert await state(firm, "Anna") == "offline"
    await firm.db.write(presence.seen, [anna.id])
    await firm.db.write(presence.choose, anna.id, "away", here=False)

    found = await firm.db.read(presence.one, anna.id)
    assert (found.state, found.chosen, found.seen_at) == ("away", "away", firm.moment)


async def test_there_are_four_states_and_no_other(firm: Firm) -> None:
    await firm.person("Anna")
    with pytest.raises(ValueError, match="There are: available, busy, away, offline"):
        await firm.is_doing("Anna", "asleep")


async def test_routing_respects_it_with_the_very_next_contact(firm: Firm) -> None:
    await firm.person("Anna")
    await firm.team("North", "Anna")
    anna = firm.people["Anna"].id
    assert await firm.holder(await firm.hear("North")) == "Anna"
    for doing in ("away", "busy", "offline"):
        await firm.is_doing("Anna", doing)
        assert await firm.holder(await firm.hear("North")) is None, doing
    await firm.is_doing("Anna", "available")
    assert await firm.holder(await firm.hear("North")) == "Anna"
    await firm.db.write(presence.call, anna, begins=True)
    assert await firm.holder(await firm.hear("North")) is None
    await firm.db.write(presence.call, anna, begins=False)
    assert await firm.holder(await firm.hear("North")) == "Anna"
    firm.moment += HOUR

    assert await firm.holder(await firm.hear("North")) is None, "nobody has seen them for an hour"


async def test_whoever_did_something_last_has_not_been_idle_longest(firm: Firm) -> None:
    for name in ("Anna", "Bea", "Carl"):
        await firm.person(name)
    await firm.team("North", "Anna", "Bea", "Carl")
    firm.moment += 1
    await firm.db.write(presence.acted, firm.people["Anna"].id)
    firm.moment += 1
    await firm.db.write(presence.acted, firm.people["Bea"].id)

    got = []
    for _ in range(4):
        firm.moment += 1
        got.append(await firm.holder(await firm.hear("North")))
    assert got == ["Carl", "Anna", "Bea", "Carl"]


async def test_whoever_does_not_move_for_ten_minutes_is_away_until_they_move(firm: Firm) -> None:
    anna, bert = await firm.person("Anna"), await firm.person("Bert")
    await firm.is_doing("Bert", "busy")
    for person in (anna, bert):
        await firm.db.write(presence.moved, person.id)

    for _ in range(presence.IDLE // presence.REFRESH + 3):
        firm.moment += presence.REFRESH
        await firm.db.write(presence.seen, [anna.id, bert.id])
    assert (await state(firm, "Anna"), await state(firm, "Bert")) == ("away", "busy")
    d = await firm.db.read(directory.current)
    standing = await firm.db.read(assignment.standings, d, [anna.id], firm.moment)
    assert standing[anna.id].state == "away", "nothing is given to them"
    await firm.db.write(presence.moved, anna.id)

    assert await state(firm, "Anna") == "available"
    assert await told(firm, "Anna") == ["available", "away", "available"]
    assert await told(firm, "Bert") == ["available", "busy"]


async def test_whose_screen_never_says_that_they_move_is_not_idle(firm: Firm) -> None:
    anna = await firm.person("Anna")
    for _ in range(2 * presence.IDLE // presence.REFRESH):
        firm.moment += presence.REFRESH
        await firm.db.write(presence.seen, [anna.id])

    assert await state(firm, "Anna") == "available"


async def test_moving_all_the_time_is_written_down_now_and_then(firm: Firm) -> None:
    anna = await firm.person("Anna")
    await firm.db.write(presence.moved, anna.id)
    first = firm.moment
    firm.moment += presence.MOVED - 1
    await firm.db.write(presence.moved, anna.id)
    assert (await firm.db.read(presence.one, anna.id)).moved_at == first
    firm.moment += 1
    await firm.db.write(presence.moved, anna.id)

    assert (await firm.db.read(presence.one, anna.id)).moved_at == firm.moment
