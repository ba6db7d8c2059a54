"""A mail server to send to: a real SMTP server on the loop that keeps every mail and fails on request.

async with SmtpTwin() as server:
    server.refuse["nobody@x.example"] = (550, "5.1.1 No such user")
    …
    assert server.mails[0].recipients == ("a@x.example",)
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Callable
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from msgspec import Struct

logging.getLogger("mail.log").setLevel(logging.WARNING)


class Mail(Struct, frozen=True):
    """A mail the server accepted, as it came over the wire (dots unstuffed)."""

    mail_from: str
    recipients: tuple[str, ...]
    raw: bytes


#: What happens after the final dot: an answer; or the connection is cut, with the mail kept or thrown away; or silence.
Ending = Literal["answer", "cut and keep", "cut and lose", "silence"]


class SmtpTwin:
    """The server. Faults are plain attributes, read at every mail."""

    def __init__(self, user: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.user = user
        self.password = password
        self.tls = tls
        self.mails: list[Mail] = []
        #: recipient → refusal
        self.refuse: dict[str, tuple[int, str]] = {}
        #: refusal of MAIL, of DATA before the mail, and of the mail itself
        self.refuse_sender: tuple[int, str] | None = None
        self.refuse_data: tuple[int, str] | None = None
        self.refuse_mail: tuple[int, str] | None = None
        #: every recipient's first attempt is answered 451
        self.greylist = False
        self.ending: Ending = "answer"
        #: cut the connection when DATA begins, before the mail
        self.cut_before_mail = False
        #: seconds every mail takes
        self.slow = 0.0
        self.connections = 0
        #: called with every mail that is kept
        self.on_mail: Callable[[Mail], None] | None = None
        self._seen: set[str] = set()
        self._arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[SMTP] = set()
        self._silence = asyncio.Event()
        self._encrypted = False

    async def __aenter__(self) -> SmtpTwin:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0, encrypted: bool = False) -> None:
        """Listen on loopback; ``encrypted``: TLS from the start, else STARTTLS when there is a context."""
        loop = asyncio.get_running_loop()
        self._encrypted = encrypted
        self._server = await loop.create_server(self._session, "127.0.0.1", port, ssl=self.tls if encrypted else None)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop, and cut every connection."""
        self._silence.set()
        if self._server:
            self._server.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut every connection, as a restart of the server would."""
        for session in list(self._open):
            if session.transport is not None:
                session.transport.close()
        self._open.clear()

    async def wait_for(self, count: int, seconds: float = 10) -> list[Mail]:
        """The mails, once there are ``count`` of them. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.mails) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.mails

    def settings(self, tls: str = "none") -> dict[str, Any]:
        """The settings by which an e-mail channel finds this server."""
        found: dict[str, Any] = {"smtp.host": "127.0.0.1", "smtp.port": self.port, "smtp.tls": tls}
        if self.user:
            found |= {"smtp.user": self.user, "smtp.password": self.password}
        return found

    def keep(self, mail: Mail) -> None:
        """A mail is accepted."""
        self.mails.append(mail)
        self._arrived.set()
        if self.on_mail:
            self.on_mail(mail)

    def _session(self) -> _Session:
        session = _Session(
            _Handler(self),
            enable_SMTPUTF8=True,
            hostname="twin.example",
            ident="SMTP twin",
            data_size_limit=100_000_000,
            timeout=60,
            tls_context=None if self._encrypted else self.tls,
            auth_require_tls=self.tls is not None and not self._encrypted,
            auth_required=bool(self.user) and self.tls is not None and not self._encrypted,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        session.line_length_limit = 1_000_000
        self.connections += 1
        session.twin = self
        self._open.add(session)
        return session

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        good = (
            isinstance(data, LoginPassword)
            and data.login == self.user.encode()
            and data.password == self.password.encode()
        )
        if good:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message="535 5.7.8 Username and Password not accepted")


class _Session(SMTP):
    """One connection."""

    twin: SmtpTwin

    async def smtp_DATA(self, arg: str) -> None:
        if self.twin.refuse_data:
            await self.push("{} {}".format(*self.twin.refuse_data))
            return
        if self.twin.cut_before_mail:
            await self.push("354 Go ahead")
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class _Handler:
    """aiosmtpd's hooks."""

    def __init__(self, twin: SmtpTwin) -> None:
        self._twin = twin

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        token = base64.b64decode(args[1]).decode() if len(args) > 1 else ""
        good = token == f"user={self._twin.user}\x01auth=Bearer {self._twin.password}\x01\x01"
        return AuthResult(success=good, handled=False, message=None if good else "535 5.7.8 Bad token")

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self._twin.refuse_sender:
            return "{} {}".format(*self._twin.refuse_sender)
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        twin = self._twin
        if address in twin.refuse:
            return "{} {}".format(*twin.refuse[address])
        if twin.greylist and address not in twin._seen:
            twin._seen.add(address)
            return "451 4.7.1 Greylisted, please come back"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        twin = self._twin
        mail = Mail(envelope.mail_from, tuple(envelope.rcpt_tos), bytes(envelope.original_content))
        if twin.slow:
            await asyncio.sleep(twin.slow)
        if twin.refuse_mail:
            return "{} {}".format(*twin.refuse_mail)
        if twin.ending != "cut and lose":
            twin.keep(mail)
        if twin.ending == "silence":
            await twin._silence.wait()
        if twin.ending.startswith("cut"):
            server.transport.abort()
        return "250 2.0.0 Taken"
