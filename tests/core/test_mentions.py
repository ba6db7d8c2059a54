"""Mentions: who is found in a note, who is asked to look, and what they may see from then on."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.engine import Connection

from hub import access, accounts, administration, collaboration, inbox, mentions, outbox, privacy, timeline
from hub.access import Actor
from hub.filters import Filter
from hub.mentions import Named
from hub.text import fold
from tests.core.conftest import Rig, message, numbers

PEOPLE = {"Anna": "e1", "Anna Becker": "e2", "Jürgen Groß": "e3", "Service": "t1", "Ann": "e4"}


def known() -> Named:
    names: dict[str, tuple[str, ...]] = {}
    for name, mark in PEOPLE.items():
        for spelled in {fold(name), fold(name.translate(mentions._GERMAN))}:
            names[spelled] = (mark,)
    return Named(names, max(map(len, names)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@Anna Becker please look", [("@Anna Becker", "e2")]),
        ("@Anna please look", [("@Anna", "e1")]),
        ("@anna BECKER, see", [("@anna BECKER", "e2")]),
        ("@Anna  Becker", [("@Anna  Becker", "e2")]),
        ("@Anna Beckers dog", [("@Anna", "e1")]),
        ("@Annabel", []),
        ("@jurgen gross", [("@jurgen gross", "e3")]),
        ("@Juergen Groß!", [("@Juergen Groß", "e3")]),
        ("@Ju\u0308rgen Gross", [("@Ju\u0308rgen Gross", "e3")]),
        ("write to a@anna.example", []),
        ("(@Service) and @Ann.", [("@Service", "t1"), ("@Ann", "e4")]),
        ("@", []),
        ("@@Anna", [("@Anna", "e1")]),
        ("@Anna" * 3, [("@Anna", "e1")]),
    ],
)
def test_the_longest_name_that_fits_is_meant(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[a:b], mark) for a, b, mark in mentions.find(text, known())] == found


class House:
    """A conversation of a team, with people inside and outside of it."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.db = rig, rig.hub.db
        self.home = 0
        self.teams = (0, 0)

    async def person(self, name: str, *teams: int, role: Any = "agent") -> Actor:
        def make(conn: Connection) -> Actor:
            number = accounts.add_employee(conn, f"m{next(numbers)}@firm.example", name, role, None)
            for team in teams:
                there = [
                    row[0]
                    for row in conn.exec_driver_sql(f"SELECT employee_id FROM team_members WHERE team_id = {team}")
                ]
                administration.set_members(conn, team, [*there, number])
            found = accounts.actor(conn, number)
            assert found is not None
            return found

        return await self.db.write(make)

    async def note(self, by: Actor, text: str) -> int:
        number, _ = await self.db.write(outbox.note, by, self.home, text, f"n{next(numbers)}")
        return number

    async def sees(self, who: Actor) -> bool:
        return await self.db.read(access.access_conversation, who, self.home) is not None

    async def unread(self, who: Actor) -> int:
        return (await self.db.read(inbox.counts, who))["mentions"]

    async def listed(self, who: Actor, **wanted: Any) -> list[int]:
        rows, _ = await self.db.read(inbox.listing, who, Filter(**wanted))
        return [row.id for row in rows]


@pytest.fixture
async def house(rig: Rig) -> House:
    made = House(rig)
    team = await rig.hub.db.write(administration.add_team, "Service")
    other = await rig.hub.db.write(administration.add_team, "Sales")
    made.teams = (team, other)
    channel = await rig.channel()
    await rig.hear(channel, message("Help", who="api:kim", name="Kim"))
    made.home = int(await rig.scalar("SELECT max(id) FROM conversations"))
    await rig.hub.db.write(lambda c: c.exec_driver_sql(f"UPDATE conversations SET team_id = {team}").rowcount)
    return made


async def test_whoever_is_mentioned_may_see_it_and_finds_it_until_they_have_looked(house: House) -> None:
    team, other = house.teams
    author, outsider = await house.person("Anna Becker", team), await house.person("Jonas Meier", other)
    stranger = await house.person("Lea Nobody", other)
    before = await house.sees(outsider)
    number = await house.note(author, "@jonas meier: can you look? @Anna Becker knows more")

    assert (before, await house.sees(outsider), await house.sees(stranger)) == (False, True, False)
    assert (await house.unread(outsider), await house.unread(stranger), await house.unread(author)) == (1, 0, 0)
    assert await house.listed(outsider, mentioned=True) == [house.home]
    assert await house.listed(outsider, q="is:mentioned") == await house.listed(outsider, q="help") == [house.home]
    assert await house.listed(outsider, status="open") == await house.listed(stranger, q="help") == []
    assert await house.db.read(timeline.message, outsider, number) is not None
    assert await house.db.read(mentions.asked_in, [house.home]) == {house.home: {outsider.id}}

    assert await house.db.write(collaboration.mark_seen, outsider, house.home)
    assert await house.unread(outsider) == 0
    assert await house.listed(outsider, mentioned=True) == [house.home]
    assert not await house.db.write(collaboration.mark_seen, outsider, house.home)


async def test_a_team_is_everybody_in_it_and_a_repeat_asks_once(house: House) -> None:
    team, other = house.teams
    author = await house.person("Anna Becker", team)
    sales = [await house.person(name, other) for name in ("One Person", "Two Person")]
    for _ in range(2):
        await house.db.write(outbox.note, author, house.home, "@Sales @one person please", "the same act")

    assert [await house.unread(who) for who in sales] == [1, 1]
    assert await house.rig.count("mentions") == 2
    event = await house.rig.scalar("SELECT data FROM events WHERE kind = 'note.added'")
    assert all(f'"{who.id}"' in event for who in sales)


async def test_a_rename_leaves_old_mentions_marked(house: House) -> None:
    team, _ = house.teams
    author, other = await house.person("Anna Becker", team), await house.person("Jonas Meier", team)
    number = await house.note(author, "Hi @Jonas Meier")
    await house.db.write(
        lambda c: c.exec_driver_sql("UPDATE employees SET name = 'Jonas Schulz' WHERE name = 'Jonas Meier'").rowcount
    )
    view = await house.db.read(timeline.message, author, number)

    assert view is not None
    assert view.details.mentions == ((3, 15, f"e{other.id}"),)


async def test_mentions_come_newest_first_and_page_by_page(house: House) -> None:
    team, other = house.teams
    author, asked = await house.person("Anna Becker", team, role="supervisor"), await house.person("Jonas Meier", other)
    first, homes = house.home, []
    for n in range(5):
        await house.rig.hear(await house.rig.channel(), message(f"m{n}", who=f"api:c{n}", name=f"C{n}"))
        house.home = int(await house.rig.scalar("SELECT max(id) FROM conversations"))
        homes.append(house.home)
        await house.note(author, "@Jonas Meier")
    house.home = homes[0]
    await house.note(author, "again @Jonas Meier")

    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        rows, cursor = await house.db.read(inbox.listing, asked, Filter(mentioned=True), cursor, 2)
        found += [row.id for row in rows]
    assert found == [homes[0], *reversed(homes[1:])]
    assert first not in found


async def test_nothing_is_left_of_it_when_the_customer_is_erased(house: House) -> None:
    team, other = house.teams
    author, asked = await house.person("Anna Becker", team), await house.person("Jonas Meier", other)
    await house.note(author, "@Jonas Meier look at Kim")
    customer = await house.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=house.home)
    await house.db.write(privacy.erase, customer)

    assert await house.rig.count("mentions") == 0
    assert not await house.sees(asked)
