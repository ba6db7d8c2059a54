"""When a chat has ended: rated once it is over and by nobody else, and sent as a transcript to where its visitor wants it."""

import re
from typing import Any

from hub import administration, collaboration
from hub.accounts import actor
from tests.fakes import until
from tests.web.chatting import Chat, Visitor
from tests.web.test_widget import chat  # noqa: F401


async def talked(chat: Chat, **more: Any) -> Visitor:  # noqa: F811
    """A visitor who asked <b>something</b> and got an answer."""
    visitor = await chat.known()
    await visitor.say("May I <b>ask</b>?", **more)
    await chat.arrived(1)
    number = await chat.answer("You <i>may</i>", "a1")

    async def sent() -> bool:
        return await chat.state_of(number) == "sent"

    await until(sent)
    return visitor


async def ended(chat: Chat) -> int:  # noqa: F811
    number = (await chat.rows("SELECT id FROM conversations ORDER BY id DESC LIMIT 1"))[0][0]
    anna = await chat.site.server.hub.db.read(actor, chat.site.people["anna"])
    await chat.site.write(collaboration.set_status, anna, number, "closed")
    return int(number)


async def mailbox(chat: Chat) -> None:  # noqa: F811
    hub = chat.site.server.hub
    settings = {"address": "help@firm.example", "smtp.host": "127.0.0.1", "smtp.port": 1, "smtp.tls": "none"}
    await chat.site.write(administration.add_channel, hub.box, "email", "Mail", settings)
    await hub.load_channels()


async def test_an_ended_chat_is_rated_and_colleagues_see_it(chat: Chat) -> None:  # noqa: F811
    visitor, other = await talked(chat), await chat.known()
    early = await visitor.ask("/rating", {"score": 5})
    number = await ended(chat)

    answers = [(await visitor.ask("/rating", {"score": score}))[0] for score in (4, 4, 2)]
    wrong = [(await visitor.ask("/rating", body))[0] for body in ({"score": 0}, {"score": 6}, {"score": "x"}, {}, b"[")]
    foreign = await other.ask("/rating", {"score": 1})
    page = await (await chat.site.signed_in()).get(f"/c/{number}?in=all")
    await visitor.listen()

    assert (early[0], foreign[0]) == (409, 409)
    assert (answers, wrong) == ([200, 200, 200], [422] * 5)
    assert [tuple(row) for row in await chat.rows("SELECT conversation_id, score FROM ratings")] == [(number, 2)]
    assert "The customer gave 4 of 5" in page.text and "The customer gave 2 of 5" in page.text
    assert visitor.heard[0][1]["state"]["rated"] == 2


async def test_a_transcript_goes_once_to_the_address_and_stands_in_the_timeline(chat: Chat) -> None:  # noqa: F811
    visitor = await talked(chat, **{"from": {"email": "kim@example.com"}})
    before = await visitor.ask("/transcript", {})
    await mailbox(chat)
    await ended(chat)

    first = await visitor.ask("/transcript", {"zone": "Europe/Berlin"})
    again = await visitor.ask("/transcript", {})
    third = await visitor.ask("/transcript", {})
    bad = await (await chat.known()).ask("/transcript", {"email": "nobody"})
    rows = await chat.rows(
        "SELECT m.text, m.html, m.subject, d.recipient FROM messages m JOIN deliveries d ON d.message_id = m.id"
        " WHERE m.kind = 'email'"
    )

    assert (before[0], first, again[0], third[0], bad[0]) == (409, (200, {"sent": "kim@example.com"}), 200, 429, 422)
    assert [row[3] for row in rows] == ["email:kim@example.com"]
    assert "May I <b>ask</b>?" in rows[0][0] and "You <i>may</i>" in rows[0][0]
    assert "May I &lt;b&gt;ask&lt;/b&gt;?" in rows[0][1] and "<b>" not in rows[0][1]


async def test_the_page_of_a_transcript_needs_its_whole_address(chat: Chat) -> None:  # noqa: F811
    visitor = await talked(chat)
    await mailbox(chat)
    assert (await visitor.ask("/transcript", {"email": "kim@example.com"}))[0] == 200
    text = (await chat.rows("SELECT text FROM messages WHERE kind = 'email'"))[0][0]
    link = re.search(r"/w/\S+/transcript/\S+", text)
    assert link is not None
    browser = chat.site.browser()

    page = await browser.get(link[0])
    other = await browser.get(re.sub(r"-\d+-", "-999-", link[0]))
    forged = await browser.get(re.sub(r"transcript/....", "transcript/0000", link[0]))

    assert (page.status, other.status, forged.status) == (200, 404, 404)
    assert page.words(".tr .wm") == "May I <b>ask</b>? You <i>may</i>"
    assert "<b>ask" not in page.text


async def test_a_visitor_who_has_said_nothing_has_no_transcript(chat: Chat) -> None:  # noqa: F811
    await mailbox(chat)
    visitor = await chat.known()

    assert (await visitor.ask("/transcript", {"email": "kim@example.com"}))[0] == 422
    assert await chat.rows("SELECT id FROM messages") == []
