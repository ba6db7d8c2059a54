"""Somebody goes and comes back: their deputy acts, and what was theirs is theirs again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import absences, accounts, collaboration, conversations, privacy, rulebook
from hub.collaboration import Absent
from hub.database import open_database
from hub.directory import Conditions, Target
from hub.outbox import NotFound
from tests.core.firm import DAY, HOUR, MINUTE, MONDAY, Firm
from tests.fakes import ON_POSTGRES


async def four(firm: Firm) -> None:
    """Anna, her deputy Bea, Bea's deputy Carl, and Dora; all in the team North. Only Boss gives work by hand."""
    for name in ("Anna", "Bea", "Carl", "Dora"):
        await firm.person(name, here=False)
    await firm.deputy("Anna", "Bea")
    await firm.deputy("Bea", "Carl")
    await firm.team("North", "Anna", "Bea", "Carl", "Dora")


async def of_anna(firm: Firm, many: int = 1) -> list[int]:
    """Conversations of Anna's."""
    found = await firm.hear_all("North", many)
    for number in found:
        await firm.give(number, "Anna")
    firm.moment += MINUTE
    return found


# ── going ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_when_an_absence_begins_open_conversations_go_to_the_deputy_who_covers_and_the_reason_is_told(
    firm: Firm,
) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24, after=1)

    assert await firm.turn() == 0
    assert await firm.holder(home) == "Anna"
    assert await firm.turn(hours=1) == 1
    assert await firm.holder(home) == "Bea for Anna"
    assert await firm.why(home) == [
        "Anna became absent",
        "Anna is already working on it",
        "Anna is absent until 2026-11-24 10:01 UTC",
        "Bea stands in for Anna",
    ]
    told = (await firm.told("conversation.assigned"))[-1]
    assert told["assignee"] == str(firm.people["Bea"].id)
    assert await firm.turn() == 0, "once is enough"


async def test_waiting_snoozed_and_closed_conversations_stay_until_something_happens(firm: Firm) -> None:
    await four(firm)
    waiting, snoozed, closed, open_one = await of_anna(firm, 4)
    until = firm.moment + 5 * HOUR
    boss = firm.people["Boss"]
    await firm.db.write(collaboration.set_status, boss, waiting, "waiting")
    await firm.db.write(collaboration.set_status, boss, snoozed, "snoozed", until)
    await firm.db.write(collaboration.set_status, boss, closed, "closed")
    await firm.away("Anna")
    await firm.turn()

    assert await firm.holders([waiting, snoozed, closed]) == {"Anna": 3}
    assert await firm.holder(open_one) == "Bea for Anna"
    firm.moment = until
    assert await firm.db.write(collaboration.wake_snoozed) == 1
    assert await firm.holder(snoozed) == "Bea for Anna", "what wakes up while they are away goes to the deputy"


async def test_the_deputys_deputy_acts_when_both_are_away_and_it_still_is_in_the_first_ones_name(firm: Firm) -> None:
    await four(firm)
    await firm.away("Bea", 48)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.turn()

    assert await firm.holder(home) == "Carl for Anna"
    assert "Bea is absent until 2026-11-25 09:00 UTC" in await firm.why(home)


async def test_the_deputy_an_absence_names_goes_before_the_standing_one(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", deputy="Dora")
    await firm.turn()

    assert await firm.holder(home) == "Dora for Anna"


async def test_without_a_deputy_it_waits_in_the_queue_of_its_team(firm: Firm) -> None:
    await four(firm)
    await firm.deputy("Anna", None)
    (home,) = await of_anna(firm)
    await firm.away("Anna", None)
    await firm.turn()

    row = await firm.row(home)
    assert (row["assignee_id"], row["team_id"], row["assigned_at"]) == (None, firm.teams["North"], None)
    assert (await firm.why(home))[-1] == "Waits in the queue of North"
    assert "Anna is absent until further notice" in await firm.why(home)


async def test_a_conversation_given_to_another_team_by_hand_stays_in_that_team(firm: Firm) -> None:
    await four(firm)
    await firm.person("Emil", here=False)
    await firm.team("South", "Emil", "Anna")
    await firm.deputy("Anna", None)
    target = Target(team=str(firm.teams["North"]))
    await firm.db.write(rulebook.add, "Greetings", Conditions(keywords=("hello",)), target, actor_id=None)
    home = await firm.hear("North")
    await firm.give(home, "Anna", "South")
    firm.moment += MINUTE
    await firm.away("Anna")
    await firm.turn()

    assert (await firm.row(home))["team_id"] == firm.teams["South"]
    await firm.is_doing("Bea", "available")
    assert await firm.serve() == 0, "somebody of the channel's team is free, but it is not theirs"
    await firm.is_doing("Emil", "available")
    await firm.serve()
    assert await firm.holder(home) == "Emil"


async def test_what_somebody_gives_them_by_hand_while_they_are_away_stays_with_them(firm: Firm) -> None:
    await four(firm)
    home = await firm.hear("North", "kim")
    await firm.away("Anna")
    with pytest.raises(Absent) as refused:
        await firm.give(home, "Anna")
    assert (refused.value.deputy, refused.value.until) == ("Bea", MONDAY + DAY)
    await firm.give(home, "Anna", anyway=True)

    for _ in range(3):
        assert await firm.turn(hours=0.1) == 0
    assert await firm.hear("North", "kim", "and one more thing") == home
    assert await firm.holder(home) == "Anna", "also when the customer writes again"
    await firm.away("Anna", 48)
    assert await firm.turn() == 0
    assert await firm.holder(home) == "Anna", "also when another absence begins"


async def test_what_came_before_anybody_knew_goes_to_the_deputy_though_the_absence_is_entered_late(firm: Firm) -> None:
    await four(firm)
    firm.moment += 2 * HOUR
    (home,) = await of_anna(firm)
    anna = firm.people["Anna"]
    await firm.db.write(absences.add, firm.people["Boss"], anna.id, MONDAY, MONDAY + DAY, kind="sick")
    await firm.turn()

    assert await firm.holder(home) == "Bea for Anna"


async def test_a_new_message_to_somebody_who_is_away_goes_to_whoever_covers(firm: Firm) -> None:
    await four(firm)
    home = await firm.hear("North", "kim")
    await firm.give(home, "Anna")
    await firm.db.write(collaboration.set_status, firm.people["Boss"], home, "waiting")
    firm.moment += MINUTE
    await firm.away("Anna")
    await firm.turn()
    assert await firm.hear("North", "kim") == home

    assert await firm.holder(home) == "Bea for Anna"
    await firm.away("Bea", 48, after=0.1)
    await firm.db.write(collaboration.set_status, firm.people["Boss"], home, "waiting")
    await firm.turn(hours=1)
    assert await firm.hear("North", "kim") == home
    assert await firm.holder(home) == "Carl for Anna", "the deputy went too: it still is Anna's"


async def test_more_conversations_than_one_run_takes_are_passed_on_and_handed_back_by_the_next_ones(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absences, "AT_ONCE", 20)
    await four(firm)
    await firm.sql("UPDATE employees SET capacity = 1000")
    homes = await of_anna(firm, 50)
    number = await firm.away("Anna", 24)
    moved = [await firm.turn() for _ in range(4)]

    assert moved == [20, 20, 10, 0]
    assert await firm.holders(homes) == {"Bea for Anna": 50}
    assert (await firm.rig.rows("SELECT state FROM absences WHERE id = :n", n=number))[0]["state"] == "on"
    back = [await firm.turn(hours=24 if n == 0 else 0) for n in range(4)]
    assert back == [20, 20, 10, 0]
    assert await firm.holders(homes) == {"Anna": 50}
    assert (await firm.rig.rows("SELECT state FROM absences WHERE id = :n", n=number))[0]["state"] == "over"


async def test_two_hundred_and_fifty_conversations_move_in_two_runs(firm: Firm) -> None:
    await four(firm)
    homes = await firm.hear_all("North", 250)
    anna = firm.people["Anna"].id
    await firm.sql("UPDATE conversations SET assignee_id = :a, assigned_at = :at", a=anna, at=firm.moment - 1)
    await firm.sql("UPDATE employees SET capacity = 1000")
    await firm.deputy("Anna", "Dora")
    await firm.away("Anna")

    assert [await firm.turn() for _ in range(3)] == [200, 50, 0]
    query = "SELECT count(*) FROM conversations WHERE assignee_id = :d AND covering_id = :a"
    assert await firm.rig.scalar(query, d=firm.people["Dora"].id, a=anna) == len(homes)


async def test_a_deputy_takes_no_more_than_they_can_carry(firm: Firm) -> None:
    await four(firm)
    await firm.deputy("Bea", None)
    await firm.sql("UPDATE employees SET capacity = 3 WHERE id = :b", b=firm.people["Bea"].id)
    homes = await of_anna(firm, 5)
    await firm.away("Anna")
    await firm.turn()

    assert await firm.holders(homes) == {"Bea for Anna": 3, None: 2}


async def test_who_does_not_work_here_any_more_leaves_nothing_behind(firm: Firm) -> None:
    await four(firm)
    open_one, snoozed = await of_anna(firm, 2)
    until = firm.moment + HOUR
    await firm.db.write(collaboration.set_status, firm.people["Boss"], snoozed, "snoozed", until)
    await firm.db.write(accounts.disable, firm.people["Anna"].id)
    assert await firm.turn() == 1

    assert await firm.holder(open_one) == "Bea", "the deputy has it for good"
    assert "Anna does not work here any more" in await firm.why(open_one)
    firm.moment = until
    await firm.db.write(collaboration.wake_snoozed)
    assert await firm.holder(snoozed) == "Bea"
    assert await firm.turn() == 0


# ── coming back ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_on_return_it_is_handed_back_with_a_reason(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.turn()

    assert await firm.turn(hours=23.9) == 0
    assert await firm.turn(hours=0.1) == 1
    assert await firm.holder(home) == "Anna"
    assert await firm.why(home) == ["Anna is back"]
    assert (await firm.row(home))["assigned_at"] == firm.moment
    assert await firm.turn() == 0


async def test_coming_back_early_hands_back_at_once(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    number = await firm.away("Anna", 240)
    await firm.turn()
    firm.moment += HOUR
    await firm.db.write(absences.remove, firm.people["Anna"], number)
    await firm.turn()

    assert await firm.holder(home) == "Anna"
    assert await firm.db.read(absences.listing) == []
    with pytest.raises(NotFound):
        await firm.db.write(absences.remove, firm.people["Anna"], number)


async def test_what_is_called_off_right_after_it_began_is_handed_back_though_no_job_had_come_by(firm: Firm) -> None:
    await four(firm)
    number = await firm.away("Anna", 24, after=0.5)
    firm.moment += HOUR
    home = await firm.hear("North", "kim")
    await firm.sql(
        "UPDATE conversations SET assignee_id = :b, covering_id = :a WHERE id = :n",
        a=firm.people["Anna"].id,
        b=firm.people["Bea"].id,
        n=home,
    )
    await firm.db.write(absences.remove, firm.people["Anna"], number)
    await firm.turn()

    assert await firm.holder(home) == "Anna"


async def test_an_absence_that_follows_another_without_a_gap_hands_nothing_back_in_between(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.away("Anna", 24, after=24)
    await firm.turn()
    await firm.turn(hours=24)
    assert await firm.holder(home) == "Bea for Anna"
    await firm.turn(hours=24)

    assert await firm.holder(home) == "Anna"


async def test_of_overlapping_absences_the_last_one_to_end_hands_back(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    long = await firm.away("Anna", 72, after=12)
    await firm.turn()
    await firm.turn(hours=12)
    await firm.turn(hours=24)
    assert await firm.holder(home) == "Bea for Anna"
    await firm.db.write(absences.remove, firm.people["Anna"], long)
    await firm.turn()

    assert await firm.holder(home) == "Anna"
    assert await firm.rig.count("absences", "state <> 'over'", wanted=0)


async def test_what_was_closed_meanwhile_stays_with_the_deputy_and_is_nobody_elses_later(firm: Firm) -> None:
    await four(firm)
    home = await firm.hear("North", "kim")
    await firm.give(home, "Anna")
    firm.moment += MINUTE
    await firm.away("Anna", 24)
    await firm.turn()
    await firm.db.write(collaboration.set_status, firm.people["Boss"], home, "closed")
    assert await firm.turn(hours=24) == 0

    assert await firm.holder(home) == "Bea"
    await firm.away("Anna", 1)
    await firm.turn()
    await firm.turn(hours=1)
    assert await firm.holder(home) == "Bea", "another absence later does not take it away"


async def test_what_was_given_to_somebody_else_by_hand_meanwhile_stays_there(firm: Firm) -> None:
    await four(firm)
    by_hand, to_deputy = await of_anna(firm, 2)
    await firm.away("Anna", 24)
    await firm.turn()
    await firm.give(by_hand, "Dora")
    await firm.give(to_deputy, "Carl")
    await firm.give(to_deputy, "Bea")
    await firm.turn(hours=24)

    assert (await firm.holder(by_hand), await firm.holder(to_deputy)) == ("Dora", "Bea")


async def test_when_the_deputy_goes_too_theirs_and_those_they_covered_find_their_own_ways_back(firm: Firm) -> None:
    await four(firm)
    (annas,) = await of_anna(firm)
    beas = await firm.hear("North")
    await firm.give(beas, "Bea")
    firm.moment += MINUTE
    await firm.away("Anna", 24)
    await firm.turn()
    await firm.away("Bea", 72, after=1)
    await firm.turn(hours=1)
    assert (await firm.holder(annas), await firm.holder(beas)) == ("Carl for Anna", "Carl for Bea")

    await firm.turn(hours=23)
    assert (await firm.holder(annas), await firm.holder(beas)) == ("Anna", "Carl for Bea")
    await firm.turn(hours=72)
    assert (await firm.holder(annas), await firm.holder(beas)) == ("Anna", "Bea")


async def test_who_comes_back_at_the_moment_their_deputy_goes_gets_theirs_themselves(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.turn()
    await firm.away("Bea", 24, after=24)
    await firm.turn(hours=24)

    assert await firm.holder(home) == "Anna"


async def test_what_was_covered_for_somebody_who_left_for_good_stays_with_the_deputy(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.turn()
    await firm.db.write(accounts.disable, firm.people["Anna"].id)
    await firm.deputy("Anna", None)
    await firm.turn(hours=24)
    await firm.turn()

    assert await firm.holder(home) == "Bea"


async def test_an_absence_nobody_was_awake_for_is_simply_over(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 1, after=1)
    assert await firm.turn(hours=5) == 0

    assert await firm.holder(home) == "Anna"
    assert await firm.rig.count("absences", "state = 'over'", wanted=1)


@ON_POSTGRES
async def test_two_processes_that_turn_at_once_move_each_conversation_once(
    firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    await four(firm)
    homes = await of_anna(firm, 20)
    await firm.away("Anna", 24)
    others = [open_database(settings().database_url) for _ in range(2)]
    before = len(await firm.told("conversation.assigned"))
    try:
        await asyncio.gather(*(db.write(absences.turn) for db in others for _ in range(3)))
        firm.moment += DAY
        await asyncio.gather(*(db.write(absences.turn) for db in others for _ in range(3)))
    finally:
        for db in others:
            await db.close()

    assert await firm.holders(homes) == {"Anna": 20}
    assert len(await firm.told("conversation.assigned")) - before == 40


async def test_what_is_closed_while_it_is_being_passed_on_stays_where_it_is(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    await four(firm)
    homes = await of_anna(firm, 2)
    await firm.away("Anna", 24)
    honest = conversations.lock_for

    def meanwhile(conn: Connection, *args: Any) -> Any:
        conn.execute(sa.text("UPDATE conversations SET status = 'closed' WHERE id = :n"), {"n": homes[0]})
        return honest(conn, *args)

    monkeypatch.setattr(conversations, "lock_for", meanwhile)
    assert await firm.turn() == 1

    assert [await firm.holder(home) for home in homes] == ["Anna", "Bea for Anna"]


async def test_a_run_that_dies_leaves_everything_as_it_was(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    await four(firm)
    homes = await of_anna(firm, 3)
    await firm.away("Anna", 24)

    def power_cut(*_: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr("hub.absences.events.append", power_cut)
        with pytest.raises(RuntimeError, match="power"):
            await firm.turn()
    assert await firm.holders(homes) == {"Anna": 3}
    assert await firm.rig.count("absences", "state = 'planned'", wanted=1)
    await firm.turn()

    assert await firm.holders(homes) == {"Bea for Anna": 3}


async def test_erased_customers_leave_no_conversation_to_hand_back(firm: Firm) -> None:
    await four(firm)
    (home,) = await of_anna(firm)
    await firm.away("Anna", 24)
    await firm.turn()
    customer = (await firm.row(home))["customer_id"]
    await firm.db.write(privacy.erase, customer)
    assert await firm.turn(hours=24) == 0

    assert (await firm.row(home))["status"] == "closed"
