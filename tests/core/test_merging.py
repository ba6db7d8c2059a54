"""Two conversations that are one matter, and one that is two: nothing is lost on the way, and all of it can be undone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from hub import actions, collaboration, conversations, customers, drafts, elsewhere, handing, merging, outbox, privacy
from hub.access import RIGHTS, Actor, Forbidden
from hub.clock import now
from hub.drafts import Content
from hub.messages import Envelope, Message, Reading
from hub.outbox import CannotSend, Draft, NotFound
from tests.core.conftest import Rig, message
from tests.fakes import ON_POSTGRES


class Two:
    """A customer with a closed conversation and an open one on the same channel, and who works on them."""

    def __init__(self, rig: Rig, channel: int, actor: Actor, ids: list[int]) -> None:
        self.rig, self.channel, self.actor, self.ids = rig, channel, actor, ids
        self.db = rig.hub.db

    async def merge(self) -> int:
        number: int = await self.db.write(actions.merge, self.actor, *self.ids)
        return number

    async def texts(self, number: int) -> list[str]:
        rows = await self.rig.rows("SELECT text FROM messages WHERE conversation_id = :n ORDER BY id", n=number)
        return [row["text"] for row in rows]

    async def state(self, number: int) -> dict[str, Any]:
        columns = "status, waiting_since, unread, last_message_id, preview, merged_into, snoozed_until"
        return (await self.rig.rows(f"SELECT {columns} FROM conversations WHERE id = :n", n=number))[0]

    async def all(self) -> list[Any]:
        said = [await self.texts(n) for n in self.ids]
        parts = "SELECT address FROM participants WHERE conversation_id = :n ORDER BY address"
        marks = "SELECT tag FROM tags WHERE conversation_id = :n ORDER BY tag"
        more = [[await self.rig.rows(query, n=n) for n in self.ids] for query in (parts, marks)]
        return [said, [await self.state(n) for n in self.ids], *more]


@pytest.fixture
async def two(no_jobs: None, rig: Rig) -> Two:
    channel, actor = await rig.channel(), await rig.employee()
    for text in ("One", "One more"):
        await rig.hear(channel, message(text))
    first = int(await rig.scalar("SELECT max(id) FROM conversations"))
    await rig.hub.db.write(collaboration.set_tags, actor, first, ["a", "b"])
    kim = int(await rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=first))
    await rig.hub.db.write(outbox.start, actor, rig.hub.channels, 0, Draft("Two", "x", via=channel), kim)
    second = int(await rig.scalar("SELECT max(id) FROM conversations"))
    await rig.hub.db.write(collaboration.set_tags, actor, second, ["b"])
    return Two(rig, channel, actor, [first, second])


async def test_a_merge_moves_everything_and_its_undo_puts_everything_back(two: Two) -> None:
    first, second = two.ids
    before = await two.all()
    action = await two.merge()

    merged, there = await two.state(first), await two.state(second)
    assert (merged["status"], merged["merged_into"], merged["unread"]) == ("closed", second, 0)
    assert await two.texts(second) == ["One", "One more", "Two"]
    assert (there["status"], there["unread"], there["waiting_since"]) == ("open", 2, before[1][0]["waiting_since"])
    left = "SELECT count(*) FROM deliveries WHERE conversation_id = :n"
    assert await two.rig.scalar(left, n=first) == 0
    kinds = "SELECT kind FROM events WHERE conversation_id = :n AND shown AND message_id IS NOT NULL ORDER BY id"
    assert len(await two.rig.rows(kinds, n=second)) == 3

    undo = await two.db.write(actions.undo, two.actor, action)
    assert (await two.db.read(actions.view, two.actor, undo)).done == 1
    assert await two.all() == before


async def test_what_still_comes_for_it_lands_where_it_goes_on(two: Two) -> None:
    first, second = two.ids
    newest = int(await two.rig.scalar("SELECT max(id) FROM messages WHERE conversation_id = :n", n=first))
    token = conversations.make_token(two.rig.hub.box, first, newest)
    await two.merge()

    await two.rig.hear(two.channel, message("By token", tokens=(token,)))
    await two.rig.hear(two.channel, message("On the running channel"))

    assert await two.texts(first) == []
    assert (await two.texts(second))[-2:] == ["By token", "On the running channel"]
    assert await two.rig.count("conversations") == 2


async def test_another_channel_of_a_merged_conversation_leads_to_where_it_goes_on(two: Two) -> None:
    other = await two.rig.channel()
    await two.rig.hear(other, message("On the other channel"))
    third = int(await two.rig.scalar("SELECT max(id) FROM conversations"))
    assert third not in two.ids
    await two.db.write(merging.merge, two.actor, third, two.ids[1])

    await two.rig.hear(other, message("And again"))

    assert (await two.texts(two.ids[1]))[-1] == "And again"


async def test_what_was_said_since_a_merge_stays_when_it_is_undone(two: Two) -> None:
    first, second = two.ids
    action = await two.merge()
    await two.rig.hear(two.channel, message("Later"))
    await two.db.write(actions.undo, two.actor, action)

    assert await two.texts(first) == ["One", "One more"]
    assert await two.texts(second) == ["Two", "Later"]
    assert (await two.state(second))["preview"] == "Later"


async def test_nothing_is_written_into_a_merged_conversation(two: Two) -> None:
    first, _ = two.ids
    await two.merge()
    with pytest.raises(CannotSend, match="merged"):
        await two.db.write(outbox.reply, two.actor, two.rig.hub.channels, 0, first, Draft("x", "y"))
    with pytest.raises(CannotSend, match="merged"):
        await two.db.write(outbox.note, two.actor, first, "x", "z")
    with pytest.raises(CannotSend, match="merged"):
        await two.db.write(collaboration.set_status, two.actor, first, "open")
    with pytest.raises(CannotSend, match="merged"):
        await two.db.write(drafts.put, two.actor, first, "note", Content("x"))
    with pytest.raises(CannotSend, match="already"):
        await two.merge()


async def test_drafts_go_on_where_the_conversation_goes_on(two: Two) -> None:
    first, second = two.ids
    await two.db.write(drafts.put, two.actor, first, "reply", Content("begun there"))
    await two.db.write(drafts.put, two.actor, second, "reply", Content("begun here"))
    await two.merge()

    kept = await two.db.read(drafts.of_conversation, two.actor, second)
    assert kept["reply"].content.text == "begun there\n\nbegun here"
    assert not (await two.db.read(drafts.of_conversation, two.actor, first))["reply"].alive


async def test_other_peoples_conversations_and_other_customers_are_refused(two: Two) -> None:
    await two.rig.hear(two.channel, message("Somebody else", "api:else"))
    third = int(await two.rig.scalar("SELECT max(id) FROM conversations"))
    light = await two.rig.employee("light")

    with pytest.raises(CannotSend, match="different customers"):
        await two.db.write(merging.merge, two.actor, third, two.ids[0])
    with pytest.raises(CannotSend, match="itself"):
        await two.db.write(merging.merge, two.actor, third, third)
    with pytest.raises(NotFound):
        await two.db.write(merging.merge, two.actor, third, 9999)
    with pytest.raises(Exception, match="roles"):
        await two.db.write(merging.merge, light, *two.ids)


async def test_a_chain_of_merges_leads_to_its_end_and_is_undone_backwards(two: Two) -> None:
    other = await two.rig.channel()
    await two.rig.hear(other, message("Third"))
    third = int(await two.rig.scalar("SELECT max(id) FROM conversations"))
    first, second = two.ids
    one = await two.merge()
    two_ = await two.db.write(actions.merge, two.actor, second, third)

    assert [(await two.state(n))["merged_into"] for n in two.ids] == [third, third]
    with pytest.raises(CannotSend, match="undo that first"):
        await two.db.write(actions.undo, two.actor, one)
    await two.db.write(actions.undo, two.actor, two_)
    await two.db.write(actions.undo, two.actor, one)
    assert [await two.texts(n) for n in (first, second, third)] == [["One", "One more"], ["Two"], ["Third"]]


async def test_a_split_begins_a_conversation_of_its_own_and_is_undone(two: Two) -> None:
    first, _ = two.ids
    ids = await two.rig.rows("SELECT id FROM messages WHERE conversation_id = :n ORDER BY id", n=first)
    action = await two.db.write(actions.split, two.actor, first, ids[1]["id"])
    fresh = (await two.db.read(actions.view, two.actor, action)).deed.other

    assert (await two.texts(first), await two.texts(fresh)) == (["One"], ["One more"])
    left, taken = await two.state(first), await two.state(fresh)
    assert (left["unread"], taken["unread"], left["preview"], taken["preview"]) == (1, 1, "One", "One more")
    assert left["waiting_since"] is not None
    assert taken["waiting_since"] is not None
    token = conversations.make_token(two.rig.hub.box, first, ids[1]["id"])
    await two.rig.hear(two.channel, message("An answer to the second", tokens=(token,)))
    assert (await two.texts(fresh))[-1] == "An answer to the second"

    await two.db.write(actions.undo, two.actor, action)
    assert await two.texts(first) == ["One", "One more", "An answer to the second"]
    assert (await two.state(fresh))["merged_into"] == first


async def test_a_split_needs_something_on_both_sides(two: Two) -> None:
    first, second = two.ids
    ids = await two.rig.rows("SELECT id FROM messages WHERE conversation_id = :n ORDER BY id", n=first)

    with pytest.raises(CannotSend, match="stay"):
        await two.db.write(merging.split, two.actor, first, ids[0]["id"])
    with pytest.raises(NotFound):
        await two.db.write(merging.split, two.actor, second, ids[1]["id"])


async def test_no_message_is_lost_while_merges_come_and_go(two: Two) -> None:
    """Messages on the running channel and by token, while the two are merged and separated."""
    first, second = two.ids
    newest = int(await two.rig.scalar("SELECT max(id) FROM messages WHERE conversation_id = :n", n=first))
    token = conversations.make_token(two.rig.hub.box, first, newest)

    async def speak() -> None:
        for n in range(24):
            said: Message = message(f"said {n}", tokens=(token,) if n % 2 else ())
            await two.rig.server.ingest.keep(Envelope(two.channel, b"{}", "test", now()), Reading((said,)))

    async def turn() -> None:
        for _ in range(6):
            join = await two.db.write(merging.merge, two.actor, first, second)
            await two.db.write(merging.separate, two.actor, join)

    await asyncio.gather(speak(), turn())
    await two.rig.quiet()
    await two.merge()

    assert sorted(t for t in await two.texts(second) if t.startswith("said")) == sorted(f"said {n}" for n in range(24))
    assert await two.texts(first) == []
    wrong = (
        "SELECT count(*) FROM messages AS m JOIN events AS e ON e.message_id = m.id AND e.shown"
        " WHERE e.conversation_id <> m.conversation_id"
    )
    assert await two.rig.scalar(wrong) == 0
    assert await two.rig.count("journal", "state = 'failed'") == 0


@ON_POSTGRES  # SQLite has one writer: nothing can come between
async def test_a_message_stored_behind_an_open_merge_follows_it(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The merge commits between the look at where a token leads and the lock on the conversation."""
    first, second = two.ids
    newest = int(await two.rig.scalar("SELECT max(id) FROM messages WHERE conversation_id = :n", n=first))
    token = conversations.make_token(two.rig.hub.box, first, newest)
    loop, looked, merged = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    original = conversations.living

    def slow(conn: Connection, ids: Any) -> Any:
        from sqlalchemy.util import await_only

        found = original(conn, ids)
        if ids:
            loop.call_soon(looked.set)
            await_only(merged.wait())
        return found

    monkeypatch.setattr("hub.store.conversations.living", slow)

    async def between() -> None:
        await looked.wait()
        await two.merge()
        merged.set()

    task = asyncio.create_task(between())
    await two.rig.hear(two.channel, message("In between", tokens=(token,)))
    await task

    assert (await two.texts(second))[-1] == "In between"


# ── two customers ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def other_customers(two: Two) -> int:
    await two.rig.hear(two.channel, message("From somebody else", "api:else"))
    return int(await two.rig.scalar("SELECT max(id) FROM conversations"))


async def whose(two: Two, number: int) -> list[tuple[str, str]]:
    rows = await two.rig.rows(
        "SELECT m.text, c.name, e.customer_id = m.customer_id AS same FROM messages AS m"
        " JOIN customers AS c ON c.id = m.customer_id JOIN events AS e ON e.message_id = m.id AND e.shown"
        " WHERE m.conversation_id = :n ORDER BY m.id",
        n=number,
    )
    assert all(row["same"] for row in rows)
    return [(row["text"], row["name"]) for row in rows]


async def test_conversations_of_two_customers_become_one_when_that_is_meant_and_two_again(two: Two) -> None:
    third, first = await other_customers(two), two.ids[0]
    owner = "SELECT customer_id FROM conversations WHERE id = :n"
    kim, other = await two.rig.scalar(owner, n=first), await two.rig.scalar(owner, n=third)
    before = await whose(two, first), await whose(two, third)
    with pytest.raises(merging.TwoCustomers):
        await two.db.write(actions.merge, two.actor, third, first)
    action = await two.db.write(actions.merge, two.actor, third, first, True)

    named = {name for _, name in await whose(two, first)}
    assert [text for text, _ in await whose(two, first)] == ["One", "One more", "From somebody else"]
    assert len(named) == 1
    assert await two.rig.count("customers", "merged_into IS NOT NULL") == 0
    there = await two.db.read(elsewhere.takes_part, two.actor, other)
    assert [row.id for row in there] == [first]
    assert [g.id for g in await two.db.read(elsewhere.guests, two.actor, first, kim)] == [other]
    await two.rig.hear(two.channel, message("Once more", "api:else"))
    assert (await two.texts(first))[-1] == "Once more"

    await two.db.write(actions.undo, two.actor, action)
    assert (await whose(two, third)) == before[1]
    assert (await two.texts(first))[:2] == [text for text, _ in before[0]]
    assert len({name for _, name in await whose(two, first)}) == 1


async def test_only_who_may_change_customers_merges_conversations_of_two(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = await other_customers(two)
    monkeypatch.setitem(RIGHTS, "customers", frozenset({"admin"}))
    agent = await two.rig.employee("agent")
    with pytest.raises(Forbidden):
        await two.db.write(merging.merge, agent, third, two.ids[0], True)


async def test_what_was_merged_from_somebody_else_stays_theirs_when_the_conversation_is_given_away(two: Two) -> None:
    third, (first, second) = await other_customers(two), two.ids
    other = await two.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=third)
    await two.db.write(actions.merge, two.actor, third, first, True)
    new = await two.db.write(customers.add, two.actor, "Nora", [], None, {})
    await two.db.write(handing.give, two.actor, first, new)

    assert {name for _, name in await whose(two, first)} == {"Nora"}
    assert await two.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=third) == other
    assert await two.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=second) != new


async def test_an_erased_customer_leaves_no_word_where_their_conversation_was_merged_into(two: Two) -> None:
    third, first = await other_customers(two), two.ids[0]
    other = await two.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=third)
    await two.db.write(actions.merge, two.actor, third, first, True)
    await two.rig.hear(two.channel, message("Afterwards, too", "api:else"))
    await two.db.write(privacy.erase, other, two.actor.id)

    assert await two.texts(first) == ["One", "One more", "", ""]
    assert "Afterwards" not in (await two.state(first))["preview"]
    left = "SELECT count(*) FROM journal WHERE CAST(body AS TEXT) LIKE '%somebody else%'"
    assert await two.rig.scalar(left) == 0


async def test_nothing_is_merged_with_what_was_deleted(two: Two) -> None:
    first, second = two.ids
    await two.db.write(privacy.erase_conversation, second, two.actor.id)
    for pair in ((first, second), (second, first)):
        with pytest.raises(CannotSend, match="deleted"):
            await two.db.write(merging.merge, two.actor, *pair)
