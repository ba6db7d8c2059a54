"""A changed table on past traffic: the difference is right, nothing else is written, and it survives what happens to servers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from config.app import build
from hub import accounts, administration, directory, rulebook, simulation
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Conditions, Rule, Settings, Target
from hub.rehearsal import Example, Move, Place, Result
from hub.simulation_worker import simulate
from hub.sql import allocate, insert_rows
from hub.tables import absences, channels, conversations, customers, employees, messages, metadata, team_members, teams
from tests.core.conftest import Rig
from tests.fakes import until

HOUR, DAY = 3_600_000, 86_400_000
#: A worker that says how far it is and then waits for ever.
STUCK = ("-c", 'import sys; sys.stdin.readline(); print(\'{"done":3,"total":9}\', flush=True); sys.stdin.read()')
BROKEN = ("-c", "import sys; sys.exit(7)")


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second for the next look."""
    monkeypatch.setattr(simulation, "TELL", 0.05)


class Past:
    """Twenty-four conversations in a house of four people: every fourth of the first twenty is about an invoice.

    Anna and Ben (Service, the channel's team) take turns. Carl (Billing) can have four at once, and had one before the beginning.
    The 21st customer is Dora's, who was on leave with Anna as deputy. The 22nd was begun by Ben, the 23rd and the 24th are older.
    """

    def __init__(self) -> None:
        self.start = now() - 40 * HOUR
        self.people: dict[str, int] = {}
        self.teams: dict[str, int] = {}
        self.conversations: list[int] = []

    def make(self, conn: Connection, channel: int) -> None:
        for name in ("anna", "ben", "carl", "dora"):
            self.people[name] = accounts.add_employee(conn, f"{name}@firm.example", name.title(), "agent", None)
        e = employees.c
        conn.execute(sa.update(employees).where(e.id == self.people["carl"]).values(capacity=4))
        for team, members in {"Service": ("anna", "ben"), "Billing": ("carl",)}.items():
            self.teams[team] = administration.add_team(conn, team)
            administration.set_members(conn, self.teams[team], [self.people[m] for m in members])
        conn.execute(sa.update(teams).values(strategy="round_robin"))
        conn.execute(sa.update(channels).where(channels.c.id == channel).values(team_id=self.teams["Service"]))
        self._absence(conn)
        directory.bump(conn)
        first = allocate(conn, "conversations", 24)[0]
        self.conversations = list(range(first, first + 24))
        for i in range(1, 25):
            self._conversation(conn, channel, i)

    def _absence(self, conn: Connection) -> None:
        row = {"starts_at": self.start, "ends_at": self.start + 30 * HOUR, "created_at": self.start, "state": "over"}
        away = {"id": 9001, "employee_id": self.people["dora"], "deputy_id": self.people["anna"], **row}
        conn.execute(sa.insert(absences).values(**away))

    def _conversation(self, conn: Connection, channel: int, i: int) -> None:
        at = self.start + i * HOUR if i < 23 else self.start - (i - 20) * DAY
        customer = 70_000 + i
        owner = self.people["dora"] if i == 21 else None
        row = {"id": customer, "name": f"C{i}", "folded": f"c{i}", "owner_id": owner, "created_at": at}
        conn.execute(sa.insert(customers).values(**row))
        number = self.conversations[i - 1]
        invoice = i % 4 == 0 and i <= 20
        closed = at + HOUR if i in (4, 24) else None
        conn.execute(
            sa.insert(conversations).values(
                id=number,
                subject=f"Ihre Rechnung {i}" if invoice else f"Case {i}",
                status="closed" if closed else "open",
                customer_id=customer,
                channel_id=channel,
                assignee_id=self.people["carl"] if i >= 23 else None,
                last_message_at=at,
                closed_at=closed,
                created_at=at,
            )
        )
        directions = ["out", "in"] if i == 22 else ["in", "out", *["in"] * (i % 3)]
        ids = allocate(conn, "ids", len(directions))
        common = {"conversation_id": number, "customer_id": customer, "channel_id": channel, "kind": "text"}
        said = {"sender": f"api:c{i}", "text": "Guten Tag", "at": at, "received_at": at}
        insert_rows(
            conn, messages, [{"id": n, "direction": d, **common, **said} for n, d in zip(ids, directions, strict=True)]
        )

    def changed(self, rules: tuple[Rule, ...]) -> list[Rule]:
        """The table with a rule for invoices in front of "last"."""
        target = Target(team=str(self.teams["Billing"]))
        invoices = Rule(0, "rule", "Rechnungen", True, Conditions(keywords=("rechnung",)), target)
        place = next(n for n, rule in enumerate(rules) if rule.kind == "last")
        return [*rules[:place], invoices, *rules[place:]]


async def ask(rig: Rig, past: Past, channel: int, days: int = 2) -> int:
    await rig.hub.db.write(past.make, channel)
    rules = past.changed(await rig.hub.db.read(directory.rules))
    return await rig.hub.db.write(simulation.add, days, rules)


async def state(rig: Rig, number: int) -> Any:
    return await rig.hub.db.read(simulation.one, number)


async def ended(rig: Rig, number: int) -> Any:
    async def done() -> Any:
        row = await state(rig, number)
        return row if row.state not in ("queued", "running") else None

    return await until(done, 30)


def check(result: Result, past: Past) -> None:
    """The difference, worked out by hand."""
    anna, ben, carl = (Place(past.people[name]) for name in ("anna", "ben", "carl"))
    queue = Place(None, past.teams["Billing"])
    assert (result.conversations, result.messages) == (21, 42)
    assert (result.changed, result.changed_messages) == (11, 23)
    assert (result.waiting_before, result.waiting_after) == (0, 1)
    assert sorted(result.moves, key=str) == sorted(
        [Move(anna, ben, 4, 8), Move(ben, anna, 2, 4), Move(ben, carl, 4, 8), Move(ben, queue, 1, 3)], key=str
    )
    loads = {s.place: (s.before.conversations, s.after.conversations) for s in result.loads}
    assert loads == {anna: (11, 9), ben: (10, 7), carl: (0, 4), queue: (0, 1)}
    carls = next(s for s in result.loads if s.place == carl)
    assert (carls.before.peak, carls.after.peak, carls.after.messages) == (0, 4, 8)
    moved = [past.conversations.index(e.conversation_id) + 1 for e in result.examples]
    assert moved == [4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 20]
    last = result.examples[-1]
    assert last == Example(
        past.conversations[19],
        ben,
        queue,
        (("channel", "Service"), ("round_robin", "Ben", 2)),
        (("rule", "Rechnungen"), ("team", "Billing"), ("nofit", "Billing"), ("queue", "Billing")),
    )


async def test_a_changed_table_shows_exactly_who_would_have_got_what(rig: Rig) -> None:
    past = Past()
    number = await ask(rig, past, await rig.channel())

    row = await ended(rig, number)

    assert (row.state, row.done, row.total) == ("done", 22, 22), row
    found = simulation.result_of(row)
    assert found is not None
    check(found, past)


async def test_a_simulation_writes_nothing_but_itself(rig: Rig) -> None:
    past = Past()
    await rig.hub.db.write(past.make, await rig.channel())
    rules = past.changed(await rig.hub.db.read(directory.rules))
    before = await rig.hub.db.read(fingerprints)

    number = await rig.hub.db.write(simulation.add, 2, rules)
    row = await ended(rig, number)

    assert row.state == "done"
    assert await rig.hub.db.read(fingerprints) == before
    assert len(before) > 25


def fingerprints(conn: Connection) -> dict[str, str]:
    """What every table holds, but for the simulations, the counter of their ids, and leases."""
    told = {}
    for table in metadata.sorted_tables:
        if table.name not in ("simulations", "leases"):
            rows = sorted(repr(tuple(row)) for row in conn.execute(sa.select(table)) if row[0] != "rules")
            told[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return told


async def test_every_batch_is_told_and_their_size_changes_nothing(rig: Rig) -> None:
    past = Past()
    number = await ask(rig, past, await rig.channel())
    asked = simulation.asked_of(await state(rig, number))
    told: list[tuple[int, int]] = []

    small = await simulate(rig.hub.db, asked, 4, lambda done, total: told.append((done, total)))
    single = await simulate(rig.hub.db, asked, 1, lambda done, total: None)

    check(small, past)
    assert single == small
    assert [done for done, _ in told if done] == [4, 8, 12, 16, 20, 22]
    assert {total for _, total in told} == {22}


async def test_the_same_table_changes_nothing(rig: Rig) -> None:
    past = Past()
    await rig.hub.db.write(past.make, await rig.channel())
    number = await rig.hub.db.write(simulation.add, 2, await rig.hub.db.read(directory.rules))

    found = simulation.result_of(await ended(rig, number))

    assert found is not None
    assert (found.conversations, found.changed, found.moves, found.examples) == (21, 0, (), ())


async def test_other_weights_are_tried_too(rig: Rig) -> None:
    past = Past()
    await rig.hub.db.write(past.make, await rig.channel())
    rules = await rig.hub.db.read(directory.rules)
    number = await rig.hub.db.write(simulation.add, 2, rules, Settings(capacity=3, weights={"api": 3}))

    found = simulation.result_of(await ended(rig, number))

    assert found is not None
    # Anna and Ben have one each; only the fourth ended, and Ben had it before
    assert (found.waiting_before, found.waiting_after) == (0, 19)


@pytest.mark.rest
async def test_how_far_it_is_stands_in_the_row_and_cancelling_ends_the_worker(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "PROGRAM", STUCK)
    past = Past()
    number = await ask(rig, past, await rig.channel())
    await until(lambda: told(rig, number, "running", 3, 9), 20)

    assert await rig.hub.db.write(simulation.cancel, number)
    monkeypatch.undo()
    following = await rig.hub.db.write(simulation.add, 2, await rig.hub.db.read(directory.rules))

    assert (await ended(rig, following)).state == "done"  # so the one before has ended
    row = await state(rig, number)
    assert (row.state, row.result) == ("cancelled", "")
    assert not await rig.hub.db.write(simulation.cancel, 999_999)


async def told(rig: Rig, number: int, *wanted: object) -> Any:
    row = await state(rig, number)
    return (row.state, row.done, row.total) == wanted


async def test_a_worker_that_dies_is_said_in_words(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "PROGRAM", BROKEN)
    number = await ask(rig, Past(), await rig.channel())

    row = await ended(rig, number)

    assert (row.state, row.result) == ("failed", "The computation broke off (code 7).")
    assert simulation.result_of(row) is None


async def test_a_simulation_that_a_restart_broke_off_begins_again(
    settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    past = Past()
    first = await build(settings(), migrate=True, roles=("worker",))
    await first.start()
    rig = Rig(first)
    with monkeypatch.context() as patch:
        patch.setattr(simulation, "PROGRAM", STUCK)
        number = await ask(rig, past, await rig.channel())
        await until(lambda: told(rig, number, "running", 3, 9), 20)
        await first.stop()

    second = await build(settings(), migrate=True, roles=("worker",))
    assert (await state(Rig(second), number)).state == "running"
    await second.start()
    row = await ended(Rig(second), number)
    await second.stop()

    assert (row.state, row.done) == ("done", 22)
    found = simulation.result_of(row)
    assert found is not None
    check(found, past)


async def test_what_cannot_be_tried_is_refused(rig: Rig) -> None:
    rules = await rig.hub.db.read(directory.rules)
    nowhere = Rule(0, "rule", "x", True, Conditions(), Target(team="99"))
    for days, table, settings, words in (
        (0, rules, None, "“days”"),
        (366, rules, None, "“days”"),
        (1, (*rules, nowhere), None, "there is no team “99”"),
        (1, (*rules, rules[0]), None, "“assignee” stands there twice"),
        (1, (*rules, *(structs.replace(nowhere, id=n) for n in range(501))), None, "at most 500"),
        (1, (structs.replace(rules[0], name="x"),), None, "only rules have a name"),
        (1, rules, Settings(weights={"pigeon": 1}), "“pigeon”"),
    ):
        with pytest.raises(Invalid, match=words):
            await rig.hub.db.write(simulation.add, days, table, settings)


async def test_only_a_few_may_wait_and_only_the_latest_are_kept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "PROGRAM", STUCK)
    monkeypatch.setattr(simulation, "KEPT", 3)
    rules = await rig.hub.db.read(directory.rules)
    numbers = [await rig.hub.db.write(simulation.add, 1, rules) for _ in range(simulation.MOST_WAITING)]

    with pytest.raises(Invalid, match="waiting already"):
        await rig.hub.db.write(simulation.add, 1, rules)
    for number in numbers:
        await rig.hub.db.write(simulation.cancel, number)
    last = await rig.hub.db.write(simulation.add, 1, rules)

    assert [row.id for row in await rig.hub.db.read(simulation.latest)] == [last, *numbers[:2:-1]]
    await rig.hub.db.write(simulation.cancel, last)


async def test_a_line_that_stands_already_may_stay_in_the_tried_table_though_its_team_is_gone(rig: Rig) -> None:
    def make(conn: Connection) -> int:
        team = administration.add_team(conn, "Gone")
        number = rulebook.add(conn, "Old", Conditions(), Target(team=str(team)))
        conn.execute(sa.delete(team_members).where(team_members.c.team_id == team))
        conn.execute(sa.delete(teams).where(teams.c.id == team))
        directory.bump(conn)
        return number

    await rig.hub.db.write(make)
    number = await rig.hub.db.write(simulation.add, 1, await rig.hub.db.read(directory.rules))

    assert (await ended(rig, number)).state == "done"
