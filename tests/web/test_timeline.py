"""One timeline per customer: every kind of entry, chapters, parts, files; as the server writes it."""

import io
import re
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa

from hub.clock import now
from tests.web.conftest import Site
from tests.web.history import PNG, WAV, changed, channel, conversation, every_kind, many, said

ONE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


async def filled(site: Site) -> tuple[int, dict[str, int]]:
    """A conversation with an entry of each kind."""
    number = await site.say("Hello", subject="Everything")
    blobs = site.server.hub.blobs
    return number, await site.write(every_kind, number, site.people["anna"], blobs.put(PNG), blobs.put(WAV))


async def test_every_kind_of_entry_has_its_form_and_a_name_with_channel_sender_and_time(site: Site) -> None:
    number, made = await filled(site)
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")

    def named(kind: str) -> str:
        return page.one(f"#i{made[kind]} article").attributes["aria-label"] or ""

    assert re.fullmatch(r"E-mail from Katrin Vogel, \d+ \w+ \d+, \d\d:\d\d UTC", named("mail"))
    assert named("call").startswith("Incoming call, answered by Anna Becker, Katrin Vogel, ")
    assert named("missed").startswith("Missed call, Katrin Vogel, ")
    assert named("visit").startswith("Technician visit · Anna Becker, Visit, Katrin Vogel, ")
    assert named("note").startswith("Internal note by Anna Becker, ")
    assert named("bubble").startswith("Whatsapp from Katrin Vogel, ")
    assert named("chat").startswith("Chat from Katrin Vogel, ")
    assert "0:42" in page.words(f"#i{made['call']} .stats") and "4:31" in page.words(f"#i{made['call']} .stats")
    assert page.one(f"#i{made['call']} .wave path").attributes["d"].count("M") == 60
    assert page.one(f"#i{made['missed']} a.btn").attributes["href"] == "tel:+4915122648810"
    assert "checked in by QR code" in page.words(f"#i{made['visit']} .mb")
    assert page.words(f"#i{made['visit']} .task").startswith("Order a new connector")
    assert page.words(f"#i{made['answer']} .qu") == "Katrin Vogel Is it working again? https://firm.example/help"
    assert page.words(f"#i{made['answer']} .reacts").startswith("👍")
    assert "edited" in page.words(f"#i{made['answer']} .mt")
    assert page.words(f"#i{made['place']} .spot a") == "Stade"
    assert page.one(f"#i{made['voice']} audio").attributes["src"].startswith("/attachments/")
    assert page.words(f"#i{made['chat']} .on a") == "firm.example/prices"
    assert "Deleted" in page.words(f"#i{made['gone']}")
    assert page.words(f"#i{made['run']} .run summary").startswith("4 changes")
    assert len(page.all(f"#i{made['run']} .run li")) == 4
    assert page.one(f"#i{made['bubble']} .txt a").attributes["rel"] == "noopener noreferrer nofollow"
    assert page.words("h2.day") != ""
    assert page.one(f"#i{made['mail']} button.q").attributes["aria-expanded"] == "false"
    assert page.words(f"#i{made['mail']} .rest") == "> quoted"
    assert "hidden" in page.one(f"#i{made['mail']} .all").attributes
    assert "hidden" not in page.one(f"#i{made['long']} .all").attributes


@ONE
async def test_the_kinds_are_drawn_in_german_too(site: Site) -> None:
    number, made = await filled(site)
    jonas = await site.signed_in("jonas@firm.example")

    page = await jonas.get(f"/c/{number}")

    assert "Eingehender Anruf, angenommen von Anna Becker" in page.words(f"#i{made['call']}")
    assert "Verpasster Anruf" in page.words(f"#i{made['missed']}") and "Zurückrufen" in page.words(
        f"#i{made['missed']}"
    )
    assert page.words(f"#i{made['run']} .run summary").startswith("4 Änderungen")
    assert "per QR-Code angemeldet" in page.words(f"#i{made['visit']}")


async def chaptered(site: Site) -> tuple[int, int, int]:
    """An old closed conversation by mail and chat, and a new one of the same customer; an entry of the old one."""

    def work(conn: Any, new: int, agent: int) -> tuple[int, int]:
        mail, chat = channel(conn, "email", "Post"), channel(conn, "webchat", "Chat")
        old = conversation(conn, new, "Offer for 9.8 kWp", channel_id=mail, status="closed", closed_at=now())
        first = said(conn, old, "May I have an offer?", kind="email", channel=mail, at=1000)[1]
        many(conn, old, [{"text": f"Chat {n}", "channel": chat, "at": 2000 + n} for n in range(11)])
        changed(conn, old, "conversation.status", 3000, agent, status="closed")
        said(conn, new, "The newest question")
        return old, first

    number = await site.say("Something new", subject="Error 302")
    old, first = await site.write(work, number, site.people["anna"])
    return number, old, first


async def test_older_conversations_are_folded_chapters_that_open_in_place(site: Site) -> None:
    number, old, first = await chaptered(site)
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")
    folded = page.one(".fold")
    part = await anna.get(folded.attributes["data-chapter"] or "", X_Hub="part")

    assert "Offer for 9.8 kWp" in page.words(".fold") and "12 messages" in page.words(".fold")
    assert "by Anna Becker" in page.words(".fold")
    assert page.words(".fold .chi").split() == ["Post"]
    assert page.one(".fold .inside a").attributes["href"] == f"/c/{old}"
    assert page.all(f"#i{first}") == []
    assert "May I have an offer?" in part.words(f"#items #i{first}")


async def test_the_whole_history_interleaves_all_channels_with_headings_and_is_remembered(site: Site) -> None:
    number, old, first = await chaptered(site)
    anna = await site.signed_in()

    await anna.get(f"/c/{number}?history=all")
    plain = await anna.get(f"/c/{number}")
    await anna.get(f"/c/{number}?history=all", Sec_Fetch_Site="same-origin")
    whole = await anna.get(f"/c/{number}")

    assert plain.all(f"#i{first}") == [], "a link from elsewhere changed what is remembered"
    heard = [n.attributes["data-id"] for n in whole.all(".tl > .li")]
    times = [int(n.attributes["data-at"]) for n in whole.all(".tl > .li")]
    assert times == sorted(times) and str(first) in heard
    assert [h.css_first("a").attributes["href"] for h in whole.all("h2.chap")][-2:] == [f"/c/{old}", f"/c/{number}"]
    assert "Offer for 9.8 kWp" in whole.words("h2.chap")
    assert whole.all(".fold") == []
    only = await anna.get(f"/c/{number}?history=one", Sec_Fetch_Site="same-origin")
    assert only.all(f"#i{first}") == [] and "The newest question" in only.words(".tl")


async def test_what_one_may_not_see_is_neither_a_chapter_nor_in_the_history(site: Site) -> None:
    number, old, first = await chaptered(site)
    hidden = sa.text("UPDATE conversations SET team_id = 901 WHERE id = :old")
    await site.write(lambda conn: conn.execute(hidden, {"old": old}))
    jonas = await site.signed_in("jonas@firm.example")

    page = await jonas.get(f"/c/{number}")
    whole = await jonas.get(f"/c/{number}?history=all")
    part = await jonas.get(f"/c/{old}/chapter")

    assert page.all(".fold") == [] and "Offer" not in page.text
    assert "Offer" not in whole.text and whole.all(f"#i{first}") == []
    assert part.status == 404


async def test_a_long_conversation_comes_in_parts_up_and_down_and_around_an_entry(site: Site) -> None:
    number = await site.say("Hello")
    ids = [
        e
        for _, e in await site.write(many, number, [{"text": f"No. {n}", "at": 10**12 + n * 10**6} for n in range(200)])
    ]
    anna = await site.signed_in()

    first = await anna.get(f"/c/{number}")
    older = await anna.get(
        (first.one("#older").attributes["data-more"] or "") + (first.one("#older").attributes["data-at"] or "")
    )
    around = await anna.get(f"/c/{number}?item={ids[100]}")
    below = await anna.get(
        (around.one("#later").attributes["data-more"] or "") + (around.one("#later").attributes["data-at"] or "")
    )

    def shown(page: Any) -> list[int]:
        return [int(n.attributes["data-id"]) for n in page.all(".li")]

    assert shown(first) == ids[-30:]
    assert shown(older) == ids[-80:-30]
    assert shown(around) == ids[86:116]
    assert shown(below) == ids[116:166]
    assert "data-past" in around.one("#main").attributes and "data-past" not in first.one("#main").attributes
    assert "hidden" in first.one("#later").attributes and "hidden" not in around.one("#newest").attributes
    assert shown(await anna.get(f"/c/{number}?item=999999999999")) == ids[-30:]


@ONE
async def test_files_are_what_their_bytes_say_and_dangerous_ones_are_only_kept(site: Site) -> None:
    number = await site.say("Hello")
    files = {
        "photo.jpg": ("text/html", PNG), "page.png": ("image/png", b"<script>alert(1)</script>"),
        "drawing.svg": ("image/svg+xml; x", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        "prog.exe": ("application/pdf", b"MZ\x90"), "voice.wav": ("audio/wav", WAV), "plan.pdf": ("text/plain", b"%PDF-1.7"),
    }  # fmt: skip
    put = site.server.hub.blobs.put
    given = [(name, kind, len(data), put(data)) for name, (kind, data) in files.items()]
    message, _ = await site.write(lambda c: said(c, number, "files", files=given))
    anna = await site.signed_in()
    ids = await site.server.hub.db.read(lambda c: dict(c.execute(sa.text("SELECT name, id FROM attachments")).all()))

    found = {}
    for name, key in ids.items():
        answer = await anna.get(f"/attachments/{key}")
        found[name] = (answer.headers["Content-Type"], answer.headers["Content-Disposition"].partition(";")[0])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    archive = await anna.http.get(f"{site.base}/messages/{message}/files.zip")

    assert found == {
        "photo.jpg": ("image/png", "inline"),
        "page.png": ("application/octet-stream", "attachment"),
        "drawing.svg": ("application/octet-stream", "attachment"),
        "prog.exe": ("application/octet-stream", "attachment"),
        "voice.wav": ("audio/wav", "inline"),
        "plan.pdf": ("application/pdf", "inline"),
    }
    kept = await anna.get(f"/attachments/{ids['photo.jpg']}?download")
    assert kept.headers["Content-Disposition"].startswith("attachment")
    packed = zipfile.ZipFile(io.BytesIO(await archive.read()))
    assert {name: packed.read(name) for name in packed.namelist()} == {name: data for name, (_, data) in files.items()}


async def test_files_with_names_of_folders_or_twice_the_same_are_packed_under_plain_names(site: Site) -> None:
    number = await site.say("Hello")
    digest = site.server.hub.blobs.put(b"x")
    names = ["../../etc/passwd", "a.txt", "A.txt", "", "con:\x01.exe"]
    message, _ = await site.write(lambda c: said(c, number, "f", files=[(n, "text/plain", 1, digest) for n in names]))
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    archive = await anna.http.get(f"{site.base}/messages/{message}/files.zip")

    listed = zipfile.ZipFile(io.BytesIO(await archive.read())).namelist()
    assert listed == ["_.._etc_passwd", "a.txt", "A (2).txt", "file", "con_.exe"]
    hidden = sa.text("UPDATE conversations SET team_id = 901")
    await site.write(lambda conn: conn.execute(hidden))
    assert (await jonas.get(f"/messages/{message}/files.zip")).status == 404


async def test_the_height_of_a_mail_is_remembered_within_bounds_for_those_who_see_it(site: Site) -> None:
    number = await site.say("Hello")
    message, event = await site.write(
        lambda c: said(c, number, "x", kind="email", html="<table><tr><td>x</td></tr></table>")
    )
    plain, _ = await site.write(lambda c: said(c, number, "no html"))
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")

    before = await anna.get(f"/c/{number}")
    told = [
        (await anna.post(f"/messages/{message}/height", {"height": h})).status
        for h in ("777", "0", "99999", "x", "555")
    ]
    after = await anna.get(f"/c/{number}")
    await site.write(lambda conn: conn.execute(sa.text("UPDATE conversations SET team_id = 901")))

    assert before.one(f"#i{event} iframe").attributes["height"] == "320"
    assert told == [204, 400, 400, 400, 204]
    assert after.one(f"#i{event} iframe").attributes["height"] == "555"
    assert "tall" in (after.one(f"#i{event} .clip").attributes["class"] or "")
    assert (await anna.post(f"/messages/{plain}/height", {"height": "9"})).status == 404
    assert (await jonas.post(f"/messages/{message}/height", {"height": "9"})).status == 404


@ONE
async def test_nobody_can_pretend_by_the_api_channel_that_there_was_a_call_or_a_visit(site: Site) -> None:
    more: dict[str, Any] = {
        "kind": "call",
        "call": {"outcome": "answered", "talked_seconds": 999},
        "visit": {"purpose": "x"},
        "details": {"call": {}},
    }
    number = await site.say("I called you", **more)
    anna = await site.signed_in()

    page = await anna.get(f"/c/{number}")
    kept = await site.server.hub.db.read(lambda c: c.execute(sa.text("SELECT kind, details FROM messages")).all())

    assert [(row.kind, "call" in row.details) for row in kept] == [("text", False)]
    assert page.all(".callc") == [] and len(page.all(".bub")) == 1


async def test_what_is_erased_is_erased_from_what_was_remembered_about_looking_too(site: Site) -> None:
    from hub import privacy

    number = await site.say("Hello")
    html = '<img data-remote-src="https://t.example/x.gif">'
    message, _ = await site.write(lambda c: said(c, number, "x", kind="email", html=html))
    anna = await site.signed_in()
    await anna.post(f"/messages/{message}/height", {"height": "500"})
    await anna.post(f"/messages/{message}/pictures")

    def count(conn: Any) -> list[int]:
        return [conn.execute(sa.text(f"SELECT count(*) FROM {t}")).scalar() for t in ("heights", "picture_senders")]

    assert await site.server.hub.db.read(count) == [1, 1]
    owner = await site.server.hub.db.read(
        lambda c: c.execute(sa.text("SELECT customer_id FROM conversations")).scalar()
    )
    await site.write(privacy.erase, owner)
    assert await site.server.hub.db.read(count) == [0, 0]
