"""The door for providers: what a stranger sends never breaks it, never costs a message, never gets a 5xx."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hub.database import DiskFull, Unavailable
from tests.core.conftest import Rig
from tests.core.conftest import rig as rig
from tests.fakes import until

SECRET = "s"


#: 60 MB of zeros in 60 kB; packed here, where no event loop waits for it.
BOMB = gzip.compress(b"\0" * 60_000_000, 1)


class Sender:
    """A provider with the channel's secret."""

    def __init__(self, rig: Rig, client: Any, key: str) -> None:
        self.rig, self.client, self.key = rig, client, key

    async def post(self, body: Any, signature: str | None = "", path: str = "", **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = gzip.decompress(raw) if headers.get("content_encoding") else raw
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if signature is not None:
            given["X-Hub-Signature-256"] = signature or sign(signed)
        async with self.client.post(path or f"/webhooks/api/{self.key}", data=io.BytesIO(raw), headers=given) as answer:
            text = await answer.text()
            self.headers = answer.headers
            return answer.status, json.loads(text) if text.startswith("{") else text


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def one(number: str = "1", text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"messages": [{"id": number, "from": {"address": "kim"}, "text": text, **more}]}


@pytest.fixture
async def sender(rig: Rig, aiohttp_client: Callable[..., Any]) -> AsyncIterator[Sender]:
    channel = await rig.channel(secret=SECRET)
    yield Sender(rig, await aiohttp_client(rig.server.app), rig.hub.channels.by_id[channel].config.key)


async def test_a_signed_message_is_kept_before_the_answer(sender: Sender) -> None:
    status, answer = await sender.post(one())

    assert (status, answer) == (200, {"kept": 1})
    assert await sender.rig.count("journal") == 1


async def test_a_single_message_object_is_taken_too(sender: Sender) -> None:
    assert await sender.post(one()["messages"][0]) == (200, {"kept": 1})


FORGED = (None, "sha256=", "sha256=" + "0" * 64, "nonsense", "sha256=\u00e9", sign(b"other"), sign(b"{}", "wrong"))


async def test_without_the_right_signature_nothing_is_kept(sender: Sender) -> None:
    for forged in FORGED:
        status, problem = await sender.post(one(), signature=forged)

        assert (status, "signature" in problem["detail"]) == (403, True), forged
    assert await sender.rig.count("journal") == 0


async def test_an_address_nobody_has_is_not_found(sender: Sender) -> None:
    for path in ("/webhooks/api/nobody", "/webhooks/nobody/{key}", "/webhooks/smtp/{key}", "/webhooks/api/%00"):
        sender.rig.hub.channels_loaded_at -= 1  # a second has passed since the last look
        assert (await sender.post(one(), path=path.format(key=sender.key)))[0] == 404, path


NONSENSE = (
    b"",
    b"no json",
    b"[]",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b'{"messages":' + b"[" * 100_000,
    b'{"messages":[' + b'{"a":' * 50_000,
    b'{"messages": 7}',
    b'{"messages": [1, 2]}',
    b'{"messages": [{"id": ' + b"9" * 400_000 + b"}]}",
    b'{"messages": [{"id": "1"}]}',
    b'{"messages": [{"id": "", "from": {"address": "x"}}]}',
    b'{"messages": [{"id": "1", "from": {"address": ""}}]}',
    b'{"messages": [{"id": "1", "from": {"address": "x"}, "text": 5}]}',
    b'{"messages": [{"id": "1", "from": {"address": "x"}, "text": "\xff\xfe"}]}',
    b'{"messages": [{"id": "1", "from": {"address": "x"}, "text": "\\ud800"}]}',
    b'{"messages": [{"id": "1", "from": {"address": "x"}, "attachments": [{"content_base64": "%%%"}]}]}',
    b'{"receipts": [{"id": "1", "state": "exploded"}]}',
)


async def test_nonsense_is_refused_with_a_sentence(sender: Sender) -> None:
    for body in NONSENSE:
        status, problem = await sender.post(body)

        assert (status, len(problem["detail"]) > 20) == (400, True), body[:60]
    assert await sender.rig.count("messages") == 0


async def test_one_bad_message_of_many_spoils_no_other(sender: Sender) -> None:
    many = {"messages": [*(one(f"m{i}")["messages"][0] for i in range(49)), {"id": "bad"}]}
    status, answer = await sender.post(many)
    await sender.rig.quiet()

    assert (status, answer["kept"], answer["refused"][0]["item"]) == (200, 49, 49)
    assert await sender.rig.count("messages") == 49
    assert await sender.rig.count("journal", "state = 'failed'") == 1


async def test_nul_and_other_control_characters_are_cleaned_and_the_message_lives(sender: Sender) -> None:
    status, _ = await sender.post(one(text="a\0b\x1bc\u202e"))
    await sender.rig.quiet()

    assert status == 200
    assert await sender.rig.scalar("SELECT text FROM messages") == "abc\u202e"


async def test_too_large_a_body_is_413_and_nothing_is_kept(sender: Sender) -> None:
    status, _ = await sender.post(one(text="x" * 27_000_000))

    assert status == 413
    assert await sender.rig.count("journal") == 0


async def test_a_gzip_bomb_is_stopped_before_it_unfolds(sender: Sender) -> None:
    status, _ = await sender.post(BOMB, signature="sha256=0", content_encoding="gzip")

    assert status in (400, 413)
    assert await sender.rig.count("journal") == 0


async def test_a_body_that_never_ends_is_answered_408(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    from webhooks import door

    monkeypatch.setattr(door, "SLOWEST", 0.2)
    server = sender.client.server
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST /webhooks/api/{sender.key} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())

    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


@pytest.mark.parametrize(("error", "status"), [(Unavailable("x"), 503), (DiskFull("x"), 507)])
async def test_when_nothing_can_be_kept_the_provider_is_asked_to_come_again(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(sender.rig.hub.db, "write", away)

    assert (await sender.post(one()))[0] == status
    assert int(sender.headers["Retry-After"]) > 0


async def test_a_receipt_reaches_its_delivery(sender: Sender) -> None:
    status, answer = await sender.post({"receipts": [{"id": "p9", "state": "delivered"}]})
    await sender.rig.quiet()

    assert (status, answer) == (200, {"kept": 0})
    assert await sender.rig.count("early_receipts") == 1


async def test_the_claims_of_a_sender_make_no_identity_of_somebody_else(sender: Sender) -> None:
    await sender.post(
        {"messages": [{"id": "1", "from": {"address": "kim", "email": "boss@firm.example"}, "text": "hi"}]}
    )
    await until(lambda: sender.rig.count("messages", wanted=1))

    assert [r["address"] for r in await sender.rig.rows("SELECT address FROM identities")] == ["api:kim"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "from", "address", "text", "messages", "receipts", "state", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(body=json_values | st.binary(max_size=40).map(lambda b: b))
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
async def test_whatever_is_sent_the_answer_is_never_our_fault(sender: Sender, body: Any) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _ = await sender.post(raw)

    assert status in (200, 400)


async def test_an_odd_header_of_one_sender_hurts_nobody(sender: Sender) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sender.client.server.port)
    body = json.dumps(one("odd")).encode()
    head = f"POST /webhooks/api/{sender.key} HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: {sign(body)}\r\n"
    writer.write(head.encode() + b"User-Agent: \xff\xfe\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answers = await asyncio.gather(
        asyncio.wait_for(reader.readline(), 5), *(sender.post(one(f"n{i}")) for i in range(5))
    )
    writer.close()

    assert b" 200 " in answers[0]
    assert [status for status, _ in answers[1:]] == [200] * 5


async def test_a_channel_made_a_moment_ago_by_another_process_is_known(sender: Sender) -> None:
    from hub import channels

    hub = sender.rig.hub
    await hub.load_channels()
    made = await hub.db.write(channels.add, hub.box, "api", "Fresh", {"secret": SECRET})
    answers = await asyncio.gather(
        *(sender.post(one(f"f{i}"), path=f"/webhooks/api/{made.config.key}") for i in range(3))
    )

    assert [status for status, _ in answers] == [200] * 3
