"""Identity signed by the firm's own server: proven or a guest, one customer on every device, and never somebody else's history."""

import base64
import json
import time
from typing import Any

import pytest

from hub import administration, signed
from tests.web.chatting import Chat, Visitor
from tests.web.test_widget import chat  # noqa: F401

SECRET = "a secret of at least 32 characters"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def token(secret: str = SECRET, head: Any = None, **claims: Any) -> str:
    """A JWT as a firm's server makes it."""
    import hashlib
    import hmac

    given = {"sub": "42", "exp": time.time() + 3600, **claims}
    body = f"{_part(head or {'alg': 'HS256', 'typ': 'JWT'})}.{_part({k: v for k, v in given.items() if v is not None})}"
    mac = hmac.digest(secret.encode(), body.encode(), hashlib.sha256)
    return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


async def claimed(chat: Chat, **claim: str) -> tuple[Visitor, Any]:  # noqa: F811
    visitor = chat.visitor()
    status, said = await visitor.begin(**claim)
    assert status == 200, said
    return visitor, said


async def test_a_signed_user_is_one_customer_and_one_history_on_every_device(chat: Chat) -> None:  # noqa: F811
    await chat.set(identity_secret=SECRET)
    one, said = await claimed(chat, user="42", signature=signed.sign(SECRET, "42"))
    await one.say("From the telephone")
    await chat.arrived(1)
    other, _ = await claimed(chat, jwt=token())
    await other.say("From the desk", prefix="d")
    await chat.arrived(2)
    await other.listen()

    assert said["guest"] == ""
    assert other.shown == ["From the telephone", "From the desk"]
    rows = await chat.rows("SELECT customer_id, verified, name FROM identities WHERE address LIKE 'webchat:u%'")
    assert [(bool(row[1]), row[2]) for row in rows] == [(True, "42")]
    assert (await chat.rows("SELECT count(*) FROM conversations"))[0][0] == 1


async def test_a_signed_address_is_the_known_customer_whose_mails_the_visitor_still_never_sees(chat: Chat) -> None:  # noqa: F811
    await chat.site.say("Confidential", email="katrin@example.com")
    await chat.site.write(lambda c: signed.meet(c, "email:katrin@example.com", signed.User("mail", "Katrin")))
    await chat.set(identity_secret=SECRET)
    visitor, _ = await claimed(chat, jwt=token(name="Katrin Vogel", email="Katrin@Example.com"))
    await visitor.say("It is me, signed")
    await chat.arrived(1)
    await visitor.listen()

    assert visitor.shown == ["It is me, signed"]
    rows = await chat.rows(
        "SELECT count(DISTINCT customer_id), count(*) FROM identities"
        " WHERE address LIKE 'webchat:u%' OR address = 'email:katrin@example.com'"
    )
    assert tuple(rows[0]) == (1, 2)


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ({"user": "42", "signature": signed.sign("another", "42")}, "does not fit"),
        ({"user": "43", "signature": signed.sign(SECRET, "42")}, "does not fit"),
        ({"user": "42"}, "does not fit"),
        ({"user": "a\nb", "signature": signed.sign(SECRET, "a\nb")}, "no single line"),
        ({"jwt": token("another")}, "not signed with the secret"),
        ({"jwt": token(exp=time.time() - 3600)}, "has expired"),
        ({"jwt": token(exp=None)}, "“exp”"),
        ({"jwt": token(nbf=time.time() + 3600)}, "not valid yet"),
        ({"jwt": token(aud="another chat")}, "another chat"),
        ({"jwt": token(head={"alg": "none"})}, "HS256"),
        ({"jwt": token(head={"alg": "HS256", "crit": ["x"]})}, "HS256"),
        ({"jwt": token()[:-2]}, "not signed"),
        ({"jwt": "a.b.c"}, "JSON Web Token"),
        ({"jwt": "ä.ö.ü"}, "JSON Web Token"),
        ({"jwt": "nothing"}, "JSON Web Token"),
    ],
)
async def test_what_is_forged_or_expired_is_told_in_a_sentence_and_the_chat_goes_on_for_a_guest(
    chat: Chat,  # noqa: F811
    claim: dict[str, str],
    why: str,
) -> None:
    await chat.set(identity_secret=SECRET)
    visitor, said = await claimed(chat, **claim)
    await visitor.say("As a guest")

    assert why in said["guest"]
    assert not visitor.token.startswith("u")
    assert await chat.arrived(1) == ["As a guest"]
    assert (await chat.rows("SELECT count(*) FROM identities WHERE verified"))[0][0] == 0


async def test_without_a_secret_nobody_is_believed(chat: Chat) -> None:  # noqa: F811
    _, said = await claimed(chat, user="42", signature=signed.sign("", "42"))

    assert "No secret" in said["guest"]


async def test_a_signature_is_worth_nothing_at_another_chat_and_a_token_of_the_old_secret_nothing_either(
    chat: Chat,  # noqa: F811
) -> None:
    await chat.set(identity_secret=SECRET)
    hub = chat.site.server.hub
    row = await chat.site.write(
        administration.add_channel, hub.box, "webchat", "Other", {"identity_secret": SECRET[::-1]}
    )
    await hub.load_channels()
    other = Chat(chat.site, row)
    stolen = other.visitor()
    _, said = await stolen.begin(user="42", signature=signed.sign(SECRET, "42"))
    again = other.visitor()
    _, bound = await again.begin(jwt=token(SECRET[::-1], aud=chat.row.config.key))
    visitor, _ = await claimed(chat, user="42", signature=signed.sign(SECRET, "42"))
    before = await visitor.say("before")
    await chat.set(identity_secret="new secret, for the old one leaked")
    after = await visitor.say("after", prefix="n")
    stolen.token = visitor.token
    there = await stolen.say("elsewhere")
    await stolen.close()
    await again.close()

    assert "does not fit" in said["guest"]
    assert "another chat" in bound["guest"]
    assert (before[0], after[0], there[0]) == (200, 401, 401)


async def test_a_user_who_was_not_signed_cannot_name_themselves_one(chat: Chat) -> None:  # noqa: F811
    await chat.set(identity_secret=SECRET)
    good, _ = await claimed(chat, user="42", signature=signed.sign(SECRET, "42"))
    await good.say("mine")
    await chat.arrived(1)
    visitor = chat.visitor()
    visitor.token = good.token.partition(".")[0] + "." + "a" * 16

    assert (await visitor.say("x"))[0] == 401


async def test_what_the_token_tells_need_not_be_asked_again(chat: Chat) -> None:  # noqa: F811
    await chat.set(identity_secret=SECRET, form__name="required", form__email="required")
    visitor = chat.visitor()

    unsigned = await visitor.begin(user="42", signature=signed.sign(SECRET, "42"))
    known = await visitor.begin(jwt=token(name="Kim", email="kim@example.com"))

    assert (unsigned[0], set(unsigned[1]["fields"])) == (422, {"name", "email"})
    assert (known[0], known[1]["from"]) == (200, {"name": "Kim", "email": "kim@example.com"})
