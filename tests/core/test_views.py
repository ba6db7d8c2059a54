"""Saved views: who sees and changes them, their order, and that every count is what plain SQL counts."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import administration, collaboration, events, inbox, levels, outbox, views
from hub.access import Actor, Forbidden
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Conditions
from hub.outbox import CannotSend, NotFound
from hub.views import Content
from tests.bench.plans import listening
from tests.core.conftest import Rig, message, numbers

ALL = Content()
DUE = (
    "(SELECT min(due_at) FROM sla_clocks k WHERE k.conversation_id = conversations.id"
    " AND k.target <> 'resolution' AND k.met_at IS NULL)"
)


@pytest.fixture
async def teams(rig: Rig) -> list[int]:
    def make(conn: Connection) -> list[int]:
        return [administration.add_team(conn, name) for name in ("north", "south")]

    return await rig.hub.db.write(make)


async def add(rig: Rig, actor: Actor, name: str = "A view", content: Content = ALL, **more: Any) -> int:
    return await rig.hub.db.write(views.add, actor, {"name": name, "content": content, **more})


async def names(rig: Rig, actor: Actor) -> list[str]:
    return [view.name for view in await rig.hub.db.read(views.listing, actor)]


async def test_everybody_sees_their_own_their_teams_and_everybodys(rig: Rig, teams: list[int]) -> None:
    north, south = await rig.employee(teams=teams[:1]), await rig.employee(teams=teams[1:])
    boss = await rig.employee("supervisor")
    own = await add(rig, north, "own")
    await add(rig, north, "team", visibility="team", team_id=teams[0])
    shared = await add(rig, boss, "all", visibility="everyone")

    assert await names(rig, north) == ["own", "team", "all"]
    assert await names(rig, south) == ["all"]
    assert await names(rig, boss) == ["team", "all"]
    with pytest.raises(NotFound):
        await rig.hub.db.write(views.remove, boss, own)
    with pytest.raises(Forbidden):
        await rig.hub.db.write(views.change, north, shared, {"name": "mine now"})
    with pytest.raises(Forbidden):
        await add(rig, await rig.employee("light"), visibility="everyone")
    await rig.hub.db.write(views.change, north, own, {"name": "better", "content": Content(tag="x")})
    assert (await rig.hub.db.read(views.one, north, own)).content.tag == "x"
    await rig.hub.db.write(views.remove, north, own)
    assert await names(rig, north) == ["team", "all"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": " "}, "name"),
        ({"icon": "skull"}, "icon"),
        ({"visibility": "nobody"}, "visibility"),
        ({"visibility": "team"}, "team_id"),
        ({"visibility": "team", "team_id": 999}, "team_id"),
        ({"content": Content(status="lost")}, "status"),
        ({"content": Content(assignee="x")}, "assignee"),
        ({"content": Content(waited=-1)}, "waited"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(rig: Rig, given: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        await add(rig, await rig.employee(), **{"name": "Hi", **given})


async def test_each_takes_the_place_it_is_given_however_often(rig: Rig) -> None:
    actor = await rig.employee()
    ids = [await add(rig, actor, name) for name in "abcd"]
    for _ in range(15):  # more often than there is room between two neighbours
        await rig.hub.db.write(views.move, actor, ids[3], 2)
        await rig.hub.db.write(views.move, actor, ids[2], 2)
    await rig.hub.db.write(views.move, actor, ids[1], 1)
    await rig.hub.db.write(views.move, actor, ids[0], 99)

    assert await names(rig, actor) == ["b", "c", "d", "a"]


# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────
class World:
    """Everything that changes counts, done at random."""

    def __init__(
        self, rig: Rig, people: list[Actor], teams: list[int], channels: list[int], chance: random.Random
    ) -> None:
        self.rig, self.people, self.teams, self.channels, self.chance = rig, people, teams, channels, chance
        self.boss = people[0]

    async def homes(self) -> list[int]:
        found = await self.rig.hub.db.read(
            lambda c: c.execute(sa.text("SELECT id FROM conversations ORDER BY id")).scalars().all()
        )
        return list(found)

    async def step(self) -> None:
        homes, write = await self.homes(), self.rig.hub.db.write
        deed = self.chance.choice(("hear", "hear", "assign", "status", "tag", "seen", "note", "answer", "look"))
        if deed == "hear" or len(homes) < 5:
            who = self.chance.randrange(30)
            await self.rig.hear(self.chance.choice(self.channels), message("Hi", who=f"api:c{who}", name=f"C{who}"))
            return
        home, actor = self.chance.choice(homes), self.chance.choice(self.people)
        match deed:
            case "assign":
                whom = self.chance.choice([None, *(p.id for p in self.people)])
                await write(
                    collaboration.assign, self.boss, home, whom, self.chance.choice([None, *self.teams]), anyway=True
                )
            case "status":
                status: Any = self.chance.choice(("open", "waiting", "snoozed", "closed"))
                await write(
                    collaboration.set_status, self.boss, home, status, now() + 10**7 if status == "snoozed" else None
                )
            case "tag":
                await write(
                    collaboration.set_tags,
                    self.boss,
                    home,
                    self.chance.sample(["a", "b", "c"], self.chance.randrange(3)),
                )
            case "seen":
                await write(collaboration.mark_seen, self.boss, home)
            case "note":
                name = self.chance.choice(self.people).name
                await write(outbox.note, self.boss, home, f"@{name} @north look", f"n{next(numbers)}")
            case "answer":
                try:
                    draft = outbox.Draft("Yes", f"a{next(numbers)}")
                    await write(outbox.reply, self.boss, self.rig.hub.channels, 3600, home, draft)
                except CannotSend:
                    pass
            case "look":
                try:
                    await write(collaboration.mark_seen, actor, home)
                except NotFound:
                    pass


CONTENTS = {
    "mine": Content(assignee="me"),
    "nobody": Content(assignee="none"),
    "tag": Content(tag="a"),
    "tags": Content(status="", q="tag:a tag:b"),
    "waiting": Content(status="waiting", sort="newest"),
    "every": Content(status="", unread=True),
    "waits": Content(waited=1),
    "late": Content(due="late"),
    "soon": Content(due="soon"),
    "unread": Content(q="is:unread is:open", sort="newest"),
}


def plain(conn: Connection, actor: Actor, content: Content, tags: tuple[str, ...]) -> int:
    """The same question asked without any thought of speed."""
    theirs = (
        "1 = 1"
        if actor.sees_all
        else f"(team_id IS NULL OR assignee_id = {actor.id} OR team_id IN ({','.join(map(str, actor.teams)) or '0'}))"
    )
    parts = [theirs]
    if content.status and "is:open" not in content.q:
        parts.append(f"status = '{content.status}'")
    if "is:open" in content.q:
        parts.append("status = 'open'")
    if content.assignee:
        parts.append("assignee_id IS NULL" if content.assignee == "none" else f"assignee_id = {actor.id}")
    if content.team:
        parts.append(f"team_id = {content.team}")
    if content.channel:
        parts.append(f"channel_id = {content.channel}")
    parts += [
        f"EXISTS (SELECT 1 FROM tags t WHERE t.conversation_id = conversations.id AND t.tag = '{tag}')" for tag in tags
    ]
    if content.unread or "unread" in content.q:
        parts.append("unread > 0")
    if content.waited:
        parts.append(f"waiting_since <= {now() // 60_000 * 60_000 - content.waited * 60_000} AND status <> 'closed'")
    if content.due:
        first, last = (now(), now() + 3_600_000) if content.due == "soon" else (0, now() - 1)
        parts.append(f"waiting_since IS NOT NULL AND {DUE} BETWEEN {first} AND {last}")
    return int(conn.execute(sa.text(f"SELECT count(*) FROM conversations WHERE {' AND '.join(parts)}")).scalar_one())


def usual(conn: Connection, actor: Actor) -> dict[str, int]:
    found = {
        "mine": plain(conn, actor, Content(assignee="me"), ()),
        "unassigned": plain(conn, actor, Content(assignee="none"), ()),
        "all": plain(conn, actor, Content(), ()),
        "snoozed": plain(conn, actor, Content(status="snoozed", assignee="me"), ()),
        "drafts": 0,
    }
    for team in actor.teams:
        found[f"team:{team}"] = plain(conn, actor, Content(team=team), ())
    asked = sa.text(
        f"SELECT count(DISTINCT conversation_id) FROM mentions WHERE employee_id = {actor.id} AND read_at IS NULL"
    )
    return {**found, "mentions": int(conn.execute(asked).scalar_one())}


def counted(conn: Connection, actor: Actor) -> tuple[dict[str, int], dict[str, int]]:
    """What the sidebar says, and what is true."""
    listed = views.listing(conn, actor)
    said = inbox.counts(conn, actor, views.countable(conn, actor, listed))
    true = usual(conn, actor)
    for view in listed:
        tags = ("a", "b") if view.name == "tags" else (view.content.tag,) if view.content.tag else ()
        true[f"view:{view.id}"] = plain(conn, actor, view.content, tags)
    return said, true


@pytest.mark.rest
async def test_after_five_hundred_events_every_count_is_what_sql_counts(
    no_jobs: None, rig: Rig, teams: list[int]
) -> None:
    people = [await rig.employee("supervisor"), await rig.employee(teams=teams[:1]), await rig.employee(teams=teams)]
    people += [await rig.employee()]
    channels = [await rig.channel(url="http://127.0.0.1:1/") for _ in range(3)]
    promised = {
        "name": "Gold",
        "enabled": True,
        "conditions": Conditions(channels=(str(channels[0]),)),
        "hours_id": None,
    }
    await rig.hub.db.write(
        levels.add_policy, {**promised, "first_minutes": 30, "next_minutes": 600, "resolution_minutes": 0}, None
    )
    for name, content in CONTENTS.items():
        await add(rig, people[0], name, content, visibility="everyone")
    await add(rig, people[0], "team", Content(team=teams[0]), visibility="everyone")
    await add(rig, people[0], "channel", Content(channel=channels[1], status=""), visibility="everyone")
    world = World(rig, people, teams, channels, random.Random(7))
    for n in range(500):
        await world.step()
        if n % 100 == 99:
            aged = "UPDATE conversations SET waiting_since = waiting_since - 100000 WHERE id % 3 = 0"
            late = "UPDATE sla_clocks SET due_at = due_at - 3600000 WHERE conversation_id % 4 = 0"
            await rig.hub.db.write(lambda c: [c.exec_driver_sql(sql).rowcount for sql in (aged, late)])  # noqa: B023
            # what was counted before holds until something happens, and nobody was told of this
            await rig.hub.db.write(events.append, [events.NewEvent("people.changed")])
            for actor in people:
                said, true = await rig.hub.db.read(counted, actor)
                assert said == true, (n, actor.role)

    some = (await rig.hub.db.read(counted, people[0]))[0]
    assert all(some[key] for key in ("mine", "all", "unassigned")), some
    assert (await rig.hub.db.read(counted, people[1]))[0]["mentions"]
    assert sum(1 for key, count in some.items() if key.startswith("view:") and count) >= 9, some


async def test_the_list_of_a_view_holds_as_many_as_its_count(rig: Rig, teams: list[int]) -> None:
    actor = await rig.employee("supervisor")
    channel = await rig.channel()
    for n in range(12):
        await rig.hear(channel, message("Hi", who=f"api:w{n}", name="W"))
    homes = await World(rig, [actor], teams, [channel], random.Random(1)).homes()
    await rig.hub.db.write(collaboration.set_tags, actor, homes[0], ["a", "b"])
    await rig.hub.db.write(collaboration.mark_seen, actor, homes[1])
    for name, content in CONTENTS.items():
        number = await add(rig, actor, name, content)
        wanted = (await rig.hub.db.read(views.one, actor, number)).content.filter()
        rows, _ = await rig.hub.db.read(inbox.listing, actor, wanted)
        assert (await rig.hub.db.read(counted, actor))[0][f"view:{number}"] == len(rows), name


async def test_all_counts_are_one_statement_however_many_views(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    for n in range(10):
        await add(rig, actor, f"v{n}", Content(tag="a" if n % 2 else "", channel=n))
    saved = await rig.hub.db.read(views.listing, actor)
    wanted = await rig.hub.db.read(views.countable, actor, saved)
    with listening(rig.hub.db) as heard:
        await rig.hub.db.read(inbox.counts, actor, wanted)

    assert len([s for s, _ in heard if "conversations" in s.sql]) <= 2


async def test_a_view_that_searches_in_messages_is_not_counted(rig: Rig) -> None:
    actor = await rig.employee()
    number = await add(rig, actor, "words", Content(q="invoice is:open"))
    view = await rig.hub.db.read(views.one, actor, number)

    assert await rig.hub.db.read(views.countable, actor, [view]) == {}
    assert await rig.hub.db.read(inbox.counts, actor, {"x": structs.replace(view.content.filter(), q="")})
