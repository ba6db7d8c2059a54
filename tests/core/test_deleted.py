"""Where everything was deleted nobody writes: no reply, no note, and no draft that may quote what went."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.util import await_only

from hub import drafts, outbox, privacy
from hub.drafts import Content
from hub.outbox import Deleted, Draft
from tests.core.conftest import message
from tests.core.test_drafts import Desk, desk  # noqa: F401
from tests.fakes import ON_POSTGRES, until


async def delete(desk: Desk) -> None:  # noqa: F811
    await desk.rig.hub.db.write(privacy.erase_conversation, desk.number, desk.actor.id)


async def test_a_deleted_conversation_takes_no_draft_reply_or_note_until_it_goes_on(desk: Desk) -> None:  # noqa: F811
    kept = await desk.put("You said zebra")
    await delete(desk)
    db, channels = desk.rig.hub.db, desk.rig.hub.channels

    for mode in ("reply", "note"):
        with pytest.raises(Deleted):
            await desk.put("You said zebra", kept.version, mode)
    with pytest.raises(Deleted):
        await db.write(drafts.restore, desk.actor, desk.number, "reply")
    with pytest.raises(Deleted):
        await desk.send("Hello again")
    with pytest.raises(Deleted):
        await db.write(outbox.note, desk.actor, desk.number, "zebra", "n1")
    assert await desk.rig.count("drafts") == await desk.rig.count("deliveries") == 0
    assert await desk.rig.count("messages", "text <> ''") == 0

    await desk.rig.hear(await desk.rig.scalar("SELECT id FROM channels"), message("I am back"))
    assert await desk.rig.scalar("SELECT status FROM conversations WHERE id = :n", n=desk.number) == "open"
    assert (await desk.put("Welcome")).alive
    await db.write(outbox.reply, desk.actor, channels, 0, desk.number, Draft("Welcome", "w"))


async def test_of_an_erased_customer_nobody_keeps_a_draft(desk: Desk) -> None:  # noqa: F811
    customer = await desk.rig.scalar("SELECT customer_id FROM conversations")
    await desk.rig.hub.db.write(privacy.erase, customer, desk.actor.id)

    with pytest.raises(Deleted):
        await desk.put("You said zebra")


@ON_POSTGRES
async def test_a_draft_that_comes_while_it_is_deleted_waits_and_is_refused(desk: Desk) -> None:  # noqa: F811
    begun, go = asyncio.Event(), asyncio.Event()

    def deleting(conn: Connection) -> None:
        privacy.erase_conversation(conn, desk.number, desk.actor.id)
        begun.set()
        await_only(go.wait())

    def waits(conn: Connection) -> bool:
        here = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return saving.done() or conn.execute(sa.text(here)).first() is not None

    db, content = desk.rig.hub.db, Content("You said zebra")
    deletion = asyncio.create_task(db.write(deleting))
    await begun.wait()
    saving = asyncio.create_task(db.write(drafts.put, desk.actor, desk.number, "reply", content))
    await until(lambda: db.read(waits), 3)
    go.set()
    await deletion

    with pytest.raises(Deleted):
        await saving
    assert await desk.rig.count("drafts") == 0
