"""Sending: what leaves is what was meant, and every failure says whether it may be tried again."""

import asyncio
import contextlib
import email
import email.policy
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import _compose, _smtp, _tls
from adapters.email import Channel
from config.twins.imap import ImapTwin
from config.twins.mail import MailWorld
from config.twins.smtp import SmtpTwin
from hub.adapter import ChannelConfig
from hub.messages import Envelope, File, Outgoing, Party, Refused, TryLater
from hub.text import clean_line
from tests.adapters.certificate import tls_pair

TOKEN = "c12.m345.abcdefgh234567zz"
KATRIN = Party("email:katrin@kunde.example", "Katrin Vögel")


def out(**changes: Any) -> Outgoing:
    usual = Outgoing(
        id="345",
        conversation="12",
        idempotency_key="k",
        token=TOKEN,
        to=(KATRIN,),
        recipients=(KATRIN.address,),
        text="Hallo Katrin",
        subject="Lieferung",
        at=1795421700000,
    )
    if "to" in changes and "recipients" not in changes:
        changes["recipients"] = tuple(party.address for party in changes["to"])
    return msgspec.structs.replace(usual, **changes)


def channel(server: SmtpTwin, tls: str = "none", **settings: Any) -> Channel:
    given = {"address": "support@firma.example", "display_name": "Firma", **server.settings(tls), **settings}
    return Channel(ChannelConfig(1, "email", "Post", "key", given))


def parsed(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


@pytest.fixture
async def server() -> AsyncIterator[SmtpTwin]:
    async with SmtpTwin() as twin:
        yield twin


@pytest.fixture
async def adapter(server: SmtpTwin) -> AsyncIterator[Channel]:
    found = channel(server)
    yield found
    await found.close()


async def test_a_mail_says_who_what_and_where_to_answer(server: SmtpTwin, adapter: Channel) -> None:
    sent = await adapter.send(
        out(cc=(Party("email:jan@kunde.example"),), reply_to="q@kunde.example", references=("a@b", "q@kunde.example"))
    )
    assert sent.provider_id == f"{TOKEN}@firma.example" and sent.troubles == {}
    (mail,) = server.mails
    assert (mail.mail_from, mail.recipients) == ("support@firma.example", ("katrin@kunde.example",))
    said = parsed(mail.raw)
    assert {name: str(said[name]) for name in said} == {
        "Date": "Mon, 23 Nov 2026 08:15:00 +0000",
        "From": "Firma <support@firma.example>",
        "Reply-To": f"Firma <support+{TOKEN}@firma.example>",
        "To": "Katrin Vögel <katrin@kunde.example>",
        "Cc": "jan@kunde.example",
        "Subject": "Lieferung",
        "Message-ID": f"<{TOKEN}@firma.example>",
        "In-Reply-To": "<q@kunde.example>",
        "References": "<a@b> <q@kunde.example>",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }
    assert said.get_content() == "Hallo Katrin\r\n"


async def test_html_pictures_and_files_arrive_as_they_were(server: SmtpTwin, adapter: Channel) -> None:
    files = (
        File(
            "Rechnung – März 2026 für Katrin Vögel und alle anderen, die es angeht.pdf",
            "application/pdf",
            b"%PDF" * 999,
        ),
        File("logo.png", "image/png", b"\x89PNG\r\n.\r\n", inline_id="logo@firma"),
        File("mail.eml", "message/rfc822", b"From: x\r\n\r\nx"),
        File('a"b\r\nX-Evil: 1.txt', "text/plain; x", b".\r\n"),
    )
    await adapter.send(out(text="Grüße\n.\n..\nFrom x", html='<p>Grüße</p><img src="cid:logo@firma">', files=files))
    (mail,) = server.mails
    read = Channel.read(Envelope(1, mail.raw, "smtp", 0)).messages[0]
    assert read.text == "Grüße\n.\n..\nFrom x"
    assert read.html == '<p>Grüße</p><img src="cid:logo@firma">'
    assert [(file.name, file.data, file.inline_id) for file in read.files] == [
        ("logo.png", files[1].data, "logo@firma"),
        (files[0].name, files[0].data, ""),
        ("mail.eml", files[2].data, ""),
        ('a"b X-Evil: 1.txt', files[3].data, ""),
    ]
    assert max(len(line) for line in mail.raw.split(b"\r\n")) <= 998
    assert mail.raw.count(b"\n") == mail.raw.count(b"\r\n") == mail.raw.count(b"\r")


async def test_a_signature_stands_below_the_text(server: SmtpTwin) -> None:
    adapter = channel(server, signature="Firma GmbH\n<Berlin>")
    await adapter.send(out(html="<p>Hallo</p>"))
    await adapter.close()
    said = parsed(server.mails[0].raw)
    plain = said.get_body(("plain",)).get_content()
    assert plain.splitlines() == ["Hallo Katrin", "", "-- ", "Firma GmbH", "<Berlin>"]
    assert "<p>-- <br>Firma GmbH<br>&lt;Berlin&gt;</p>" in said.get_body(("html",)).get_content()


INJECTIONS = [
    "Re: =?utf-8?q?hi=0D=0ABcc:_evil@x.example?=",
    "hi\r\nBcc: evil@x.example",
    "hi\nBcc: evil@x.example",
    "hi\rBcc: evil@x.example",
    "hi\u2028Bcc: evil@x.example",
    "hi\x85Bcc: evil@x.example",
    "hi\x00\x0bBcc: evil@x.example",
    "hi\r\n\r\nbody",
    "ä" * 300 + "\r\nBcc: evil@x.example",
    "\udcff\ud800",
    "x" * 5_000,
]


@pytest.mark.parametrize("evil", INJECTIONS)
async def test_no_text_becomes_a_header(server: SmtpTwin, adapter: Channel, evil: str) -> None:
    await adapter.send(
        out(
            subject=evil,
            sender_name=evil,
            to=(Party(KATRIN.address, evil),),
            files=(File(evil, evil, b"x", inline_id=evil),),
            reply_to=evil,
            references=(evil,),
        )
    )
    (mail,) = server.mails
    plain = email.message_from_bytes(mail.raw)
    wanted = ["Date", "From", "Reply-To", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]
    assert plain.keys() == wanted
    assert mail.recipients == ("katrin@kunde.example",)
    read = Channel.read(Envelope(1, mail.raw, "smtp", 0)).messages[0]
    assert [party.address for party in read.to] == [KATRIN.address] and read.text == "Hallo Katrin"
    assert read.subject == clean_line(evil, 1000) and str(parsed(mail.raw)["Subject"]) == read.subject


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_every_text_comes_back_as_it_was_on_one_line(text: str) -> None:
    raw, _ = _compose.compose(out(subject=text, to=(Party(KATRIN.address, text),)), Party("email:a@x.example", text))
    read = Channel.read(Envelope(1, raw, "smtp", 0)).messages[0]
    assert read.subject == clean_line(clean_line(text, 1000))
    assert len(email.message_from_bytes(raw).keys()) == 9


def test_no_line_end_of_another_kind_can_end_the_mail_for_the_next_server() -> None:
    """RFC 5321 2.3.8; the receiving half is in the tests of the door."""
    assert _smtp._stuffed(b".a\n.\nb\r.\r\n.\r\nc") == b"..a\r\n..\r\nb\r\n..\r\n..\r\nc\r\n"


def test_a_header_builder_refuses_what_would_be_two_headers() -> None:
    for value in ("a\r\nBcc: x", "a\nb", "a\rb", "ä", "a\x00"):
        with pytest.raises(ValueError, match="would not be one header"):
            _compose.header("Subject", value)
    with pytest.raises(ValueError, match="would not be one header"):
        _compose.header("Sub:ject", "x")


BAD = [
    "email:a@x.example\r\nRCPT TO:<evil@x.example>",
    "email:a@x.example>\r\nDATA",
    "email:a@b@x.example",
    "email:a b@x.example",
    "email:a",
    "email:",
    "email:@x.example",
    "email:a@",
    "email:<a@x.example>",
    "email:a@x.example,b@x.example",
    "email:a@x..example",
    "email:" + "a" * 65 + "@x.example",
    "email:jörg@x.example",
    "email:-oQ/tmp@x.example",
    "tel:+4930123",
]


@pytest.mark.parametrize("address", BAD)
async def test_a_recipient_that_is_no_address_is_refused_and_the_others_are_served(
    server: SmtpTwin, adapter: Channel, address: str
) -> None:
    sent = await adapter.send(out(to=(KATRIN, Party(address)), recipients=(KATRIN.address, address)))
    assert [type(trouble) for trouble in sent.troubles.values()] == [Refused] and list(sent.troubles) == [address]
    assert server.mails[0].recipients == ("katrin@kunde.example",)
    with pytest.raises(Refused):
        await adapter.send(out(to=(Party(address),)))
    assert len(server.mails) == 1


async def test_an_international_domain_is_written_in_ascii(server: SmtpTwin, adapter: Channel) -> None:
    await adapter.send(out(to=(Party("email:a@bücher.example"),)))
    assert server.mails[0].recipients == ("a@xn--bcher-kva.example",)


async def test_only_the_recipients_of_this_attempt_get_it(server: SmtpTwin, adapter: Channel) -> None:
    await adapter.send(out(to=(KATRIN, Party("email:b@x.example")), recipients=("email:b@x.example",)))
    assert server.mails[0].recipients == ("b@x.example",)


async def test_each_recipient_has_a_result_of_their_own(server: SmtpTwin, adapter: Channel) -> None:
    server.refuse = {"no@x.example": (550, "5.1.1 No such user"), "grey@x.example": (451, "4.7.1 Greylisted")}
    parties = tuple(Party(f"email:{name}@x.example") for name in ("ok", "no", "grey"))
    sent = await adapter.send(out(to=parties))
    no, grey = sent.troubles["email:no@x.example"], sent.troubles["email:grey@x.example"]
    assert isinstance(no, Refused) and no.reason == "550 5.1.1 No such user"
    assert isinstance(grey, TryLater) and grey.reason == "451 4.7.1 Greylisted" and grey.seconds == 0
    assert server.mails[0].recipients == ("ok@x.example",)


async def test_greylisting_passes_at_the_second_attempt(server: SmtpTwin, adapter: Channel) -> None:
    server.greylist = True
    with pytest.raises(TryLater, match="Greylisted"):
        await adapter.send(out())
    await adapter.send(out(attempt=2))
    assert len(server.mails) == 1 and server.connections == 1


@pytest.mark.parametrize("stage", ["refuse_sender", "refuse_mail"])
@pytest.mark.parametrize(("code", "kind"), [(421, TryLater), (452, TryLater), (550, Refused), (554, Refused)])
async def test_what_the_server_says_decides(
    server: SmtpTwin, adapter: Channel, stage: str, code: int, kind: type[Exception]
) -> None:
    setattr(server, stage, (code, "5.7.1 Because I say so"))
    with pytest.raises(kind, match=f"{code} 5.7.1 Because I say so"):
        await adapter.send(out())
    setattr(server, stage, None)
    await adapter.send(out())
    assert len(server.mails) == 1


@pytest.mark.parametrize("ending", ["cut and keep", "cut and lose", "silence"])
async def test_no_answer_after_the_final_dot_is_neither_sent_nor_failed(
    server: SmtpTwin, adapter: Channel, ending: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_smtp, "SEND_DEADLINE", 0.3)
    server.ending = ending
    with pytest.raises(_smtp.Unconfirmed) as caught:
        await adapter.send(out())
    assert not isinstance(caught.value, TryLater | Refused)
    assert len(server.mails) == (0 if ending == "cut and lose" else 1)


async def test_a_connection_lost_before_the_final_dot_may_be_tried_again(server: SmtpTwin, adapter: Channel) -> None:
    server.cut_before_mail = True
    with pytest.raises(TryLater, match="before it had the mail"):
        await adapter.send(out(files=(File("x", "x/x", b"x" * 5_000_000),)))
    server.cut_before_mail = False
    await adapter.send(out())
    assert len(server.mails) == 1


async def test_a_kept_connection_that_died_is_replaced_without_a_word(server: SmtpTwin, adapter: Channel) -> None:
    await adapter.send(out())
    server.cut_all()
    await adapter.send(out())
    await adapter.send(out())
    assert len(server.mails) == 3 and server.connections == 2


async def test_a_server_that_is_not_there_means_later() -> None:
    async with SmtpTwin() as twin:
        adapter = channel(twin)
    with pytest.raises(TryLater, match="cannot be reached"):
        await adapter.send(out())
    with pytest.raises(Refused, match="cannot be reached"):
        await adapter.test()


async def test_a_server_that_accepts_and_says_nothing_means_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_smtp, "CONNECT_DEADLINE", 0.2)
    hold = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await hold.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    settings = {"address": "a@x.example", "smtp.host": "127.0.0.1", "smtp.port": server.sockets[0].getsockname()[1]}
    with pytest.raises(TryLater, match="in time"):
        await Channel(ChannelConfig(1, "email", "", "", {**settings, "smtp.tls": "none"})).send(out())
    hold.set()
    server.close()


@pytest.mark.parametrize("mode", ["tls", "starttls"])
async def test_mail_goes_encrypted_and_logged_in_and_a_wrong_password_waits(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusting = tls_pair(tmp_path)
    monkeypatch.setattr(_tls, "_context", trusting)
    twin = SmtpTwin("support", "geheim", serving)
    await twin.start(encrypted=mode == "tls")
    try:
        good, bad = channel(twin, mode), channel(twin, mode, **{"smtp.password": "falsch"})
        assert await good.test() == "Sending works."
        await good.send(out())
        await good.close()
        with pytest.raises(TryLater, match=r"refused the login: 535 5\.7\.8 Username and Password not accepted"):
            await bad.send(out())
        with pytest.raises(Refused, match="not accepted"):
            await bad.test()
        assert len(twin.mails) == 1
    finally:
        await twin.close()


async def test_a_server_that_cannot_encrypt_gets_no_mail(server: SmtpTwin) -> None:
    for mode in ("starttls", "tls"):
        with pytest.raises(TryLater):
            await channel(server, mode).send(out())
    assert server.mails == []


def test_settings_that_show_passwords_to_the_network_are_refused() -> None:
    good: list[dict[str, Any]] = [
        {"smtp.host": "127.0.0.1", "smtp.tls": "none"},
        {"imap.host": "localhost", "imap.tls": "none"},
        {"imap.host": "mail.x.example", "imap.tls": "none", "allow_plain": True},
        {"imap.host": "mail.x.example"},
    ]
    for fine in good:
        Channel.check({"address": "a@x.example", **fine})
    for which in ("imap", "smtp"):
        with pytest.raises(ValueError, match=f"{which}.tls is none"):
            Channel.check({"address": "a@x.example", f"{which}.host": "mail.x.example", f"{which}.tls": "none"})
        with pytest.raises(ValueError, match="can be tls, starttls or none"):
            Channel.check({f"{which}.host": "mail.x.example", f"{which}.tls": "ssl3"})
    with pytest.raises(ValueError, match="not an e-mail address"):
        Channel.check({"address": "a@b@c"})


async def test_a_channel_without_a_server_says_so() -> None:
    adapter = Channel(ChannelConfig(1, "email", "", "", {"address": "a@x.example"}))
    with pytest.raises(Refused, match="no server for sending"):
        await adapter.send(out())
    with pytest.raises(Refused, match=r"Neither imap\.host nor smtp\.host"):
        await adapter.test()


async def test_three_hundred_mails_a_second_leave_over_few_connections(server: SmtpTwin, adapter: Channel) -> None:
    rest = list(range(600))

    async def worker() -> None:
        while rest:
            rest.pop()
            await adapter.send(out())

    begun = time.process_time()  # ours and the server's, so that a busy machine does not spoil it
    await asyncio.gather(*(worker() for _ in range(32)))
    rate = 600 / (time.process_time() - begun)
    assert len(server.mails) == 600 and server.connections <= 8
    assert rate > 300, f"{rate:.0f} mails a second"


async def test_a_customer_answers_and_the_token_comes_back() -> None:
    async with MailWorld("support@firma.example") as world:
        katrin = world.customer("katrin@kunde.example", "Katrin Vögel")
        adapter = Channel(ChannelConfig(1, "email", "Post", "key", world.settings()))
        await adapter.send(out(text="Wohin sollen wir liefern?"))
        raw = katrin.answer(await katrin.next(), "Nach München, bitte.")
        await adapter.close()
        assert world.imap.mails[0].raw == raw
    read = Channel.read(Envelope(1, raw, "imap", 0)).messages[0]
    assert read.tokens == (TOKEN,) and read.reply_to == f"{TOKEN}@firma.example"
    assert read.visible_text == "Nach München, bitte." and "Wohin" in read.text
    assert read.sender == Party("email:katrin@kunde.example", "Katrin Vögel") and read.subject == "Re: Lieferung"


async def test_oauth_tokens_are_fetched_once_and_used_on_both_sides(aiohttp_server: Any) -> None:
    from aiohttp import web

    asked: list[dict[str, Any]] = []

    async def token(request: web.Request) -> web.Response:
        asked.append(dict(await request.post()))
        if asked[-1]["refresh_token"] == "gone":
            return web.json_response({"error": "invalid_grant", "error_description": "expired"}, status=400)
        return web.json_response({"access_token": "tok", "expires_in": 3600})

    app = web.Application()
    app.router.add_post("/token", token)
    provider = await aiohttp_server(app)
    async with ImapTwin(password="tok") as imap, SmtpTwin("hub", "tok") as smtp:
        settings = {
            "address": "hub",
            **imap.settings(),
            **smtp.settings(),
            "oauth.token_url": str(provider.make_url("/token")),
            "oauth.client_id": "id",
            "oauth.refresh_token": "refresh",
        }
        adapter = Channel(ChannelConfig(1, "email", "", "", settings))
        assert await adapter.test() == "Receiving works. Sending works."
        assert asked == [{"grant_type": "refresh_token", "refresh_token": "refresh", "client_id": "id"}]
        broken = Channel(ChannelConfig(1, "email", "", "", {**settings, "oauth.refresh_token": "gone"}))
        with pytest.raises(Refused, match="The token server refused: invalid_grant: expired"):
            await broken.test()
        imap.password = "other"
        with pytest.raises(Refused, match="Invalid credentials"):
            await adapter.test()
