"""The web chat over HTTP: kept before it is shown as sent, once whatever is repeated, and nobody sees anybody else's."""

import base64
import gzip
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hub import administration, collaboration, levels
from hub.accounts import actor
from tests.fakes import until
from tests.web.chatting import Chat
from tests.web.conftest import Site

STATIC = Path(__file__).parent.parent.parent / "templates" / "static"


@pytest.fixture
async def chat(site: Site) -> AsyncIterator[Chat]:
    """A server with a web chat."""
    hub = site.server.hub
    row = await site.write(administration.add_channel, hub.box, "webchat", "Chat", {})
    await hub.load_channels()
    made = Chat(site, row)
    yield made
    for visitor in made.visitors:
        await visitor.close()


async def test_what_a_visitor_says_twice_is_in_the_timeline_once_and_in_order(chat: Chat) -> None:
    visitor = await chat.known()

    first = await visitor.say("One", "Two", "Three")
    again = await visitor.say("One", "Two", "Three")
    more = await visitor.say("Four", prefix="m")

    assert first == again == (200, {"kept": ["k1", "k2", "k3"], "refused": []})
    assert more[0] == 200
    assert await chat.arrived(4) == ["One", "Two", "Three", "Four"]
    assert (await chat.rows("SELECT count(*) FROM conversations"))[0][0] == 1


async def test_an_answer_reaches_its_visitor_and_the_receipt_comes_back(chat: Chat) -> None:
    visitor = await chat.known()
    await visitor.say("Is anybody there?")
    await chat.arrived(1)
    await visitor.listen()

    number = await chat.answer("Yes, <b>me</b>", "a1")
    await until(lambda: len(visitor.shown) == 2)

    assert visitor.shown == ["Is anybody there?", "Yes, <b>me</b>"]
    said = next(said for kind, said in visitor.heard if kind == "said")
    assert (said["mine"], said["name"], said["id"]) == (False, "Anna", str(number))
    assert await chat.state_of(number) == "sent"
    assert (await visitor.ask("/receipts", {"receipts": [{"id": str(number), "state": "read"}]})) == (200, {"kept": 1})

    async def read() -> bool:
        return await chat.state_of(number) == "read"

    await until(read)


async def test_nobody_hears_or_marks_or_fetches_what_is_another_visitors(chat: Chat) -> None:
    one, other = await chat.known(), await chat.known()
    picture = {"name": "a.png", "type": "image/png", "content_base64": base64.b64encode(b"\x89PNG").decode()}
    assert (await one.ask("/messages", {"messages": [{"id": "p", "text": "secret", "files": [picture]}]}))[0] == 200
    await chat.arrived(1)
    await other.say("mine", prefix="o")
    await chat.arrived(2)
    await one.listen()
    await other.listen()
    number = await chat.answer("for one only", "a1", one.token.partition(".")[0])
    await until(lambda: "for one only" in one.shown)
    await chat.answer("for the other", "a2", other.token.partition(".")[0])
    await until(lambda: "for the other" in other.shown)

    forged = await other.ask("/receipts", {"receipts": [{"id": str(number), "state": "read"}]})
    file = next(said for kind, said in one.heard if kind == "all")["messages"][0]["files"][0]
    mine = f"{chat.base}/files/{one.token.partition('.')[0]}/{file['id']}/{file['mark']}"
    stolen = f"{chat.base}/files/{other.token.partition('.')[0]}/{file['id']}/{file['mark']}"

    assert one.shown == ["secret", "for one only"]
    assert other.shown == ["mine", "for the other"]
    assert forged == (200, {"kept": 0})
    assert await chat.state_of(number) == "sent"
    async with one.http.get(mine) as answer:
        assert (answer.status, await answer.read(), answer.content_type) == (200, b"\x89PNG", "image/png")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    async with one.http.get(stolen) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("token", ["", "x", "0" * 24 + "." + "a" * 16, "Ä" * 41])
async def test_a_forged_token_opens_nothing(chat: Chat, token: str) -> None:
    visitor = chat.visitor()
    visitor.token = "zzz"
    header = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}

    said = await visitor.ask("/messages", {"messages": [{"id": "1", "text": "x"}]}, **header)
    async with visitor.http.get(f"{chat.base}/events", headers=header) as heard:
        assert said[0] == heard.status == 401
    assert await chat.texts() == []


async def test_a_token_of_another_chat_opens_nothing(chat: Chat) -> None:
    hub = chat.site.server.hub
    row = await chat.site.write(administration.add_channel, hub.box, "webchat", "Other", {})
    await hub.load_channels()
    stranger = await Chat(chat.site, row).known()
    visitor = chat.visitor()
    visitor.token = stranger.token
    await stranger.close()

    assert (await visitor.say("x"))[0] == 401


async def test_what_is_too_large_or_empty_is_refused_by_name_and_the_rest_is_kept(chat: Chat) -> None:
    visitor = await chat.known()
    lines = [{"id": "a", "text": "fine"}, {"id": "b", "text": "x" * 10_001}, {"id": "c", "text": " "}]
    huge = {"name": "f", "content_base64": "A" * 13_500_000}

    status, said = await visitor.ask("/messages", {"messages": lines}, Accept_Language="de")
    large = await visitor.ask("/messages", {"messages": [{"id": "d", "files": [huge]}]})
    monstrous = await visitor.ask("/messages", b"[" + b"1," * 8_000_000)
    odd = [await visitor.ask("/messages", body) for body in (b"", b"[", b"{}", b'{"messages": [1]}', b"[" * 90_000)]

    assert (status, said["kept"]) == (200, ["a"])
    assert [r["id"] for r in said["refused"]] == ["b", "c"]
    assert "zu lang" in said["refused"][0]["detail"]
    assert (large[0], "10 MB" in large[1]["refused"][0]["detail"]) == (200, True)
    assert monstrous[0] == 413
    assert {answer[0] for answer in odd} == {422}
    assert await chat.arrived(1) == ["fine"]


async def test_hostile_names_and_texts_stay_text(chat: Chat) -> None:
    evil = "<script>alert(1)</script>\u0000\u202e"
    visitor = await chat.known()
    await visitor.say(evil, **{"from": {"name": "<img src=x onerror=alert(2)>", "email": "a@b.example"}})
    await chat.arrived(1)
    anna = await chat.site.signed_in()
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]

    page = await anna.get(f"/c/{number}")

    assert "<script>alert(1)" not in page.text
    assert "<img src=x" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert (await chat.rows("SELECT address FROM identities WHERE address LIKE 'email:%'")) == []


async def test_a_claimed_address_neither_merges_nor_shows_anybodys_history(chat: Chat) -> None:
    await chat.site.say("Confidential", email="katrin@example.com")
    visitor = await chat.known()
    await visitor.say("It is me, Katrin", **{"from": {"name": "Katrin Vogel", "email": "katrin@example.com"}})
    await chat.arrived(1)
    await visitor.listen()

    assert visitor.shown == ["It is me, Katrin"]
    assert (await chat.rows("SELECT count(DISTINCT customer_id) FROM conversations"))[0][0] == 2


async def test_too_fast_is_told_to_wait_and_nothing_accepted_is_lost(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.web.widget_doors.SAYS", 3)
    visitor, other = await chat.known(), await chat.known()

    answers = [await visitor.say(f"n{n}", prefix=f"{n}-") for n in range(5)]
    elsewhere = await other.say("unhindered", prefix="o")

    assert [status for status, _ in answers] == [200, 200, 200, 429, 429]
    assert "waits" in answers[3][1]["detail"]
    assert elsewhere[0] == 200
    assert sorted(await chat.arrived(4)) == ["n0", "n1", "n2", "unhindered"]


async def test_only_pages_of_allowed_origins_show_the_chat(chat: Chat) -> None:
    await chat.set(allowed_origins="https://shop.example https://*.firm.example")
    browser = chat.site.browser()
    path = chat.base.removeprefix(chat.site.base)

    foreign = await browser.get(path, Referer="https://evil.example/page", Sec_Fetch_Dest="iframe")
    good = await browser.get(path, Referer="https://shop.example/", Sec_Fetch_Dest="iframe")
    below = await browser.get(path, Referer="https://www.firm.example/x")
    alike = await browser.get(path, Referer="https://evilfirm.example/x")
    linked = await browser.get(path, Referer="https://evil.example/", Sec_Fetch_Dest="document")
    posted = await chat.visitor().ask("/start", {}, Sec_Fetch_Site="cross-site")

    assert (foreign.status, alike.status, posted[0]) == (403, 403, 403)
    assert "https://evil.example" in foreign.words("p")
    assert (good.status, below.status, linked.status) == (200, 200, 200)
    policy = good.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self' https://shop.example https://*.firm.example" in policy
    assert "X-Frame-Options" not in good.headers
    assert "Set-Cookie" not in good.headers


async def test_the_form_asks_for_what_is_required_and_says_what_is_wrong(chat: Chat) -> None:
    await chat.set(
        form__name="required", form__email="optional", form__consent="true", privacy_url="https://firm.example/privacy"
    )
    visitor = chat.visitor()

    status, said = await visitor.begin(email="nonsense")
    works = await visitor.begin(name="Kim", email="kim@example.com", consent=True)

    assert (status, set(said["fields"])) == (422, {"name", "email", "consent"})
    assert works[0] == 200


async def test_whoever_is_blocked_is_told_so(chat: Chat) -> None:
    visitor = await chat.known()
    await chat.set(blocked=visitor.token.partition(".")[0])
    said = await visitor.say("x")
    await chat.set(blocked="127.0.0.0/8")
    page = await chat.site.browser().get(chat.base.removeprefix(chat.site.base))

    assert (said[0], said[1]["blocked"]) == (403, True)
    assert (page.status, "another way" in page.words("p")) == (403, True)


async def test_a_closed_conversation_ends_in_the_widget_and_goes_on_when_the_visitor_writes(chat: Chat) -> None:
    visitor = await chat.known()
    await visitor.say("Hello")
    await chat.arrived(1)
    await visitor.listen()
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]
    anna = await chat.site.server.hub.db.read(actor, chat.site.people["anna"])

    await chat.site.write(collaboration.set_status, anna, number, "closed")
    await until(lambda: any(kind == "state" and said["ended"] for kind, said in visitor.heard))
    await visitor.say("One more thing", prefix="m")
    await until(lambda: not [said for kind, said in visitor.heard if kind == "state"][-1]["ended"])

    assert visitor.shown == ["Hello", "One more thing"]


async def test_whoever_comes_back_gets_what_was_said_meanwhile(chat: Chat) -> None:
    visitor = await chat.known()
    await visitor.say("Hello")
    await chat.arrived(1)
    number = await chat.answer("While you were away", "a1")

    async def sent() -> bool:
        return await chat.state_of(number) == "sent"

    await until(sent)
    await visitor.listen()

    assert visitor.shown == ["Hello", "While you were away"]


async def test_outside_the_hours_the_widget_says_when_somebody_is_back_and_takes_the_message(chat: Chat) -> None:
    number = await chat.site.write(levels.add_hours, "Never", "Europe/Berlin", "", {}, {})
    hub = chat.site.server.hub
    await hub.db.write(administration.change_channel, hub.box, chat.row.config.id, {}, hours_id=number)
    await hub.load_channels()

    page = await chat.site.browser().get(chat.base.removeprefix(chat.site.base) + "?lang=de")
    visitor = await chat.known()
    said = await visitor.say("Are you there?")
    await visitor.listen()

    assert json.loads(page.one("#given").text())["opens"] == 0
    assert "Gerade ist niemand da" in page.words("#away")
    assert said[0] == 200
    assert next(given for kind, given in visitor.heard if kind == "all")["opens"] == 0
    assert await chat.arrived(1) == ["Are you there?"]


async def test_no_chat_no_page(chat: Chat) -> None:
    browser = chat.site.browser()

    assert (await browser.get("/w/nothing")).status == 404
    assert (await browser.get("/w/nothing/embed.js")).status == 404
    assert (await browser.get(f"/w/{chat.site.channel.config.key}")).status == 404  # an api channel has no widget


async def test_the_loader_and_the_frame_keep_their_budgets(chat: Chat) -> None:
    """ux.md section 16, gzipped: the loader at most 6 kB, the frame with all it fetches at most 35 kB."""
    async with aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "gzip"}) as http:

        async def get(path: str) -> bytes:
            async with http.get(chat.site.base + path) as answer:
                assert answer.status == 200, path
                body = await answer.read()
                return body if answer.headers.get("Content-Encoding") == "gzip" else gzip.compress(body)

        path = chat.base.removeprefix(chat.site.base)
        loader, frame = await get(f"{path}/embed.js"), await get(path)
        page = gzip.decompress(frame).decode()
        parts = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page))
        total = len(frame) + sum([len(await get(part)) for part in parts])

    assert {Path(part).suffix for part in parts} == {".css", ".js", ".svg"}
    assert "http://" not in page.replace(chat.site.base, "") and "https://" not in page
    assert len(loader) <= 6_000
    assert total <= 35_000
    print(f"loader {len(loader)} bytes, frame {total} bytes gz")


async def test_trying_it_needs_one_click_and_makes_one_chat(site: Site) -> None:
    anna, jonas = await site.signed_in(), await site.signed_in("jonas@firm.example")
    page = await anna.get("/welcome/channels")

    tried = await anna.send(page, "form[action='/welcome/chat']")
    again = await anna.send(await anna.get("/welcome/channels"), "form[action='/welcome/chat']")
    refused = await jonas.post("/welcome/chat")

    frames = [frame.attributes["src"] for frame in tried.all("iframe")]
    assert frames == [frame.attributes["src"] for frame in again.all("iframe")]
    assert frames[0] == "/inbox/unassigned"
    chat = await anna.get(frames[1], Sec_Fetch_Dest="iframe", Referer=f"{site.base}/welcome/chat")
    inbox = await anna.get(frames[0], Sec_Fetch_Dest="iframe", Sec_Fetch_Site="same-origin")
    assert (chat.status, inbox.status, refused.status) == (200, 200, 403)
    assert "frame-ancestors 'self'" in inbox.headers["Content-Security-Policy"]
    assert len([r for r in site.server.hub.channels.by_id.values() if r.config.kind == "webchat"]) == 1
