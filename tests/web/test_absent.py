"""A visitor who has left the chat: the composer says that what they do not read goes by e-mail, and only then."""

from tests.fakes import until
from tests.web.chatting import Chat
from tests.web.test_widget import chat  # noqa: F401
from tests.web.test_widget_after import mailbox

WORDS = "Offline: goes by e-mail after 5 min"


async def test_the_composer_says_when_the_visitor_is_away_and_will_be_mailed(chat: Chat) -> None:  # noqa: F811
    visitor, anna = await chat.known(), await chat.site.signed_in()
    await visitor.say("Hello", **{"from": {"email": "kim@example.com"}})
    await chat.arrived(1)
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]

    async def said() -> bool:
        return WORDS in (await anna.get(f"/c/{number}?in=all")).words(".viaopts")

    without_mailbox = await said()
    await mailbox(chat)
    away = await said()
    await visitor.listen()
    there = await said()
    await visitor.close()
    await until(said)

    assert (without_mailbox, away, there) == (False, True, False)


async def test_a_visitor_who_left_no_address_is_not_promised_a_mail(chat: Chat) -> None:  # noqa: F811
    visitor, anna = await chat.known(), await chat.site.signed_in()
    await mailbox(chat)
    await visitor.say("Hello")
    await chat.arrived(1)
    number = (await chat.rows("SELECT id FROM conversations"))[0][0]

    assert WORDS not in (await anna.get(f"/c/{number}?in=all")).words(".viaopts")
