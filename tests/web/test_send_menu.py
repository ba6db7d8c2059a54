"""Further ways to send, without JavaScript: and close, and wait, and snooze."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from hub import accounts, replies
from tests.web.conftest import Page, Site, running


@pytest.fixture
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for an hour."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="3600"), monkeypatch) as here:
        yield here


async def status(site: Site, number: int) -> tuple[str, Any]:
    question = sa.text("SELECT status, snoozed_until FROM conversations WHERE id = :n")
    return tuple(await site.server.hub.db.read(lambda c: c.execute(question, {"n": number}).one()))  # type: ignore[return-value]


def number_of(page: Page) -> int:
    return int(page.one("[data-conversation]").attributes["data-conversation"] or 0)


async def test_send_and_close_goes_on_to_the_next_one_and_can_be_undone_there(site: Site) -> None:
    one, two = await site.say("First", "one", "One"), await site.say("Second", "two", "Two")
    anna = await site.signed_in()
    at_one = await anna.get(f"/c/{one}?in=all&sort=oldest")
    shown = await anna.send(at_one, "#reply", text="Bye", act="status:closed")

    assert number_of(shown) == two
    assert await status(site, one) == ("closed", None)
    assert shown.words("#toast form").startswith("Sent")
    back = await anna.send(shown, "#toast form")
    assert (number_of(back), back.one("#reply-text").text()) == (one, "Bye")
    assert await status(site, one) == ("open", None)
    stays = await anna.send(await anna.get(f"/c/{two}?in=all&sort=oldest"), "#reply", text="Only an answer")
    assert number_of(stays) == two


async def test_after_the_last_one_of_a_list_sending_can_still_be_undone(site: Site) -> None:
    number = await site.say("First")
    anna = await site.signed_in()
    shown = await anna.send(await anna.get(f"/c/{number}?in=all"), "#reply", text="Bye", act="status:closed")

    assert shown.all("[data-conversation]") == [] and shown.words("#toast form").startswith("Sent")
    assert number_of(await anna.send(shown, "#toast form")) == number


async def test_send_and_snooze_by_choice_and_in_words(site: Site) -> None:
    number = await site.say("First")
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}?in=all")
    chosen = [b.attributes["value"] or "" for b in page.all(".way button[name=act]")]
    assert chosen[-2:] == ["snooze:reply", "snooze:"]
    await anna.send(page, "#reply", text="Soon", act=chosen[0])
    assert await status(site, number) == ("snoozed", int(chosen[0][7:]))

    await anna.send(
        await anna.get(f"/c/{number}?in=all"), "#reply", text="When you say so", snooze="bis der Kunde antwortet"
    )
    assert await status(site, number) == ("snoozed", None)
    for words in ("some day", ""):
        wrong = await anna.send(
            await anna.get(f"/c/{number}?in=all"), "#reply", text="Not sent", act="snooze:", snooze=words
        )
        assert wrong.status == 422 and "Say it like" in wrong.words("#trouble")
        assert wrong.one("#reply-text").text() == "Not sent"


async def test_a_saved_reply_that_snoozes_says_so_before_it_is_sent(site: Site) -> None:
    number = await site.say("Hello")
    anna = await site.signed_in()
    form = "form[action='/settings/replies/new']"
    wrong = await anna.send(
        await anna.get("/settings/replies/new"), form, name="Later", text="We look at it", snooze="some day"
    )
    assert wrong.status == 422 and "Say it like" in wrong.words("#e-snooze")
    listed = await anna.send(wrong, form, snooze="in 3 days")
    assert "Then snooze: in 3 days" in listed.words(".tiles .chip")
    part = await anna.get(f"/c/{number}/saved?q=later", X_Hub="part")
    assert "Then snooze: in 3 days" in (part.one("li").attributes["data-acts"] or "")

    actor = await site.server.hub.db.read(accounts.actor, site.people["anna"])
    (kept,) = await site.server.hub.db.read(replies.listing, actor)
    assert kept.actions == ("snooze:in 3 days",)
    page = await anna.get(listed.one(".tiles a").attributes["href"] or "")
    assert page.fields(f"form[action='/settings/replies/{kept.id}']")["snooze"] == "in 3 days"


async def test_what_is_sent_later_stands_with_its_time_and_is_had_back_put_off_and_sent_by_forms(site: Site) -> None:
    number = await site.say("First")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{number}?in=all")
    choices = [b.attributes["value"] or "" for b in page.all(".way button[name=later]")]
    assert choices[-2:] == ["words", "at"]
    shown = await anna.send(page, "#reply", text="Good <b>morning", later=choices[0])

    assert "Good <b>morning" in shown.words("#plans .txt") and "Planned for" in shown.words("#plans .mt time")
    assert shown.all(".bub.out") == [] and shown.one("#reply-text").text() == ""
    assert shown.words("#toast form").startswith("Planned")
    put_off = await anna.send(shown, "#plans form[action*='/time']", later_words="in 3 Tagen")
    (due,) = (t.attributes["datetime"] or "" for t in put_off.all("#plans .mt time"))
    assert due != shown.one("#plans .mt time").attributes["datetime"]
    back = await anna.send(shown, "#toast form")
    assert back.one("#reply-text").text() == "Good <b>morning" and back.words("#plans") == ""
    late = await anna.send(shown, "#plans form[action*='/now']")
    assert late.status == 409
    planned = await anna.send(back, "#reply", later_words="morgen 9")
    seen = await jonas.get(f"/c/{number}?in=all")
    assert seen.words("#plans .mt").startswith("Anna Becker")
    sent = await jonas.send(seen, "#plans form[action*='/now']")
    assert "Good <b>morning" in sent.words(".bub.out") and sent.words("#plans") == ""
    assert planned.words("#plans .mt").startswith("Planned for")


async def test_nobody_names_a_time_and_means_now(site: Site) -> None:
    number = await site.say("First")
    anna = await site.signed_in()
    for wrong in (
        {"later_words": "some day"},
        {"later": "at"},
        {"later": "words", "later_words": ""},
        {"later_at": "x"},
    ):
        page = await anna.send(await anna.get(f"/c/{number}"), "#reply", text="Not now", **wrong)
        assert page.status == 422 and page.words("#trouble") and page.one("#reply-text").text() == "Not now"
    past = await anna.send(await anna.get(f"/c/{number}"), "#reply", text="Not now", later_at="2020-01-01T09:00")
    assert past.status == 422 and "over already" in past.words("#trouble")
    shown = await anna.send(await anna.get(f"/c/{number}"), "#reply", text="Not now", later_at="2027-11-01T09:00")
    assert "1 November 2027, 09:00" in shown.words("#plans .mt time")

    lea = await site.signed_in("lea@firm.example")
    seen = await lea.get(f"/c/{number}")
    assert "Not now" in seen.words("#plans .txt") and seen.all("#plans form") == []
    action = shown.one("#plans form[action*='/back']").attributes["action"]
    assert (await lea.post(action)).status == 403
    for path in ("back", "now", "time"):
        assert (await anna.post(f"/plans/999999/{path}")).status == 404
