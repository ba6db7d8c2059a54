"""Whom an answer goes to, on the screens without JavaScript: shown, carried by the form, and sent to exactly those."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, administration, drafts, uploads
from hub.clock import now
from hub.drafts import Content
from hub.messages import Envelope, File, Message, Party, Reading
from hub.uploads import Upload
from tests.fakes import until
from tests.web.conftest import Page, Site

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def also(conn: Connection, address: str, number: int = 900) -> None:
    """Everybody there is (one) has this address too."""
    add = (
        "INSERT INTO identities (id, customer_id, address, bare, name, created_at)"
        " SELECT :n, id, :a, :b, '', 1 FROM customers"
    )
    conn.execute(sa.text(add), {"n": number, "a": address, "b": address.partition(":")[2]})


async def rows(site: Site, question: str) -> list[Any]:
    return await site.server.hub.db.read(lambda c: list(c.execute(sa.text(question)).all()))


async def went_to(site: Site) -> list[str]:
    return [row[0] for row in await rows(site, "SELECT recipient FROM deliveries ORDER BY id")]


def keys(page: Page) -> list[str]:
    return [radio.attributes["value"] for radio in page.all("[name=via]")]


def given(page: Page) -> dict[str, str]:
    """What a browser sends: the fields of the form, and the chosen way, which stands outside of it."""
    (way,) = page.all("[name=via][checked]")
    return page.fields("#reply") | {"via": way.attributes["value"] or ""}


async def begun(site: Site, number: int, content: Content) -> None:
    """Anna has begun to write this."""
    await site.write(lambda conn: drafts.put(conn, accounts.actor(conn, site.people["anna"]), number, "reply", content))


async def mailbox(site: Site, *, box: str = "us@firm.example", port: int = 9, **more: Any) -> int:
    """A mail to us and to others; the conversation's number."""
    settings = {"address": box, "smtp.host": "127.0.0.1", "smtp.port": port, "smtp.tls": "none"}
    row = await site.write(administration.add_channel, site.server.hub.box, "email", "Post", settings)
    await site.server.hub.load_channels()
    mail = Message(
        "mail-1",
        Party("email:kim@home.example", "Kim"),
        kind="email",
        text="Where is it?",
        subject="My parcel",
        to=(Party(f"email:{box}"), Party("email:boss@home.example")),
        cc=(Party("email:lawyer@law.example"),),
        files=(File("plan.pdf", "application/pdf", b"%PDF-1"),),
        **more,
    )
    await site.server.ingest.keep(Envelope(row.config.id, b"raw bytes", "test", now()), Reading((mail,)))
    question = sa.text("SELECT conversation_id FROM messages WHERE provider_id = 'mail-1'")
    return int(await until(lambda: site.server.hub.db.read(lambda c: c.execute(question).scalar())))


async def test_each_address_is_a_line_and_the_chosen_one_stands_in_the_form(site: Site) -> None:
    number = await site.say("Hello")
    await site.write(also, "api:at-home")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    channel = site.channel.config.id

    assert keys(page) == [f"{channel} api:kunde", f"{channel} api:at-home"]
    assert page.words("p[data-whom]") == "to Katrin Vogel, kunde"
    assert page.fields("#reply")["to"] == "kunde"
    await anna.post(f"/c/{number}/reply", given(page) | {"text": "Hi", "via": keys(page)[1]})
    assert await went_to(site) == ["api:at-home"]


async def test_who_writes_meanwhile_does_not_become_the_recipient(site: Site) -> None:
    number = await site.say("Hello")
    await site.write(also, "api:at-home")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    await site.say("Me too", "at-home")
    await anna.post(f"/c/{number}/reply", given(page) | {"text": "Hi"})

    assert await went_to(site) == ["api:kunde"]
    assert keys(await anna.get(f"/c/{number}"))[0].endswith("at-home")


async def test_a_recipient_who_is_not_theirs_any_more_is_a_409_and_the_text_stays(site: Site) -> None:
    number = await site.say("Hello")
    await site.write(also, "api:at-home")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    await site.write(lambda c: c.execute(sa.text("DELETE FROM identities WHERE id = 900")).rowcount)
    refused = await anna.post(f"/c/{number}/reply", given(page) | {"text": "Dear Kim", "via": keys(page)[1]})

    assert refused.status == 409
    assert "“at-home” is not the customer's address any more" in refused.words("#trouble")
    assert refused.one("#reply-text").text() == "Dear Kim"
    assert await went_to(site) == []
    await anna.post(f"/c/{number}/reply", given(refused))
    assert await went_to(site) == ["api:kunde"]


async def test_a_draft_to_who_is_not_theirs_any_more_is_a_409_and_the_text_stays(site: Site) -> None:
    number = await site.say("Hello")
    await site.write(also, "api:at-home")
    anna = await site.signed_in()
    content = Content("Dear Kim", via=site.channel.config.id, to=("at-home",))
    await begun(site, number, content)
    assert (await anna.get(f"/c/{number}")).words("p[data-whom]") == "to at-home"
    await site.write(lambda c: c.execute(sa.text("DELETE FROM identities WHERE id = 900")).rowcount)
    page = await anna.get(f"/c/{number}")
    assert page.words("p[data-whom]") == "to at-home"
    refused = await anna.post(f"/c/{number}/reply", given(page))

    assert (refused.status, refused.one("#reply-text").text()) == (409, "Dear Kim")
    assert "“at-home” is not the customer's address any more" in refused.words("#trouble")
    assert refused.words("p[data-whom]") == "to Katrin Vogel, kunde" and await went_to(site) == []
    await anna.post(f"/c/{number}/reply", given(refused))
    assert await went_to(site) == ["api:kunde"]


async def test_a_mails_draft_to_who_is_not_theirs_any_more_is_a_409_unless_somebody_typed_it(site: Site) -> None:
    number = await mailbox(site)
    await site.write(also, "email:old@home.example")
    anna = await site.signed_in()
    via = int(given(await anna.get(f"/c/{number}"))["via"].split()[0])
    await begun(site, number, Content("Dear Kim", via=via, to=("old@home.example",), sure=True))
    await site.write(lambda c: c.execute(sa.text("DELETE FROM identities WHERE id = 900")).rowcount)
    page = await anna.get(f"/c/{number}")
    assert page.fields("#reply")["to"] == "old@home.example"
    refused = await anna.post(f"/c/{number}/reply", given(page))

    assert (refused.status, refused.one("#reply-text").text()) == (409, "Dear Kim")
    assert refused.fields("#reply")["to"] == "kim@home.example" and await went_to(site) == []
    await anna.post(f"/c/{number}/reply", given(page) | {"to": "new@home.example"})
    assert await went_to(site) == ["email:new@home.example"]


async def test_a_mail_goes_to_what_was_typed_and_blind_copies_show_to_colleagues_only(site: Site) -> None:
    number = await mailbox(site)
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    assert page.fields("#reply")["to"] == page.fields("#reply")["was"] == "kim@home.example"
    sent = given(page) | {"text": "Hi", "to": "kim@home.example, Eve@Home.example", "bcc": "chief@firm.example"}
    shown = await anna.post(f"/c/{number}/reply", sent)

    assert await went_to(site) == ["email:kim@home.example", "email:eve@home.example", "email:chief@firm.example"]
    assert "Bccchief@firm.example" in shown.words(".card.out .who2 dl")
    wrong = await anna.post(f"/c/{number}/reply", given(page) | {"client_id": "2", "text": "Hi", "cc": "nobody"})
    assert wrong.status == 422 and wrong.fields("#reply")["cc"] == "nobody"


async def test_a_mail_is_answered_to_all_without_ourselves(site: Site) -> None:
    number = await mailbox(site)
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    links = {a.text().strip(): a.attributes["href"] for a in page.all(".card .menu a")}
    assert list(links) == ["Reply", "Reply to all", "Forward", "View source", "Move …"]
    taken = await anna.get(links["Reply to all"].partition("#")[0])

    fields = taken.fields("#reply")
    assert fields["to"] == "kim@home.example"
    assert fields["cc"] == "boss@home.example, lawyer@law.example"
    await anna.post(f"/c/{number}/reply", given(taken) | {"text": "Hi all"})
    assert await went_to(site) == ["email:kim@home.example", "email:boss@home.example", "email:lawyer@law.example"]
    source = await anna.get(links["View source"])
    assert source.text == "raw bytes" and source.headers["Content-Type"].startswith("text/plain")
    assert "sandbox" in source.headers["Content-Security-Policy"]


async def test_reply_after_reply_to_all_takes_the_copies_away_and_the_other_way_round(site: Site) -> None:
    number = await mailbox(site)
    anna = await site.signed_in()
    (mail,) = await rows(site, "SELECT id FROM messages")
    cc = ("boss@home.example", "lawyer@law.example")
    for there, mode, then in ((cc, "reply", ""), ((), "all", ", ".join(cc))):
        await begun(site, number, Content("Private words", to=("kim@home.example",), cc=there, about=mail[0]))
        taken = await anna.get(f"/c/{number}?mode={mode}&to={mail[0]}")

        assert (taken.fields("#reply")["cc"], taken.one("#reply-text").text()) == (then, "Private words")
        assert taken.fields("#reply")["to"] == "kim@home.example"


async def test_a_forward_keeps_ones_own_files_and_drops_those_of_another_mail(site: Site) -> None:
    number = await mailbox(site)
    anna = await site.signed_in()
    ((mail, plan),) = await rows(site, "SELECT message_id, id FROM attachments")
    mine = (await site.write(uploads.keep, site.people["anna"], [Upload("mine.pdf", "application/pdf", 5, "0" * 64)]))[
        0
    ]
    await begun(site, number, Content("Look", how="forward", about=mail, files=(plan, mine)))
    for mode, then in (("forward", ["plan.pdf", "mine.pdf"]), ("reply", ["mine.pdf"])):
        page = await anna.get(f"/c/{number}?mode={mode}&to={mail}")
        assert [box.text().strip() for box in page.all("[data-kept] .trunc")] == then
    await begun(site, number, Content("Look", about=mail, files=(mine,)))
    page = await anna.get(f"/c/{number}?mode=forward&to={mail}")
    assert [box.text().strip() for box in page.all("[data-kept] .trunc")] == ["mine.pdf", "plan.pdf"]


async def test_a_forward_quotes_the_mail_and_asks_for_whom(site: Site) -> None:
    number = await mailbox(site)
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    (mail,) = await rows(site, "SELECT id FROM messages")
    path = f"/c/{number}?mode=forward&to={mail[0]}"
    page = await anna.get(path)
    fields = given(page)

    assert (fields["how"], fields["about"], fields["to"]) == ("forward", str(mail[0]), "")
    assert fields["subject"] == "Fwd: My parcel"
    assert "From: Kim <kim@home.example>" in fields["text"] and fields["text"].endswith("Where is it?")
    assert [box.text().strip() for box in page.all("[data-kept] .trunc")] == ["plan.pdf"]
    asked = await anna.post(f"/c/{number}/reply", fields)
    assert asked.status == 422 and "to whom" in asked.words("#trouble")
    assert [box.text().strip() for box in asked.all("[data-kept] .trunc")] == ["plan.pdf"]
    await anna.post(f"/c/{number}/reply", given(asked) | {"to": "plumber@pipes.example"})
    assert await went_to(site) == ["email:plumber@pipes.example"]
    shown = await anna.get(f"/c/{number}")
    assert "Forwarded" in shown.words(".card.out") and "plan.pdf" in shown.words(".card.out .atts")
    assert (await jonas.get(path)).status in (404, 200)  # as the conversation itself is or is not theirs
    assert (await anna.get(f"/c/{number}?mode=forward&to=99999")).status == 404


async def test_what_is_added_to_a_forward_is_a_forward_and_the_customer_still_waits(site: Site) -> None:
    number = await mailbox(site)
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}?mode=forward&to={(await rows(site, 'SELECT id FROM messages'))[0][0]}")
    supplier = {"to": "s@supplier.example", "cc": "chief@supplier.example"}
    page = await anna.post(f"/c/{number}/reply", given(page) | supplier | {"text": "internal"})
    links = {a.text().strip(): (a.attributes["href"] or "").partition("#")[0] for a in page.all(".card.out .menu a")}
    for name, cc, text in (("Reply", "", ""), ("Reply to all", supplier["cc"], "")):
        taken = await anna.get(links[name])
        fields = given(taken)
        assert (fields["how"], fields["to"], fields["cc"], fields["text"]) == ("forward", supplier["to"], cc, text)
        assert fields["subject"] == "Fwd: My parcel"
    await anna.post(f"/c/{number}/reply", given(await anna.get(links["Reply"])) | {"text": "One more thing"})

    assert (await went_to(site))[2:] == ["email:s@supplier.example"]
    assert await rows(site, "SELECT address FROM participants WHERE address LIKE '%supplier%'") == []
    assert (await rows(site, "SELECT waiting_since FROM conversations"))[0][0]
    again = given(await anna.get(links["Reply"].replace("mode=reply", "mode=again")))
    assert (again["how"], again["to"], again["cc"]) == ("forward", *supplier.values())
    assert again["text"] == "internal"


async def test_what_failed_can_be_said_another_way(site: Site) -> None:
    number = await mailbox(site)
    await site.write(also, "api:kim", 901)
    anna = await site.signed_in()
    await anna.post(f"/c/{number}/reply", given(await anna.get(f"/c/{number}")) | {"text": "Hi Kim"})
    await site.write(lambda c: c.execute(sa.text("UPDATE deliveries SET state = 'failed', error = 'no'")).rowcount)
    page = await anna.get(f"/c/{number}")
    assert page.words(".trouble .btn") == "Try again Send another way"
    link = page.one(".trouble a").attributes["href"] or ""
    taken = await anna.get(link.partition("#")[0])

    assert given(taken)["via"] == f"{site.channel.config.id} api:kim"
    assert given(taken)["text"] == "Hi Kim"


async def test_a_sender_whose_server_could_not_confirm_them_is_shown_with_a_warning(site: Site) -> None:
    number = await mailbox(site, failed_checks=("dmarc",))
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")

    assert "DMARC failed" in page.words("article .trouble")
