"""What was promised to customers who wait: when the time runs, rests, is met, and is told of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import collaboration, conversations, customers, directory, inbox, levels, outbox, overdue, sla
from hub.access import Actor
from hub.database import open_database
from hub.directory import Conditions
from hub.messages import Message
from hub.outbox import Draft
from tests.bench.plans import listening
from tests.core.conftest import Rig, message, numbers
from tests.core.test_hours import ms

MINUTE = 60_000
HOUR = 60 * MINUTE
#: A Friday in June, when Berlin is two hours ahead.
FRIDAY = ms("2026-06-12T16:30", "Europe/Berlin")
OFFICE = {day: ["08:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


class World:
    """A hub whose clock the test holds, without any routine job."""

    def __init__(self, rig: Rig, agent: Actor) -> None:
        self.rig, self.agent, self.db = rig, agent, rig.hub.db
        self.moment = FRIDAY
        self.channel = self.home = 0

    async def hours(self, zone: str = "Europe/Berlin", **week: list[str]) -> int:
        """Business hours; office hours unless told."""
        return await self.db.write(levels.add_hours, "Office", zone, "", week or OFFICE, {})

    async def promise(self, position: int | None = None, conditions: Conditions | None = None, **values: Any) -> int:
        """A service level; minutes as first, next, resolution."""
        given = {f"{key}_minutes" if key in sla.TARGETS else key: value for key, value in values.items()}
        given = {"name": "Gold", "enabled": True, "conditions": conditions or Conditions()} | given
        return await self.db.write(levels.add_policy, given, position)

    async def hear(self, text: str = "Hello", **more: Any) -> None:
        """The customer writes, now."""
        await self.rig.hear(self.channel, message(text, **more))
        self.home = self.home or await self.rig.scalar("SELECT max(id) FROM conversations")

    async def answer(self, **more: Any) -> None:
        """The agent writes to the customer, now."""
        draft = Draft("We look into it", f"c{next(numbers)}", **more)
        await self.db.write(outbox.reply, self.agent, self.rig.hub.channels, 3600, self.home, draft)

    async def status(self, status: Any, until: int | None = None) -> None:
        """The agent sets the status, now."""
        await self.db.write(collaboration.set_status, self.agent, self.home, status, until)

    async def level(self) -> dict[str, Any]:
        """target: (state, minutes of business time left)."""
        row = await self.db.read(inbox.one, self.agent, self.home)
        assert row is not None
        clocks = row.level.clocks if row.level else ()
        return {c.target: (c.state, None if c.left_ms is None else c.left_ms / MINUTE) for c in clocks}

    async def due(self, target: str) -> int | None:
        """When the target is due."""
        found = await self.rig.rows("SELECT due_at FROM sla_clocks WHERE target = :t", t=target)
        return found[0]["due_at"] if found else None

    async def ring(self) -> list[str]:
        """The alarm's turn; what it has told so far, in order."""
        await overdue.ring(self.rig.hub)
        return await self.told()

    async def told(self) -> list[str]:
        """All events of service levels: kind and target."""
        rows = await self.rig.rows("SELECT kind, data FROM events WHERE kind LIKE 'sla.%' ORDER BY id")
        return [f"{r['kind'][4:]} {json.loads(r['data'])['target']}" for r in rows]


@pytest.fixture
def jobless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job runs beside the test."""
    monkeypatch.setattr("config.app.JOBS", [])


@pytest.fixture
async def world(jobless: None, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    made = World(rig, await rig.employee("supervisor"))
    made.channel = await rig.channel(url="http://127.0.0.1:1/")
    await rig.hub.db.write(directory.bump)
    for module in (
        "hub.ingest",
        "hub.promised",
        "hub.sla",
        "hub.overdue",
        "hub.outbox",
        "hub.collaboration",
        "hub.work",
        "tests.core.conftest",
    ):
        monkeypatch.setattr(f"{module}.now", lambda: made.moment)
    yield made


async def test_the_first_answer_is_due_in_business_time_warned_of_once_and_told_of_once_when_late(world: World) -> None:
    await world.promise(first=60, hours_id=await world.hours())
    await world.hear()

    monday = ms("2026-06-15T08:30", "Europe/Berlin")
    assert await world.due("first") == monday
    assert await world.level() == {"first": ("running", 60)}
    world.moment = monday - 15 * MINUTE - 1
    assert await world.ring() == []
    world.moment += 1
    assert [await world.ring(), await world.ring()] == [["warned first"]] * 2
    world.moment = monday
    assert await world.ring() == ["warned first"]
    world.moment += 1
    assert [await world.ring(), await world.ring()] == [["warned first", "breached first"]] * 2
    assert await world.level() == {"first": ("breached", None)}


async def test_a_short_time_is_warned_of_at_its_half(world: World) -> None:
    await world.promise(first=20)
    await world.hear()

    world.moment += 10 * MINUTE - 1
    assert await world.ring() == []
    world.moment += 1
    assert await world.ring() == ["warned first"]


async def test_what_nobody_looked_at_in_time_is_told_of_as_late_without_a_warning(world: World) -> None:
    await world.promise(first=20)
    await world.hear()
    world.moment += HOUR

    assert await world.ring() == ["breached first"]


async def test_an_answer_meets_the_first_target_and_every_later_question_starts_the_next_one(world: World) -> None:
    await world.promise(first=60, next=30)
    await world.hear()
    world.moment += 20 * MINUTE
    await world.answer()
    assert await world.level() == {"first": ("met", None)}

    world.moment += HOUR
    await world.hear("And then?")
    asked = world.moment
    world.moment += 10 * MINUTE
    await world.hear("Hello?")
    assert await world.due("next") == asked + 30 * MINUTE  # since the first unanswered message
    assert await world.level() == {"first": ("met", None), "next": ("running", 20)}
    await world.answer()
    world.moment += HOUR
    await world.hear("Thanks, one more thing")
    assert await world.level() == {"first": ("met", None), "next": ("running", 30)}
    assert await world.ring() == []


async def test_an_answer_by_another_channel_is_an_answer(world: World) -> None:
    await world.promise(first=60)
    await world.hear()
    other = await world.rig.channel(url="http://127.0.0.1:1/")

    await world.answer(via=other)

    assert await world.level() == {"first": ("met", None)}
    assert await world.rig.count("conversations", "waiting_since IS NOT NULL") == 0


async def test_the_resolution_rests_while_the_conversation_waits_or_sleeps(world: World) -> None:
    await world.promise(resolution=120)
    await world.hear()
    world.moment += 30 * MINUTE
    await world.status("waiting")
    world.moment += 24 * HOUR
    assert await world.level() == {"resolution": ("paused", 90)}
    await world.hear("Here is what you asked for")
    assert await world.level() == {"resolution": ("running", 90)}

    world.moment += 30 * MINUTE
    await world.status("snoozed", world.moment + 5 * HOUR)
    world.moment += 5 * HOUR
    assert await world.level() == {"resolution": ("paused", 60)}
    assert await world.db.write(collaboration.wake_snoozed) == 1
    assert await world.due("resolution") == world.moment + HOUR
    world.moment += 30 * MINUTE
    await world.status("closed")
    assert await world.level() == {"resolution": ("met", None)}
    assert await world.ring() == []


async def test_a_solution_that_was_none_is_promised_anew_when_the_customer_comes_back(world: World) -> None:
    await world.promise(resolution=120)
    await world.hear()
    world.moment += 100 * MINUTE
    await world.status("closed")
    world.moment += HOUR

    await world.hear("It is broken again")

    assert await world.level() == {"resolution": ("running", 120)}


async def test_closing_without_an_answer_lets_the_first_target_rest_until_the_customer_writes_again(
    world: World,
) -> None:
    await world.promise(first=60)
    await world.hear()
    world.moment += 40 * MINUTE
    await world.status("closed")
    world.moment += 10 * HOUR
    assert await world.ring() == []
    assert await world.level() == {"first": ("paused", 20)}

    await world.hear("Nobody answered")

    assert await world.level() == {"first": ("running", 20)}


async def test_notes_stop_no_clock_and_machines_start_none(world: World) -> None:
    await world.promise(first=60, next=60)
    await world.hear()
    await world.db.write(outbox.note, world.agent, world.home, "Who takes this?", "n1")
    assert await world.level() == {"first": ("running", 60)}
    await world.answer()
    await world.hear("I am on holiday", flags=("auto_reply",))
    assert await world.level() == {"first": ("met", None)}

    other = World(world.rig, world.agent)
    other.channel = world.channel
    await other.hear("Undeliverable", who="api:daemon", flags=("bounce",))
    assert other.home != world.home
    assert await other.level() == {}
    assert await world.rig.scalar("SELECT unread FROM conversations WHERE id = :id", id=other.home) == 1


async def test_an_answer_that_comes_too_late_is_told_of_though_no_alarm_had_rung(world: World) -> None:
    await world.promise(first=60)
    await world.hear()
    world.moment += 2 * HOUR

    await world.answer()

    assert await world.told() == ["breached first"]
    assert await world.ring() == ["breached first"]
    assert await world.level() == {"first": ("breached", None)}


async def test_who_was_written_to_first_waits_for_the_next_answer_not_for_the_first(world: World) -> None:
    await world.promise(first=60, next=30)
    draft = Draft("Your parcel is here", "s1", via=world.channel, to=(message().sender,))
    started = await world.db.write(outbox.start, world.agent, world.rig.hub.channels, 3600, draft)
    world.home = started[0]
    assert await world.level() == {}

    await world.hear("Thanks, which counter?")

    assert await world.level() == {"next": ("running", 30)}


async def test_the_first_policy_that_fits_holds_and_a_change_of_team_changes_it(world: World) -> None:
    def team(conn: Connection) -> int:
        row = "INSERT INTO teams (id, slug, name, created_at, lead_id) VALUES (7, 'vip', 'VIP', 0, :lead)"
        conn.execute(sa.text(row), {"lead": world.agent.id})
        directory.bump(conn)
        return 7

    vip = await world.db.write(team)
    await world.promise(name="Usual", first=60)
    await world.promise(1, Conditions(teams=(str(vip),)), name="VIP", first=30)
    await world.promise(1, Conditions(kinds=("voice",)), name="Calls", first=1)
    await world.promise(1, Conditions(attributes={"plan": "gold"}), name="Gold", first=45, enabled=False)
    await world.hear()
    world.moment += 20 * MINUTE
    assert await world.level() == {"first": ("running", 40)}

    await world.db.write(collaboration.assign, world.agent, world.home, None, vip)
    assert await world.level() == {"first": ("running", 10)}
    row = await world.db.read(inbox.one, world.agent, world.home)
    assert row is not None and row.level is not None and row.level.policy == "VIP"
    world.moment += 11 * MINUTE
    assert await world.ring() == ["breached first"]
    (told,) = await world.rig.rows("SELECT data FROM events WHERE kind = 'sla.breached'")
    assert f'"lead":"{world.agent.id}"' in told["data"]
    assert f'"team":"{vip}"' in told["data"]


async def test_priority_and_the_customers_attributes_choose_the_policy(world: World) -> None:
    await world.promise(conditions=Conditions(attributes={"plan": "gold"}), name="Gold", next=15)
    await world.promise(conditions=Conditions(priorities=("normal",)), name="Usual", first=60, next=60)
    await world.hear()
    assert await world.level() == {"first": ("running", 60)}
    await world.answer()
    customer = await world.rig.scalar("SELECT customer_id FROM conversations")
    await world.db.write(customers.change, world.agent, customer, attributes={"plan": "gold"})

    await world.hear("Now I pay for it")

    assert await world.level() == {"first": ("met", None), "next": ("running", 15)}


async def test_hours_are_the_policys_or_else_the_teams_or_else_the_channels(world: World) -> None:
    day = {d: ["00:00-24:00"] for d in OFFICE}
    channels_own, teams_own = await world.hours("UTC", **OFFICE), await world.hours("Europe/Berlin", **OFFICE)
    policys_own = await world.hours("UTC", **day)
    await world.promise(first=60)

    async def due(channel: int | None, team: int | None, policy: int | None) -> int | None:
        def give(conn: Connection) -> None:
            conn.execute(sa.text("UPDATE channels SET hours_id = :h"), {"h": channel})
            conn.execute(sa.text("UPDATE sla_policies SET hours_id = :h"), {"h": policy})
            conn.execute(sa.text("DELETE FROM sla_clocks"))
            conn.execute(sa.text("UPDATE conversations SET team_id = NULL"))
            conn.execute(sa.text("DELETE FROM teams"))
            conn.execute(
                sa.text("INSERT INTO teams (id, slug, name, created_at, hours_id) VALUES (7, 't', 'T', 0, :h)"),
                {"h": team},
            )
            conn.execute(sa.text("UPDATE conversations SET team_id = 7"))
            directory.bump(conn)

        await world.db.write(give)
        await world.hear()
        return await world.due("first")

    await world.hear()
    at = ms("2026-06-12T14:30")
    assert world.moment == at
    assert await due(None, None, None) == at + HOUR
    assert await due(channels_own, None, None) == at + HOUR  # 15:30 of 17:00 UTC
    assert await due(channels_own, teams_own, None) == ms("2026-06-15T06:30")
    assert await due(channels_own, teams_own, policys_own) == at + HOUR


@pytest.mark.parametrize(
    ("zone", "asked", "due"),
    [
        ("Europe/Berlin", "2026-03-28T12:00", "2026-03-29T05:00"),  # 01:00-02:00, then 03:00-05:00
        ("Europe/Berlin", "2026-10-24T12:00", "2026-10-25T03:00"),  # 01:00-02:00, 02:00-03:00 twice
        ("America/New_York", "2026-03-07T12:00", "2026-03-08T05:00"),
    ],
)
async def test_the_nights_on_which_the_clocks_change_count_by_the_hours_that_pass(
    world: World, zone: str, asked: str, due: str
) -> None:
    await world.promise(first=180, hours_id=await world.hours(zone, sun=["01:00-06:00"]))
    world.moment = ms(asked, zone)

    await world.hear()

    assert await world.due("first") == ms(due, zone)


async def test_where_it_is_never_open_nothing_is_ever_due(world: World) -> None:
    never = await world.db.write(levels.add_hours, "Never", "UTC", "", {}, {})
    await world.promise(first=60, hours_id=never)

    await world.hear()

    assert await world.level() == {"first": ("paused", 60)}
    assert await world.ring() == []


async def test_a_disabled_policy_is_withdrawn_and_one_that_is_back_rings_no_false_alarm(world: World) -> None:
    policy = await world.promise(first=60)
    await world.hear()
    await world.db.write(levels.change_policy, policy, {"enabled": False}, None)
    assert await world.level() == {}
    with listening(world.db) as heard:
        await world.answer()
    assert not [s.sql for s, _ in heard if "sla_clocks" in s.sql]
    await world.db.write(levels.change_policy, policy, {"enabled": True}, None)
    world.moment += 5 * HOUR

    assert await world.ring() == []


async def test_a_clock_nobody_looked_after_is_taken_away_without_a_word(world: World) -> None:
    await world.promise(first=60)
    await world.hear()
    await world.db.write(lambda c: c.execute(sa.text("UPDATE conversations SET waiting_since = NULL")).rowcount)
    world.moment += 5 * HOUR

    assert await world.ring() == []
    assert await world.rig.count("sla_clocks", wanted=0)


async def test_two_processes_tell_of_each_clock_exactly_once(world: World, settings: Callable[..., Any]) -> None:
    await world.promise(first=60, resolution=60)
    for n in range(30):
        await world.hear(who=f"api:customer-{n}")
    world.moment += 50 * MINUTE
    others = [open_database(settings().database_url) for _ in range(2)]
    try:
        for _ in range(2):  # first the warnings, then the end
            seen = [await db.read(overdue.due, world.moment) for db in others]
            assert [len(ids) for ids in seen] == [30, 30]
            told = await asyncio.gather(
                *(db.write(overdue.tell, ids) for db in others for ids in (seen[0], seen[1][::-1]))
            )
            assert sum(told) == 60
            world.moment += 20 * MINUTE
    finally:
        for db in others:
            await db.close()
    per_clock = "SELECT count(*) AS n FROM events WHERE kind LIKE 'sla.%' GROUP BY conversation_id, kind, data"
    assert [r["n"] for r in await world.rig.rows(per_clock)] == [1] * 120
    assert await world.ring() == await world.told()


async def test_an_answer_and_the_alarm_at_once_tell_of_it_once(world: World) -> None:
    await world.promise(first=60)
    for n in range(8):
        await world.hear(who=f"api:customer-{n}")
    world.moment += 2 * HOUR
    ids = await world.db.read(overdue.due, world.moment)
    homes = [r["id"] for r in await world.rig.rows("SELECT id FROM conversations")]

    async def answer(home: int) -> None:
        draft = Draft("Late", f"late{home}")
        await world.db.write(outbox.reply, world.agent, world.rig.hub.channels, 3600, home, draft)

    await asyncio.gather(
        *(answer(home) for home in homes[:4]), world.db.write(overdue.tell, ids), *map(answer, homes[4:])
    )

    assert await world.ring() == ["breached first"] * 8
    assert await world.rig.count("sla_clocks", "met_at IS NOT NULL AND breached_at IS NOT NULL", wanted=8)


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(world: World) -> None:
    await world.promise(conditions=Conditions(attributes={"plan": "gold"}), name="Gold", first=15)
    await world.promise(first=60, next=60, resolution=600)
    costs = set()
    for size in (1, 30):
        said: list[Message] = [message(who=f"api:{size}-{n}") for n in range(size)]
        await world.rig.hear(world.channel, *said)
        homes = [
            r["id"] for r in await world.rig.rows("SELECT id FROM conversations ORDER BY id DESC LIMIT :n", n=size)
        ]

        def again(conn: Connection, homes: list[int] = homes) -> list[str]:
            said: list[str] = []
            found = conversations.lock_for(conn, homes, [], [], 0)
            conn.execute(sa.text("DELETE FROM sla_clocks"))
            for home in found:
                home.touched = True
            sa.event.listen(conn, "before_cursor_execute", lambda _c, _r, sql, *_: said.append(sql))
            sla.follow(conn, directory.current(conn), found)
            return said

        texts = await world.db.write(again)
        assert sum("INTO sla_clocks" in text for text in texts) == 1
        assert await world.rig.count("sla_clocks", wanted=2 * size)
        costs.add(len(texts))
    assert costs == {5}  # the directory's version; then clocks, attributes, messages, write


async def test_while_no_policy_is_enabled_nothing_is_asked(world: World) -> None:
    await world.promise(first=60, enabled=False)

    with listening(world.db) as heard:
        await world.hear()
        await world.answer()
        await world.status("closed")

    assert len(heard) > 20
    assert not [s.sql for s, _ in heard if "sla_clocks" in s.sql]


async def test_a_removed_policy_takes_its_clocks_along(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "BATCH", 2)
    policy = await world.promise(first=60, resolution=60)
    for n in range(3):
        await world.hear(who=f"api:customer-{n}")

    assert [await world.db.write(levels.withdraw, policy) for _ in range(4)] == [2, 2, 2, 0]
    assert await world.db.write(levels.remove_policy, policy)
    assert not await world.db.write(levels.remove_policy, policy)
    assert await world.rig.count("sla_clocks", wanted=0)
