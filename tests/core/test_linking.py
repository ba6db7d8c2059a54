"""Linked conversations: as many as fit, whichever side is linked, and each seen only by who may see it."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.util import await_only

from hub import linking
from hub.outbox import CannotSend
from tests.core.conftest import Rig, message
from tests.fakes import ON_POSTGRES, until


async def test_no_more_links_than_are_shown_from_either_side(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "MOST", 3)
    channel, actor, db = await rig.channel(), await rig.employee("admin"), rig.hub.db
    for n in range(6):
        await rig.hear(channel, message("Hello", f"api:a{n}"))
    first, *others = [row["id"] for row in await rig.rows("SELECT id FROM conversations ORDER BY id")]
    for other in reversed(others[:3]):
        assert await db.write(linking.link, actor, other, first)

    for pair in ((others[3], first), (first, others[3])):
        with pytest.raises(CannotSend, match="3 others at most"):
            await db.write(linking.link, actor, *pair)
    assert await db.read(linking.linked, actor, first) == others[:3]
    assert await db.read(linking.linked, actor, others[0]) == [first]
    assert await db.write(linking.link, actor, others[3], others[4])


async def test_what_somebody_may_not_see_takes_no_place_among_the_links(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, admin, agent, db = await rig.channel(), await rig.employee("admin"), await rig.employee(), rig.hub.db
    for n in range(3):
        await rig.hear(channel, message("Hello", f"api:a{n}"))
    first, hidden, seen = [row["id"] for row in await rig.rows("SELECT id FROM conversations ORDER BY id")]
    for other in (hidden, seen):
        await db.write(linking.link, admin, first, other)
    for statement in (
        "INSERT INTO teams (id, slug, name, created_at) VALUES (7, 'x', 'X', 0)",
        f"UPDATE conversations SET team_id = 7, assignee_id = {admin.id} WHERE id = {hidden}",
    ):
        await db.write(done, statement)
    monkeypatch.setattr(linking, "MOST", 1)

    assert await db.read(linking.linked, agent, first) == [seen]


def done(conn: Connection, statement: str) -> int:
    return conn.execute(sa.text(statement)).rowcount


@ON_POSTGRES  # SQLite has one writer
async def test_of_two_links_made_at_the_same_moment_only_as_many_stay_as_fit(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "MOST", 1)
    channel, actor, db = await rig.channel(), await rig.employee("admin"), rig.hub.db
    for n in range(3):
        await rig.hear(channel, message("Hello", f"api:a{n}"))
    first, *others = [row["id"] for row in await rig.rows("SELECT id FROM conversations ORDER BY id")]
    linked, go = asyncio.Event(), asyncio.Event()

    def slowly(conn: Connection) -> None:
        linking.link(conn, actor, first, others[0])
        linked.set()
        await_only(go.wait())

    def waits(conn: Connection) -> bool:
        here = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return late.done() or conn.execute(sa.text(here)).first() is not None

    early = asyncio.create_task(db.write(slowly))
    await linked.wait()
    late = asyncio.create_task(db.write(linking.link, actor, others[1], first))
    await until(lambda: db.read(waits), 3)
    go.set()
    await early
    with pytest.raises(CannotSend, match="1 others at most"):
        await late
    assert await rig.count("links") == 1
