"""Taking work: one winner per conversation, the fair next one, offers that ring at one after the other, queues that serve themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hub import absences, claims, collaboration, directory, levels, rulebook
from hub.access import Forbidden
from hub.claims import Taken
from hub.database import Database, Unavailable, Unclear, open_database
from hub.directory import Conditions, Target
from hub.outbox import NotFound
from tests.core.firm import HOUR, MINUTE, Firm
from tests.fakes import ON_POSTGRES, until


async def pulling(firm: Firm, *names: str) -> None:
    """People of the team North, which takes out of its queue by itself."""
    for name in names or ("Anna", "Bea"):
        await firm.person(name)
    await firm.team("North", *(names or ("Anna", "Bea")), strategy="queue")


async def next_of(firm: Firm, name: str) -> int | None:
    """Somebody asks for the next one."""
    return await firm.db.write(claims.next_one, firm.people[name])


async def patiently(db: Database, work: Callable[..., Any], *args: Any) -> Any:
    """Fifty at once on a busy machine: who is told that the database does not answer asks again, as a browser would."""
    while True:
        try:
            return await db.write(work, *args)
        except Unclear:
            return "unclear"  # it may have happened
        except Unavailable:
            continue


# ── claiming ──────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_who_claims_first_has_it_and_the_others_are_told_who_that_is(firm: Firm) -> None:
    await pulling(firm)
    home = await firm.hear("North")
    assert await firm.holder(home) is None
    await firm.db.write(claims.claim, firm.people["Anna"], home)
    await firm.db.write(claims.claim, firm.people["Anna"], home)
    with pytest.raises(Taken, match="Anna has taken it") as taken:
        await firm.db.write(claims.claim, firm.people["Bea"], home)

    assert (taken.value.holder, taken.value.name) == (firm.people["Anna"].id, "Anna")
    assert await firm.holder(home) == "Anna"
    assert await firm.why(home) == ["took it out of the queue"]
    assert len(await firm.told("conversation.assigned")) == 1
    assert (await firm.row(home))["assigned_at"] == firm.moment


async def test_what_one_may_not_see_or_answer_one_cannot_claim(firm: Firm) -> None:
    await pulling(firm)
    stranger, light = await firm.person("Otto"), await firm.person("Lisa", "light")
    await firm.team("South", "Otto", "Lisa")
    home = await firm.hear("North")
    with pytest.raises(NotFound):
        await firm.db.write(claims.claim, stranger, home)
    with pytest.raises(NotFound):
        await firm.db.write(claims.claim, firm.people["Anna"], 10**9)
    with pytest.raises(Forbidden):
        await firm.db.write(claims.claim, light, home)
    with pytest.raises(Forbidden):
        await firm.db.write(claims.next_one, light)

    assert await firm.holder(home) is None


async def test_of_fifty_who_claim_at_once_one_wins_and_forty_nine_hear_who(
    firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    names = [f"Agent{n}" for n in range(10)]
    await pulling(firm, *names)
    home = await firm.hear("North")
    places = [firm.db]
    if database_kind == "postgresql":
        places += [open_database(settings().database_url) for _ in range(2)]
    try:
        said = await asyncio.gather(
            *(patiently(places[n % len(places)], claims.claim, firm.people[names[n % 10]], home) for n in range(50)),
            return_exceptions=True,
        )
    finally:
        for db in places[1:]:
            await db.close()

    winner = await firm.holder(home)
    lost = [s for s in said if isinstance(s, Taken)]
    assert len(lost) == 45, "of each ten the winner's own repeats are none"
    assert all(s is None or s == "unclear" or isinstance(s, Taken) for s in said), said
    assert {s.name for s in lost} == {winner}
    assert len(await firm.told("conversation.assigned")) == 1


# ── the next one ──────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_next_one_is_what_is_due_soonest_then_what_has_waited_longest(firm: Firm) -> None:
    await pulling(firm)
    homes = []
    for _ in range(4):
        homes.append(await firm.hear("North"))
        firm.moment += MINUTE
    policy = await firm.db.write(levels.add_policy, {"name": "Gold", "first_minutes": 60, "enabled": True}, None)
    clock = "INSERT INTO sla_clocks (conversation_id, target, policy_id, started_at, due_at) VALUES (:c, 'first', :p, 0, :d)"
    for home, due in ((homes[3], -HOUR), (homes[2], HOUR // 2), (homes[1], 5 * HOUR)):
        await firm.sql(clock, c=home, p=policy, d=firm.moment + due)

    got = [await next_of(firm, "Anna") for _ in range(5)]
    assert got == [homes[3], homes[2], homes[0], homes[1], None]
    assert await firm.holders(homes) == {"Anna": 4}


async def test_the_next_one_is_nothing_that_is_closed_answered_anothers_or_of_another_team(firm: Firm) -> None:
    await pulling(firm)
    await firm.person("Otto")
    await firm.team("South", "Otto", strategy="queue")
    closed, answered, taken, south = [
        await firm.hear("North"),
        await firm.hear("North"),
        await firm.hear("North"),
        await firm.hear("South"),
    ]
    await firm.db.write(collaboration.set_status, firm.people["Boss"], closed, "closed")
    await firm.sql("UPDATE conversations SET waiting_since = NULL WHERE id = :n", n=answered)
    await firm.give(taken, "Bea")

    assert await next_of(firm, "Anna") is None
    assert await next_of(firm, "Otto") == south
    assert await next_of(firm, "Otto") is None


async def test_what_needs_a_skill_one_lacks_is_passed_over_however_much_of_it_is_waiting(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LOOKED_AT", 3)
    await pulling(firm)
    await firm.person("Yann", skills=["tax"])
    await firm.sql("INSERT INTO team_members VALUES (:t, :e)", t=firm.teams["North"], e=firm.people["Yann"].id)
    await firm.db.write(directory.bump)
    firm.people["Yann"] = await firm.actor("Yann")
    target = Target(team=str(firm.teams["North"]), skills=("tax",))
    await firm.db.write(rulebook.add, "Tax", Conditions(keywords=("tax",)), target, actor_id=firm.people["Boss"].id)
    taxes = []
    for _ in range(8):
        taxes.append(await firm.hear("North", text="about my tax"))
        firm.moment += 1
    plain = await firm.hear("North", text="about my parcel")

    assert await next_of(firm, "Anna") == plain
    assert await next_of(firm, "Anna") is None
    assert await next_of(firm, "Yann") == taxes[0]


async def test_of_fifty_who_ask_for_the_next_of_twenty_each_gets_another_one(
    firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    names = [f"Agent{n}" for n in range(10)]
    await pulling(firm, *names)
    homes = await firm.hear_all("North", 20)
    places = [firm.db]
    if database_kind == "postgresql":
        places += [open_database(settings().database_url) for _ in range(2)]
    try:
        got = await asyncio.gather(
            *(patiently(places[n % len(places)], claims.next_one, firm.people[names[n % 10]]) for n in range(50))
        )
    finally:
        for db in places[1:]:
            await db.close()

    numbers = [n for n in got if isinstance(n, int)]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) + got.count("unclear") >= 20, "all twenty are taken, each once"
    assert None not in await firm.holders(homes)
    assert len(await firm.told("conversation.assigned")) == 20


@ON_POSTGRES
async def test_what_another_process_holds_is_waited_for_when_nothing_else_is_there(
    firm: Firm, database_url: str, database_kind: str
) -> None:
    import asyncpg

    await pulling(firm)
    first = await firm.hear("North")
    firm.moment += 1
    second = await firm.hear("North")
    other = await asyncpg.connect(database_url, timeout=20, command_timeout=60)
    try:
        held = other.transaction()
        await held.start()
        await other.execute("SELECT id FROM conversations WHERE id = $1 FOR UPDATE", first)
        assert await next_of(firm, "Anna") == second, "what somebody holds is passed over"
        asked = asyncio.create_task(next_of(firm, "Bea"))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        await until(lambda: other.fetchval(waiting), 20)
        await held.rollback()
        assert await asked == first, "and waited for when there is nothing else"
    finally:
        await other.close(timeout=10)


# ── queues that serve themselves ──────────────────────────────────────────────────────────────────────────────────────
async def choosing(firm: Firm, *names: str, capacity: int = 3) -> None:
    """People who are not here, of the team North, which chooses among them."""
    for name in names:
        await firm.person(name, here=False, capacity=capacity)
    await firm.team("North", *names)


async def test_what_waits_goes_to_whoever_becomes_available_the_longest_waiting_first_and_no_more_than_they_carry(
    firm: Firm,
) -> None:
    await choosing(firm, "Anna")
    homes = []
    for _ in range(5):
        homes.append(await firm.hear("North"))
        firm.moment += MINUTE
    assert await firm.serve() == 0
    assert await firm.holders(homes) == {None: 5}
    await firm.is_doing("Anna", "available")
    await firm.serve()

    assert [await firm.holder(home) for home in homes] == ["Anna", "Anna", "Anna", None, None]
    assert await firm.serve() == 0
    await firm.db.write(collaboration.set_status, firm.people["Anna"], homes[0], "closed")
    await firm.serve()
    assert [await firm.holder(home) for home in homes[3:]] == ["Anna", None]
    assert await firm.serve() == 0, "repeating it is harmless"


async def test_a_team_that_pulls_is_served_nothing(firm: Firm) -> None:
    await pulling(firm, "Anna")
    home = await firm.hear("North")

    assert await firm.serve() == 0
    assert await firm.holder(home) is None


async def test_what_nobody_here_can_do_does_not_keep_the_others_waiting(firm: Firm) -> None:
    await choosing(firm, "Anna", "Yann", capacity=100)
    target = Target(team=str(firm.teams["North"]), skills=("tax",))
    await firm.db.write(rulebook.add, "Tax", Conditions(keywords=("tax",)), target, actor_id=firm.people["Boss"].id)
    taxes = [await firm.hear("North", text="about my tax") for _ in range(25)]
    plain = await firm.hear("North", text="about my parcel")
    await firm.is_doing("Anna", "available")
    await firm.serve()

    assert await firm.holder(plain) == "Anna"
    assert await firm.holders(taxes) == {None: 25}


@ON_POSTGRES
async def test_two_processes_that_serve_at_once_give_nobody_more_than_they_carry(
    firm: Firm, settings: Callable[..., Any], database_kind: str
) -> None:
    await choosing(firm, "Anna", "Bea", capacity=4)
    homes = await firm.hear_all("North", 20)
    for name in ("Anna", "Bea"):
        await firm.is_doing(name, "available")
    others = [open_database(settings().database_url) for _ in range(2)]
    try:
        await asyncio.gather(*(db.write(claims.serve) for db in others for _ in range(4)))
    finally:
        for db in others:
            await db.close()

    assert await firm.holders(homes) == {"Anna": 4, "Bea": 4, None: 12}
    assert len(await firm.told("conversation.assigned")) == 8


async def test_absent_people_are_served_nothing_and_claim_what_they_like(firm: Firm) -> None:
    await choosing(firm, "Anna")
    home = await firm.hear("North")
    await firm.is_doing("Anna", "available")
    await firm.away("Anna")
    assert await firm.serve() == 0
    await firm.db.write(claims.claim, firm.people["Anna"], home)
    firm.moment += MINUTE
    await firm.db.write(absences.turn)

    assert await firm.holder(home) == "Anna", "they wanted it"
