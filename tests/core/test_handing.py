"""A conversation given to another customer: it moves whole, it never gets lost between two at once, and merges stay sound."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from hub import customers, handing, merging
from hub.access import Forbidden
from hub.database import Unavailable
from hub.outbox import CannotSend, NotFound
from tests.core.conftest import Rig, message
from tests.core.test_races import people


async def test_given_to_many_at_once_while_they_are_merged_it_ends_whole_with_one_of_them(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    first, *others = await people(rig, "a", "b", "c", "d", "e")
    (number,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations WHERE customer_id = :n", n=first)]
    channel = (await rig.rows("SELECT id FROM channels WHERE kind = 'api'"))[0]["id"]
    work = [rig.hub.db.write(handing.give, actor, number, other) for other in (*others, first) * 3]
    merges = [rig.hub.db.write(customers.merge, actor, others[0], other, "") for other in others[1:3]]
    writing = [rig.hear(channel, message(who="api:a", name="a")) for _ in range(3)]

    said = await asyncio.gather(*work, *merges, *writing, return_exceptions=True)

    assert [e for e in said if isinstance(e, BaseException) and not isinstance(e, Unavailable)] == []
    (home,) = await rig.rows(
        "SELECT customer_id, (SELECT merged_into FROM customers WHERE id = customer_id) AS into_ FROM conversations WHERE id = :n",
        n=number,
    )
    assert (home["customer_id"] in (first, *others), home["into_"]) == (True, None)
    split = (
        "SELECT id FROM messages WHERE conversation_id = :n AND customer_id <> :c UNION ALL"
        " SELECT id FROM events WHERE conversation_id = :n AND shown AND customer_id <> :c"
    )
    assert await rig.rows(split, n=number, c=home["customer_id"]) == []


async def test_only_who_may_change_customers_and_sees_both_gives_a_conversation_away(rig: Rig) -> None:
    boss, light, agent = await rig.employee("supervisor"), await rig.employee("light"), await rig.employee("agent")
    one, two = await people(rig, "a", "b")
    (number,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations WHERE customer_id = :n", n=one)]
    with pytest.raises(Forbidden):
        await rig.hub.db.write(handing.give, light, number, two)
    await rig.hub.db.write(
        lambda c: c.execute(sa.text("INSERT INTO teams (id, slug, name, created_at) VALUES (7, 'x', 'X', 0)"))
    )
    await rig.hub.db.write(
        lambda c: c.execute(sa.text("UPDATE conversations SET team_id = 7 WHERE customer_id = :n"), {"n": two})
    )
    for wanted in ((number, two), (number, 999_999), (999_999, one)):
        with pytest.raises(NotFound):
            await rig.hub.db.write(handing.give, agent, *wanted)

    assert await rig.hub.db.write(handing.give, boss, number, two) == one
    assert await rig.hub.db.read(handing.last, agent, number, two) == await rig.hub.db.read(
        handing.last, boss, number, two
    )
    assert await rig.hub.db.write(handing.give, boss, number, one) == two
    assert await rig.hub.db.read(handing.last, boss, number, one) is None


async def test_what_was_merged_into_it_goes_with_it_and_can_be_taken_out_there(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    one, two = await people(rig, "a", "b")
    (number,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations WHERE customer_id = :n", n=one)]
    channel = await rig.channel()
    await rig.hear(channel, message(who="api:a", name="a"))
    other = await rig.scalar("SELECT max(id) FROM conversations")
    assert await rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=other) == one
    join = await rig.hub.db.write(merging.merge, actor, other, number)

    with pytest.raises(CannotSend):
        await rig.hub.db.write(handing.give, actor, other, two)
    await rig.hub.db.write(handing.give, actor, number, two)
    await rig.hub.db.write(merging.separate, actor, join)

    for home in (number, other):
        said = await rig.rows("SELECT DISTINCT customer_id FROM messages WHERE conversation_id = :n", n=home)
        assert [r["customer_id"] for r in said] == [two]
        assert await rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=home) == two


async def test_a_part_given_to_somebody_else_is_not_put_back_into_a_conversation_of_another(rig: Rig) -> None:
    actor = await rig.employee("supervisor")
    one, two = await people(rig, "a", "b")
    channel = await rig.scalar("SELECT channel_id FROM conversations WHERE customer_id = :n", n=one)
    await rig.hear(channel, message(who="api:a", name="a"))
    (number,) = [r["id"] for r in await rig.rows("SELECT id FROM conversations WHERE customer_id = :n", n=one)]
    last = await rig.scalar("SELECT max(id) FROM messages WHERE conversation_id = :n", n=number)
    join, part = await rig.hub.db.write(merging.split, actor, number, last)
    await rig.hub.db.write(handing.give, actor, part, two)

    with pytest.raises(CannotSend):
        await rig.hub.db.write(merging.separate, actor, join)
    await rig.hub.db.write(handing.give, actor, part, one)
    await rig.hub.db.write(merging.separate, actor, join)
    assert await rig.scalar("SELECT count(*) FROM messages WHERE conversation_id = :n", n=number) == 2
