"""Joining a conversation takes our own signed token and somebody who takes part; nothing that can be guessed or forged."""

from __future__ import annotations

import pytest

from hub import outbox
from hub.conversations import make_token, read_token
from hub.messages import Party
from tests.core.conftest import Rig, message

KATRIN = "email:katrin@customer.example"


async def opened(rig: Rig) -> tuple[int, int, str]:
    """A mail conversation with one answer of ours: channel, conversation, the answer's token."""
    channel = await rig.channel("email")
    await rig.hear(channel, message("Help", who=KATRIN, subject="Error 302", kind="email", external_id="q1@customer"))
    agent = await rig.employee()
    number = await rig.scalar("SELECT id FROM conversations")
    answer, _ = await rig.hub.db.write(
        outbox.reply, agent, rig.hub.channels, 3600, number, outbox.Draft("We look into it", "c1")
    )
    return channel, number, make_token(rig.hub.box, number, answer)


async def joined(rig: Rig, text: str) -> int:
    return int(await rig.scalar("SELECT conversation_id FROM messages WHERE text = :t", t=text))


async def test_the_customers_answer_with_our_token_joins(rig: Rig) -> None:
    channel, number, token = await opened(rig)
    await rig.hear(channel, message("thanks", who=KATRIN, tokens=(token,), kind="email"))

    assert await joined(rig, "thanks") == number


async def test_our_token_from_a_stranger_begins_a_new_conversation_that_points_at_the_other(rig: Rig) -> None:
    channel, number, token = await opened(rig)
    await rig.hear(channel, message("let me in", who="email:mallory@evil.example", tokens=(token,), kind="email"))

    assert await joined(rig, "let me in") != number
    assert await rig.count("events", "kind = 'conversation.related'") == 1


@pytest.mark.parametrize("change", ["flip", "other", "garbage", "upper"])
async def test_a_forged_token_from_the_customers_address_does_not_join(rig: Rig, change: str) -> None:
    channel, number, token = await opened(rig)
    head, _, mac = token.rpartition(".")
    forged = {
        "flip": f"{head}.{mac[:-1]}{'a' if mac[-1] != 'a' else 'b'}",
        "other": f"c{number}.m999.{mac}",
        "garbage": f"c{number}.m1.{'a' * 16}",
        "upper": token.upper(),
    }[change]
    await rig.hear(channel, message("forged", who=KATRIN, tokens=(forged,), kind="email"))

    assert (await joined(rig, "forged") == number) is (change == "upper")


async def test_known_references_and_subjects_alone_never_join(rig: Rig) -> None:
    channel, number, _ = await opened(rig)
    await rig.hear(
        channel,
        message(
            "by reference",
            who=KATRIN,
            subject=f"Re: Error 302 [#{number}]",
            references=("q1@customer",),
            reply_to="q1@customer",
            kind="email",
        ),
    )

    assert await joined(rig, "by reference") != number
    assert await rig.count("events", "kind = 'conversation.related'") == 1


async def test_somebody_we_put_in_copy_may_answer(rig: Rig) -> None:
    channel, number, _ = await opened(rig)
    agent = await rig.employee()
    draft = outbox.Draft("with copy", "c2", cc=(Party("email:boss@customer.example"),))
    answer, _ = await rig.hub.db.write(outbox.reply, agent, rig.hub.channels, 3600, number, draft)
    token = make_token(rig.hub.box, number, answer)
    await rig.hear(channel, message("from the boss", who="email:boss@customer.example", tokens=(token,), kind="email"))

    assert await joined(rig, "from the boss") == number


async def test_channels_that_run_on_continue_the_current_conversation_and_reopen_it(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.hear(channel, message("one"))
    await rig.hub.db.write(
        lambda c: c.exec_driver_sql("UPDATE conversations SET status = 'closed', closed_at = last_message_at").rowcount
    )
    await rig.hear(channel, message("two"))

    assert await joined(rig, "one") == await joined(rig, "two")
    assert await rig.scalar("SELECT status FROM conversations") == "open"


async def test_long_after_closing_a_new_conversation_begins(rig: Rig) -> None:
    channel = await rig.channel()
    await rig.hear(channel, message("one"))
    await rig.hub.db.write(
        lambda c: c.exec_driver_sql("UPDATE conversations SET status = 'closed', closed_at = 1").rowcount
    )
    await rig.hear(channel, message("two"))

    assert await joined(rig, "one") != await joined(rig, "two")


async def test_an_automatic_answer_does_not_reopen(rig: Rig) -> None:
    channel, number, token = await opened(rig)
    await rig.hub.db.write(
        lambda c: (
            c.exec_driver_sql(
                "UPDATE conversations SET status = 'closed', closed_at = 9e15, waiting_since = NULL"
            ).rowcount
        )
    )
    await rig.hear(channel, message("out of office", who=KATRIN, tokens=(token,), flags=("auto_reply",), kind="email"))

    assert await joined(rig, "out of office") == number
    assert await rig.scalar("SELECT status FROM conversations WHERE id = :n", n=number) == "closed"


async def test_a_token_survives_the_rotation_of_the_key(rig: Rig) -> None:
    from cryptography.fernet import Fernet

    from hub.secretbox import SecretBox

    old, new = Fernet.generate_key(), Fernet.generate_key()
    token = make_token(SecretBox([old]), 5, 6)

    assert read_token(SecretBox([new, old]), token) == (5, 6)
    assert read_token(SecretBox([new]), token) is None
