"""The mail door: 250 means kept, and nothing else does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hub.messages import Envelope
from tests.fakes import until
from webhooks.smtp import Door, open_door

MAIL = b"From: a@x.example\r\nSubject: hi\r\n\r\nHello\r\n"
CHANNELS = {"support@firma.example": 1, "sales@firma.example": 2}


class Full(Exception):
    """The disk is full."""


class Client:
    """Says exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> str:
        """The next answer, all its lines."""
        lines = []
        async with asyncio.timeout(10):
            while line := (await self.reader.readline()).decode().rstrip("\r\n"):
                lines.append(line)
                if line[3:4] != "-":
                    break
        return "\n".join(lines)

    async def say(self, *lines: str) -> list[str]:
        """Say lines one after the other; the answers."""
        answers = []
        for line in lines:
            self.writer.write(line.encode() + b"\r\n")
            answers.append(await self.answer())
        return answers

    async def begin(self, *recipients: str, hello: str = "EHLO mx.x.example", sender: str = "a@x.example") -> None:
        """Up to 354."""
        answers = await self.say(hello, f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in recipients), "DATA")
        assert answers[-1].startswith("354"), answers

    async def send(self, raw: bytes) -> str:
        """The mail and its end."""
        self.writer.write(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        return await self.answer()


class Kept:
    """A journal that can be out of order."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.trouble: dict[int, Exception] = {}
        self.wait: Callable[[], Awaitable[Any]] | None = None

    async def keep(self, envelope: Envelope) -> None:
        if self.wait:
            await self.wait()
        if error := self.trouble.get(envelope.channel_id):
            raise error
        self.envelopes.append(envelope)


def route(address: str) -> int | None:
    local, _, domain = address.lower().partition("@")
    return CHANNELS.get(f"{local.partition('+')[0]}@{domain}")


@contextlib.asynccontextmanager
async def listening(kept: Kept, **options: Any) -> AsyncIterator[tuple[Door, Callable[[], Awaitable[Client]]]]:
    door = Door(route, kept.keep, full=Full, **options)
    port = await door.start("127.0.0.1", 0)
    clients = []

    async def connect() -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        clients.append(client)
        return client

    try:
        yield door, connect
    finally:
        door.close()
        await door.wait_closed(1)
        for client in clients:
            client.writer.close()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def client(kept: Kept) -> AsyncIterator[Client]:
    async with listening(kept) as (_, connect):
        found = await connect()
        assert (await found.answer()).startswith("220 ")
        yield found


async def test_a_mail_is_kept_byte_for_byte_before_250_is_said(kept: Kept, client: Client) -> None:
    raw = MAIL + b".dot\r\n..two\r\n\n.\n bare\r line \xff\x00\r\n" + b"x" * 3_000_000 + b"\r\nend without sense .\r\n"
    gate = asyncio.Event()
    kept.wait = gate.wait
    await client.begin("support+c1.m2.abcdefghijklmnop@firma.example")
    sending = asyncio.create_task(client.send(raw))
    done, _ = await asyncio.wait({sending}, timeout=0.1)
    assert not done, "answered before it was kept"
    gate.set()
    assert (await sending).startswith("250 ")
    assert kept.envelopes[0].body == raw
    assert kept.envelopes[0].channel_id == 1 and kept.envelopes[0].source == "smtp"
    assert kept.envelopes[0].headers == {
        "mail_from": "a@x.example",
        "recipients": "support+c1.m2.abcdefghijklmnop@firma.example",
        "helo": "mx.x.example",
        "peer": "127.0.0.1",
    }


async def test_lmtp_answers_for_every_recipient_and_each_channel_gets_one_envelope(kept: Kept, client: Client) -> None:
    kept.trouble[2] = RuntimeError("no")
    await client.begin(
        "support@firma.example", "sales@firma.example", "support+x@firma.example", hello="LHLO mx.x.example"
    )
    first = await client.send(MAIL)
    answers = [first, await client.answer(), await client.answer()]
    assert [answer[:3] for answer in answers] == ["250", "451", "250"]
    (envelope,) = kept.envelopes
    assert envelope.source == "lmtp"
    assert envelope.headers["recipients"] == "support@firma.example, support+x@firma.example"


async def test_smtp_says_250_only_when_every_channel_has_it(kept: Kept, client: Client) -> None:
    kept.trouble[2] = RuntimeError("no")
    await client.begin("support@firma.example", "sales@firma.example")
    assert (await client.send(MAIL)).startswith("451 ")


@pytest.mark.parametrize(
    ("error", "answer"),
    [(Full("x"), "452 4.3.1"), (RuntimeError("locked"), "451 4.3.0"), (TimeoutError(), "451 4.3.0")],
)
async def test_what_cannot_be_kept_stays_with_the_sender(
    kept: Kept, client: Client, error: Exception, answer: str
) -> None:
    kept.trouble[1] = error
    await client.begin("support@firma.example")
    assert (await client.send(MAIL)).startswith(answer)
    kept.trouble.clear()
    await client.begin("support@firma.example", hello="NOOP")
    assert (await client.send(MAIL)).startswith("250 ")


async def test_unknown_recipients_are_refused_and_the_known_ones_served(kept: Kept, client: Client) -> None:
    answers = await client.say(
        "EHLO x", "MAIL FROM:<a@x.example>", "RCPT TO:<nobody@firma.example>", "RCPT TO:<sales@firma.example>", "DATA"
    )
    assert answers[2].startswith("550 5.1.1") and answers[3].startswith("250 ")
    await client.send(MAIL)
    assert [envelope.channel_id for envelope in kept.envelopes] == [2]


async def test_bounces_come_without_a_sender(kept: Kept, client: Client) -> None:
    await client.begin("support@firma.example", sender="")
    assert (await client.send(MAIL)).startswith("250 ")
    assert kept.envelopes[0].headers["mail_from"] == ""


async def test_a_sender_may_have_letters_of_every_alphabet(kept: Kept, client: Client) -> None:
    (ehlo,) = await client.say("EHLO x")
    assert "SMTPUTF8" in ehlo and "8BITMIME" in ehlo and "SIZE 60000000" in ehlo
    answers = await client.say("MAIL FROM:<jörg@bücher.example> SMTPUTF8", "RCPT TO:<support@firma.example>", "DATA")
    assert answers[-1].startswith("354")
    await client.send(MAIL)
    assert kept.envelopes[0].headers["mail_from"] == "jörg@bücher.example"


async def test_a_mail_that_is_too_large_is_refused_at_once_or_at_its_end_and_not_kept(kept: Kept) -> None:
    async with listening(kept, max_mail=10_000) as (_, connect):
        client = await connect()
        await client.answer()
        answers = await client.say("EHLO x", "MAIL FROM:<a@x.example> SIZE=20000")
        assert answers[-1].startswith("552")
        await client.begin("support@firma.example", hello="LHLO x")
        assert (await client.send(MAIL + b"x" * 5_000_000 + b"\r\n")).startswith("552 5.3.4")
        await client.begin("support@firma.example", hello="NOOP")
        assert (await client.send(MAIL)).startswith("250 ")
    assert len(kept.envelopes) == 1


async def test_an_empty_mail_and_one_of_a_single_line_end_where_they_end(kept: Kept, client: Client) -> None:
    for raw in (b"", b"x\r\n", b"\r\n", b"a.\r\n"):
        await client.begin("support@firma.example")
        assert (await client.send(raw)).startswith("250 ")
    assert [envelope.body for envelope in kept.envelopes] == [b"", b"x\r\n", b"\r\n", b"a.\r\n"]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r.\r\n", b"\r\n\x00.\r\n"])
async def test_nothing_but_crlf_dot_crlf_ends_a_mail(kept: Kept, client: Client, end: bytes) -> None:
    await client.begin("support@firma.example")
    smuggled = b"EHLO evil\r\nMAIL FROM:<boss@firma.example>\r\nRCPT TO:<support@firma.example>\r\nDATA\r\n"
    client.writer.write(MAIL + end + smuggled + b"x\r\n.\r\n")
    assert (await client.answer()).startswith("250 ")
    assert len(kept.envelopes) == 1 and b"boss@firma.example" in kept.envelopes[0].body


async def test_the_end_of_a_mail_is_found_however_it_is_cut_into_packets(kept: Kept, client: Client) -> None:
    await client.begin("support@firma.example")
    for byte in MAIL + b".\r\n":
        client.writer.write(bytes([byte]))
        await client.writer.drain()
    assert (await client.answer()).startswith("250 ")
    assert kept.envelopes[0].body == MAIL


async def test_a_mail_that_goes_round_in_circles_is_refused(kept: Kept, client: Client) -> None:
    await client.begin("support@firma.example")
    assert (await client.send(b"Received: from x\r\n" * 61 + MAIL)).startswith("554 5.4.6")
    await client.begin("support@firma.example")
    assert (await client.send(b"Received: from x\r\n" * 60 + MAIL + b"Received: in the body\r\n" * 5)).startswith("250")


async def test_more_connections_than_allowed_are_told_to_come_back(kept: Kept) -> None:
    async with listening(kept, most_connections=2) as (door, connect):
        first = [await connect(), await connect()]
        assert all([(await client.answer()).startswith("220") for client in first])
        assert (await (await connect()).answer()).startswith("421 4.7.0")
        first[0].writer.close()
        await until(lambda: len(door.connections) == 1)
        assert (await (await connect()).answer()).startswith("220")


async def test_a_silent_client_is_hung_up_on(kept: Kept) -> None:
    async with listening(kept, silence=0.1) as (_, connect):
        client = await connect()
        await client.answer()
        async with asyncio.timeout(5):
            assert await client.reader.read() == b""


async def test_a_client_that_vanishes_in_the_middle_leaves_nothing(kept: Kept) -> None:
    async with listening(kept) as (door, connect):
        client = await connect()
        await client.answer()
        await client.begin("support@firma.example")
        client.writer.write(MAIL)
        client.writer.close()
        await until(lambda: not door.connections)
        assert kept.envelopes == []


async def test_nonsense_is_answered_and_does_no_harm(kept: Kept, client: Client) -> None:
    answers = await client.say(
        "EHLO x",
        "MAIL FROM:<" + "(" * 400 + "a@x.example>",
        "MAIL FROM:",
        "RCPT TO:<support@firma.example>",
        "\xff\xfe",
    )
    assert all(answer[0] == "5" for answer in answers[1:])
    await client.begin("support@firma.example")
    assert (await client.send(MAIL)).startswith("250 ")


async def test_closing_lets_a_mail_that_has_begun_arrive(kept: Kept) -> None:
    async with listening(kept) as (door, connect):
        idle, busy = await connect(), await connect()
        await idle.answer()
        await busy.answer()
        await busy.begin("support@firma.example")
        door.close()
        async with asyncio.timeout(5):
            assert await idle.reader.read() == b""
        assert (await busy.send(MAIL)).startswith("250 ")
        async with asyncio.timeout(5):
            assert await busy.reader.read() == b""
            await door.wait_closed()
    assert len(kept.envelopes) == 1


async def test_too_many_recipients_are_asked_for_a_second_mail(kept: Kept, client: Client) -> None:
    answers = await client.say(
        "EHLO x", "MAIL FROM:<a@x.example>", *(f"RCPT TO:<support+{n}@firma.example>" for n in range(101))
    )
    assert answers[-2].startswith("250") and answers[-1].startswith("452 4.5.3")


async def test_open_door_listens_where_it_was_told(kept: Kept) -> None:
    door = await open_door("127.0.0.1", 0, route=route, keep=kept.keep)
    assert door.sockets[0].getsockname()[1] > 0
    door.close()
    await door.wait_closed()
