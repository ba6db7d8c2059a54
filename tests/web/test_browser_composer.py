"""The composer in a real browser: drafts that survive everything, second thoughts, saved replies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from adapters.api import Channel as Api
from hub import accounts, drafts, privacy, replies
from tests.fakes import lacking, until
from tests.web.conftest import Site, running
from tests.web.test_browser import (  # noqa: F401 - fixtures
    barriers,
    chrome,
    database_kind,
    one_browser,
    pytestmark,
    signed_in,
    until_true,
)
from tests.web.test_recipients import mailbox


@pytest_asyncio.fixture(loop_scope="module")
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that holds every message from the screen for three seconds."""
    async with running(settings(HUB_SENDING__UNDO_SECONDS="3"), monkeypatch) as here:
        yield here


async def opened(chrome: Any, site: Site, number: int) -> Any:  # noqa: F811 - the fixture's value
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    return page


async def drafted(site: Site, text: str) -> bool:
    question = sa.text("SELECT count(*) FROM drafts WHERE text = :text AND ended_at IS NULL")
    return bool(await site.server.hub.db.read(lambda c: c.execute(question, {"text": text}).scalar()))


async def counted(site: Site, table: str, where: str = "1 = 1") -> int:
    question = sa.text(f"SELECT count(*) FROM {table} WHERE {where}")
    return int(await site.server.hub.db.read(lambda c: c.execute(question).scalar()))


async def value(page: Any, selector: str = "#reply-text") -> str:
    return str(await page.input_value(selector))


async def becomes(page: Any, text: str, selector: str = "#reply-text") -> None:
    await until_true(page, "([s, t]) => document.querySelector(s).value === t", [selector, text])


async def test_a_text_typed_a_blink_before_a_reload_is_back(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await opened(chrome, site, await site.say())

    await page.fill("#reply-text", "typed just n")
    await page.reload()

    assert await value(page) == "typed just n"
    await until(lambda: drafted(site, "typed just n"))
    assert await counted(site, "drafts", "details LIKE '%\"sure\"_true%'") == 1  # nobody typed the recipient
    assert page.complaints == []


async def test_texts_stay_in_their_conversations_over_many_switches(chrome: Any, site: Site) -> None:  # noqa: F811
    one, two = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    page = await opened(chrome, site, one)
    said = ""
    for n in range(25):
        said += f"word {n} "
        await page.fill("#reply-text", said)
        await page.goto(f"{site.base}/c/{two}")
        assert await value(page) == ""
        await page.goto(f"{site.base}/c/{one}")
        assert await value(page) == said

    assert page.complaints == []


async def test_without_the_server_it_is_kept_here_and_saved_later(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    page = await opened(chrome, site, await site.say())
    await page.route("**/drafts/**", lambda route: route.abort())
    await page.fill("#reply-text", "nobody hears me")
    await page.wait_for_selector(".f-reply [data-state].warn >> text=this device only")
    await page.unroute("**/drafts/**")

    await page.wait_for_selector(".f-reply [data-state]:not(.warn) >> text=Saved", timeout=15_000)
    assert await drafted(site, "nobody hears me")


async def test_a_second_browser_has_the_same_draft_with_its_files(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say()
    page = await opened(chrome, site, number)
    await page.fill("#reply-text", "See attached")
    await page.set_input_files("[type=file]", {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"})
    await page.wait_for_selector("[data-kept] >> text=plan.pdf")
    await until(lambda: counted(site, "draft_files"))
    other = await opened(chrome, site, number)

    assert await value(other) == "See attached"
    assert await other.is_checked("[data-kept] input")
    await other.goto(f"{site.base}/inbox/drafts")
    await other.wait_for_selector("#rows .dr >> text=Draft:")
    assert page.complaints + other.complaints == []


async def test_two_tabs_are_told_of_each_other_and_choose(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say()
    one, two = await opened(chrome, site, number), await opened(chrome, site, number)
    await one.fill("#reply-text", "from one")
    await until(lambda: drafted(site, "from one"))
    await two.fill("#reply-text", "from two")
    await two.wait_for_selector("#newer:not([hidden])")
    await two.click("[data-newer=take]")
    assert await value(two) == "from one"

    await two.fill("#reply-text", "two again")
    await until(lambda: drafted(site, "two again"))
    await one.fill("#reply-text", "one insists")
    await one.click("[data-newer=keep]")
    await until(lambda: drafted(site, "one insists"))
    assert one.complaints + two.complaints == []


async def test_undo_brings_everything_back_and_nothing_leaves(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await opened(chrome, site, await site.say())
    await page.fill("#reply-text", "Dear wrong person")
    await page.set_input_files("[type=file]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
    await page.wait_for_selector("[data-kept] >> text=a.txt")
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector(".bub.out >> text=Dear wrong person")
    await becomes(page, "")
    await page.click("#timeline")
    await page.keyboard.press("z")

    await becomes(page, "Dear wrong person")
    await page.wait_for_selector("[data-kept] >> text=a.txt")
    await page.wait_for_selector(".bub.out", state="detached")
    await page.wait_for_selector("#toast form", state="detached")
    assert await counted(site, "deliveries") == 0
    assert await counted(site, "attachments", "message_id IS NOT NULL") == 0

    await page.click(".f-reply .btn-p")
    await page.wait_for_selector(".bub.out")
    await page.wait_for_selector("#toast form", state="detached")
    assert await counted(site, "messages", "direction = 'out'") == 1
    assert page.complaints == []


#: Everything about an answer that is not its text: whom it goes to and how, its subject, its files, which box it stood in.
WHOM = """() => { const v = n => document.querySelector(`#composer .f-reply [name=${n}]`).value, kept = '[data-kept] .trunc'
  return [...['to', 'cc', 'bcc', 'subject', 'how'].map(v), document.querySelector('[name=via]:checked').dataset.name,
    document.querySelector(`#composer ${kept}`)?.textContent, document.querySelector('[name=mode]:checked').id] }"""


async def test_undo_brings_back_whom_it_goes_to_with_copies_subject_files_and_the_box_it_stood_in(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    """D5"""
    await site.say("Hello", "kim", "Kim")
    page = await opened(chrome, site, await mailbox(site))
    await page.click(".rcp summary")
    await page.fill("#composer [name=cc]", "boss@home.example")
    await page.fill("#composer [name=bcc]", "law@home.example")
    await page.fill("#composer [name=subject]", "Your parcel, at last")
    await page.set_input_files("[type=file]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"a"})
    await page.wait_for_selector("[data-kept] >> text=a.txt")
    await page.fill("#reply-text", "It is here")
    wanted = await page.evaluate(WHOM)
    await page.click(".f-reply .split .btn-p")
    await page.wait_for_selector(".card.out >> text=It is here")
    await becomes(page, "")
    await page.click("label:has(#mode-note)")
    assert (await page.evaluate(WHOM))[1:4] == ["", "", ""]
    await page.click("#timeline")
    await page.keyboard.press("z")

    await becomes(page, "It is here")
    assert await page.evaluate(WHOM) == wanted
    assert wanted[1:4] == ["boss@home.example", "law@home.example", "Your parcel, at last"]
    await page.wait_for_selector("#toast form", state="detached")
    assert await counted(site, "deliveries") == 0
    await page.reload()
    assert await page.evaluate(WHOM) == wanted
    assert page.complaints == []


async def test_who_closes_the_tab_has_sent_all_the_same(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await opened(chrome, site, await site.say())
    await page.fill("#reply-text", "I am off")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector("#toast form")
    await page.context.close()

    await until(lambda: counted(site, "deliveries", "state <> 'queued'"), 8)
    assert await counted(site, "deliveries") == await counted(site, "messages", "direction = 'out'") == 1


async def test_a_note_stays_a_note_and_a_discarded_draft_comes_back(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await opened(chrome, site, await site.say())
    await page.click("label:has(#mode-note)")
    await page.fill("#note-text", "First")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(".nt >> text=First")
    assert await page.is_checked("#mode-note")
    await page.fill("#note-text", "Second thoughts")
    await page.click(".f-note [data-drop]")
    await becomes(page, "", "#note-text")
    await page.click("#toast button")

    await becomes(page, "Second thoughts", "#note-text")
    assert page.complaints == []


def _replies(conn: Connection, anna: int) -> None:
    actor = accounts.actor(conn, anna)
    assert actor is not None
    text = (
        "Dear {{customer.first_name}},\n\nthis is #{{conversation.number}}.\n{{conversation.subject}}\n{{agent.name}}"
    )
    given = {"name": "Welcome", "text": text, "visibility": "everyone", "shortcut": "hi", "actions": ["tag:greeted"]}
    replies.add(conn, actor, given)
    replies.add(conn, actor, {"name": "Opening hours", "text": "We open at nine.", "visibility": "everyone"})


async def test_a_saved_reply_fills_itself_and_what_is_missing_blocks_sending(chrome: Any, site: Site) -> None:  # noqa: F811
    await site.write(_replies, site.people["anna"])
    number = await site.say()
    page = await opened(chrome, site, number)
    await page.focus("#reply-text")
    await page.keyboard.type("/")
    await page.wait_for_selector("#picks [role=option] >> text=Opening hours")
    await page.keyboard.type("wel")
    await page.wait_for_selector("#found li[aria-selected=true] >> text=Welcome")
    await until_true(page, "document.querySelectorAll('#found li').length === 1")
    await page.keyboard.press("Enter")

    text = f"Dear Katrin,\n\nthis is #{number}.\n{{{{conversation.subject}}}}\nAnna Becker"
    assert await value(page) == text
    assert await page.locator(".mirror mark").count() == 1
    await page.click(".f-reply .btn-p")
    chosen = (
        "document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)"
    )
    await until_true(page, f"{chosen} === '{{{{conversation.subject}}}}'")
    assert await counted(site, "messages", "direction = 'out'") == 0
    await page.keyboard.type("About your parcel")
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector(".bub.out >> text=About your parcel")
    assert await counted(site, "tags", "tag = 'greeted'") == 1
    assert page.complaints == []


async def test_a_forgotten_attachment_is_asked_about_once(chrome: Any, site: Site) -> None:  # noqa: F811
    page = await opened(chrome, site, await site.say())
    await page.fill("#reply-text", "Im Anhang finden Sie den Plan.")
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector("[data-no-file]:not([hidden])")
    assert await counted(site, "messages", "direction = 'out'") == 0
    await page.click("[data-sure]")

    await page.wait_for_selector(".bub.out >> text=Im Anhang")
    assert await page.is_hidden("[data-doubt]")
    assert page.complaints == []


async def test_axe_finds_no_barrier_in_the_composer(chrome: Any, site: Site) -> None:  # noqa: F811
    try:
        from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
    except ImportError:
        lacking("axe-playwright-python is not installed here")
    await site.write(_replies, site.people["anna"])
    page = await opened(chrome, site, await site.say())
    script, said = Axe().axe_script, []
    await page.click("[data-picker]")
    await page.wait_for_selector("#picks [role=option] >> text=Welcome")
    said += await barriers(script, page, "saved replies")
    await page.click("#found li >> text=Welcome")
    await page.wait_for_selector("[data-missing]:not([hidden])")
    said += await barriers(script, page, "a place to fill in")
    await page.fill("#reply-text", "Hello")
    await page.wait_for_selector("[data-drop]:not([hidden])")
    await page.click(".f-reply [data-drop]")
    await page.wait_for_selector("#toast form")
    await page.evaluate("document.querySelector('#newer').hidden = false")
    said += await barriers(script, page, "a newer draft, and one that is gone")
    for path in ("/inbox/drafts", "/me", "/settings/replies", "/settings/replies/new"):
        await page.goto(site.base + path)
        said += await barriers(script, page, path)

    assert said == []


async def test_the_channel_is_changed_and_the_text_stays_and_a_closed_window_offers_another_way(
    chrome: Any,  # noqa: F811
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C1, C2: the clock passes while somebody types."""
    number = await site.say("Hello", "kunde")
    await site.write(_second_channel, site)
    await site.server.hub.load_channels()
    monkeypatch.setattr(Api, "traits", msgspec.structs.replace(Api.traits, window_hours=24))
    page = await signed_in(chrome, site)
    await page.goto(f"{site.base}/c/{number}")
    await page.fill("#reply-text", "Half a sentence")
    assert "Free text for another 23 h" in await page.inner_text("[data-window]")

    await page.click(".viabox summary")
    await page.check("[name=via][data-name=Post]", force=True)
    assert await page.inner_text("[data-via-name]") == "Post"
    assert not await page.is_visible("[data-window]")
    await page.check("[name=via]:not([data-name=Post])", force=True)
    assert await page.input_value("#reply-text") == "Half a sentence"
    await page.keyboard.press("Escape")
    await page.evaluate("document.querySelector('[name=via]:checked').dataset.until = Date.now() - 1000")
    await page.click(".f-reply button.btn-p")
    await page.wait_for_selector("[data-over] >> text=Your text is kept")
    assert await page.locator(".bub.out").count() == 0
    await page.click("[data-instead]")
    await page.wait_for_selector("[data-no-subject]:not([hidden])")
    await page.click("[data-sure]")

    await page.wait_for_selector("[data-message] .card.out >> text=Half a sentence")
    assert page.complaints == []


def _second_channel(conn: Any, site: Site) -> None:
    """The firm has a mailbox too."""
    from hub import administration

    given = {"address": "us@firm.example", "smtp.host": "127.0.0.1", "smtp.port": 9, "smtp.tls": "none"}
    administration.add_channel(conn, site.server.hub.box, "email", "Post", given)
    conn.execute(
        sa.text(
            "INSERT INTO identities (id, customer_id, address, bare, created_at)"
            " SELECT 900, customer_id, 'email:kunde@posteo.example', 'kunde@posteo.example', 1 FROM conversations"
        )
    )


async def test_what_was_typed_about_a_deleted_conversation_is_kept_nowhere(chrome: Any, site: Site) -> None:  # noqa: F811
    number = await site.say("zebra")
    page = await opened(chrome, site, number)
    await page.fill("#reply-text", "You said zebra")
    await until(lambda: drafted(site, "You said zebra"))
    await page.fill("#reply-text", "You said zebra, and I")
    await site.write(privacy.erase_conversation, number, site.people["anna"])
    site.server.hub.bus.publish()
    await until_true(
        page, "() => document.querySelector('.sub .chip.bad') && !document.querySelector('#composer textarea')"
    )

    kept = "JSON.stringify([localStorage, sessionStorage])"
    assert "zebra" not in await page.evaluate(kept)
    local = """n => localStorage.setItem(`draft:${document.body.dataset.me}:${n}:reply`,
      JSON.stringify({ content: JSON.stringify({ text: 'zebra', attachments: [] }), version: 1 }))"""
    await page.evaluate(local, number)
    await page.reload()
    await until_true(page, "() => !JSON.stringify(localStorage).includes('zebra')")
    assert await counted(site, "drafts") == 0


async def test_send_and_snooze_in_words_by_enter_goes_on_to_the_next_and_the_field_is_empty_again(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    one, two = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    page = await opened(chrome, site, one)
    await page.goto(f"{site.base}/c/{one}?in=all&sort=oldest")
    await page.fill("#reply-text", "Soon")
    await page.click(".split .menu > summary")
    await page.click(".way > summary")
    await page.fill(".way [name=snooze]", "left behind")
    await page.keyboard.press("Escape")
    await until_true(page, "() => document.querySelector('.way [name=snooze]').value === ''")
    await page.click(".split .menu > summary")
    await page.click(".way > summary")
    await page.fill(".way [name=snooze]", "morgen 9")
    await page.wait_for_selector(".way [data-says] >> text=09:00")
    await page.keyboard.press("Enter")

    await page.wait_for_url(f"**/c/{two}?*")
    await until(lambda: counted(site, "conversations", f"id = {one} AND status = 'snoozed' AND snoozed_until > 0"))
    assert await page.text_content("#toast form .grow") == "Sent"
    await page.keyboard.press("z")
    await page.wait_for_url(f"**/c/{one}?*")
    await becomes(page, "Soon")
    assert await counted(site, "conversations", "status = 'open'") == 2
    assert page.complaints == []


async def test_what_is_planned_comes_back_into_the_box_and_leaves_at_its_time_before_everybodys_eyes(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    number = await site.say()
    page, other = await opened(chrome, site, number), await opened(chrome, site, number)
    await page.fill("#reply-text", "Good morning")
    await page.click(".split .menu > summary")
    await page.click(".way:last-child > summary")
    await page.fill(".way [name=later_words]", "morgen 9")
    await page.keyboard.press("Enter")
    await other.wait_for_selector("#plans >> text=Good morning")
    assert await value(page) == ""
    await page.fill("#reply-text", "and more")
    await page.click("#plans >> text=Edit")

    await becomes(page, "Good morning\n\nand more")
    await until_true(other, "() => !document.querySelector('#plans article')")
    await page.click(".split .menu > summary")
    await page.click(".way:last-child > summary")
    await page.fill(".way [name=later_words]", "in 2 h")
    await page.keyboard.press("Enter")
    await other.wait_for_selector("#plans >> text=and more")
    due = sa.text("UPDATE plans SET due_at = 1")
    await site.write(lambda c: c.execute(due).rowcount)
    await other.wait_for_selector(".bub.out >> text=and more")
    await until_true(page, "() => !document.querySelector('#plans article') && !!document.querySelector('.bub.out')")
    assert await counted(site, "messages", "direction = 'out'") == 1
    assert page.complaints + other.complaints == []


async def test_emoji_come_by_name_or_button_and_a_mention_in_an_answer_is_told_where_it_works(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    page = await opened(chrome, site, await site.say())
    await page.type("#reply-text", "Well done :par")
    await page.wait_for_selector("#emoji [aria-selected=true] >> text=party")
    await page.keyboard.press("Enter")
    assert await value(page) == "Well done 🎉"
    await page.click(".f-reply [data-emoji]")
    await page.wait_for_selector("#emoji.all [role=option] >> nth=100")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Enter")
    assert await value(page) == "Well done 🎉😊"
    await page.wait_for_selector("#emoji", state="hidden")
    await page.type("#reply-text", " 10:30 :D @jo")
    await page.wait_for_selector("[data-no-mention]")
    await page.type("#reply-text", " ")
    await page.wait_for_selector("[data-no-mention]", state="hidden")
    assert await page.is_hidden("#emoji")
    await page.check("#mode-note", force=True)
    await page.type("#note-text", "@Jo")
    await page.wait_for_selector("#mates >> text=Jonas Meier")
    await page.keyboard.press("Enter")
    await page.type("#note-text", ":than")
    await page.wait_for_selector("#emoji >> text=please")
    await page.click("#emoji [role=option]")
    assert await value(page, "#note-text") == "@Jonas Meier 🙏"
    assert page.complaints == []


async def test_a_file_that_failed_is_tried_again_and_one_under_way_outlives_a_look_elsewhere(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    one, two = await site.say("One", "one", "One"), await site.say("Two", "two", "Two")
    page = await opened(chrome, site, one)
    await page.goto(f"{site.base}/c/{one}?in=all")
    held: list[Any] = []
    await page.route("**/api/v1/attachments", lambda route: route.abort())
    await page.fill("#reply-text", "See the plan")
    await page.set_input_files("[type=file]", {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"})
    await page.wait_for_selector(".keep .up [data-retry]")
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector("#trouble >> text=plan.pdf could not be uploaded")
    assert await counted(site, "messages", "direction = 'out'") == 0
    await page.unroute("**/api/v1/attachments")
    await page.route("**/api/v1/attachments", lambda route: held.append(route))
    await page.click(".keep .up [data-retry]")
    await page.click(f"#c{two} a")
    await page.wait_for_url(f"**/c/{two}*")
    assert await page.query_selector(".keep .up") is None
    await page.click(f"#c{one} a")
    await page.wait_for_url(f"**/c/{one}*")
    await page.wait_for_selector(".keep .up progress")
    await until(lambda: stopped(held))
    await held[0].continue_()

    await page.wait_for_selector("[data-kept] input[name=file]")
    await page.unroute("**/api/v1/attachments")
    assert await page.query_selector(".keep .up") is None
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector(".att >> text=plan.pdf")
    assert await counted(site, "attachments", "message_id IS NOT NULL") == 1


async def stopped(held: list[Any]) -> bool:
    return bool(held)


async def test_a_forward_taken_back_and_the_answer_that_stands_in_the_box_lose_nothing(
    chrome: Any,  # noqa: F811
    site: Site,
) -> None:
    number = await site.say("Where is it?")
    page = await opened(chrome, site, number)
    await page.fill("#reply-text", "A first answer")
    await page.click(".f-reply .btn-p")
    await page.wait_for_selector("#toast >> text=Undo")
    mail = await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT min(id) FROM messages")).scalar())
    forward = drafts.Content("Please look at this", how="forward", about=int(mail))
    actor = await site.server.hub.db.read(accounts.actor, site.people["anna"])
    await site.write(drafts.put, actor, number, "reply", forward)
    await page.click("#toast button")

    await becomes(page, "A first answer")
    await page.wait_for_selector("#plans >> text=Please look at this")
    await page.click("#plans >> text=Edit")
    await becomes(page, "Please look at this")
    await page.wait_for_selector("#plans >> text=A first answer")
    assert await page.input_value(".f-reply [name=how]") == "forward"
    assert page.complaints == []
