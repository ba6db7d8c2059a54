"""Two at once: what was looked at before a lock is looked at again behind it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import collaboration, conversations, customers, outbox, privacy
from hub.clock import now
from hub.customers import Impossible
from hub.database import Unavailable
from hub.outbox import Draft
from tests.core.conftest import Rig, message


async def people(rig: Rig, *names: str) -> list[int]:
    """Customers who have written, by id."""
    channel = await rig.channel()
    for name in names:
        await rig.hear(channel, message(who=f"api:{name}", name=name))
    return [r["id"] for r in await rig.rows("SELECT id FROM customers ORDER BY id")]


async def test_a_conversation_closed_while_the_alarm_rings_stays_closed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = await rig.employee("supervisor")
    await people(rig, "one", "two")
    first, second = [r["id"] for r in await rig.rows("SELECT id FROM conversations ORDER BY id")]
    due = sa.text("UPDATE conversations SET status = 'snoozed', snoozed_until = :at")
    await rig.hub.tasks.stop()
    await rig.hub.db.write(lambda c: c.execute(due, {"at": now() - 1}).rowcount)
    honest = conversations.lock_for

    def meanwhile(conn: Connection, *args: Any) -> Any:
        conn.execute(sa.text("UPDATE conversations SET status = 'closed' WHERE id = :id"), {"id": first})
        return honest(conn, *args)

    monkeypatch.setattr(conversations, "lock_for", meanwhile)
    assert await rig.hub.db.write(collaboration.wake_snoozed) == 1

    states = [r["status"] for r in await rig.rows("SELECT status FROM conversations ORDER BY id")]
    assert states == ["closed", "open"]
    told = await rig.rows("SELECT conversation_id FROM events WHERE kind = 'conversation.status'")
    assert [r["conversation_id"] for r in told] == [second]
    assert actor.sees_all


async def test_twenty_merges_in_all_directions_at_once_make_no_circle(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    ids = await people(rig, "a", "b", "c", "d", "e")
    pairs = list(itertools.permutations(ids, 2))
    assert len(pairs) == 20
    work = (rig.hub.db.write(customers.merge, actor, one, other, "") for one, other in pairs)
    said = await asyncio.gather(*work, return_exceptions=True)

    assert sum(isinstance(s, int) for s in said) == 4
    assert all(isinstance(s, int | Impossible | Unavailable) for s in said), said
    (winner,) = await rig.rows("SELECT id FROM customers WHERE merged_into IS NULL")
    assert await rig.count("identities", f"customer_id = {winner['id']}") == 5
    assert await rig.count("conversations", f"customer_id = {winner['id']}") == 5


async def test_attributes_set_by_twenty_at_once_are_all_there(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    (number,) = await people(rig, "a")
    await asyncio.gather(
        *(rig.hub.db.write(customers.change, actor, number, attributes={f"k{n}": n}) for n in range(20))
    )

    row = await rig.hub.db.read(customers.one, actor, number)
    assert row.attributes == {f"k{n}": n for n in range(20)}


async def test_a_reply_that_slips_in_before_the_erase_holds_its_conversation_is_not_sent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = await rig.employee("supervisor")
    (number,) = await people(rig, "a")
    (home,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations")]
    honest = privacy._conversations
    rounds = itertools.count()

    def meanwhile(conn: Connection, theirs: Any) -> list[int]:
        if next(rounds) == 1:
            outbox.reply(conn, actor, rig.hub.channels, 3600, home, Draft("too late", "x"))
        return honest(conn, theirs)

    monkeypatch.setattr(privacy, "_conversations", meanwhile)
    await rig.hub.db.write(privacy.erase, number)

    (row,) = await rig.rows("SELECT state, recipient FROM deliveries")
    assert (row["state"], row["recipient"]) == ("failed", "")
    assert await rig.count("messages", "text <> ''") == 0


async def test_erasing_replying_and_hearing_at_once_end_with_nothing_left_of_the_erased(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    (number,) = await people(rig, "a")
    (home,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations")]
    channel = await rig.channel()

    async def reply(n: int) -> Any:
        return await rig.hub.db.write(outbox.reply, actor, rig.hub.channels, 3600, home, Draft(f"r{n}", f"r{n}"))

    async def erase() -> Any:
        return await rig.hub.db.write(privacy.erase, number)

    said = await asyncio.gather(
        *(reply(n) for n in range(4)), erase(), *(reply(n) for n in range(4, 8)), return_exceptions=True
    )
    old = message("old", who="api:a", at=1)
    await rig.hear(channel, old)

    assert all(isinstance(s, tuple | privacy.Erased | outbox.CannotSend) for s in said), said
    assert await rig.count("deliveries", "state = 'queued'") == 0
    assert await rig.count("messages", "text <> ''") == 0


async def test_who_is_erased_twice_is_kept_out_up_to_the_second_time(rig: Rig) -> None:
    (first,) = await people(rig, "a")
    await rig.hub.db.write(privacy.erase, first)
    moment = await rig.scalar("SELECT at FROM tombstones")
    second = (await people(rig, "a"))[-1]
    assert second != first
    await rig.hub.db.write(privacy.erase, second)

    assert await rig.scalar("SELECT at FROM tombstones") > moment
