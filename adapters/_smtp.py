"""Handing mail to an SMTP server, step by step, so that it is known what an interrupted attempt has done.

Before the final dot of DATA everything may be tried again. After it, without an answer, nobody knows: the ordinary
exception is let through. Deadlines stand outside the library.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosmtplib
from aiosmtplib.protocol import normalize_message_line_endings

from adapters import _tls
from adapters._oauth import Tokens
from hub.messages import Refused, TryLater
from hub.text import clean_line

_log = logging.getLogger(__name__)

CONNECT_DEADLINE = 15.0
SEND_DEADLINE = 60.0
#: Connections per channel, and how long one may wait for its next mail (seconds).
MOST_CONNECTIONS = 8
IDLE_SECONDS = 10.0
#: An idle connection is asked whether it lives after this long.
DOUBT_AFTER = 2.0

Trouble = TryLater | Refused


class Unconfirmed(Exception):
    """The mail was handed over completely and no answer came: it may have been sent, or not."""


def verdict(code: int, words: str) -> Trouble:
    """What a server's refusal means: 4xx is "later", the rest is "never"; with the server's own words."""
    reason = clean_line(f"{code} {words}", 500)
    return TryLater(reason) if 400 <= code < 500 else Refused(reason)


class Mailer:
    """The connections of one channel to its SMTP server."""

    def __init__(self, server: _tls.Server, tokens: Tokens, own_name: str) -> None:
        self._server = server
        self._tokens = tokens
        self._own_name = own_name
        self._room = asyncio.Semaphore(MOST_CONNECTIONS)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []
        self._sweeper: asyncio.TimerHandle | None = None

    async def send(self, sender: str, recipients: Sequence[str], raw: bytes) -> dict[str, Trouble]:
        """Send to bare, checked addresses. Returns what went wrong by address; the others have it.

        Raises `TryLater` or `Refused` when nobody could be served, `Unconfirmed` when no answer came at the end.
        """
        attempt = _Attempt(sender, recipients, raw)
        try:
            async with asyncio.timeout(SEND_DEADLINE), self._room:
                async with self._connection(fresh=False) as client:
                    if await attempt.run(client):
                        return attempt.troubles
                async with self._connection(fresh=True) as client:  # the kept connection had died meanwhile
                    if not await attempt.run(client):
                        raise TryLater("The mail server closed the connection.")
                    return attempt.troubles
        except TimeoutError as error:
            if attempt.dotted:
                raise Unconfirmed("The mail server did not answer after it had the whole mail.") from error
            raise TryLater("The mail server did not answer in time.") from error

    async def log_in(self) -> str:
        """Connect, log in, leave. Raises `Refused` with the server's words, `TryLater` when it cannot be reached."""
        async with asyncio.timeout(SEND_DEADLINE):
            client = await self._connect()
            greeting = client.last_ehlo_response
            await _leave(client)
        return clean_line(greeting.message.split("\n")[0] if greeting else "", 100)

    async def close(self) -> None:
        """Leave the idle connections."""
        if self._sweeper:
            self._sweeper.cancel()
        idle, self._idle = self._idle, []
        for _, client in idle:
            await _leave(client)

    @asynccontextmanager
    async def _connection(self, fresh: bool) -> AsyncIterator[aiosmtplib.SMTP]:
        """A logged-in connection; it goes back to the idle ones when it is still in order afterwards."""
        client = (None if fresh else await self._kept()) or await self._connect()
        try:
            yield client
        except (TryLater, Refused):
            self._keep(client)  # a clear answer to this mail says nothing against the connection
            raise
        except BaseException:
            client.close()
            raise
        self._keep(client)

    def _keep(self, client: aiosmtplib.SMTP) -> None:
        if client.is_connected:
            self._idle.append((time.monotonic(), client))
            if self._sweeper is None:
                self._sweeper = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._sweep)

    async def _kept(self) -> aiosmtplib.SMTP | None:
        while self._idle:
            since, client = self._idle.pop()
            waited = time.monotonic() - since
            if not client.is_connected or waited > IDLE_SECONDS:
                client.close()
                continue
            if waited < DOUBT_AFTER:
                return client
            try:
                async with asyncio.timeout(5):
                    await client.noop()
                return client
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()
        return None

    def _sweep(self) -> None:
        """Close what has been idle for too long; runs again while anything is idle."""
        now = time.monotonic()
        for since, client in self._idle:
            if now - since >= IDLE_SECONDS:
                client.close()
        self._idle = [(since, client) for since, client in self._idle if now - since < IDLE_SECONDS]
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(IDLE_SECONDS / 2, self._sweep) if self._idle else None

    async def _connect(self) -> aiosmtplib.SMTP:
        """A new connection, encrypted and logged in as the settings say. Raises `TryLater` or `Refused`."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=None if server.tls == "none" else await _tls.context(),
            local_hostname=self._own_name,
            timeout=CONNECT_DEADLINE,
        )
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await client.connect()
                await client.ehlo()
                await self._log_in(client)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise _connect_trouble(error) from error
        except BaseException:
            client.close()
            raise
        return client

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        server = self._server
        if self._tokens.wanted:
            try:
                await client.auth_xoauth2(server.user, await self._tokens.get())
            except aiosmtplib.SMTPAuthenticationError:
                self._tokens.forget()
                raise
        elif server.password:
            await client.login(server.user, server.password)


def _connect_trouble(error: Exception) -> TryLater:
    """Why no connection came about."""
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return LoginRefused(clean_line(f"The mail server refused the login: {error.code} {error.message}", 500))
        case aiosmtplib.SMTPResponseException():
            return TryLater(clean_line(f"The mail server does not talk to us: {error.code} {error.message}", 500))
        case TimeoutError() | aiosmtplib.SMTPTimeoutError():
            return TryLater("The mail server did not answer in time.")
        case _:
            return TryLater(clean_line(f"The mail server cannot be reached: {error}", 500))


class LoginRefused(TryLater):
    """The server does not know us. Worth another try once the settings are right, so the mail waits five minutes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, 300)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, and do not mind how that is answered."""
    try:
        async with asyncio.timeout(2):
            await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        _log.debug("a mail server did not say goodbye: %s", type(error).__name__)
    client.close()


class _Attempt:
    """One mail on its way through one connection, and how far it came."""

    def __init__(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        self.sender = sender
        self.recipients = recipients
        self.raw = raw
        self.troubles: dict[str, Trouble] = {}
        #: the final dot has left us: whether the server took the mail is now for the server to say
        self.dotted = False

    async def run(self, client: aiosmtplib.SMTP) -> bool:
        """Go through MAIL, RCPT and DATA. False: the connection was dead from the start. Raises as `Mailer.send`."""
        self.troubles = {}
        try:
            await self._mail(client)
        except (aiosmtplib.SMTPException, OSError):
            client.close()
            return False
        try:
            await self._recipients(client)
            await self._data(client)
        except (aiosmtplib.SMTPException, OSError) as error:
            if self.dotted:
                raise Unconfirmed("The mail server had the whole mail and then closed the connection.") from error
            raise TryLater("The mail server closed the connection before it had the mail.") from error
        return True

    async def _mail(self, client: aiosmtplib.SMTP) -> None:
        options = [f"SIZE={len(self.raw)}"] if client.supports_extension("size") else []
        try:
            await client.mail(self.sender, options=options)
        except aiosmtplib.SMTPSenderRefused as error:
            await _reset(client)
            raise verdict(error.code, error.message) from error

    async def _recipients(self, client: aiosmtplib.SMTP) -> None:
        for recipient in self.recipients:
            try:
                await client.rcpt(recipient)
            except aiosmtplib.SMTPRecipientRefused as error:
                self.troubles[recipient] = verdict(error.code, error.message)
                if error.code == 421:
                    raise self.troubles[recipient] from error

    async def _data(self, client: aiosmtplib.SMTP) -> None:
        if len(self.troubles) == len(set(self.recipients)):
            await _reset(client)
            return
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        started = await protocol.execute_command(b"DATA", timeout=SEND_DEADLINE)
        if started.code != 354:
            await _reset(client)
            raise verdict(started.code, started.message)
        transport: Any = client.transport
        transport.set_write_buffer_limits(high=0)
        protocol.write(_stuffed(self.raw))
        # Everything but the dot leaves this process first: up to here nothing can have been sent. (A StreamWriter
        # would drain as well, but closes the connection when it is collected.)
        await protocol._drain_helper()
        self.dotted = True
        protocol.write(b".\r\n")
        answer = await protocol.read_response(timeout=SEND_DEADLINE)
        if not 200 <= answer.code < 300:
            self.dotted = False  # a clear answer
            raise verdict(answer.code, answer.message)


def _stuffed(raw: bytes) -> bytes:
    """The mail as DATA wants it (RFC 5321 4.5.2): CRLF only, and no line that looks like the end."""
    if not raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r"):
        raw = normalize_message_line_endings(raw)
    raw = raw.replace(b"\r\n.", b"\r\n..")
    return b"." + raw if raw.startswith(b".") else raw


async def _reset(client: aiosmtplib.SMTP) -> None:
    """Forget the half-said mail so that the connection serves the next; a server that cannot is left."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()
