"""The sample's customers and the servers they use: a mail server and a messenger on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any, Self

from config.twins.imap import ImapTwin
from config.twins.provider import CALM, ProviderTwin
from config.twins.smtp import Mail, SmtpTwin
from hub.sample.house import SECRET
from hub.sample.matters import AGAIN, DAYS, ENGLISH, GERMAN
from hub.sample.plan import ONLY
from hub.sample.words import CHANNELS, PEOPLE, Channel, Person
from hub.sample.writing import address

#: Seconds between two things that customers do, and until one answers.
PAUSE, ANSWER = (4.0, 12.0), (2.0, 6.0)
#: How often customers answer; the others go quiet.
ANSWERS = 0.6
#: So many attempts a webhook has; what the hub does not take then was not said.
TRIES = 20


class World:
    """The customers and the servers they use; an async context manager. ``webhooks``: addresses by channel."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"world {seed}")
        self.smtp, self.imap = SmtpTwin(), ImapTwin()
        self.imap.uidvalidity = int(time.time())  # another mailbox than the one before the last restart
        self.messenger = ProviderTwin(SECRET, CALM, seed)
        self.messenger.answer = self._answer_chat
        self.webhooks: dict[str, str] = {}
        self._answered = 0

    async def __aenter__(self) -> Self:
        await self.smtp.start()
        await self.imap.start()
        await self.messenger.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.messenger.stop()
        await self.imap.close()
        await self.smtp.close()

    def settings(self, channel: Channel) -> dict[str, Any]:
        """How a channel finds the servers."""
        if channel.kind == "email":
            return {**self.imap.settings(), **self.smtp.settings()}
        return {"url": f"{self.messenger.url}?{channel.key}"} if channel.kind == "api" else {}

    async def live(self, room: Callable[[], Awaitable[bool]]) -> None:
        """Now and then somebody writes, while there is ``room``; whoever was answered often answers back."""
        self.messenger.targets = list(self.webhooks.values())
        while True:
            await asyncio.sleep(self.random.uniform(*PAUSE))
            await self._answer_mails()
            if await room():
                await self._begin()

    async def _begin(self) -> None:
        place = self.random.randrange(len(PEOPLE))
        who = PEOPLE[place]
        matter = self.random.choice(GERMAN if who.language == "de" else ENGLISH)
        fills = self._fills(who.language)
        text = matter.turns[0][1].format(**fills)
        by = self._channel(matter.subject)
        if by.kind == "api" and by.key in self.webhooks:
            await self._chat(place, by.key, text, matter.subject.format(**fills))
        else:
            self.write_mail(who, matter.subject.format(**fills), text)

    def _channel(self, subject: str) -> Channel:
        free = [
            c for c in CHANNELS if c.key == ONLY.get(subject, c.key) and (subject in ONLY or c.key not in ONLY.values())
        ]
        return self.random.choices(free, [c.weight for c in free])[0]

    def _fills(self, language: str) -> dict[str, str]:
        numbers = {name: str(self.random.randrange(8, 52)) for name in ("kwh", "kwp", "week", "count")}
        codes = {name: str(self.random.randrange(1100, 2900)) for name in ("invoice", "plant", "price")}
        return {**numbers, **codes, "fault": "302", "percent": "82", "day": self.random.choice(DAYS[language])}

    # ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def write_mail(self, who: Person, subject: str, text: str, answering: Mail | None = None) -> None:
        """A customer's mail lands in the firm's mailbox."""
        mail = EmailMessage()
        mail["From"], mail["To"] = f'"{who.name}" <{who.address}@post.example>', "support@nordlicht.example"
        mail["Subject"], mail["Message-ID"] = subject, f"<{self.random.getrandbits(64):x}@post.example>"
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Content-Language"] = who.language
        if answering is not None:
            before = _headers(answering)
            mail.replace_header("To", before.get("Reply-To", before.get("From", "")))
            mail["In-Reply-To"] = mail["References"] = before.get("Message-ID", "")
            mail.replace_header("Subject", "Re: " + before.get("Subject", "").removeprefix("Re: "))
        mail.set_content(text)
        self.imap.deliver(mail.as_bytes())

    async def _answer_mails(self) -> None:
        while self._answered < len(self.smtp.mails):
            mail = self.smtp.mails[self._answered]
            self._answered += 1
            who = next((p for p in PEOPLE if f"{p.address}@post.example" in mail.recipients), None)
            if who is not None and self.random.random() < ANSWERS:
                await asyncio.sleep(self.random.uniform(*ANSWER))
                self.write_mail(who, "", self.random.choice(AGAIN[who.language]), mail)

    # ── messengers ────────────────────────────────────────────────────────────────────────────────────────────────
    async def _answer_chat(self, message: dict[str, Any]) -> None:
        """Somebody has got a message and often answers it on the channel it came by."""
        place = next((n for n in range(len(PEOPLE)) if address(n, "api").endswith(str(message["to"]))), None)
        if place is not None and self.random.random() < ANSWERS:
            await asyncio.sleep(self.random.uniform(*ANSWER))
            text = self.random.choice(AGAIN[PEOPLE[place].language])
            await self._chat(place, message["path"].partition("?")[2], text)

    async def _chat(self, place: int, channel: str, text: str, subject: str = "") -> None:
        number = address(place, "api").partition(":")[2]
        said = {
            "id": f"sample-{self.random.getrandbits(48):x}",
            "from": {"address": number, "name": PEOPLE[place].name},
            "text": text,
            "subject": subject,
            "language": PEOPLE[place].language,
        }
        raw = json.dumps({"messages": [said]}).encode()
        target = self.webhooks.get(channel)
        for _ in range(TRIES if target else 0):
            with contextlib.suppress(TimeoutError):
                if 200 <= await self.messenger.post(raw, str(target)) < 300:
                    return
            await asyncio.sleep(0.5)


def _headers(mail: Mail) -> dict[str, str]:
    parsed = message_from_bytes(mail.raw)
    return {name: str(parsed[name]) for name in ("From", "Reply-To", "Message-ID", "Subject") if parsed[name]} | {
        "From": parseaddr(str(parsed["From"]))[1]
    }
