"""Searching by operators: what is found, by whom, on both databases; and what nobody knows is said."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import administration, collaboration, directory, finding, inbox
from hub.access import Actor
from hub.filters import Filter
from hub.messages import File, Message
from tests.core.conftest import Rig, message


class Shop:
    """Conversations by name, and somebody who searches."""

    def __init__(self, rig: Rig, boss: Actor) -> None:
        self.rig, self.boss, self.homes = rig, boss, {}  # type: ignore[var-annotated]
        self.channels: dict[str, int] = {}

    async def hear(self, name: str, text: str, who: str, caller: str, channel: str = "", **more: Any) -> int:
        await self.rig.hear(self.channels[channel or "shop"], message(text, who=who, name=caller, **more))
        self.homes[name] = int(await self.rig.scalar("SELECT max(id) FROM conversations"))
        return self.homes[name]

    async def find(self, q: str, actor: Actor | None = None, **more: Any) -> list[str]:
        rows, _ = await self.rig.hub.db.read(inbox.listing, actor or self.boss, Filter(q=q, **more))
        names = {number: name for name, number in self.homes.items()}
        return sorted(names[row.id] for row in rows)

    async def hints(self, q: str) -> list[tuple[str, str]]:
        sought = await self.rig.hub.db.read(finding.resolve, self.boss, Filter(q=q))
        return [(h.code, h.value) for h in sought.hints]

    async def run(self, sql: str, **values: Any) -> None:
        await self.rig.hub.db.write(lambda c: c.execute(sa.text(sql), values).rowcount)


@pytest.fixture
async def shop(no_jobs: None, rig: Rig) -> Shop:
    made = Shop(rig, await rig.employee("supervisor"))
    for name in ("shop", "second"):
        made.channels[name] = await rig.channel()
        await made.run("UPDATE channels SET name = :name WHERE id = :id", name=f"The {name}", id=made.channels[name])

    def team(conn: Connection) -> int:
        number = administration.add_team(conn, "Service")
        directory.bump(conn)
        return number

    number = await rig.hub.db.write(team)
    await made.hear("old", "An old question about a roof", "api:old", "Old Customer")
    await made.run("UPDATE events SET at = 1772319600000")  # 2026-02-28 23:00 UTC
    await made.run("UPDATE messages SET received_at = 1772319600000")
    await made.hear("roof", "My new roof leaks, Frau Müller said: Große Straße", "tel:+4915122648810", "Katrin Vogel")
    await made.hear("bill", "The new bill for the roof, please", "tel:015733344455", "Henrik Sørensen", "second")
    await made.hear(
        "file", "See the picture", "email:kim@posteo.example", "Kim Novak", files=(File("a.png", "image/png", b"x"),)
    )
    await made.run("UPDATE conversations SET team_id = NULL, assignee_id = NULL, unread = 0")
    await made.run("UPDATE conversations SET unread = 2, status = 'open' WHERE id = :n", n=made.homes["roof"])
    await made.run(
        "UPDATE conversations SET status = 'closed', waiting_since = NULL WHERE id = :n", n=made.homes["old"]
    )
    await made.run(
        "UPDATE conversations SET assignee_id = :e, team_id = :t WHERE id = :n",
        e=made.boss.id,
        t=number,
        n=made.homes["bill"],
    )
    await rig.hub.db.write(collaboration.set_tags, made.boss, made.homes["bill"], ["Very urgent", "money"])
    return made


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("roof", ["bill", "old", "roof"]),
        ("roof new", ["bill", "roof"]),
        ('"new roof"', ["roof"]),
        ('"roof new"', []),
        ("muller", ["roof"]),
        ("strasse", ["roof"]),
        ("GROSSE Straße", ["roof"]),
        ("roof is:open", ["bill", "roof"]),
        ("roof ist:erledigt", ["old"]),
        ("is:closed", ["old"]),
        ("is:open", ["bill", "file", "roof"]),
        ("is:unread", ["roof"]),
        ("is:mine", ["bill"]),
        ("is:unassigned is:open", ["file", "roof"]),
        ("assignee:me", ["bill"]),
        ("zuständig:niemand roof", ["old", "roof"]),
        ("team:service", ["bill"]),
        ("team:serv roof", ["bill"]),
        ("tag:money", ["bill"]),
        ('tag:money tag:"Very urgent"', ["bill"]),
        ("tag:money tag:none", []),
        ("tag:money roof", ["bill"]),
        ('channel:"The second"', ["bill"]),
        ("kanal:api roof", ["bill", "old", "roof"]),
        ("to:api is:unread", ["roof"]),
        ("has:attachment", ["file"]),
        ("hat:anhang picture", ["file"]),
        ("hat:anhang roof", []),
        ("from:vogel", ["roof"]),
        ('from:"katrin vogel" leaks', ["roof"]),
        ("from:Sørensen", ["bill"]),
        ("von:SØRENSEN roof", ["bill"]),
        ("from:kim@posteo.example", ["file"]),
        ("from:kim", ["file"]),
        ("from:+4915122648810", ["roof"]),
        ("+49 151 2264-8810", ["roof"]),
        ("0151 22648810", ["roof"]),
        ("0049151 22648810 roof", ["roof"]),
        ("+49 1573 3344455", ["bill"]),
        ("+49 1573 3344455 is:closed", []),
        ("+49 1573 3344455 has:attachment", []),
        ("before:2026-03-01", ["old"]),
        ("roof before:2026-03-01", ["old"]),
        ("roof after:2026-03-01", ["bill", "roof"]),
        ("after:2026-03-01 has:attachment", ["file"]),
        ("nobody-wrote-this", []),
    ],
)
async def test_operators_find_what_they_say(shop: Shop, q: str, found: list[str]) -> None:
    assert await shop.find(q) == found


async def test_a_number_is_a_conversation_and_else_a_word(shop: Shop) -> None:
    number = shop.homes["roof"]
    await shop.hear("order", "about order 990077", "api:order", "Order")

    assert await shop.find(f"#{number}") == ["roof"]
    assert await shop.find(f"#{number} leaks") == ["roof"]
    assert await shop.find(f"#{number} bill") == []
    assert await shop.find("#990077") == ["order"]


async def test_nobody_finds_what_is_not_theirs(shop: Shop) -> None:
    agent = await shop.rig.employee()

    assert await shop.find("roof", agent) == ["old", "roof"]
    for q in (f"#{shop.homes['bill']}", "tag:money", "from:sorensen", "+4915733344455", "team:service", "assignee:me"):
        assert await shop.find(q, agent) == [], q


async def test_the_days_begin_where_the_reader_lives(shop: Shop) -> None:
    """23:00 in London is the next day in Berlin."""
    assert await shop.find("roof before:2026-03-01", zone="Europe/Berlin") == []
    assert await shop.find("roof before:2026-03-02", zone="Europe/Berlin") == ["old"]
    assert await shop.find("roof before:2026-03-01", zone="No/Where") == ["old"]
    assert await shop.find("roof after:2026-02-28", zone="Europe/Berlin") == ["bill", "old", "roof"]
    assert await shop.find("before:0001-01-01") == []


@pytest.mark.parametrize(
    ("q", "hints"),
    [
        ("channel:fax roof", [("channel", "fax")]),
        ("team:nobody", [("team", "nobody")]),
        ("assignee:nobody-at-all", [("assignee", "nobody-at-all")]),
        ("from:unheardof", [("sender", "unheardof")]),
        ("is:open is:closed", [("order", "closed")]),
        ("is:lost", [("state", "lost")]),
    ],
)
async def test_what_nobody_knows_is_said(shop: Shop, q: str, hints: list[tuple[str, str]]) -> None:
    assert await shop.hints(q) == hints


async def test_a_colleagues_words_are_found_by_their_name(shop: Shop) -> None:
    agent = await shop.rig.employee()
    await shop.run("UPDATE employees SET name = 'Vera Colleague' WHERE id = :n", n=agent.id)
    await shop.rig.hub.db.write(directory.bump)
    from hub import outbox

    await shop.rig.hub.db.write(outbox.note, agent, shop.homes["file"], "Nobody knows this roof", "n1")

    assert await shop.find("from:vera") == ["file"]
    assert await shop.find("from:colleague roof") == ["file"]


async def test_a_search_of_many_pages_finds_everything_once(shop: Shop) -> None:
    said: list[Message] = [message(f"page {n} carrot", who=f"api:p{n % 7}", name=f"P{n % 7}") for n in range(60)]
    await shop.rig.hear(shop.channels["shop"], *said)
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        rows, cursor = await shop.rig.hub.db.read(inbox.listing, shop.boss, Filter(q='carrot "page"'), cursor, 3)
        seen += [row.id for row in rows]

    assert set(seen) == set(
        await shop.rig.hub.db.read(
            lambda c: (
                c.execute(sa.text("SELECT DISTINCT conversation_id FROM messages WHERE text LIKE '%carrot'"))
                .scalars()
                .all()
            )
        )
    )


async def test_orders_hold_everybody_once(shop: Shop) -> None:
    await shop.run("UPDATE conversations SET waiting_since = NULL WHERE id = :n", n=shop.homes["file"])
    await shop.run("UPDATE conversations SET priority = 'urgent' WHERE id = :n", n=shop.homes["file"])
    await shop.run("UPDATE conversations SET priority = 'low' WHERE id = :n", n=shop.homes["roof"])
    names = {number: name for name, number in shop.homes.items()}
    found: dict[str, list[str]] = {}
    for sort in ("newest", "waiting", "due", "priority"):
        cursor: str | None = ""
        while cursor is not None:
            wanted = Filter(status="open", sort=sort, rest=True)  # type: ignore[arg-type]
            rows, cursor = await shop.rig.hub.db.read(inbox.listing, shop.boss, wanted, cursor, 1)
            found.setdefault(sort, []).extend(names[row.id] for row in rows)

    assert found["newest"] == ["file", "bill", "roof"]
    assert found["waiting"] == ["roof", "bill", "file"]
    assert sorted(found["due"]) == ["bill", "file", "roof"]
    assert found["priority"] == ["file", "bill", "roof"]
