"""Fetching by IMAP: everything arrives once, whatever the server does."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters import _imap, _imap_pull, _tls
from adapters.email import Channel
from config.twins.imap import ImapTwin
from hub.adapter import ChannelConfig, LeaseLost, Pull
from hub.messages import Envelope, Refused, TryLater, Unreadable
from tests.adapters.certificate import tls_pair
from tests.fakes import until


class Journal:
    """What the hub does with a pull, in memory: envelopes and cursor together, same content only once."""

    def __init__(self) -> None:
        self.kept: list[Envelope] = []
        self.cursor: dict[str, str] = {}
        self.states: list[str] = []
        self.lost = False
        self.batches: list[int] = []

    async def keep(self, envelopes: list[Envelope], cursor: Mapping[str, str]) -> None:
        if self.lost:
            raise LeaseLost
        self.kept += envelopes
        self.batches.append(len(envelopes))
        self.cursor = dict(cursor)

    async def state(self, words: str) -> None:
        self.states.append(words)

    def pull(self) -> Pull:
        return Pull(dict(self.cursor), self.keep, self.state)

    @property
    def bodies(self) -> list[bytes]:
        return [envelope.body for envelope in self.kept]


def mail(number: int, size: int = 100) -> bytes:
    return f"From: a{number}@x.example\r\nSubject: {number}\r\n\r\n".encode() + b"x" * size + b"\r\n"


def channel(server: ImapTwin, **settings: Any) -> Channel:
    given = {"address": "hub@x.example", **server.settings(), **settings}
    return Channel(ChannelConfig(7, "email", "Post", "key", given))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_imap_pull, "TIMING", _imap_pull.Timing(idle=0.3, poll=0.05, answer=0.5))
    monkeypatch.setattr(_imap, "CONNECT_DEADLINE", 2.0)
    monkeypatch.setattr(_imap_pull, "COMMAND_DEADLINE", 1.0)


@pytest.fixture
async def server() -> AsyncIterator[ImapTwin]:
    async with ImapTwin() as twin:
        yield twin


@contextlib.asynccontextmanager
async def pulling(adapter: Channel, journal: Journal) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(adapter.pull(journal.pull()))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def failing(adapter: Channel, journal: Journal, seconds: float = 5) -> Exception:
    """What ends the pull."""
    async with asyncio.timeout(seconds):
        with pytest.raises((TryLater, Refused)) as caught:
            await adapter.pull(journal.pull())
    return caught.value


async def test_every_mail_is_kept_byte_for_byte_with_its_place(server: ImapTwin) -> None:
    raws = [mail(1), b"no headers at all (\r\n", mail(3, 300_000), b"From: x\r\n\r\n\x00\xff {5}\r\n* BYE\r\nA1 OK\r\n"]
    for raw in raws:
        server.deliver(raw)
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 4)
    assert journal.bodies == raws
    assert journal.kept[2].headers == {"folder": "INBOX", "uid": "3", "uidvalidity": "1"}
    assert journal.kept[0].channel_id == 7 and journal.kept[0].source == "imap"
    assert journal.cursor == {"uidvalidity": "1", "uid": "4"}


async def test_a_mail_whose_size_the_server_does_not_tell_is_kept_all_the_same(server: ImapTwin) -> None:
    server.fault = "no size"
    raws = [mail(n) for n in range(3)]
    for raw in raws:
        server.deliver(raw)
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: journal.cursor.get("uid") == "3")
    assert journal.bodies == raws


async def test_a_mail_that_comes_during_idle_is_fetched_at_once(
    server: ImapTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_imap_pull, "TIMING", _imap_pull.Timing(idle=60, answer=1))
    journal = Journal()
    async with pulling(channel(server), journal):
        for number in range(3):
            await server.wait_for(lambda: server.idling)
            server.deliver(mail(number))
            await until(lambda wanted=number + 1: len(journal.kept) == wanted)
    assert journal.states == ["", "", "", ""][: len(journal.states)]


async def test_a_mail_that_comes_while_others_are_fetched_does_not_wait_for_the_end_of_idle(
    server: ImapTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_imap_pull, "TIMING", _imap_pull.Timing(idle=60, answer=1))
    server.deliver(mail(1))

    def meanwhile(command: str) -> None:
        if "BODY.PEEK" in command and len(server.mails) == 1:
            server.deliver(mail(2))

    server.on_command = meanwhile
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 2)


async def test_a_server_without_idle_is_asked_again_and_again(server: ImapTwin) -> None:
    server.idle = False
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: journal.states)
        server.deliver(mail(1))
        await until(lambda: len(journal.kept) == 1)
    assert not any("IDLE" in command for command in server.commands)


async def test_idle_is_left_and_entered_again_before_anybody_forgets_us(server: ImapTwin) -> None:
    async with pulling(channel(server), Journal()):
        await server.wait_for(lambda: server.commands.count("IDLE") >= 3)
        assert server.commands.count("NOOP") >= 2


async def test_a_second_run_begins_above_the_cursor(server: ImapTwin) -> None:
    journal = Journal()
    for number in range(3):
        server.deliver(mail(number))
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 3)
    server.deliver(mail(3))
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 4)
    assert journal.bodies == [mail(n) for n in range(4)]


async def test_after_a_change_of_uidvalidity_everything_is_fetched_again(server: ImapTwin) -> None:
    journal = Journal()
    for number in range(3):
        server.deliver(mail(number))
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 3)
    server.rebuild()
    server.deliver(mail(3))
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 7)
    assert set(journal.bodies) == {mail(n) for n in range(4)}
    assert journal.cursor == {"uidvalidity": "2", "uid": "104"}
    first, again = (Channel.read(one).messages[0].provider_id for one in (journal.kept[0], journal.kept[3]))
    assert first == again


async def test_many_mails_come_in_batches_of_at_most_two_hundred(server: ImapTwin) -> None:
    for number in range(450):
        server.deliver(mail(number))
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 450, seconds=20)
    assert max(journal.batches) <= 200
    assert len(set(journal.bodies)) == 450


async def test_large_mails_are_fetched_one_by_one_and_huge_ones_without_body(
    server: ImapTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_imap_pull, "BATCH_BYTES", 2_000)
    monkeypatch.setattr(_imap_pull, "MAX_MAIL", 5_000)
    for size in (900, 900, 900, 4_000, 900, 9_000):
        server.deliver(mail(size, size))
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 6)
    assert journal.batches == [2, 1, 1, 1, 1]
    huge = Channel.read(journal.kept[5]).messages[0]
    assert huge.subject == "9000" and huge.flags == ("truncated",) and "Only its headers" in huge.text


async def test_fetched_mails_are_marked_as_read_only_when_asked(server: ImapTwin) -> None:
    server.deliver(mail(1))
    async with pulling(channel(server), Journal()):
        await server.wait_for(lambda: server.idling)
    assert not server.mails[0].seen
    async with pulling(channel(server, **{"imap.mark_seen": True}), Journal()):
        await server.wait_for(lambda: server.mails[0].seen)


async def test_folder_names_are_quoted_and_encoded() -> None:
    assert _imap.quoted("Entwürfe & „Neu“") == '"Entw&APw-rfe &- &IB4-Neu&IBw-"'
    assert _imap.quoted('a"b\\c') == '"a\\"b\\\\c"'
    async with ImapTwin(folder="Entw&APw-rfe") as server:
        server.deliver(mail(1))
        journal = Journal()
        async with pulling(channel(server, **{"imap.folder": "Entwürfe"}), journal):
            await until(lambda: journal.kept)


async def test_a_wrong_password_is_said_in_the_servers_words_and_not_shown(server: ImapTwin) -> None:
    journal = Journal()
    error = await failing(channel(server, **{"imap.password": 'wr"o\\ng'}), journal)
    assert isinstance(error, Refused) and "Invalid credentials" in error.reason
    assert journal.states == [error.reason] and "ng" not in error.reason.replace("wrong", "").split()
    with pytest.raises(Refused, match="Invalid credentials"):
        await channel(server, **{"imap.password": "other"}).test()


async def test_a_missing_folder_is_said_in_the_servers_words(server: ImapTwin) -> None:
    with pytest.raises(Refused, match="“Nowhere” cannot be opened: Mailbox doesn't exist"):
        await channel(server, **{"imap.folder": "Nowhere"}).test()


async def test_the_test_succeeds_with_good_settings(server: ImapTwin) -> None:
    assert await channel(server).test() == "Receiving works."


@pytest.mark.rest
@pytest.mark.parametrize(
    "fault", ["bye instead of idling", "reset in idle", "silence in idle", "silence", "no greeting"]
)
async def test_a_lost_connection_is_noticed_and_the_next_run_goes_on(server: ImapTwin, fault: Any) -> None:
    server.deliver(mail(1))
    server.fault = fault
    journal = Journal()
    error = await failing(channel(server), journal)
    assert isinstance(error, TryLater) and journal.states[-1] == error.reason != ""
    server.fault = ""
    server.deliver(mail(2))
    async with pulling(channel(server), journal):
        await until(lambda: len(journal.kept) == 2)
    assert journal.bodies == [mail(1), mail(2)]


async def test_a_connection_cut_in_the_middle_of_a_mail_keeps_nothing_of_it(server: ImapTwin) -> None:
    server.deliver(mail(1, 3_000_000))
    server.fault = "cut in literal"
    journal = Journal()
    await failing(channel(server), journal)
    assert journal.kept == [] and journal.cursor == {}
    server.fault = ""
    async with pulling(channel(server), journal):
        await until(lambda: journal.kept)
    assert journal.bodies == [mail(1, 3_000_000)]


async def test_a_server_that_announces_two_gigabytes_is_left(server: ImapTwin) -> None:
    server.deliver(mail(1))
    server.fault = "too large a literal"
    error = await failing(channel(server), Journal())
    assert "more than was asked for" in str(error)


async def test_a_mail_without_content_is_kept_as_an_unreadable_one_and_does_not_block(server: ImapTwin) -> None:
    server.deliver(mail(1))
    server.fault = "no body"
    journal = Journal()
    async with pulling(channel(server), journal):
        await until(lambda: journal.kept)
    with pytest.raises(Unreadable):
        Channel.read(journal.kept[0])
    placeholder = Channel.placeholder(journal.kept[0], "it is empty")
    assert placeholder and placeholder.messages[0].flags == ("unreadable",)
    assert journal.cursor["uid"] == "1"


async def test_three_thousand_deletions_during_idle_do_no_harm(server: ImapTwin) -> None:
    server.fault = "expunge storm"
    journal = Journal()
    async with pulling(channel(server), journal):
        await server.wait_for(lambda: server.commands.count("IDLE") >= 2)
        server.deliver(mail(1))
        await until(lambda: journal.kept)


async def test_a_lost_lease_ends_the_pull_without_complaint(server: ImapTwin) -> None:
    server.deliver(mail(1))
    journal = Journal()
    journal.lost = True
    with pytest.raises(LeaseLost):
        await channel(server).pull(journal.pull())
    assert journal.states == []


async def test_a_channel_without_a_mailbox_to_fetch_from_keeps_still() -> None:
    journal = Journal()
    adapter = Channel(ChannelConfig(7, "email", "Post", "key", {"address": "hub@x.example"}))
    async with pulling(adapter, journal) as task:
        done, _ = await asyncio.wait({task}, timeout=0.05)
        assert not done and journal.states == []


async def test_a_server_that_is_not_there_is_said_so() -> None:
    async with ImapTwin() as server:
        adapter = channel(server)
    error = await failing(adapter, Journal())
    assert "cannot be reached" in str(error)


async def test_starttls_and_tls_work_and_the_certificate_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusting = tls_pair(tmp_path)
    monkeypatch.setattr(_tls, "_context", trusting)
    for encrypted, mode in ((False, "starttls"), (True, "tls")):
        twin = ImapTwin(tls=serving)
        await twin.start(encrypted=encrypted)
        try:
            twin.deliver(mail(1))
            journal = Journal()
            async with pulling(channel(twin, **{"imap.tls": mode}), journal):
                await until(lambda journal=journal: journal.kept)
                if mode == "starttls":
                    commands = [command.split()[0] for command in twin.commands]
                    assert commands.index("STARTTLS") < commands.index("LOGIN")
                await twin.wait_for(lambda twin=twin: twin.idling)
            monkeypatch.setattr(_tls, "_context", ssl.create_default_context())
            with pytest.raises(Refused, match="certificate is not good"):
                await channel(twin, **{"imap.tls": mode}).test()
            monkeypatch.setattr(_tls, "_context", trusting)
        finally:
            await twin.close()


async def test_a_loss_over_tls_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving, trusting = tls_pair(tmp_path)
    monkeypatch.setattr(_tls, "_context", trusting)
    monkeypatch.setattr(_imap_pull, "TIMING", _imap_pull.Timing(idle=60, answer=1))
    twin = ImapTwin(tls=serving)
    await twin.start(encrypted=True)
    twin.fault = "reset in idle"
    try:
        assert isinstance(await failing(channel(twin, **{"imap.tls": "tls"}), Journal(), 3), TryLater)
    finally:
        await twin.close()


async def test_words_put_in_before_starttls_break_the_connection_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusting = tls_pair(tmp_path)
    monkeypatch.setattr(_tls, "_context", trusting)
    async with ImapTwin(tls=serving) as twin:
        twin.injected = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
        with pytest.raises(Refused, match=r"broke off|closed the connection|TLS"):
            await channel(twin, **{"imap.tls": "starttls"}).test()
        assert not any(command.startswith("LOGIN") for command in twin.commands)


async def test_starttls_that_is_not_offered_is_refused_before_the_password(
    monkeypatch: pytest.MonkeyPatch, server: ImapTwin
) -> None:
    with pytest.raises(Refused, match="does not encrypt"):
        await channel(server, **{"imap.tls": "starttls"}).test()
    assert not any(command.startswith("LOGIN") for command in server.commands)


async def test_a_real_dovecot_gives_everything_once_and_pushes(dovecot: Any) -> None:
    settings = {
        "address": "u@x.example",
        "imap.host": "127.0.0.1",
        "imap.port": dovecot.port,
        "imap.tls": "none",
        "imap.user": "katrin",
        "imap.password": dovecot.password,
    }
    adapter = Channel(ChannelConfig(7, "email", "Post", "key", settings))
    assert await adapter.test() == "Receiving works."
    await asyncio.to_thread(deliver, dovecot, "katrin", *(mail(number) for number in range(250)), mail(999, 1_000_000))
    journal = Journal()
    async with pulling(adapter, journal):
        await until(lambda: len(journal.kept) == 251, seconds=20)
        await asyncio.to_thread(deliver, dovecot, "katrin", mail(1000))
        await until(lambda: len(journal.kept) == 252, seconds=10)
    assert sorted(journal.bodies) == sorted([*(mail(n) for n in range(250)), mail(999, 1_000_000), mail(1000)])


def deliver(dovecot: Any, user: str, *raws: bytes) -> None:
    """Put mails into Dovecot's mailbox by IMAP's own APPEND."""
    import imaplib

    with imaplib.IMAP4("127.0.0.1", dovecot.port) as client:
        client.login(user, dovecot.password)
        for raw in raws:
            client.append("INBOX", None, None, raw)
