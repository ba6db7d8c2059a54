"""Whom an answer goes to: exactly those whom the screen showed, whatever arrives meanwhile."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import drafts, fitting, merging, outbox, planning, privacy, undo, ways
from hub.fitting import Draft
from hub.messages import Details, File, Party
from tests.core.conftest import Rig, message


class Desk:
    """A customer with two addresses on one channel, and somebody who answers."""

    def __init__(self, rig: Rig, channel: int, actor: Any) -> None:
        self.rig, self.channel, self.actor = rig, channel, actor
        self.home = 0

    async def hear(self, who: str, text: str = "Hello", **more: Any) -> None:
        await self.rig.hear(self.channel, message(text, who, **more))
        self.home = int(await self.rig.scalar("SELECT max(conversation_id) FROM messages"))

    async def send(self, draft: Draft, wait: float = 0) -> int:
        number, _ = await self.rig.hub.db.write(outbox.reply, self.actor, self.rig.hub.channels, wait, self.home, draft)
        return int(number)

    async def recipients(self, number: int) -> list[str]:
        rows = await self.rig.rows("SELECT recipient FROM deliveries WHERE message_id = :n ORDER BY id", n=number)
        return [row["recipient"] for row in rows]

    async def ways(self) -> list[ways.Way]:
        customer = await self.rig.scalar("SELECT customer_id FROM conversations WHERE id = :n", n=self.home)
        found: list[ways.Way] = await self.rig.hub.db.read(
            ways.of, self.rig.hub.channels, customer, self.channel, self.home
        )
        return found

    async def details(self, number: int) -> Details:
        return msgspec.json.decode(
            await self.rig.scalar("SELECT details FROM messages WHERE id = :n", n=number), type=Details
        )


@pytest.fixture
async def desk(rig: Rig) -> Desk:
    """Kim wrote as api:kim, and is api:kim-home too."""
    made = Desk(rig, await rig.channel(url="http://127.0.0.1:1/"), await rig.employee("admin"))
    await made.hear("api:kim")
    second = (
        "INSERT INTO identities (id, customer_id, address, bare, name, created_at)"
        " SELECT 900, customer_id, 'api:kim-home', 'kim-home', 'Kim at home', 1 FROM conversations"
    )
    await rig.hub.db.write(lambda c: c.execute(sa.text(second)).rowcount)
    return made


async def mailbox(rig: Rig) -> Desk:
    """A customer wrote a mail to us and to a colleague of theirs."""
    made = Desk(
        rig, await rig.channel("email", **{"smtp.host": "127.0.0.1", "smtp.port": 9}), await rig.employee("admin")
    )
    plan = File("plan.pdf", "application/pdf", b"%PDF-1")
    await made.hear("email:kim@home.example", kind="email", subject="A question", files=(plan,))
    return made


async def test_what_is_shown_first_is_whom_a_reply_without_recipient_goes_to(desk: Desk) -> None:
    for who in ("api:kim-home", "api:kim"):
        await desk.hear(who)
        first, second = await desk.ways()

        assert first.address == who and first.key == f"{desk.channel} {who}"
        assert await desk.recipients(await desk.send(Draft("Hi", f"to {who}"))) == [who]
        assert second.address != who and not second.why


async def test_a_second_writer_changes_nobody_elses_recipient(desk: Desk) -> None:
    shown = (await desk.ways())[0]
    await desk.hear("api:kim-home", "Me too")
    number = await desk.send(Draft("Hi", "x", to=(Party(shown.address),), sure=True))

    assert await desk.recipients(number) == ["api:kim"]
    assert (await desk.details(number)).to == (("api:kim", "Kim"),)
    answered = await desk.rig.scalar(
        "SELECT sender FROM messages WHERE id = (SELECT reply_to_id FROM messages WHERE id = :n)", n=number
    )
    assert answered == "api:kim"


async def test_who_is_not_the_customer_any_more_gets_nothing_unless_they_take_part(desk: Desk) -> None:
    home = Draft("Hi", "x", to=(Party("api:kim-home"),), sure=True)
    await desk.rig.hub.db.write(lambda c: c.execute(sa.text("DELETE FROM identities WHERE id = 900")).rowcount)
    with pytest.raises(fitting.Gone, match="kim-home"):
        await desk.send(home)

    assert await desk.rig.count("deliveries") == 0
    await desk.send(msgspec.structs.replace(home, client_id="y", to=(Party("api:kim"),)))
    assert await desk.rig.count("deliveries") == 1


async def test_what_the_customer_prefers_comes_after_what_they_wrote_on_last(desk: Desk) -> None:
    await desk.rig.channel("email")
    mail = 'UPDATE customers SET attributes = \'{"preferred": "email"}\''
    more = (
        "INSERT INTO identities (id, customer_id, address, bare, name, created_at)"
        " SELECT 901, customer_id, 'email:kim@home.example', 'kim@home.example', '', 1 FROM conversations"
    )
    for statement in (mail, more):
        await desk.rig.hub.db.write(_did, statement)

    assert [way.address for way in await desk.ways()] == ["api:kim", "api:kim-home", "email:kim@home.example"]
    await desk.rig.channel()  # somewhere they never wrote
    assert [way.address for way in await desk.ways()][2] == "email:kim@home.example"


async def test_a_blind_copy_takes_no_part_and_is_sent_by_itself(rig: Rig) -> None:
    desk = await mailbox(rig)
    cc, bcc = Party("email:boss@home.example"), Party("email:lawyer@law.example")
    number = await desk.send(Draft("Hi", "x", cc=(cc,), bcc=(bcc,)))

    assert await desk.recipients(number) == ["email:kim@home.example", cc.address, bcc.address]
    assert (await desk.details(number)).bcc == ((bcc.address, ""),)
    part = await rig.rows("SELECT address FROM participants WHERE conversation_id = :n", n=desk.home)
    assert {row["address"] for row in part} == {"email:kim@home.example", cc.address}


async def test_a_forward_carries_the_files_and_answers_nobody(rig: Rig) -> None:
    desk = await mailbox(rig)
    mail = int(await rig.scalar("SELECT id FROM messages"))
    file = int(await rig.scalar("SELECT id FROM attachments"))
    plain = Draft("See below", "x", how="forward", about=mail, files=(file,))
    with pytest.raises(outbox.CannotSend, match="to whom"):
        await desk.send(plain)
    to = (Party("email:plumber@pipes.example"),)
    number = await desk.send(msgspec.structs.replace(plain, to=to, subject=""), wait=60)

    row = (await rig.rows("SELECT * FROM messages WHERE id = :n", n=number))[0]
    assert (row["subject"], row["reply_to_id"]) == ("Fwd: A question", None)
    assert (await desk.details(number)).forwarded == mail
    assert await desk.recipients(number) == ["email:plumber@pipes.example"]
    assert await rig.count("attachments") == 2
    home = (await rig.rows("SELECT * FROM conversations WHERE id = :n", n=desk.home))[0]
    assert home["waiting_since"] and home["unread"] == 1
    assert await rig.count("participants", "address LIKE '%plumber%'") == 0
    kept = await rig.hub.db.write(undo.take_back, desk.actor, number)
    assert (kept.content.how, kept.content.about) == ("forward", mail)
    assert kept.content.to == ("email:plumber@pipes.example",) and len(kept.files) == 1


async def test_a_file_of_another_message_is_nobodys_to_send(rig: Rig) -> None:
    desk = await mailbox(rig)
    file = int(await rig.scalar("SELECT id FROM attachments"))

    for about in (0, 12345):
        with pytest.raises(outbox.CannotSend, match="do not exist"):
            await desk.send(Draft("x", "x", files=(file,), about=about))


async def test_an_answer_taken_back_is_not_joined_with_a_forward(rig: Rig) -> None:
    desk = await mailbox(rig)
    mail, file = (await rig.rows("SELECT message_id, id FROM attachments"))[0].values()
    number = await desk.send(Draft("Dear Kim", "x"), wait=60)
    content = drafts.Content("She is difficult", to=("s@supplier.example",), how="forward", about=mail, files=(file,))
    await rig.hub.db.write(drafts.put, desk.actor, desk.home, "reply", content)
    kept = await rig.hub.db.write(undo.take_back, desk.actor, number)
    assert (kept.content.text, kept.content.how, kept.files) == ("Dear Kim", "reply", ())
    assert await rig.count("deliveries") == 0

    stranger = await rig.employee("supervisor")
    (aside,) = await rig.hub.db.read(planning.listing, desk.actor, desk.home)
    assert (aside.state, aside.draft.text, [f.id for f in aside.files]) == ("aside", "She is difficult", [file])
    assert await rig.hub.db.read(planning.listing, stranger, desk.home) == []
    with pytest.raises(outbox.NotFound):
        await rig.hub.db.write(planning.take_back, stranger, aside.id)
    with pytest.raises(undo.TooLate):
        await rig.hub.db.write(planning.send_now, desk.actor, rig.hub.channels, aside.id)
    swapped = await rig.hub.db.write(planning.take_back, desk.actor, aside.id)
    assert swapped.content == content
    (waiting,) = await rig.hub.db.read(planning.listing, desk.actor, desk.home)
    assert (waiting.state, waiting.draft.text) == ("aside", "Dear Kim")
    await planning.turn(rig.hub)
    assert await rig.count("messages", "direction = 'out'") == 0


async def test_an_answer_and_a_forward_are_both_there_after_their_conversations_were_merged(rig: Rig) -> None:
    desk = await mailbox(rig)
    mail, first = (await rig.rows("SELECT id, conversation_id FROM messages"))[0].values()
    await rig.hub.db.write(_did, "UPDATE conversations SET status = 'closed', closed_at = 1")
    await desk.hear("email:kim@home.example", kind="email", subject="Another question")
    assert desk.home != first
    forward = drafts.Content("She is difficult", how="forward", about=mail)
    await rig.hub.db.write(drafts.put, desk.actor, first, "reply", forward)
    await rig.hub.db.write(drafts.put, desk.actor, desk.home, "reply", drafts.Content("Dear Kim"))
    await rig.hub.db.write(merging.merge, desk.actor, first, desk.home)

    assert (await rig.hub.db.read(drafts.one, desk.actor, desk.home, "reply")).content.text == "She is difficult"
    (aside,) = await rig.hub.db.read(planning.listing, desk.actor, desk.home)
    assert (aside.state, aside.draft.text) == ("aside", "Dear Kim")


@pytest.mark.parametrize("whole", [False, True])
async def test_a_mail_is_erased_while_somebody_is_forwarding_its_file(rig: Rig, whole: bool) -> None:
    desk = await mailbox(rig)
    mail, customer = (await rig.rows("SELECT id, customer_id FROM messages"))[0].values()
    home, file = desk.home, int(await rig.scalar("SELECT id FROM attachments"))
    await desk.hear("email:else@home.example", kind="email")  # the draft may lie in another conversation
    content = drafts.Content("See below", how="forward", about=mail, files=(file,))
    for number in (home, desk.home):
        await rig.hub.db.write(drafts.put, desk.actor, number, "reply", content)
    if whole:
        await rig.hub.db.write(privacy.erase, customer)
    else:
        await rig.hub.db.write(privacy.erase_conversation, home, desk.actor.id)

    assert await rig.count("attachments") == await rig.count("draft_files") == 0
    kept = await rig.hub.db.read(drafts.one, desk.actor, desk.home, "reply")
    assert (kept.content.text, kept.files) == ("See below", ())


def _did(conn: Connection, statement: str) -> int:
    return conn.execute(sa.text(statement)).rowcount
