"""A mailbox to fetch from: a small real IMAP4rev1 server on the loop (RFC 3501, IDLE of RFC 2177) that fails on request.

async with ImapTwin() as server:
    server.deliver(raw_mail)
    server.fault = "bye instead of idling"
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

#: What goes wrong, at the next opportunity and until it is set to something else.
Fault = Literal[
    "",
    "no greeting",  # BYE as the first words
    "bye instead of idling",
    "cut in literal",  # closes in the middle of a mail
    "reset in idle",
    "silence in idle",  # says nothing and hears nothing any more
    "silence",  # the same for every command
    "too large a literal",
    "no size",  # keeps the size of every other mail to itself
    "no body",  # gives mails without their content
    "expunge storm",  # three thousand EXPUNGE lines in IDLE
]


class Stored(Struct):
    """A mail in the folder."""

    uid: int
    raw: bytes
    seen: bool = False


class ImapTwin:
    """One user with one folder. Change ``fault``, ``uidvalidity``, ``idle`` and ``mails`` at will."""

    def __init__(
        self,
        user: str = "hub",
        password: str = "secret",  # noqa: S107 - guards nothing
        folder: str = "INBOX",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.user = user
        self.password = password
        #: the folder's name as it stands on the wire, in modified UTF-7
        self.folder = folder
        self.tls = tls
        self.mails: list[Stored] = []
        self.uidvalidity = 1
        self.fault: Fault = ""
        #: whether the server offers IDLE
        self.idle = True
        #: put after the answer to STARTTLS in the clear, as an attacker would
        self.injected = b""
        self.refused_login = "[AUTHENTICATIONFAILED] Invalid credentials (Failure)"
        #: every command as it came
        self.commands: list[str] = []
        self.idling = 0
        #: called with every command before it is answered
        self.on_command: Callable[[str], object] | None = None
        self._next_uid = 1
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> ImapTwin:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0, encrypted: bool = False) -> None:
        """Listen on loopback; ``encrypted``: TLS from the start, else STARTTLS when there is a context."""
        context = self.tls if encrypted else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20, ssl=context)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop, and cut every connection."""
        if self._server:
            self._server.close()
        for session in list(self._sessions):
            session.task.cancel()
        await asyncio.gather(*(session.task for session in self._sessions), return_exceptions=True)

    def settings(self, tls: str = "none") -> dict[str, Any]:
        """The settings by which an e-mail channel finds this server."""
        return {
            "imap.host": "127.0.0.1",
            "imap.port": self.port,
            "imap.tls": tls,
            "imap.user": self.user,
            "imap.password": self.password,
        }

    def deliver(self, raw: bytes) -> int:
        """Put a mail into the folder and tell whoever is in IDLE; gives its UID."""
        uid = self._next_uid
        self._next_uid += 1
        self.mails.append(Stored(uid, raw))
        for session in self._sessions:
            session.new_mail()
        return uid

    def remove(self, uid: int) -> None:
        """Somebody deletes a mail with another program."""
        self.mails = [mail for mail in self.mails if mail.uid != uid]

    def rebuild(self) -> None:
        """The server has lost its index: another UIDVALIDITY, and every mail has another UID."""
        self.uidvalidity += 1
        self.mails = [Stored(number, mail.raw) for number, mail in enumerate(self.mails, 101)]
        self._next_uid = 101 + len(self.mails)

    async def wait_for(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Until something is true that changes with commands. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    async def note(self) -> None:
        """Something has changed: look again, whoever waits."""
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        self._sessions.add(session)
        try:
            await session.run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            return  # the client has gone, or the twin is closed
        finally:
            self._sessions.discard(session)
            writer.transport.abort()


class _Session:
    """One connection."""

    def __init__(self, twin: ImapTwin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.twin = twin
        self.reader = reader
        self.writer = writer
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self.known = 0
        self.selected = False
        self.over = False

    async def run(self) -> None:
        if self.twin.fault == "no greeting":
            await self.say("* BYE Too many connections from your address")
            return
        await self.say("* OK IMAP twin ready")
        while not self.over and (line := await self.reader.readline()):
            tag, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
            word, _, arguments = rest.partition(" ")
            self.twin.commands.append(rest)
            if self.twin.on_command:
                self.twin.on_command(rest)
            await self.twin.note()
            if self.twin.fault == "silence":
                await asyncio.Event().wait()
            if word.upper() == "UID":
                word, _, arguments = arguments.partition(" ")
            handler = getattr(self, f"on_{word.lower()}", None)
            if handler is None:
                await self.say(f"{tag} BAD Unknown command")
            else:
                await handler(tag, arguments)

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(line + "\r\n" for line in lines).encode())
        await self.writer.drain()

    def new_mail(self) -> None:
        if self.selected and self.known != len(self.twin.mails):
            self.known = len(self.twin.mails)
            self.writer.write(f"* {self.known} EXISTS\r\n".encode())

    def capabilities(self) -> str:
        upgrade = " STARTTLS" if self.twin.tls and not self.writer.get_extra_info("sslcontext") else ""
        return "IMAP4rev1 AUTH=XOAUTH2" + (" IDLE" if self.twin.idle else "") + upgrade

    async def on_capability(self, tag: str, _: str) -> None:
        await self.say(f"* CAPABILITY {self.capabilities()}", f"{tag} OK done")

    async def on_starttls(self, tag: str, _: str) -> None:
        if self.twin.tls is None:
            await self.say(f"{tag} BAD No TLS here")
            return
        self.writer.write(f"{tag} OK Begin TLS now\r\n".encode() + self.twin.injected)
        await self.writer.drain()
        await self.writer.start_tls(self.twin.tls)

    async def on_login(self, tag: str, arguments: str) -> None:
        words = [
            word.replace('\\"', '"').replace("\\\\", "\\") for word in re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)
        ]
        if words == [self.twin.user, self.twin.password]:
            await self.say(f"{tag} OK Logged in")
        else:
            await self.say(f"{tag} NO {self.twin.refused_login}")

    async def on_authenticate(self, tag: str, arguments: str) -> None:
        import base64

        said = base64.b64decode(arguments.partition(" ")[2]).decode()
        if said == f"user={self.twin.user}\x01auth=Bearer {self.twin.password}\x01\x01":
            await self.say(f"{tag} OK Logged in")
            return
        await self.say("+ eyJzdGF0dXMiOiI0MDAifQ==")
        await self.reader.readline()
        await self.say(f"{tag} NO {self.twin.refused_login}")

    async def on_select(self, tag: str, arguments: str) -> None:
        if arguments.strip('"') != self.twin.folder:
            await self.say(f"{tag} NO Mailbox doesn't exist")
            return
        self.selected = True
        self.known = len(self.twin.mails)
        await self.say(
            "* FLAGS (\\Seen)",
            f"* {self.known} EXISTS",
            f"* OK [UIDVALIDITY {self.twin.uidvalidity}] UIDs valid",
            f"{tag} OK [READ-WRITE] Selected",
        )

    async def on_noop(self, tag: str, _: str) -> None:
        self.new_mail()
        await self.say(f"{tag} OK done")

    async def on_search(self, tag: str, arguments: str) -> None:
        wanted = arguments.upper().replace("UID ", "").strip()
        found = [mail.uid for mail in self._some(wanted)]
        await self.say("* SEARCH" + "".join(f" {uid}" for uid in found), f"{tag} OK done")

    async def on_fetch(self, tag: str, arguments: str) -> None:
        which, _, what = arguments.partition(" ")
        for mail in self._some(which):
            number = self.twin.mails.index(mail) + 1
            if "RFC822.SIZE" in what:
                if self.twin.fault == "no size" and number % 2:
                    continue
                self.writer.write(f"* {number} FETCH (UID {mail.uid} RFC822.SIZE {len(mail.raw)})\r\n".encode())
                continue
            await self._body(mail, number, "HEADER" if "HEADER" in what else "")
        await self.say(f"{tag} OK done")

    async def _body(self, mail: Stored, number: int, section: str) -> None:
        raw = mail.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if section else mail.raw
        head = f"* {number} FETCH (UID {mail.uid} BODY[{section}] "
        if self.twin.fault == "no body":
            self.writer.write(f"{head}NIL)\r\n".encode())
            return
        size = 2_000_000_000 if self.twin.fault == "too large a literal" else len(raw)
        self.writer.write(f"{head}{{{size}}}\r\n".encode())
        if self.twin.fault == "cut in literal":
            self.writer.write(raw[: len(raw) // 2])
            await self.writer.drain()
            raise ConnectionResetError
        self.writer.write(raw + b")\r\n")
        await self.writer.drain()

    async def on_store(self, tag: str, arguments: str) -> None:
        which, _, flags = arguments.partition(" ")
        for mail in self._some(which):
            mail.seen = mail.seen or "\\Seen" in flags
        await self.say(f"{tag} OK done")
        await self.twin.note()

    async def on_idle(self, tag: str, _: str) -> None:
        if self.twin.fault == "bye instead of idling":
            await self.say("* BYE Session expired")
            raise ConnectionResetError
        self.twin.idling += 1
        await self.say("+ idling")
        self.new_mail()
        await self.twin.note()
        try:
            if self.twin.fault == "reset in idle":
                raise ConnectionResetError
            if self.twin.fault == "silence in idle":
                self.selected = False
                await asyncio.Event().wait()
            if self.twin.fault == "expunge storm":
                await self.say(*["* 1 EXPUNGE"] * 3000)
            if (await self.reader.readline()).strip().upper() == b"DONE":
                await self.say(f"{tag} OK Idle completed")
        finally:
            self.twin.idling -= 1

    async def on_logout(self, tag: str, _: str) -> None:
        await self.say("* BYE Goodbye", f"{tag} OK done")
        self.over = True

    def _some(self, which: str) -> list[Stored]:
        """The mails of a UID set; ``n:*`` names the last one even when it is below n, as the RFC has it."""
        wanted: set[int] = set()
        last = max((mail.uid for mail in self.twin.mails), default=0)
        for item in which.split(","):
            start, _, end = item.partition(":")
            low = int(start) if start != "*" else last
            high = last if end == "*" else int(end or start)
            wanted.update(range(min(low, high), max(low, high) + 1))
        return [mail for mail in self.twin.mails if mail.uid in wanted]
