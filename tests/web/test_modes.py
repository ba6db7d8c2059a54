"""Answering or taking notes: as somebody chose it in a conversation, and in a note for whoever was mentioned."""

from __future__ import annotations

import sqlalchemy as sa

from hub import outbox
from hub.accounts import actor
from tests.web.conftest import Browser, Site


async def mode(browser: Browser, path: str) -> str:
    page = await browser.get(path)
    return next(m for m in ("reply", "note") if "checked" in page.one(f"#mode-{m}").attributes)


async def test_the_mode_stays_as_chosen_for_each_conversation_and_person(site: Site) -> None:
    one, two = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    assert await mode(anna, f"/c/{one}") == "reply"

    assert (await anna.post(f"/c/{one}/mode", {"mode": "note"}, X_Hub="part")).status == 204
    assert await mode(anna, f"/c/{one}") == "note"
    assert (await mode(anna, f"/c/{two}"), await mode(jonas, f"/c/{one}")) == ("reply", "reply")
    await anna.send(await anna.get(f"/c/{one}?mode=reply"), "#reply", text="Answered")
    assert await mode(anna, f"/c/{one}") == "reply"
    await jonas.send(await jonas.get(f"/c/{two}"), ".f-note", note="Remember")
    assert await mode(jonas, f"/c/{two}") == "note"

    assert (await anna.post("/c/99999/mode", {"mode": "note"})).status == 404
    site_two = sa.text("SELECT count(*) FROM modes")
    assert await site.server.hub.db.read(lambda c: c.execute(site_two).scalar()) == 2


async def test_who_was_mentioned_goes_on_in_a_note(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    boss = await site.server.hub.db.read(actor, site.people["jonas"])
    await site.write(outbox.note, boss, number, "@Anna Becker what do you think?", "n1")

    assert await mode(anna, f"/c/{number}") == "note"
    await anna.post(f"/c/{number}/seen", X_Hub="part")
    assert await mode(anna, f"/c/{number}") == "note"
    await anna.post(f"/c/{number}/mode", {"mode": "reply"})
    assert await mode(anna, f"/c/{number}?in=mentions") == "reply"


async def test_what_enter_does_is_chosen_for_mail_and_for_chats(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.get("/me")
    assert page.fields("#enter") == {"enter_mail": "line", "enter_chat": "send"}

    page = await anna.send(page, "#enter", enter_mail="send", enter_chat="line")
    assert page.fields("#enter") == {"enter_mail": "send", "enter_chat": "line"}
    assert page.one("body").attributes["data-enter-chat"] == "line"
    assert (await anna.post("/me/appearance", {"enter_mail": "explode"})).status == 400
