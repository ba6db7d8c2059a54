"""The door for mail servers: an SMTP and LMTP listener that says 250 only for what is kept (RFC 5321, RFC 2033).

    door = await open_door("127.0.0.1", 2525, route=route, keep=ingest.keep, full=DiskFull)

One listener speaks both: whoever greets with LHLO gets LMTP's answer per recipient, after EHLO or HELO there is one for all.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import SMTP, syntax

from hub.clock import now
from hub.messages import Envelope
from hub.text import clean_line

_log = logging.getLogger(__name__)
#: The library logs every command with its addresses.
logging.getLogger("mail.log").setLevel(logging.WARNING)

#: Bytes of a mail, recipients of a mail, connections at a time.
MAX_MAIL = 60_000_000
MAX_RECIPIENTS = 100
MOST_CONNECTIONS = 100
#: Seconds a client may be silent, seconds keeping may take, and seconds one mail may take to arrive.
SILENCE = 60.0
KEEPING = 50.0
ARRIVING = 600.0
#: A mail that has passed so many servers goes round in circles.
MAX_HOPS = 60

_RECEIVED = re.compile(rb"^received:", re.IGNORECASE | re.MULTILINE)
_NOBODY = "nobody@null.invalid"
_NULL = re.compile(r"\s*FROM:\s*<\s*>\s*(.*)", re.IGNORECASE)

Route = Callable[[str], int | None]
KeepEnvelope = Callable[[Envelope], Awaitable[None]]


class Door:
    """The listener. ``route`` gives the channel for a recipient's address, or None: nobody here has that name.

    ``keep`` returns once the envelope is committed; ``full`` are its exceptions for "no room left" (452), every other
    exception means "not now" (451), so that the sending server keeps the mail and comes again. ``look_again`` is awaited before an
    unknown name is refused: the mailbox may have been made a moment ago by another process.
    """

    def __init__(
        self,
        route: Route,
        keep: KeepEnvelope,
        *,
        full: type[Exception] | tuple[type[Exception], ...] = (),
        look_again: Callable[[], Awaitable[None]] | None = None,
        hostname: str = "hub",
        most_connections: int = MOST_CONNECTIONS,
        max_mail: int = MAX_MAIL,
        silence: float = SILENCE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.route = route
        self.look_again = look_again or _nothing_new
        self.keep = keep
        self.full = full
        self.most_connections = most_connections
        self.connections: set[Connection] = set()
        self._options: dict[str, Any] = {
            "hostname": hostname,
            "ident": "ready",
            "data_size_limit": max_mail,
            "timeout": silence,
            "tls_context": tls,
            "enable_SMTPUTF8": True,
        }
        self.closing = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; gives the port (for 0, the one the system chose)."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self, loop, self._options), host, port)
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The listening sockets; none after `close`."""
        return self._server.sockets if self._server else ()

    def close(self) -> None:
        """Stop listening and hang up; a mail that is on its way is still taken and answered."""
        self.closing = True
        if self._server:
            self._server.close()
        for connection in list(self.connections):
            if connection.idle.is_set():
                connection.hang_up()

    async def wait_closed(self, seconds: float = 5) -> None:
        """Wait for those last mails, at most so long, and hang up on the rest: their senders will come again."""
        try:
            async with asyncio.timeout(seconds):
                while busy := [connection.idle for connection in self.connections if not connection.idle.is_set()]:
                    await busy[0].wait()
        except TimeoutError:
            _log.warning("mails were still arriving when the mail door closed; their senders will send them again")
        for connection in list(self.connections):
            connection.hang_up()

    async def take(self, envelope: Envelope) -> str:
        """Keep one envelope; the answer for its recipients."""
        try:
            async with asyncio.timeout(KEEPING):
                await self.keep(envelope)
        except self.full:
            return "452 4.3.1 Not enough room here, try again later"
        except Exception as error:  # whatever it is: nothing is kept, so the sender keeps it
            if not isinstance(error, TimeoutError):
                _log.warning("a mail could not be kept: %s: %s", type(error).__name__, clean_line(str(error), 200))
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Kept"


async def open_door(
    host: str,
    port: int,
    *,
    route: Route,
    keep: KeepEnvelope,
    max_size: int = MAX_MAIL,
    full: type[Exception] | tuple[type[Exception], ...] = (),
    look_again: Callable[[], Awaitable[None]] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Door:
    """A `Door` that listens already. Raises OSError when the address is not to be had."""
    door = Door(route, keep, full=full, look_again=look_again, max_mail=max_size, tls=tls)
    await door.start(host, port)
    return door


async def _nothing_new() -> None:
    """Nobody else makes mailboxes."""


class Connection(SMTP):
    """One client."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> None:
        super().__init__(_Hooks(door), loop=loop, **options)
        self._door = door
        self._limit = int(options["data_size_limit"])
        self._lmtp = False
        #: not set while a mail is between its first byte and its answer
        self.idle = asyncio.Event()
        self.idle.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._door.connections.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.close()

    async def _handle_client(self) -> None:
        if len(self._door.connections) > self._door.most_connections:
            await self.push("421 4.7.0 Too many connections, try again later")
            self.hang_up()
            return
        await super()._handle_client()

    async def handle_exception(self, error: Exception) -> str:
        _log.warning("a mail client's command could not be understood: %s", type(error).__name__)
        return "500 5.5.2 Not understood"

    @syntax("LHLO hostname")
    async def smtp_LHLO(self, arg: str) -> None:
        """LMTP's greeting."""
        self._lmtp = True
        await super().smtp_EHLO(arg)

    async def smtp_EHLO(self, hostname: str) -> None:
        self._lmtp = False
        await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname: str) -> None:
        self._lmtp = False
        await super().smtp_HELO(hostname)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """The library does not take MAIL FROM:<>, with which bounces come: they get a sender that nobody has."""
        if arg and (null := _NULL.match(arg)):
            arg = f"FROM:<{_NOBODY}> {null[1]}".strip()
        await super().smtp_MAIL(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:
        """The mail: read in large pieces, lines of any length, ended by nothing but CRLF.CRLF."""
        if await self.check_helo_needed():
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Need RCPT command")
            return
        self.idle.clear()
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            async with asyncio.timeout(ARRIVING):
                raw = await self._mail()
            self._reset_timeout(KEEPING * 2)
            answers = await self._answers(raw, self.envelope.rcpt_tos)
            self._set_post_data_state()  # type: ignore[no-untyped-call]
            await self.push("\r\n".join(answers))
        except TimeoutError:
            self.hang_up()
        finally:
            self.idle.set()
        if self.transport is not None:
            self._reset_timeout()
            if self._door.closing:
                self.hang_up()

    async def _mail(self) -> bytes | None:
        """The bytes of the mail without the dots that SMTP adds; None when it is too large (it is read to its end)."""
        data = bytearray()
        seen, limit = 0, self._limit
        while True:
            try:
                piece = await self._reader.readuntil(b".\r\n")
                ended = True
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.readexactly(error.consumed)
                ended = False
            self._reset_timeout()
            seen += len(piece)
            if seen > limit + 5:
                del data[:-5]
            data += piece
            if ended and (seen == 3 or data.endswith(b"\r\n.\r\n")):
                break
        if seen > limit + 5:
            return None
        del data[-3:]
        raw = bytes(data).replace(b"\r\n.", b"\r\n")
        return raw[1:] if raw.startswith(b".") else raw

    async def _answers(self, raw: bytes | None, recipients: list[str]) -> list[str]:
        """What happened to the mail: one answer, or in LMTP one per recipient."""
        count = len(recipients) if self._lmtp else 1
        if raw is None:
            return ["552 5.3.4 The mail is too large"] * count
        head = raw[:1_000_000]
        if (end := head.find(b"\r\n\r\n")) >= 0:
            head = head[:end]
        if len(_RECEIVED.findall(head)) > MAX_HOPS:
            return ["554 5.4.6 This mail goes round in circles"] * count
        answers: dict[str, str] = {}
        by_channel: dict[int, list[str]] = {}
        for recipient in dict.fromkeys(recipients):
            channel = self._door.route(recipient)
            if channel is None:
                answers[recipient] = "550 5.1.1 No such mailbox here"
            else:
                by_channel.setdefault(channel, []).append(recipient)
        for channel, theirs in by_channel.items():
            said = await self._door.take(self._envelope(channel, theirs, raw))
            answers |= dict.fromkeys(theirs, said)
        if self._lmtp:
            return [answers[recipient] for recipient in recipients]
        # one answer for all: 250 only when all is kept; a copy that is kept twice is recognised by its content
        return [max(answers.values(), key=lambda answer: (answer[0] == "4", answer[0]))]

    def _envelope(self, channel: int, recipients: list[str], raw: bytes) -> Envelope:
        session = self.session
        assert session is not None and self.envelope is not None
        sender = str(self.envelope.mail_from)
        peer = session.peer
        facts = {
            "mail_from": "" if sender == _NOBODY else clean_line(sender, 1000),
            "recipients": ", ".join(clean_line(recipient, 500) for recipient in recipients),
            "helo": clean_line(str(session.host_name or ""), 255),
            "peer": str(peer[0]) if isinstance(peer, tuple) else clean_line(str(peer), 255),
        }
        return Envelope(channel, raw, "lmtp" if self._lmtp else "smtp", now(), facts)


class _Hooks:
    """The library asks here."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if self._door.route(address) is None:
            await self._door.look_again()
        if self._door.route(address) is None:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_VRFY(self, server: Any, session: Any, envelope: Any, address: str) -> str:
        return "252 2.5.2 Send some mail, I will try my best"
