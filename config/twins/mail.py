"""A world of mail for one channel: the hub's mail server, its mailbox, and customers who read what they get and answer.

async with MailWorld("support@firma.example") as world:
    channel settings: world.settings()
    katrin = world.customer("katrin@kunde.example", "Katrin Vogel")
    katrin.write("Where is my parcel?", subject="Parcel")
    mail = await katrin.next()
    katrin.answer(mail, "Thank you!")
"""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from email.utils import formataddr
from itertools import count
from typing import Any

from config.twins.imap import ImapTwin
from config.twins.smtp import Mail, SmtpTwin


class MailWorld:
    """Everything the hub needs to send and fetch mail, on this machine. ``address`` is the channel's."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.smtp = SmtpTwin()
        self.imap = ImapTwin()
        self.customers: dict[str, Customer] = {}
        self.numbers = count(1)
        self.smtp.on_mail = self._hand_out

    async def __aenter__(self) -> MailWorld:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the mailbox and the mail server."""
        await self.smtp.start()
        await self.imap.start()

    async def close(self) -> None:
        """Shut both."""
        await self.smtp.close()
        await self.imap.close()

    def settings(self) -> dict[str, Any]:
        """The settings of the e-mail channel that lives in this world."""
        return {"address": self.address, **self.smtp.settings(), **self.imap.settings()}

    def customer(self, address: str, name: str = "") -> Customer:
        """Somebody with a mailbox; the same one for the same address."""
        return self.customers.setdefault(address.lower(), Customer(self, address.lower(), name))

    def _hand_out(self, mail: Mail) -> None:
        for recipient in mail.recipients:
            if customer := self.customers.get(recipient.lower()):
                customer.inbox.append(mail)
                customer.arrived.set()


class Customer:
    """Somebody with a mail program."""

    def __init__(self, world: MailWorld, address: str, name: str) -> None:
        self.world = world
        self.address = address
        self.name = name
        self.inbox: list[Mail] = []
        self.arrived = asyncio.Event()
        self._read = 0

    async def next(self, seconds: float = 10) -> Mail:
        """The next mail they have not read yet. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.inbox) <= self._read:
                self.arrived.clear()
                await self.arrived.wait()
        self._read += 1
        return self.inbox[self._read - 1]

    def write(self, text: str, subject: str = "", to: str = "", html: str = "", **headers: str) -> bytes:
        """Write a mail; it lies in the hub's mailbox at once. Gives its bytes."""
        mail = EmailMessage()
        mail["From"] = formataddr((self.name, self.address))
        mail["To"] = to or self.world.address
        mail["Subject"] = subject
        mail["Message-ID"] = f"<{next(self.world.numbers)}.{self.address}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
        raw = mail.as_bytes(policy=modern.clone(linesep="\r\n"))
        self.world.imap.deliver(raw)
        return raw

    def answer(self, mail: Mail, text: str, quote: bool = True) -> bytes:
        """Answer a mail as mail programs do: to its Reply-To, with In-Reply-To, References and a quotation."""
        got = BytesParser(policy=modern).parsebytes(mail.raw)
        body = got.get_body(("plain",))
        quoted = body.get_content() if quote and body is not None else ""
        said = text
        if quoted:
            lines = "\n".join("> " + line for line in quoted.splitlines())
            said = f"{text}\n\nOn 23 Nov 2026, at 09:01, Support wrote:\n\n{lines}\n"
        message_id = str(got["Message-ID"] or "")
        subject = str(got["Subject"] or "")
        return self.write(
            said,
            subject=subject if subject.lower().startswith("re:") else f"Re: {subject}",
            to=str(got["Reply-To"] or got["From"]),
            In_Reply_To=message_id,
            References=f"{got['References'] or ''} {message_id}".strip(),
        )
