"""Tasks, consents and orders of a customer: written down, honoured, merged, handed out and forgotten with them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub import accounts, caring, consents, customers, housemail, outbox, planning, privacy, takeaway, undo, ways
from hub.access import Forbidden
from hub.caring import Order
from hub.clock import now
from hub.customers import Impossible
from hub.outbox import CannotSend, Draft, NotFound
from tests.core.conftest import Rig, message


class Cared:
    """A customer with a conversation, and who looks after them."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.db = rig, rig.hub.db

    async def begin(self) -> Cared:
        self.channel, self.actor = await self.rig.channel(), await self.rig.employee()
        await self.rig.hear(self.channel, message("Hello", "api:kim"))
        self.home = int(await self.rig.scalar("SELECT max(id) FROM conversations"))
        self.kim = int(await self.rig.scalar("SELECT max(id) FROM customers"))
        return self


@pytest.fixture
async def cared(rig: Rig) -> Cared:
    return await Cared(rig).begin()


async def test_tasks_stand_by_their_day_until_they_are_ticked(cared: Cared) -> None:
    db, kim, actor = cared.db, cared.kim, cared.actor
    late = await db.write(caring.add_todo, actor, kim, "Call back", 2_000, actor.id, cared.home)
    some = await db.write(caring.add_todo, actor, kim, "Some day")
    first = await db.write(caring.add_todo, actor, kim, "Send the plan", 1_000)
    assert [t.id for t in await db.read(caring.todos_of, kim)] == [first, late, some]
    assert [t.id for t in await db.read(caring.my_todos, actor)] == [late]
    told = "SELECT count(*) FROM events WHERE kind LIKE 'customer.task%' AND customer_id = :n"
    assert await cared.rig.scalar(told, n=kim) == 3

    await db.write(lambda c: caring.change_todo(c, actor, late, done=True))
    await db.write(lambda c: caring.change_todo(c, actor, late, done=True))
    done = await db.read(caring.todos_of, kim)
    assert [(t.id, t.done_at is not None) for t in done] == [(first, False), (some, False), (late, True)]
    assert await db.read(caring.my_todos, actor) == []
    assert await cared.rig.scalar(told, n=kim) == 4
    await db.write(lambda c: caring.change_todo(c, actor, late, done=False, due_at=None, person_id=None))
    again = await db.read(caring.todo, actor, late)
    assert (again.done_at, again.due_at, again.person_id) == (None, None, 0)


async def test_a_task_of_somebody_who_left_is_ticked_by_another_one(cared: Cared) -> None:
    db, actor, boss = cared.db, cared.actor, await cared.rig.employee("supervisor")
    number = await db.write(caring.add_todo, actor, cared.kim, "Call back", None, actor.id)
    await db.write(accounts.disable, actor.id)
    await db.write(lambda c: caring.change_todo(c, boss, number, done=True))

    done = await db.read(caring.todo, boss, number)
    assert done.done_at is not None and done.person_id == actor.id


async def test_what_is_no_task_and_whose_it_is_not_is_refused(cared: Cared, rig: Rig) -> None:
    db, kim, actor = cared.db, cared.kim, cared.actor
    await rig.hear(cared.channel, message("Other", "api:else"))
    other = int(await rig.scalar("SELECT max(id) FROM conversations"))
    for given in (("", None, None, None), ("x", -1, None, None), ("x", 2**60, None, None), ("x", None, 999, None)):
        with pytest.raises(Impossible):
            await db.write(caring.add_todo, actor, kim, *given)
    with pytest.raises(Impossible):
        await db.write(caring.add_todo, actor, kim, "x", None, None, other)
    with pytest.raises(NotFound):
        await db.write(caring.add_todo, actor, 9999, "x")
    task = await db.write(caring.add_todo, actor, kim, "x")
    team = (
        "INSERT INTO teams (id, slug, name, created_at) VALUES (7, 'x', 'X', 0)",
        f"UPDATE conversations SET team_id = 7, assignee_id = NULL WHERE customer_id = {kim}",
    )
    for statement in team:
        await db.write(lambda c, s=statement: c.execute(sa.text(s)).rowcount)
    with pytest.raises(NotFound):
        await db.write(lambda c: caring.change_todo(c, actor, task, done=True))
    with pytest.raises(NotFound):
        await db.write(caring.consent, actor, kim, "api", "out", "")
    light = await rig.employee("light")
    with pytest.raises(Forbidden):
        await db.write(caring.consent, light, kim, "api", "out", "")


async def test_whoever_opted_out_is_not_written_to_until_they_agree_again(cared: Cared) -> None:
    db, actor, channels = cared.db, cared.actor, cared.rig.hub.channels
    await db.write(outbox.reply, actor, channels, 60, cared.home, Draft("Not arrived", "failed"))
    failed = "UPDATE deliveries SET state = 'failed'"
    await db.write(lambda c: c.execute(sa.text(failed)).rowcount)
    await db.write(caring.consent, actor, cared.kim, "api", "out", "on the phone")
    way = (await db.read(ways.of, channels, cared.kim, cared.channel, cared.home))[0]
    assert (way.why, way.out_at > 0) == ("opted out", True)
    with pytest.raises(CannotSend, match="opted out"):
        await db.write(outbox.reply, actor, channels, 0, cared.home, Draft("x", "a"))
    with pytest.raises(CannotSend, match="opted out"):
        await db.write(outbox.start, actor, channels, 0, Draft("x", "b", via=cared.channel), cared.kim)
    with pytest.raises(CannotSend, match="opted out"):
        await db.write(planning.plan, actor, channels, cared.home, Draft("x", "p"), now() + 60_000)

    [sent] = await cared.rig.rows("SELECT max(id) AS id FROM messages")
    with pytest.raises(CannotSend, match="opted out"):
        await db.write(undo.retry, actor, sent["id"])

    await db.write(caring.consent, actor, cared.kim, "api", "in", "signed")
    [counts] = await db.read(consents.of_customer, cared.kim)
    assert (counts.state, counts.how, counts.by != "") == ("in", "signed", True)
    await db.write(outbox.reply, actor, channels, 0, cared.home, Draft("x", "c"))
    await db.write(caring.consent, actor, cared.kim, "sms", "out", "")
    await db.write(outbox.reply, actor, channels, 0, cared.home, Draft("y", "d"))


async def test_no_mail_of_the_house_goes_to_whoever_opted_out_of_mails(cared: Cared) -> None:
    db, mail = cared.db, "email:kim@x.example"
    await db.write(customers.add_address, cared.actor, cared.kim, mail, "", True)
    assert await db.read(housemail.address_of, cared.home, cared.kim) == mail
    await db.write(caring.consent, cared.actor, cared.kim, "email", "out", "")
    assert await db.read(housemail.address_of, cared.home, cared.kim) == ""


async def test_an_order_is_kept_by_its_number_and_forgotten(cared: Cared) -> None:
    db, actor, kim = cared.db, cared.actor, cared.kim
    one = await db.write(
        caring.order, actor, kim, Order(0, "A-1", 1_000, 1290, "eur", "ordered", "https://s.example/1")
    )
    assert await db.write(caring.order, actor, kim, Order(0, "A-1", 1_000, 1290, "EUR", "shipped", "")) == one
    two = await db.write(caring.order, actor, kim, Order(0, "A-2", 2_000, 5, "EUR", "", ""))
    assert [(o.id, o.state) for o in await db.read(caring.orders_of, kim)] == [(two, ""), (one, "shipped")]
    for wrong in (
        Order(0, "", 1, 1, "", "", ""),
        Order(0, "x", -1, 1, "", "", ""),
        Order(0, "x", 1, 1, "", "", "javascript:x"),
    ):
        with pytest.raises(Impossible):
            await db.write(caring.order, actor, kim, wrong)
    await db.write(caring.remove_order, actor, kim, one)
    with pytest.raises(NotFound):
        await db.write(caring.remove_order, actor, kim, one)


async def test_it_goes_along_when_customers_are_merged_and_back_when_that_is_undone(cared: Cared) -> None:
    db, actor, kim = cared.db, cared.actor, cared.kim
    winner = await db.write(customers.add, actor, "Kim too", [], None, {})
    await db.write(caring.add_todo, actor, kim, "Call")
    await db.write(caring.consent, actor, kim, "api", "out", "")
    for customer, state in ((kim, "loser"), (winner, "winner")):
        await db.write(caring.order, actor, customer, Order(0, "A-1", 1, 1, "EUR", state, ""))
    await db.write(caring.order, actor, kim, Order(0, "A-2", 2, 1, "EUR", "", ""))
    merge = await db.write(customers.merge, actor, winner, kim, "")

    assert [t.text for t in await db.read(caring.todos_of, winner)] == ["Call"]
    assert [(o.number, o.state) for o in await db.read(caring.orders_of, winner)] == [("A-2", ""), ("A-1", "winner")]
    assert [c.state for c in await db.read(consents.of_customer, winner)] == ["out"]
    await db.write(customers.unmerge, actor, winner, merge)
    assert [o.number for o in await db.read(caring.orders_of, kim)] == ["A-2", "A-1"]
    assert (await db.read(caring.todos_of, winner), await db.read(consents.of_customer, winner)) == ([], [])


async def test_it_is_handed_out_and_erased_with_the_customer(cared: Cared, tmp_path: Path) -> None:
    db, actor, kim, hub = cared.db, cared.actor, cared.kim, cared.rig.hub
    await db.write(caring.add_todo, actor, kim, "Call", None, None, cared.home)
    await db.write(caring.consent, actor, kim, "api", "out", "")
    await db.write(caring.order, actor, kim, Order(0, "A-1", 1, 1, "EUR", "", ""))
    await db.read(lambda c: takeaway.export(c, hub.blobs, kim, tmp_path / "x.zip"))
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        about = json.loads(archive.read("customer.json"))
    assert [len(about[name]) for name in ("todos", "consents", "orders")] == [1, 1, 1]
    await db.write(privacy.erase, kim, actor.id)
    assert [await cared.rig.count(name) for name in ("todos", "consents", "orders")] == [0, 0, 0]
