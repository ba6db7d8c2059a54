"""A mailbox over IMAP (RFC 3501, 2177): aioimaplib with its known holes closed, and every wait bounded from outside.

What the library (2.0.3, below version 3) does not do by itself: survive many lines in one read (it recurses), notice a
lost connection over TLS or in IDLE, upgrade by STARTTLS, limit what a server may send, quote folder names.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import ssl
from typing import Any

from aioimaplib import aioimaplib as lib

from adapters import _tls
from adapters._oauth import Tokens
from hub.messages import Refused, TryLater
from hub.text import clean_line

#: The library writes whole mails and, in some spellings, passwords into its debug log.
logging.getLogger("aioimaplib").setLevel(logging.WARNING)
_log = logging.getLogger(__name__)

CONNECT_DEADLINE = 15.0
COMMAND_DEADLINE = 30.0
#: A server that sends nothing for so long in the middle of an answer is gone (seconds).
SILENCE = 30.0
#: Bytes a server may send in one literal, and in one line.
MAX_LITERAL = 64_000_000
MAX_LINE = 8_000_000
_CRLF = b"\r\n"


class Lost(TryLater):
    """The connection is gone; said in words for the channel's page."""


class Protocol(lib.IMAP4ClientProtocol):  # type: ignore[misc]  # the library has no types
    """The library's protocol with a loop in place of recursion, limits, and loss of connection told to all who wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        #: set whenever the mailbox may hold something new, and when the connection is lost
        self.news = asyncio.Event()
        self.lost = False
        #: STARTTLS has been asked for: what comes after its answer in the clear was put there by somebody else
        self.upgrading = False
        self.tampered = False
        #: why we closed the connection ourselves, in words
        self.reason = ""

    def break_off(self, reason: str) -> None:
        """Close at once: this server is not to be talked to."""
        self.reason = self.reason or reason
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost = True
        for command in [self.pending_sync_command, *self.pending_async_commands.values()]:
            if command is not None and not command._event.is_set():
                command._exception = lib.Abort("connection lost")
                command._timer.cancel()
                command._event.set()
        self.news.set()

    def data_received(self, d: bytes) -> None:
        if self.upgrading and (self.pending_sync_command is None or b"\n" in d[:-1].rstrip(_CRLF)):
            self.tampered = True
        if len(self.incomplete_line) > MAX_LINE:
            self.break_off("it sends a line without end")
        else:
            super().data_received(d)

    def _handle_responses(self, data: bytes, line_handler: Any, current_cmd: Any = None) -> None:
        command = current_cmd
        while data:
            if command is not None and command.wait_literal_data():
                data = command.append_literal_data(data)
                if command.wait_literal_data():
                    raise lib.IncompleteRead(command)
            line, separator, rest = data.partition(_CRLF)
            if not separator:
                raise lib.IncompleteRead(command, data)
            following = line_handler(line, command)
            if literal := lib.literal_data_re.match(line):
                if int(literal["size"]) > MAX_LITERAL:
                    self.break_off("it sends more than was asked for")
                    return
                following = following or lib.Command("NIL", "unused")
                following.begin_literal_data(int(literal["size"]))
                command = following
            else:
                command = following if following is not None and following.wait_data() else None
            data = rest
        if self.pending_sync_command is not None:
            self.pending_sync_command.flush()
        if command is not None and command.wait_data():
            raise lib.IncompleteRead(command)

    def _handle_line(self, line: bytes, current_cmd: Any) -> Any:
        if line.startswith(b"* ") and line.endswith(b" EXISTS"):
            self.news.set()
        if self.state == lib.CONNECTED and not line.startswith((b"* OK", b"* PREAUTH")):
            self.break_off(f"it says {clean_line(line.decode('utf-8', 'replace').removeprefix('* '), 200)}")
            return None
        return super()._handle_line(line, current_cmd)

    def _continuation(self, line: bytes) -> None:
        pending = self.pending_sync_command
        if pending is not None and pending.name == "AUTHENTICATE":
            self.send("")  # XOAUTH2's error text: an empty answer makes the server refuse properly
        super()._continuation(line)


class Mailbox(lib.IMAP4):  # type: ignore[misc]  # the library has no types
    """A connection to one server. `open` gives one with the folder selected."""

    def __init__(self, server: _tls.Server, context: ssl.SSLContext | None) -> None:
        self._server = server
        self._context = context
        super().__init__(server.host, server.port, timeout=SILENCE)

    def create_client(
        self, host: str, port: int, loop: Any = None, conn_lost_cb: Any = None, ssl_context: Any = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.protocol: Protocol = Protocol(loop)
        now = self._context if self._server.tls == "tls" else None
        self._client_task = loop.create_task(loop.create_connection(lambda: self.protocol, host, port, ssl=now))

    @property
    def can_idle(self) -> bool:
        return any(word.strip("[]").upper() == "IDLE" for word in self.protocol.capabilities)

    async def upgrade(self) -> None:
        """STARTTLS (RFC 3501 6.2.1). Nothing said before counts, and anything said in between breaks it off."""
        protocol = self.protocol
        if protocol.state != lib.NONAUTH:
            raise lib.Abort("the server skips the login, so it cannot be asked to encrypt")
        protocol.upgrading = True
        answer = await protocol.execute(lib.Command("STARTTLS", protocol.new_tag(), loop=protocol.loop))
        if answer.result != "OK":
            raise Refused(_words("The mail server does not encrypt", answer))
        if protocol.tampered or protocol.incomplete_line:
            raise lib.Abort("somebody spoke in between")
        transport = await protocol.loop.start_tls(
            protocol.transport, protocol, self._context, server_hostname=self._server.host
        )
        if protocol.tampered or transport is None:
            raise lib.Abort("somebody spoke in between")
        protocol.transport = transport
        protocol.upgrading = False
        protocol.capabilities = set()
        await protocol.capability()

    async def leave(self) -> None:
        """Say goodbye if the server listens for it, and close."""
        if not self.protocol.lost and self.protocol.transport is not None and not self.has_pending_idle():
            try:
                async with asyncio.timeout(2):
                    await self.logout()
            except (lib.AioImapException, OSError, TimeoutError) as error:
                _log.debug("an IMAP server did not say goodbye: %s", type(error).__name__)
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._idle_waiter is not None:
            self._idle_waiter.cancel()
        for task in [self._client_task, *self.tasks, *self.protocol.tasks]:
            task.add_done_callback(_looked_at)
            task.cancel()
        if self.protocol.transport is not None:
            self.protocol.transport.abort()


def _looked_at(task: asyncio.Future[Any]) -> None:
    """A task that ends after its connection: how it ended is known."""
    if not task.cancelled():
        task.exception()


async def open_mailbox(server: _tls.Server, tokens: Tokens, folder: str) -> tuple[Mailbox, str]:
    """Connect, encrypt, log in and select a folder; gives the mailbox and the folder's UIDVALIDITY.

    Raises `Refused` with the server's words, `TryLater` when it cannot be reached or goes away.
    """
    mailbox = Mailbox(server, None if server.tls == "none" else await _tls.context())
    try:
        async with asyncio.timeout(CONNECT_DEADLINE):
            await _greeting(mailbox)
            if server.tls == "starttls":
                await mailbox.upgrade()
            await _log_in(mailbox, server, tokens)
            answer = await mailbox.select(quoted(folder))
    except (Refused, TryLater):
        mailbox.abort()
        raise
    except Exception as error:
        found = gone_away(mailbox.protocol) if mailbox.protocol.lost else trouble(error)
        mailbox.abort()
        raise found from error
    except BaseException:
        mailbox.abort()
        raise
    if answer.result != "OK":
        mailbox.abort()
        raise Refused(_words(f"The folder “{clean_line(folder, 60)}” cannot be opened", answer))
    validity = re.search(rb"UIDVALIDITY (\d{1,20})", b"\n".join(bytes(line) for line in answer.lines))
    return mailbox, validity[1].decode() if validity else "0"


async def _greeting(mailbox: Mailbox) -> None:
    """Wait for the server's first words, or for it to hang up."""
    hello = asyncio.ensure_future(mailbox.wait_hello_from_server())
    gone = asyncio.ensure_future(mailbox.protocol.news.wait())
    try:
        await asyncio.wait({hello, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not hello.done():
            raise gone_away(mailbox.protocol)
        hello.result()
    finally:
        for task in (hello, gone):
            task.add_done_callback(_looked_at)
            task.cancel()


def gone_away(protocol: Protocol) -> Lost:
    """The connection is lost: why, as far as we know."""
    if protocol.reason:
        return Lost(f"The mail server was left: {protocol.reason}.")
    return Lost("The mail server closed the connection.")


async def _log_in(mailbox: Mailbox, server: _tls.Server, tokens: Tokens) -> None:
    if mailbox.protocol.state == lib.AUTH:
        return
    if tokens.wanted:
        answer = await mailbox.xoauth2(server.user, await tokens.get())
        if answer.result != "OK":
            tokens.forget()
    else:
        answer = await mailbox.login(lib.quoted(server.user), server.password)
    if answer.result != "OK":
        raise Refused(_words("The mail server refused the login", answer))
    await mailbox.protocol.capability()


async def log_in(server: _tls.Server, tokens: Tokens, folder: str) -> str:
    """Try it: one sentence of success. Raises as `open_mailbox`."""
    mailbox, _ = await open_mailbox(server, tokens, folder)
    await mailbox.leave()
    return "Receiving works."


def trouble(error: Exception) -> TryLater:
    """A library's or a network's exception in words; never with what was said to the server."""
    match error:
        case TimeoutError() | lib.CommandTimeout():
            return Lost("The mail server did not answer in time.")
        case ssl.SSLCertVerificationError():
            return Lost(clean_line(f"The mail server's certificate is not good: {error.verify_message}", 300))
        case ssl.SSLError():
            return Lost("The mail server does not speak TLS here; check port and encryption.")
        case lib.AioImapException():
            return Lost(clean_line(f"The mail server broke off: {error}", 300))
        case OSError():
            return Lost(clean_line(f"The mail server cannot be reached: {error.strerror or error}", 300))
        case _:
            return Lost(f"The mail server says what nobody understands ({type(error).__name__}).")


def _words(what: str, answer: Any) -> str:
    said = bytes(answer.lines[-1]).decode("utf-8", "replace") if answer.lines else ""
    return clean_line(f"{what}: {said}", 500)


def quoted(folder: str) -> str:
    """A folder name as IMAP wants it: modified UTF-7 (RFC 3501 5.1.3) in quotes."""
    out: list[str] = []
    foreign: list[str] = []
    for char in [*clean_line(folder, 500), ""]:
        if char and not " " <= char <= "~":
            foreign.append(char)
            continue
        if foreign:
            packed = base64.b64encode("".join(foreign).encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            out.append(f"&{packed}-")
            foreign.clear()
        out.append("&-" if char == "&" else char)
    return str(lib.quoted("".join(out)))
