"""Drafts: versions that cannot run over each other, files that wait with them, and an end that is one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub import drafts, outbox, privacy, uploads
from hub.access import Actor, Forbidden
from hub.clock import now
from hub.drafts import Content, Newer
from hub.outbox import NotFound
from tests.core.conftest import Rig, message


class Desk:
    """An agent with a conversation in front of them."""

    def __init__(self, rig: Rig, actor: Actor, number: int) -> None:
        self.rig, self.actor, self.number = rig, actor, number

    async def put(self, text: str, version: int | None = None, mode: Any = "reply", **more: Any) -> drafts.Kept:
        content = Content(text, **more)
        return await self.rig.hub.db.write(drafts.put, self.actor, self.number, mode, content, version)

    async def one(self, mode: Any = "reply") -> drafts.Kept:
        return await self.rig.hub.db.read(drafts.one, self.actor, self.number, mode)

    async def upload(self, name: str = "a.txt") -> int:
        sha = await asyncio.to_thread(self.rig.hub.blobs.put, name.encode())
        file = uploads.Upload(name, "text/plain", 1, sha)
        return (await self.rig.hub.db.write(uploads.keep, self.actor.id, [file]))[0]

    async def send(self, text: str, version: int | None = None, **more: Any) -> int:
        def work(conn: Any) -> int:
            wanted = outbox.Draft(text, f"c{now()}{text}", **more)
            number, _ = outbox.reply(conn, self.actor, self.rig.hub.channels, 3600, self.number, wanted)
            drafts.sent(conn, self.actor, self.number, "reply", text, version)
            return number

        return await self.rig.hub.db.write(work)


@pytest.fixture
async def desk(rig: Rig) -> Desk:
    channel = await rig.channel(url="http://127.0.0.1:1/")
    actor = await rig.employee()
    await rig.hear(channel, message("Hi"))
    return Desk(rig, actor, await rig.scalar("SELECT id FROM conversations"))


async def test_a_draft_is_kept_per_person_and_mode_with_everything_in_the_box(desk: Desk) -> None:
    file = await desk.upload()
    kept = await desk.put("Dear Kim", via=7, to=("kim@",), cc=("boss@x.example",), subject="Re", files=(file,))
    await desk.put("only for us", mode="note")
    other = Desk(desk.rig, await desk.rig.employee(), desk.number)

    assert (kept.version, kept.alive) == (1, True)
    assert (await desk.one()).content == Content("Dear Kim", 7, ("kim@",), ("boss@x.example",), "Re", (file,))
    assert [f.name for f in (await desk.one()).files] == ["a.txt"]
    assert (await desk.one("note")).content.text == "only for us"
    with pytest.raises(NotFound):
        await other.one()


async def test_whoever_saves_from_an_old_version_is_shown_the_newer_one(desk: Desk) -> None:
    first = await desk.put("one")
    second = await desk.put("one two", first.version)
    with pytest.raises(Newer) as caught:
        await desk.put("uno", first.version)

    assert caught.value.kept == second
    assert (await desk.put("uno", second.version)).version == 3
    assert (await desk.put("uno", 1)).version == 3  # the same again is no change: an answer may have been lost


async def test_twenty_tabs_at_once_make_one_draft_and_nineteen_are_told(desk: Desk) -> None:
    said = await asyncio.gather(*(desk.put(f"tab {n}", 0) for n in range(20)), return_exceptions=True)

    won = [s for s in said if isinstance(s, drafts.Kept)]
    assert len(won) == 1
    assert all(isinstance(s, drafts.Kept | Newer) for s in said), said
    assert (await desk.one()).content == won[0].content


async def test_what_was_sent_is_no_draft_and_a_late_save_does_not_bring_it_back(desk: Desk) -> None:
    kept = await desk.put("Hello Kim", files=(await desk.upload(),))
    await desk.send("Hello Kim", kept.version, files=kept.content.files)

    with pytest.raises(NotFound):
        await desk.one()
    with pytest.raises(Newer):
        await desk.put("Hello Ki", kept.version)
    assert await desk.rig.count("draft_files") == 0


async def test_newer_words_of_another_tab_outlive_the_sending(desk: Desk) -> None:
    kept = await desk.put("Hello")
    await desk.put("Something else", kept.version)
    await desk.send("Hello", kept.version)

    assert (await desk.one()).content.text == "Something else"


async def test_an_emptied_box_is_no_draft(desk: Desk) -> None:
    kept = await desk.put("x")
    gone = await desk.put(" \n", kept.version)

    assert not gone.alive
    assert await desk.rig.hub.db.read(drafts.listing, desk.actor, None, 10) == []
    assert (await desk.put("y", gone.version)).version == 3


async def test_a_discarded_draft_can_be_had_again_with_its_files(desk: Desk) -> None:
    file = await desk.upload()
    await desk.put("Dear Kim", files=(file,))
    await desk.rig.hub.db.write(drafts.discard, desk.actor, desk.number, "reply")
    with pytest.raises(NotFound):
        await desk.one()
    kept = await desk.rig.hub.db.write(drafts.restore, desk.actor, desk.number, "reply")

    assert (kept.content.text, kept.content.files, kept.alive) == ("Dear Kim", (file,), True)


async def test_files_of_a_draft_wait_as_long_as_it_does(desk: Desk) -> None:
    kept, loose = await desk.upload("kept"), await desk.upload("loose")
    await desk.put("later", files=(kept,))
    await desk.rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE attachments SET created_at = 1").rowcount)
    await desk.rig.hub.db.write(uploads.prune_uploads)

    assert [r["id"] for r in await desk.rig.rows("SELECT id FROM attachments")] == [kept]
    assert loose not in (await desk.one()).content.files


async def test_nobodys_other_files_get_into_a_draft(desk: Desk) -> None:
    other = Desk(desk.rig, await desk.rig.employee(), desk.number)
    theirs = await other.upload()

    assert (await desk.put("mine?", files=(theirs, 999))).content.files == ()


async def test_drafts_are_forgotten_after_ninety_days_and_with_the_customer(desk: Desk) -> None:
    await desk.put("old", files=(await desk.upload(),))
    await desk.rig.hub.db.write(lambda c: c.exec_driver_sql("UPDATE drafts SET saved_at = 1"))
    assert await desk.rig.hub.db.write(drafts.prune) == 1
    await desk.put("about Kim", files=(await desk.upload(),))
    customer = await desk.rig.scalar("SELECT id FROM customers")
    await desk.rig.hub.db.write(privacy.erase, customer)

    assert await desk.rig.count("drafts") == await desk.rig.count("draft_files") == 0


async def test_a_light_agent_drafts_notes_only(desk: Desk) -> None:
    light = Desk(desk.rig, await desk.rig.employee("light"), desk.number)

    assert (await light.put("internal", mode="note")).alive
    with pytest.raises(Forbidden):
        await light.put("to the customer")


async def test_pages_of_drafts_hold_each_once(desk: Desk) -> None:
    channel = await desk.rig.channel()
    for n in range(4):
        await desk.rig.hear(channel, message(who=f"api:k{n}"))
    for row in await desk.rig.rows("SELECT id FROM conversations"):
        here = Desk(desk.rig, desk.actor, row["id"])
        await here.put("r")
        await here.put("n", mode="note")
    seen, before = [], None
    while page := await desk.rig.hub.db.read(drafts.listing, desk.actor, before, 3):
        seen += [(k.conversation_id, k.mode) for k in page]
        before = seen[-1]

    assert len(seen) == len(set(seen)) == 10
    assert seen == sorted(seen, reverse=True)
