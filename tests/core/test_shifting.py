"""One message, or all from it on, goes to another conversation, and back when that is undone."""

from __future__ import annotations

import pytest

from hub import actions, drafts, elsewhere, merging, privacy, shifting  # noqa: F401
from hub.outbox import CannotSend, NotFound
from hub.shifting import Move
from tests.core.conftest import Rig, message
from tests.core.test_merging import Two, other_customers, two  # noqa: F401


async def said(two: Two, number: int) -> list[int]:  # noqa: F811
    rows = await two.rig.rows("SELECT id FROM messages WHERE conversation_id = :n ORDER BY id", n=number)
    return [row["id"] for row in rows]


async def test_a_message_moves_alone_with_who_waits_and_its_undo_brings_it_back(two: Two) -> None:  # noqa: F811
    first, second = two.ids
    before = await two.all()
    ids = await said(two, first)
    action = await two.db.write(actions.move, two.actor, first, Move(ids[1], second))

    assert (await two.texts(first), await two.texts(second)) == (["One"], ["One more", "Two"])
    left, there = await two.state(first), await two.state(second)
    assert (left["unread"], there["unread"], left["preview"]) == (1, 1, "One")
    assert left["waiting_since"] is not None
    assert there["waiting_since"] is not None
    shown = "SELECT conversation_id FROM events WHERE message_id = :m AND shown"
    assert await two.rig.scalar(shown, m=ids[1]) == second

    await two.db.write(actions.undo, two.actor, action)
    assert await two.all() == before


async def test_a_message_begins_a_conversation_of_its_own_and_goes_back(two: Two) -> None:  # noqa: F811
    first, _ = two.ids
    ids = await said(two, first)
    action = await two.db.write(actions.move, two.actor, first, Move(ids[0]))
    fresh = (await two.db.read(actions.view, two.actor, action)).deed.other

    assert (await two.texts(first), await two.texts(fresh)) == (["One more"], ["One"])
    assert (await two.state(first))["waiting_since"] is not None
    await two.db.write(actions.undo, two.actor, action)
    assert await two.texts(first) == ["One", "One more"]


async def test_all_from_a_message_on_moves_and_nothing_stays_behind_empty(two: Two) -> None:  # noqa: F811
    first, second = two.ids
    ids = await said(two, first)
    with pytest.raises(CannotSend, match="all that was said"):
        await two.db.write(actions.move, two.actor, first, Move(ids[0], second, rest=True))
    await two.rig.hear(two.channel, message("Elsewhere", "api:else"))
    await two.db.write(actions.move, two.actor, first, Move(ids[1], second, rest=True))
    assert await two.texts(first) == ["One"]


async def test_a_message_goes_to_another_customer_only_when_that_is_meant_and_is_erased_with_its_own(
    two: Two,  # noqa: F811
) -> None:
    third, first = await other_customers(two), two.ids[0]
    await two.rig.hear(two.channel, message("And more", "api:else"))
    ids = await said(two, third)
    other = await two.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=third)
    with pytest.raises(merging.TwoCustomers):
        await two.db.write(actions.move, two.actor, third, Move(ids[1], first))
    action = await two.db.write(actions.move, two.actor, third, Move(ids[1], first, across=True))
    owner = "SELECT customer_id FROM messages WHERE id = :m"
    assert await two.rig.scalar(owner, m=ids[1]) != other
    assert [row.id for row in await two.db.read(elsewhere.takes_part, two.actor, other)] == [first]
    await two.db.write(actions.undo, two.actor, action)
    assert await two.rig.scalar(owner, m=ids[1]) == other
    assert await two.db.read(elsewhere.takes_part, two.actor, other) == []

    await two.db.write(actions.move, two.actor, third, Move(ids[1], first, across=True))
    await two.db.write(privacy.erase, other, two.actor.id)
    assert (await two.texts(first))[-1] == ""


async def test_what_went_on_meanwhile_stays_whose_it_is_when_an_earlier_move_is_undone(two: Two) -> None:  # noqa: F811
    third, (first, second) = await other_customers(two), two.ids
    await two.rig.hear(two.channel, message("And more", "api:else"))
    number = (await said(two, third))[1]
    action = await two.db.write(actions.move, two.actor, third, Move(number, first, across=True))
    await two.db.write(actions.move, two.actor, first, Move(number, second))
    await two.db.write(actions.undo, two.actor, action)

    same = (
        "SELECT count(*) FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " WHERE m.id = :m AND c.customer_id = m.customer_id"
    )
    assert number in await said(two, second)
    assert await two.rig.scalar(same, m=number) == 1


async def test_what_cannot_be_moved_is_refused(two: Two, rig: Rig) -> None:  # noqa: F811
    first, second = two.ids
    ids = await said(two, first)
    light = await rig.employee("light")
    with pytest.raises(CannotSend, match="already"):
        await two.db.write(actions.move, two.actor, first, Move(ids[0], first))
    with pytest.raises(NotFound):
        await two.db.write(actions.move, two.actor, second, Move(ids[0], first))
    with pytest.raises(NotFound):
        await two.db.write(actions.move, two.actor, first, Move(ids[0], 99999))
    with pytest.raises(Exception, match="roles"):
        await two.db.write(actions.move, light, first, Move(ids[0], second))
    await two.db.write(privacy.erase_conversation, second, two.actor.id)
    with pytest.raises(CannotSend, match="deleted"):
        await two.db.write(actions.move, two.actor, first, Move(ids[0], second))
    assert await two.texts(first) == ["One", "One more"]
