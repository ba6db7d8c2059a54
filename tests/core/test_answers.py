"""A forward is no answer: whoever waited before it waits after it, whatever is taken back, split or measured."""

from __future__ import annotations

import sqlalchemy as sa

from hub import merging, sla, undo
from hub.fitting import Draft
from hub.messages import Party
from tests.core.conftest import Rig
from tests.core.test_recipients import Desk, mailbox

SUPPLIER = (Party("email:s@supplier.example", 'Sam "forwarded": no'),)


async def forward(desk: Desk, wait: float = 0) -> int:
    newest = int(await desk.rig.scalar("SELECT max(id) FROM messages WHERE direction = 'in'"))
    return await desk.send(Draft("Can you help?", "forward", how="forward", about=newest, to=SUPPLIER), wait)


async def waiting(desk: Desk) -> int | None:
    found: int | None = await desk.rig.scalar("SELECT waiting_since FROM conversations WHERE id = :n", n=desk.home)
    return found


async def test_a_reply_taken_back_after_a_forward_lets_the_customer_wait_again(rig: Rig) -> None:
    desk = await mailbox(rig)
    before = await waiting(desk)
    reply = await desk.send(Draft("Hi", "reply"), wait=3600)
    shown = await forward(desk, wait=3600)
    assert before and await waiting(desk) is None
    await rig.hub.db.write(undo.take_back, desk.actor, reply)

    assert await waiting(desk) == before
    assert await rig.count("participants", "address LIKE '%supplier%'") == 0
    # the words for the customer are in the box: they are set aside
    await rig.hub.db.write(undo.take_back, desk.actor, shown)
    assert await waiting(desk) == before


async def test_a_reply_taken_back_after_another_answer_leaves_nobody_waiting(rig: Rig) -> None:
    desk = await mailbox(rig)
    reply = await desk.send(Draft("Hi", "reply"), wait=3600)
    await desk.send(Draft("Once more", "more", to=SUPPLIER))
    await rig.hub.db.write(undo.take_back, desk.actor, reply)

    assert await waiting(desk) is None


async def test_who_waits_goes_along_when_a_forward_is_split_off_with_the_question(rig: Rig) -> None:
    desk = await mailbox(rig)
    first = desk.home
    await desk.hear("email:kim@home.example", "And another thing", kind="email")
    await rig.hub.db.write(lambda c: c.execute(sa.text(f"UPDATE messages SET conversation_id = {first}")).rowcount)
    desk.home = first
    second = int(await rig.scalar("SELECT max(id) FROM messages"))
    await forward(desk)
    _, home = await rig.hub.db.write(merging.split, desk.actor, first, second)

    desk.home = home
    assert await waiting(desk)


async def test_only_answers_say_that_an_agent_has_spoken(rig: Rig) -> None:
    desk = await mailbox(rig)
    await forward(desk)
    assert await rig.hub.db.read(sla._spoken, [desk.home]) == set()

    await desk.send(Draft("Hi", "reply", to=SUPPLIER))
    assert await rig.hub.db.read(sla._spoken, [desk.home]) == {desk.home}
