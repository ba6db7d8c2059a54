"""What was done to conversations can be undone, where nobody has changed it since; jobs over many survive everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from hub import accounts, actions, collaboration, work
from hub.access import Actor, Forbidden
from hub.actions import Undone
from hub.clock import now
from hub.jobs import Jobs
from hub.outbox import CannotSend, NotFound
from hub.work import Deed
from tests.core.conftest import Rig, message

HOUR = 3_600_000


@pytest.fixture
async def many(no_jobs: None, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> tuple[Actor, list[int]]:
    """An agent and six conversations that everybody may see. Jobs are worked off by the tests themselves."""
    monkeypatch.setattr("hub.jobs.Jobs._one", _nothing)
    channel = await rig.channel()
    await rig.hear(channel, *(message(f"Question {n}", f"api:c{n}") for n in range(6)))
    ids = [row["id"] for row in await rig.rows("SELECT id FROM conversations ORDER BY id")]
    return await rig.employee(), ids


ONE = Jobs._one


async def _nothing(_: Any) -> bool:
    return False


async def state(rig: Rig, number: int) -> dict[str, Any]:
    columns = (
        "status, snoozed_until, closed_at, closed_as, waiting_since, unread, assignee_id, team_id, reason, priority"
    )
    row = (await rig.rows(f"SELECT {columns} FROM conversations WHERE id = :n", n=number))[0]
    tags = await rig.rows("SELECT tag FROM tags WHERE conversation_id = :n ORDER BY tag", n=number)
    return row | {"priority": row["priority"] or "normal", "tags": [t["tag"] for t in tags]}


DEEDS = {
    "close": Deed("status", "closed"),
    "spam": Deed("status", "closed", closed_as="spam"),
    "wait": Deed("status", "waiting"),
    "snooze": Deed("status", "snoozed", 2**50),
    "until the reply": Deed("status", "snoozed"),
    "nobody": Deed("assign"),
    "tags": Deed("tags", add=("b", "a")),
    "other tags": Deed("tags", add=("c",), remove=("old",)),
    "only these tags": Deed("tags", add=("c",), only=True),
    "priority": Deed("priority", priority="urgent"),
    "read": Deed("read"),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_every_deed_is_undone_to_what_was(rig: Rig, many: tuple[Actor, list[int]], name: str) -> None:
    actor, ids = many
    await rig.hub.db.write(collaboration.assign, actor, ids[0], actor.id, None)
    await rig.hub.db.write(collaboration.set_tags, actor, ids[0], ["old"])
    before = await state(rig, ids[0])
    number = await rig.hub.db.write(actions.one, actor, DEEDS[name], ids[0])
    changed = await state(rig, ids[0])
    undo = await rig.hub.db.write(actions.undo, actor, number)

    assert changed != before
    assert await state(rig, ids[0]) == before
    done = await rig.hub.db.read(actions.view, actor, undo)
    assert (done.done, done.skipped, done.state) == (1, 0, "done")
    if name != "read":
        told = await rig.rows("SELECT data FROM events WHERE shown AND conversation_id = :n ORDER BY id", n=ids[0])
        assert '"undo":true' in told[-1]["data"]
    with pytest.raises(Undone):
        await rig.hub.db.write(actions.undo, actor, number)


async def test_marking_unread_is_undone(rig: Rig, many: tuple[Actor, list[int]]) -> None:
    actor, ids = many
    await rig.hub.db.write(collaboration.mark_seen, actor, ids[0])
    number = await rig.hub.db.write(actions.one, actor, Deed("unread"), ids[0])
    assert (await state(rig, ids[0]))["unread"] == 1

    await rig.hub.db.write(actions.undo, actor, number)
    assert (await state(rig, ids[0]))["unread"] == 0


async def test_what_somebody_has_changed_since_stays_and_is_counted(rig: Rig, many: tuple[Actor, list[int]]) -> None:
    actor, ids = many
    other = await rig.employee()
    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), ids)
    await rig.hub.db.write(collaboration.set_status, other, ids[0], "open")
    await rig.hub.db.write(collaboration.set_status, other, ids[0], "closed")  # closed again: by somebody else
    await rig.hub.db.write(collaboration.set_status, other, ids[1], "waiting")
    await rig.hub.db.write(collaboration.set_tags, other, ids[2], ["kept"])  # has nothing to do with closing

    undo = await rig.hub.db.write(actions.undo, actor, number)

    done = await rig.hub.db.read(actions.view, actor, undo)
    assert (done.done, done.skipped) == (4, 2)
    found = [(await state(rig, n))["status"] for n in ids]
    assert found == ["closed", "waiting", "open", "open", "open", "open"]
    assert (await state(rig, ids[2]))["tags"] == ["kept"]


async def test_only_who_did_it_can_undo_it(rig: Rig, many: tuple[Actor, list[int]]) -> None:
    actor, ids = many
    boss = await rig.employee("supervisor")
    number = await rig.hub.db.write(actions.one, actor, Deed("status", "closed"), ids[0])

    with pytest.raises(NotFound):
        await rig.hub.db.write(actions.undo, boss, number)
    with pytest.raises(NotFound):
        await rig.hub.db.read(actions.view, boss, number)


async def test_what_was_given_away_can_be_taken_back_by_who_gave_it(rig: Rig, many: tuple[Actor, list[int]]) -> None:
    actor, ids = many
    await rig.hub.db.write(
        lambda c: c.execute(sa.text("INSERT INTO teams (id, slug, name, created_at) VALUES (5, 'x', 'X', 0)"))
    )
    number = await rig.hub.db.write(actions.one, actor, Deed("assign", team=5), ids[0])
    with pytest.raises(NotFound):
        await rig.hub.db.write(collaboration.set_status, actor, ids[0], "closed")

    await rig.hub.db.write(actions.undo, actor, number)

    assert (await state(rig, ids[0]))["team_id"] is None


async def test_a_job_reaches_only_what_the_actor_may_change(rig: Rig, many: tuple[Actor, list[int]]) -> None:
    actor, ids = many
    await rig.hub.db.write(
        lambda c: c.execute(sa.text("INSERT INTO teams (id, slug, name, created_at) VALUES (5, 'x', 'X', 0)"))
    )
    boss, light = await rig.employee("supervisor"), await rig.employee("light")
    await rig.hub.db.write(collaboration.assign, boss, ids[0], None, 5)

    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), [*ids, 999_999])

    done = await rig.hub.db.read(actions.view, actor, number)
    assert (done.total, done.done, done.skipped) == (7, 5, 2)
    assert (await state(rig, ids[0]))["status"] == "open"
    with pytest.raises(Forbidden):
        await rig.hub.db.write(actions.many, light, Deed("status", "closed"), ids)
    with pytest.raises(CannotSend):
        await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), [])


async def finish(rig: Rig, number: int) -> None:
    while await rig.hub.db.write(actions.advance, number):
        pass


async def test_a_job_goes_on_after_a_crash_and_does_nothing_twice(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    monkeypatch.setattr("hub.actions.BATCH", 2)
    number = await rig.hub.db.write(actions.many, actor, Deed("tags", add=("x",)), ids)

    def crash(conn: Any) -> None:
        actions.advance(conn, number)
        raise RuntimeError("the power goes")

    with pytest.raises(RuntimeError, match="power"):
        await rig.hub.db.write(crash)
    assert (await rig.hub.db.read(actions.view, actor, number)).done == 0
    await rig.hub.db.write(actions.advance, number)
    first = await rig.hub.db.read(actions.view, actor, number)
    await finish(rig, number)

    done = await rig.hub.db.read(actions.view, actor, number)
    assert (first.state, first.done) == ("running", 2)
    assert (done.state, done.done, done.skipped) == ("done", 6, 0)
    assert await rig.count("events", "kind = 'conversation.tagged'") == 6
    undo = await rig.hub.db.write(actions.undo, actor, number)
    assert (await rig.hub.db.read(actions.view, actor, undo)).state == "queued"
    await finish(rig, undo)
    assert await rig.count("tags") == 0


async def test_two_processes_at_once_do_each_batch_once(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    monkeypatch.setattr("hub.actions.BATCH", 2)
    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), ids)

    await asyncio.gather(*(finish(rig, number) for _ in range(4)))

    done = await rig.hub.db.read(actions.view, actor, number)
    assert (done.state, done.done, done.skipped) == ("done", 6, 0)
    assert await rig.count("events", "kind = 'conversation.status'") == 6


async def test_undoing_a_running_job_stops_it_and_puts_back_what_it_did(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    monkeypatch.setattr("hub.actions.BATCH", 2)
    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), ids)
    await rig.hub.db.write(actions.advance, number)

    await rig.hub.db.write(actions.undo, actor, number)

    assert not await rig.hub.db.write(actions.advance, number)
    assert await rig.count("conversations", "status = 'closed'") == 0
    assert (await rig.hub.db.read(actions.view, actor, number)).state == "cancelled"


async def test_a_job_ends_when_it_cannot_be_done_any_more(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    other = await rig.employee()
    monkeypatch.setattr("hub.actions.BATCH", 2)
    number = await rig.hub.db.write(actions.many, actor, Deed("assign", employee=other.id), ids)
    await rig.hub.db.write(accounts.disable, other.id)
    await finish(rig, number)

    assert (await rig.hub.db.read(actions.view, actor, number)).state == "failed"


async def test_the_loop_works_jobs_off_by_itself(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes import until

    actor, ids = many
    monkeypatch.setattr("hub.actions.BATCH", 2)
    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), ids)

    monkeypatch.setattr("hub.jobs.Jobs._one", ONE)

    async def over() -> bool:
        return (await rig.hub.db.read(actions.view, actor, number)).state == "done"

    await until(over)
    assert await rig.count("conversations", "status = 'closed'") == 6


async def test_a_snooze_comes_back_with_a_marker_that_names_who_set_it(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    await rig.hub.db.write(collaboration.set_status, actor, ids[0], "snoozed", now() + HOUR)
    await rig.hub.db.write(lambda c: collaboration.set_status(c, actor, ids[1], "snoozed", until_reply=True))
    await rig.hub.db.write(lambda c: collaboration.set_status(c, actor, ids[2], "snoozed", until_reply=True))
    later = now() + 2 * HOUR
    monkeypatch.setattr("hub.collaboration.now", lambda: later)
    assert await rig.hub.db.write(collaboration.wake_snoozed) == 1
    channel = await rig.scalar("SELECT channel_id FROM conversations LIMIT 1")
    await rig.hear(channel, message("It still hurts", "api:c1"))

    assert [(await state(rig, n))["status"] for n in ids[:3]] == ["open", "open", "snoozed"]
    back = await rig.rows("SELECT conversation_id, data FROM events WHERE data LIKE '%set_by%' ORDER BY id")
    assert [row["conversation_id"] for row in back] == ids[:2]
    assert all(f'"set_by":"{actor.id}"' in row["data"] for row in back)
    assert '"reply":true' in back[1]["data"]


async def test_old_actions_are_forgotten_and_cannot_be_undone(
    rig: Rig, many: tuple[Actor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, ids = many
    number = await rig.hub.db.write(actions.many, actor, Deed("status", "closed"), ids)
    later = now() + actions.MEMORY + 1
    monkeypatch.setattr("hub.actions.now", lambda: later)

    with pytest.raises(NotFound):
        await rig.hub.db.write(actions.undo, actor, number)
    assert await rig.hub.db.write(actions.prune) == 1
    assert await rig.count("action_steps") == 0


async def test_a_deed_costs_the_same_number_of_statements_for_one_and_for_many(
    rig: Rig, many: tuple[Actor, list[int]]
) -> None:
    actor, ids = many

    def counted(conn: Any, some: list[int]) -> int:
        count = 0

        def note(*_: Any) -> None:
            nonlocal count
            count += 1

        sa.event.listen(conn, "before_cursor_execute", note)
        work.do(conn, actor, Deed("status", "closed"), some)
        sa.event.remove(conn, "before_cursor_execute", note)
        return count

    await rig.hub.db.write(counted, ids[:1])  # the directory is read once

    assert await rig.hub.db.write(counted, ids[1:2]) == await rig.hub.db.write(counted, ids[2:])
