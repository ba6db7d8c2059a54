"""The composer without JavaScript: drafts stand in their boxes, second thoughts are plain forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub import accounts, drafts, replies
from hub.drafts import Content
from tests.web.conftest import Site, running


@pytest.fixture
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for an hour."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="3600"), monkeypatch) as here:
        yield here


async def keep(site: Site, number: int, text: str, mode: Any = "reply", who: str = "anna") -> drafts.Kept:
    actor = await site.server.hub.db.read(accounts.actor, site.people[who])
    return await site.write(drafts.put, actor, number, mode, Content(text))


async def scalar(site: Site, question: str) -> Any:
    return await site.server.hub.db.read(lambda c: c.execute(sa.text(question)).scalar())


async def test_a_draft_stands_in_its_box_on_the_row_and_in_its_list(site: Site) -> None:
    number, other = await site.say("Hello", subject="One"), await site.say("Else", "other", "Other")
    await keep(site, number, "Dear Katrin,\n\nthank")
    await keep(site, other, "only for us", "note")
    await keep(site, other, "of somebody else", who="jonas")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")

    assert page.one("#reply-text").text() == "Dear Katrin,\n\nthank"
    assert page.words(".f-reply [data-state]").startswith("Saved ")
    assert page.words(f"#c{number} .pv") == "Draft: Dear Katrin, thank"
    note = await anna.get(f"/c/{other}")
    assert "checked" in note.one("#mode-note").attributes
    assert note.one("#note-text").text() == "only for us"
    assert note.one("#reply-text").text() == ""
    listed = await anna.get("/inbox/drafts")
    assert [row.attributes["id"] for row in listed.all("#rows > li")] == [f"c{other}", f"c{number}"]
    assert listed.words("#views a[href='/inbox/drafts'] .count") == "2"


async def test_sending_ends_the_draft_and_can_be_undone_by_a_form(site: Site) -> None:
    number = await site.say("Hello")
    await keep(site, number, "Dear Katrin")
    anna = await site.signed_in()
    sent = await anna.send(await anna.get(f"/c/{number}"), "#reply")

    assert sent.one("#reply-text").text() == ""
    assert "Dear Katrin" in sent.words(".bub.out")
    assert sent.words("#toast form").startswith("SentUndo")
    back = await anna.send(sent, "#toast form")
    assert back.one("#reply-text").text() == "Dear Katrin"
    assert back.all(".bub.out") == [] and back.all("#toast form") == []
    assert await scalar(site, "SELECT count(*) FROM deliveries") == 0
    again = await anna.send(back, "#reply")
    assert len(again.all(".bub.out")) == 1


async def test_undo_comes_too_late_or_from_somebody_else_and_says_so(site: Site) -> None:
    number = await site.say("Hello")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    sent = await anna.send(await anna.get(f"/c/{number}"), "#reply", text="Hi")
    action = sent.one("#toast form").attributes["action"]

    assert (await jonas.post(action)).status == 403
    await site.write(lambda c: c.execute(sa.text("UPDATE deliveries SET attempts = 1")).rowcount)
    late = await anna.post(action)
    assert late.status == 409
    assert "on its way" in late.words("#failure-words")
    assert (await anna.post("/messages/99999/undo")).status == 404


async def test_a_draft_is_discarded_and_had_again_by_forms(site: Site) -> None:
    number = await site.say("Hello")
    await keep(site, number, "No, not like this")
    anna = await site.signed_in()
    gone = await anna.send(await anna.get(f"/c/{number}"), "#drop-reply")

    assert gone.one("#reply-text").text() == ""
    assert gone.words("#toast form").startswith("Draft discardedUndo")
    back = await anna.send(gone, "#toast form")
    assert back.one("#reply-text").text() == "No, not like this"
    assert (await anna.get("/c/1/drafts/other/discard")).status == 404


async def test_what_cannot_be_sent_comes_back_as_it_was_typed_not_as_the_draft(site: Site) -> None:
    number = await site.say("Hello")
    await keep(site, number, "the draft")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{number}"), "#reply", text="Dear {{customer.first_name}}, typed")

    assert page.status == 422
    assert "customer.first_name" in page.words("#trouble")
    assert page.one("#reply-text").text() == "Dear {{customer.first_name}}, typed"
    assert await scalar(site, "SELECT count(*) FROM deliveries") == 0


async def test_edited_words_after_a_lost_answer_are_not_lost_and_are_sent_when_wanted(site: Site) -> None:
    number = await site.say("Hello")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    await anna.send(page, "#reply", text="We open at nine")  # and its answer never came

    edited = await anna.send(page, "#reply", text="We open at ten")
    assert edited.status == 409
    assert "with other words: “We open at nine”" in edited.words("#trouble")
    assert edited.one("#reply-text").text() == "We open at ten"
    sent = await anna.send(edited, "#reply")

    assert [n.text() for n in sent.all(".bub.out .txt")] == ["We open at nine", "We open at ten"]
    note = await anna.get(f"/c/{number}?mode=note")
    await anna.send(note, ".f-note", note="Remember")
    again = await anna.send(note, ".f-note", note="Remember this")
    assert again.status == 409 and again.one("#note-text").text() == "Remember this"
    assert len((await anna.send(again, ".f-note")).all(".nt")) == 2


async def test_a_note_ends_its_own_draft_only_and_stays_a_note(site: Site) -> None:
    number = await site.say("Hello")
    await keep(site, number, "for the customer")
    await keep(site, number, "for us", "note")
    anna = await site.signed_in()
    page = await anna.send(await anna.get(f"/c/{number}"), ".f-note")

    assert "checked" in page.one("#mode-note").attributes
    assert page.one("#note-text").text() == ""
    assert page.one("#reply-text").text() == "for the customer"


async def test_saved_replies_come_filled_with_what_they_do_and_do_it_when_sent(site: Site) -> None:
    number = await site.say("Hello")
    actor = await site.server.hub.db.read(accounts.actor, site.people["anna"])
    text = "Dear {{customer.first_name}} <b>"
    given = {"name": "Welcome", "text": text, "actions": ["tag:vip", "status:closed", "assign:me"]}
    await site.write(replies.add, actor, given)
    anna = await site.signed_in()
    part = await anna.get(f"/c/{number}/saved?q=wel", X_Hub="part")
    assert part.one("li").attributes["data-text"] == "Dear Katrin <b>"
    assert "Tag: vip" in (part.one("li").attributes["data-acts"] or "")
    sent = await anna.post(
        f"/c/{number}/reply",
        [("client_id", "x1"), ("text", "Bye"), ("act", "tag:vip"), ("act", "status:closed"), ("act", "assign:me")],
    )

    assert sent.status == 200
    assert await scalar(site, "SELECT status FROM conversations") == "closed"
    assert await scalar(site, "SELECT assignee_id FROM conversations") == actor.id
    assert await scalar(site, "SELECT tag FROM tags") == "vip"
    back = await anna.send(sent, "#toast form")
    assert await scalar(site, "SELECT status FROM conversations") == "open"
    assert [c.attributes["value"] for c in back.all("input[name=act]")] == ["tag:vip", "status:closed", "assign:me"]


async def test_everybody_chooses_how_long_sending_can_be_undone(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.send(await anna.get("/me"), "form[action='/me/undo']", seconds="20")

    assert page.fields("form[action='/me/undo']")["seconds"] == "20"
    assert (await anna.post("/me/undo", {"seconds": "17"})).status == 400
    await anna.send(page, "form[action='/me/undo']", seconds="")
    assert await scalar(site, "SELECT undo_seconds FROM employees WHERE name = 'Anna Becker'") is None


async def test_saved_replies_are_made_changed_and_removed_by_forms(site: Site) -> None:
    anna, lea = await site.signed_in(), await site.signed_in("lea@firm.example")
    form = "form[action='/settings/replies/new']"
    wrong = await anna.send(
        await anna.get("/settings/replies/new"), form, name="Refund", text="{{customer.x}}", tags="money"
    )
    assert wrong.status == 422
    assert "customer.x" in wrong.words("#e-text")
    assert wrong.fields(form)["tags"] == "money"
    filled = {
        "text": "Dear {{customer.first_name}}",
        "status": "closed",
        "visibility": "everyone",
        "shortcut": "/Refund",
    }
    listed = await anna.send(wrong, form, **filled)
    assert "Added." in listed.words(".alert.good")
    assert "Tag: money Then close" in listed.words(".tiles .chip")
    path = listed.one(".tiles a").attributes["href"]
    page = await anna.get(path)
    assert page.fields(f"form[action='{path}']")["shortcut"] == "refund"
    changed = await anna.send(page, f"form[action='{path}']", name="Money back")
    assert "Money back" in changed.words(".tiles")

    assert (await lea.get("/settings/replies")).words(".tiles a") == ""
    assert (await lea.get(path)).status == 403
    gone = await anna.send(await anna.get(path), f"form[action='{path}/remove']")
    assert gone.all(".tiles a") == []
