"""The screens without JavaScript: what people do, and what they are told when it cannot be done."""

import asyncio
import re
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from tests.fakes import until
from tests.web.conftest import PASSWORD, Site

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{ 7*7 }}"""


async def test_somebody_signs_in_reads_answers_notes_takes_and_closes(site: Site) -> None:
    number = await site.say("My inverter is broken", subject="Inverter")
    anna = await site.signed_in()

    inbox = await anna.get("/inbox/unassigned")
    assert inbox.words("#rows .nm") == "Katrin Vogel"
    assert inbox.words("#rows .su") == "Inverter"
    page = await anna.get(inbox.one("#rows a").attributes["href"])
    page = await anna.send(page, "form.f-reply", text="We are coming")
    assert page.words(".bub.out .txt") == "We are coming"
    page = await anna.send(page, "form.f-note", note="She is nice")
    assert page.words(".nt .txt") == "She is nice"
    page = await anna.send(page, "form[action*=claim]")
    assert "Anna Becker took this conversation" in page.words(".ev")
    page = await anna.send(page, "#head header form:not(.pop form)")
    assert "Anna Becker closed the conversation" in page.words(".ev")
    assert (await anna.get("/inbox/all?status=closed")).words("#rows .nm") == "Katrin Vogel"

    assert f"/c/{number}?in=unassigned&done=" in page.url


async def test_a_snooze_and_tags_are_kept(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")

    page = await anna.send(page, "form:has([name=add])", add="urgent, money ,urgent")
    page = await anna.send(page, "form:has([name=until])", until="2099-01-02T09:00")
    assert page.url.startswith(f"{site.base}/inbox/all?done=")  # it has left the list of open ones
    page = await anna.get(f"/c/{number}")

    assert "money, urgent" in page.words(".sub")
    assert "2 January 2099, 09:00 UTC" in page.words(".sub")
    assert "snoozed" in page.words(".ev")


async def test_a_snooze_into_the_past_is_explained(site: Site) -> None:
    number = await site.say()
    jonas = await site.signed_in("jonas@firm.example")

    page = await jonas.post(f"/c/{number}/status", {"status": "snoozed", "until": "2001-01-01T00:00"})

    assert (page.status, page.words("#failure-words")) == (
        422,
        "Sagen Sie, bis wann zurückgestellt wird: eine Zeit in der Zukunft.",
    )


async def test_unknown_person_and_wrong_password_get_the_same_words(site: Site) -> None:
    one = await site.browser().login(password="wrong")
    other = await site.browser().login(email="nobody@firm.example")

    assert (one.status, one.words(".alert")) == (other.status, other.words(".alert"))
    assert (one.status, one.words(".alert")) == (401, "E-mail address and password do not match.")
    assert one.one("[name=email]").attributes["value"] == "anna@firm.example"


async def test_ten_wrong_passwords_close_the_account_for_this_address(site: Site) -> None:
    browser = site.browser()
    answers = [await browser.login(password=f"wrong {n}") for n in range(11)]

    assert [a.status for a in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
    assert (await browser.login()).status == 429
    assert (await site.browser().login("jonas@firm.example")).status == 200


async def test_many_wrong_passwords_at_once_do_not_slip_through(site: Site) -> None:
    browser = site.browser()
    answers = await asyncio.gather(
        *(browser.post("/login", {"email": "anna@firm.example", "password": "x"}) for _ in range(25))
    )

    assert sorted({a.status for a in answers}) == [401, 429]
    assert sum(a.status == 401 for a in answers) == 10


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_way_back_after_sign_in_never_leaves_the_hub(site: Site) -> None:
    wanted = {
        "/c/1?in=all": "/c/1?in=all",
        "//evil.example": "/",
        "/\\evil.example": "/",
        "https://evil.example/": "/",
        "javascript:alert(1)": "/",
        "/%0d%0aX: y\r\nX-Evil: 1": "/",
        "/logout": "/",
    }
    led = {}
    for given in wanted:
        data = {"email": "anna@firm.example", "password": PASSWORD, "next": given}
        answer = await site.browser().post("/login", data, follow=False)
        assert answer.status == 303
        led[given] = answer.headers["Location"]

    assert led == wanted


async def test_a_new_sign_in_has_a_new_token_and_ends_the_old_session(site: Site) -> None:
    anna = await site.signed_in()
    first = {c.key: c.value for c in anna.http.cookie_jar}["sid"]

    answer = await anna.post("/login", {"email": "anna@firm.example", "password": PASSWORD}, follow=False)

    cookie = answer.headers["Set-Cookie"]
    assert first not in cookie
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    count = await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT count(*) FROM sessions")).scalar())
    assert count == 1


async def test_by_https_the_cookie_is_bound_to_the_host(settings: Any) -> None:
    from config.app import build
    from tests.web.conftest import fill

    server = await build(settings(HUB_PUBLIC_URL="https://hub.firm.example"), migrate=True)
    await server.hub.db.write(fill, server.hub.box)
    await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            data = {"email": "anna@firm.example", "password": PASSWORD}
            async with http.post(f"http://127.0.0.1:{server.port}/login", data=data, allow_redirects=False) as answer:
                cookie = answer.headers["Set-Cookie"]
    finally:
        await server.stop()

    assert cookie.startswith("__Host-sid=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_who_is_not_signed_in_is_led_to_the_door_and_back(site: Site) -> None:
    number = await site.say()
    browser = site.browser()

    page = await browser.get(f"/c/{number}?in=all")
    assert page.one("form [name=next]").attributes["value"] == f"/c/{number}?in=all"
    page = await browser.send(page, "form", email="anna@firm.example", password=PASSWORD)

    assert page.url == f"{site.base}/c/{number}?in=all"


async def test_sign_out_ends_the_session(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.send(await anna.get("/me"), "form[action='/logout']")

    assert page.url.endswith("/login")
    assert (await anna.get("/inbox/mine", follow=False)).status == 303


async def test_another_site_cannot_do_anything_in_ones_name(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    data = {"text": "x", "note": "x", "client_id": "1", "status": "closed", "tags": "a", "to": "me"}

    for deed in ("reply", "note", "assign", "status", "tags", "seen"):
        for other in ("cross-site", "same-site"):
            assert (await anna.post(f"/c/{number}/{deed}", data, Sec_Fetch_Site=other)).status == 403, (deed, other)
    count = sa.text("SELECT count(*) FROM events WHERE actor_id IS NOT NULL")
    assert await site.server.hub.db.read(lambda c: c.execute(count).scalar()) == 0


async def test_what_strangers_write_is_never_markup(site: Site) -> None:
    number = await site.say(
        EVIL, name=EVIL, subject=EVIL, attachments=[{"name": EVIL, "type": "text/html", "content_base64": "PGI+"}]
    )
    anna = await site.signed_in()
    await anna.send(await anna.get(f"/c/{number}"), "form.f-note", note=EVIL)
    page = await anna.send(await anna.get(f"/c/{number}"), "form[action*=tags]", tags=EVIL)
    customer = page.all(".cust a[href^='/customers/']")[0].attributes["href"]

    pages = [page, *[await anna.get(p) for p in (customer, "/inbox/all", "/search?q=alert", f"/search?q={EVIL}")]]

    for seen in pages:
        assert seen.status == 200
        assert seen.all("img") == []
        assert all("nonce" in script.attributes for script in seen.all("script"))
        assert [n.tag for n in seen.all("*") if any(a.startswith(("on", "style")) for a in n.attributes)] == []
        assert [n for n in seen.all("[href]") if (n.attributes["href"] or "").lower().startswith("javascript")] == []
        assert "49" not in seen.words("h1, .nm, .su, .txt")
    assert pages[0].words(".bub .txt") == EVIL
    assert pages[0].words("#head h1") == EVIL
    assert EVIL in pages[0].words(".att")


async def test_a_dangerous_attachment_is_only_downloaded(site: Site) -> None:
    number = await site.say(attachments=[{"name": 'a"b\r\nc.html', "type": "text/html", "content_base64": "PGI+"}])
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")

    file = await anna.get(page.one("a.att").attributes["href"])

    assert file.headers["Content-Disposition"].startswith("attachment; ")
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in file.headers["Content-Security-Policy"]
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert file.text == "<b>"


async def test_who_answers_from_an_old_screen_sees_what_is_new_and_keeps_the_text(site: Site) -> None:
    number = await site.say()
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    stale = await anna.get(f"/c/{number}")
    await jonas.send(await jonas.get(f"/c/{number}"), "form.f-reply", text="I was faster")

    page = await anna.send(stale, "form.f-reply", text="My long answer")

    assert page.status == 409
    assert "I was faster" in page.words(".bub.out .txt")
    assert page.one("#reply-text").text() == "My long answer"
    assert "Jonas Meier replied" in page.words("#collision [data-say]")
    assert "I was faster" in page.words("#collision blockquote")
    assert [n.text() for n in page.all("#collision .btn")] == ["Discard", "Edit", "Send anyway"]
    page = await anna.send(page, "form.f-reply")
    assert (page.status, "My long answer" in page.words(".bub.out .txt")) == (200, True)


async def test_sending_the_same_form_twice_sends_once(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")

    await anna.send(page, "form.f-reply", text="Once")
    page = await anna.send(page, "form.f-reply", text="Once")

    assert page.words(".bub.out .txt") == "Once"


async def test_answer_and_note_of_one_page_are_two_acts(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")

    await anna.send(page, "form.f-reply", text="Answer")
    page = await anna.send(page, "form.f-note", note="Note")

    assert (page.words(".bub.out .txt"), page.words(".nt .txt")) == ("Answer", "Note")


async def test_what_cannot_be_sent_comes_back_with_its_text_and_files(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    form = aiohttp.FormData()
    for key, value in {**page.fields("form.f-reply"), "text": "x" * 100_001}.items():
        form.add_field(key, value)
    form.add_field("upload", b"bytes", filename="plan.txt", content_type="text/plain")

    page = await anna.post(f"/c/{number}/reply", form)

    assert page.status == 422
    assert "at most 100000 characters" in page.words("#trouble")
    assert len(page.one("#reply-text").text()) == 100_001
    assert "plan.txt" in page.words(".keep")
    page = await anna.send(page, "form.f-reply", text="short")
    assert "plan.txt" in page.words(".bub.out .att")


async def test_a_failed_delivery_shows_the_providers_words_and_can_be_tried_again(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    await anna.send(await anna.get(f"/c/{number}"), "form.f-reply", text="Goes nowhere")

    async def failed() -> Any:
        page = await anna.get(f"/c/{number}")
        return page if page.all(".trouble") else None

    page: Any = await until(failed, 10)
    assert "Not delivered to kunde: The channel has no url" in page.words(".trouble")

    page = await anna.send(page, ".trouble form")
    assert page.status == 200


async def test_light_agents_write_notes_only(site: Site) -> None:
    number = await site.say()
    lea = await site.signed_in("lea@firm.example")
    page = await lea.get(f"/c/{number}")

    assert page.all("form.f-reply, form[action*=assign], form[action*=status]") == []
    assert (await lea.post(f"/c/{number}/assign", {"to": "me"})).status == 403
    assert "Hm" in (await lea.send(page, "form.f-note", note="Hm")).words(".nt .txt")


async def test_what_an_agent_may_not_see_does_not_exist(site: Site) -> None:
    from hub import collaboration
    from hub.accounts import actor

    number = await site.say("secret word")
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get(f"/c/{number}")
    customer = page.all(".cust a[href^='/customers/']")[0].attributes["href"]
    message = page.one("[data-message]").attributes["data-message"]
    assert (await jonas.get(f"/c/{number}")).status == 200

    def pass_on(conn: Any) -> None:
        boss = actor(conn, site.people["anna"])
        assert boss is not None
        collaboration.assign(conn, boss, number, None, 901)

    await site.write(pass_on)

    paths = [f"/c/{number}", f"/c/{number}/items?after=1", customer, f"/messages/{message}/raw", f"/messages/{message}/text",
             "/inbox/team/sales"]  # fmt: skip
    assert [(await jonas.get(path)).status for path in paths] == [404] * len(paths)
    assert "secret" not in (await jonas.get("/inbox/all")).text + (await jonas.get("/search?q=secret")).words(
        "#rows, .it"
    )
    assert (await jonas.post(f"/c/{number}/note", {"note": "x", "client_id": "1"})).status == 404


async def test_who_passes_a_conversation_out_of_sight_is_led_to_the_list(site: Site) -> None:
    number = await site.say()
    jonas = await site.signed_in("jonas@firm.example")

    page = await jonas.post(f"/c/{number}/assign?in=unassigned", {"to": "t901"})

    assert page.status == 200
    assert page.url.startswith(f"{site.base}/inbox/unassigned?done=")


async def test_a_part_of_the_timeline_looks_as_it_does_on_the_page(site: Site) -> None:
    number = await site.say("one")
    anna = await site.signed_in()
    first = (await anna.get(f"/c/{number}")).all(".li")[-1].attributes["data-id"]
    await site.say("two")
    await site.say("three")

    part = await anna.get(f"/c/{number}/items?after={first}")
    page = await anna.get(f"/c/{number}")

    def spelled(node: Any) -> str:
        return re.sub(r'<p class="new".*?</p>| data-(?:heard|text)="[^"]*"|\s+', "", node.html, flags=re.S)

    assert [spelled(n) for n in part.all(".li")] == [spelled(n) for n in page.all(".li")[-2:]]
    assert "two three" in part.words(".txt")


async def test_long_timelines_and_lists_come_in_pages(site: Site) -> None:
    for n in range(35):
        number = await site.say(f"text {n}")
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")
    assert len(page.all(".li")) == 30
    older = await anna.get(page.one("#older").attributes["href"])
    assert older.words(".txt").startswith("text 0")
    assert "text 34" not in older.words(".txt")


async def test_the_language_is_each_employees_own(site: Site) -> None:
    jonas = await site.signed_in("jonas@firm.example")
    page = await jonas.get("/inbox/mine")
    assert (page.one("html").attributes["lang"], page.words(".tabs a")) == (
        "de",
        "Offen Wartet Zurückgestellt Erledigt",
    )

    page = await jonas.send(await jonas.get("/me"), "form[action='/me/language']", language="en")
    assert page.one("html").attributes["lang"] == "en"


async def test_before_sign_in_the_browsers_language_counts(site: Site) -> None:
    assert (await site.browser().get("/login", Accept_Language="de-CH")).words("h1") == "Anmelden"


async def test_what_does_not_exist_is_a_page_that_says_so(site: Site) -> None:
    anna = await site.signed_in()

    for path in ("/c/99999", "/customers/99999", "/inbox/nonsense", "/inbox/team/none", "/messages/1/html", "/attachments/1",
                 "/c/9999999999999999999999999", "/inbox/team"):  # fmt: skip
        page = await anna.get(path)
        assert (path, page.status, page.words("h1")) == (path, 404, "Not found")


async def test_odd_questions_never_break_the_server(site: Site) -> None:
    anna = await site.signed_in()

    for path in ("/inbox/mine?cursor=%00", "/search?q=a&cursor=zzz", "/inbox/all?status=x&sort=y&q=%00\ud7ff"):
        assert (await anna.get(path)).status in (200, 400), path


async def test_static_files_are_kept_for_ever_and_pages_ask_nobody_else(site: Site) -> None:
    anna = await site.signed_in()
    page = await anna.get("/inbox/mine")
    sheet = page.one("link[rel=stylesheet]").attributes["href"]
    script = page.one("script[type=module]").attributes["src"]

    for path in (sheet, script):
        file = await anna.get(path)
        assert (file.status, file.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        assert re.fullmatch(r"/static/app\.[0-9a-f]{12}\.(css|js)", path)
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text) == []
    assert int((await anna.get(script)).headers["Content-Length"]) < 60_000
    assert (await anna.get("/static/app.000000000000.css")).status == 404


async def test_the_first_administrator_is_made_by_the_link_and_led_to_the_channels(settings: Any) -> None:
    from config.app import build
    from hub import accounts
    from tests.web.conftest import Browser

    server = await build(settings(), migrate=True)
    await server.start()
    browser = Browser(f"http://127.0.0.1:{server.port}")
    try:
        token = await server.hub.db.write(accounts.make_setup_link)
        assert "console" in (await browser.get("/login")).words(".alert")
        wrong = await browser.get("/welcome?token=wrong")
        page = await browser.get(f"/welcome?token={token}")
        short = await browser.send(page, "form", name="Anna", email="anna@firm.example", password="short")
        done = await browser.send(
            page, "form", name="Anna", email="anna@firm.example", password="long enough", language="de"
        )
        again = await browser.send(page, "form", name="Eve", email="eve@firm.example", password="long enough")
    finally:
        await browser.http.close()
        await server.stop()

    assert (wrong.status, "console" in wrong.text, wrong.all("form")) == (404, True, [])
    assert (short.status, "8 to 128" in short.words(".alert"), short.one("[name=name]").attributes["value"]) == (
        422,
        True,
        "Anna",
    )
    assert (done.status, done.url.endswith("/welcome/company"), done.words("h1")) == (200, True, "Ihre Firma")
    assert again.status == 404
