"""The sample: a whole firm that moves in by one transaction, is the same at every run, and leaves nothing behind."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.life import act
from hub import accounts, collaboration, outbox, search
from hub.access import Actor
from hub.accounts import Invalid
from hub.sample.loading import colleagues, load, loaded
from hub.sample.plan import plan
from hub.sample.removing import remove
from hub.sample.words import CHANNELS, PEOPLE, WORKING
from hub.tables import metadata
from tests.core.conftest import Rig, message

AT = 1_795_450_500_000
#: What a house keeps of its own: counters count on, and what happened has happened.
COUNTED_ON = {"counters", "events", "facts", "leases", "presence"}


def test_the_plan_follows_from_the_seed_and_the_moment_alone() -> None:
    assert plan(1, AT) == plan(1, AT)
    assert plan(1, AT) != plan(2, AT)


def test_the_plan_has_every_state_channel_and_both_languages_and_nothing_from_the_future() -> None:
    threads = plan(1, AT)

    assert (len(threads), len({t.person for t in threads})) == (200, len(PEOPLE)) == (200, 40)
    assert {t.status for t in threads} == {"open", "waiting", "snoozed", "closed"}
    assert {t.channel for t in threads} == {c.key for c in CHANNELS}
    assert {t.language for t in threads} == {"de", "en"}
    assert max(line.at for t in threads for line in t.said) < AT
    assert min(line.at for t in threads for line in t.said) > AT - 40 * 86_400_000
    assert not any("{" in line.text for t in threads for line in t.said)
    assert any(t.draft for t in threads)
    assert any(line.who == "n" and "@" in line.text for t in threads for line in t.said)


async def rows_of(rig: Rig) -> dict[str, list[Any]]:
    """Everything in the house by table, in a settled order."""

    def read(conn: Connection) -> dict[str, list[Any]]:
        tables = [t for t in metadata.sorted_tables if t.name not in COUNTED_ON]
        found = {t.name: sorted(map(repr, conn.execute(sa.select(t)))) for t in tables}
        order = sa.text("SELECT kind, name FROM routing_rules ORDER BY position")
        return found | {"routing_rules": list(conn.execute(order))}

    return await rig.hub.db.read(read)


async def move_in(rig: Rig, me: int | None = None) -> None:
    await rig.hub.db.write(lambda c: load(c, rig.hub.box, me=me))
    await rig.hub.load_channels()


async def test_what_moved_in_agrees_with_itself(no_jobs: None, rig: Rig) -> None:
    await move_in(rig)

    newest = "SELECT max(m.id) FROM messages m WHERE m.conversation_id = c.id AND m.kind <> 'note'"
    assert await rig.count("conversations") == 200
    assert await rig.count("conversations c", f"c.last_message_id <> ({newest})") == 0
    assert await rig.count("conversations", "unread > 0 AND waiting_since IS NULL") == 0
    assert await rig.count("conversations", "status = 'snoozed' AND snoozed_until IS NULL") == 0
    assert await rig.count("deliveries", "state NOT IN ('sent', 'delivered', 'read')") == 0
    assert await rig.count("sla_clocks") == await rig.count("conversations", "waiting_since IS NOT NULL")
    told = await rig.rows("SELECT at FROM events WHERE conversation_id IS NOT NULL ORDER BY id")
    assert [row["at"] for row in told] == sorted(row["at"] for row in told)


async def test_it_moves_in_once(no_jobs: None, rig: Rig) -> None:
    await move_in(rig)

    with pytest.raises(Invalid, match="already"):
        await move_in(rig)


async def test_whoever_looks_around_has_work_and_nobody_made_up_can_sign_in_or_administer(
    no_jobs: None, rig: Rig
) -> None:
    boss = await rig.employee("admin")
    await move_in(rig, boss.id)

    assert await rig.count("conversations", f"assignee_id = {boss.id} AND status = 'open'") >= 12
    assert await rig.count("drafts", f"employee_id = {boss.id}") > 0
    assert await rig.count("employees", "role = 'admin'") == 1
    assert await rig.count("employees", "password_hash IS NOT NULL") == 0


async def test_it_leaves_as_if_it_had_never_been_there(no_jobs: None, rig: Rig) -> None:
    boss = await rig.employee("admin")
    channel = await rig.channel()
    await rig.hear(channel, message("A real one"))
    before = await rows_of(rig)
    await move_in(rig, boss.id)
    people = await rig.hub.db.read(colleagues)
    sample = await rig.scalar("SELECT id FROM conversations WHERE status = 'open' ORDER BY id DESC")

    def meddle(conn: Connection) -> None:
        real = conn.execute(sa.text("SELECT id FROM conversations ORDER BY id")).scalar()
        elif_ = accounts.actor(conn, people["elif"])
        assert elif_ is not None
        mighty = Actor(elif_.id, elif_.name, elif_.email, "admin")
        collaboration.assign(conn, boss, real, people["elif"], None)
        outbox.note(conn, boss, sample, "What I thought of it", "n1")
        outbox.note(conn, mighty, real, "What somebody made up thought of something real", "n2")

    await rig.hub.db.write(meddle)
    assert await rig.hub.db.write(remove, boss.id) == 200
    assert await rig.hub.db.read(lambda c: search.find(c, "yılmaz")) == []

    after = await rows_of(rig)
    assert {name for name in before if after[name] != before[name]} == {
        "actions",
        "action_steps",
        "conversations",
        "messages",
    }
    assert await rig.rows("SELECT assignee_id, status FROM conversations") == [{"assignee_id": None, "status": "open"}]
    assert await rig.rows("SELECT author_id, sender_name, text FROM messages WHERE kind = 'note'") == [
        {"author_id": None, "sender_name": "Elif Yılmaz", "text": "What somebody made up thought of something real"}
    ]
    assert await rig.count("message_search") == 2
    assert await rig.hub.db.read(loaded) is False
    assert await rig.hub.db.write(remove, boss.id) == 0


async def test_colleagues_take_answer_note_and_close_and_only_in_the_sample(no_jobs: None, rig: Rig) -> None:
    channel = await rig.channel()
    await rig.hear(channel, message("A real one"))
    real = await rows_of(rig)
    await move_in(rig)
    people = await rig.hub.db.read(colleagues)
    mine = [r["id"] for r in await rig.rows("SELECT id FROM samples WHERE kind = 'channels'")]
    waiting = "UPDATE conversations SET waiting_since = last_message_at WHERE status = 'open'"
    await rig.hub.db.write(lambda c: c.execute(sa.text(waiting)))
    dice, done = random.Random(1), set()

    for turn in range(80):
        who = people[dice.choice(WORKING)]
        done.add(await rig.hub.db.write(act, rig.hub, who, mine, dice, f"t{turn}"))

    assert done >= {"take", "answer", "note", "close"}
    assert real["conversations"][0] in (await rows_of(rig))["conversations"]
    assert await rig.count("messages", f"channel_id = {channel}") == 1
