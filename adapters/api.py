"""The `api` channel: signed JSON in and out, for whatever the hub does not know by name (docs: README, contract section 3)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from typing import Any, ClassVar

import aiohttp
import msgspec
from msgspec import Struct

from hub.adapter import Adapter, ChannelConfig, Setting, Traits
from hub.clock import parse_time
from hub.messages import (
    Envelope,
    File,
    Message,
    Outgoing,
    Party,
    Reading,
    Receipt,
    ReceiptState,
    Refusal,
    Refused,
    Sent,
    TryLater,
    Unreadable,
)
from hub.text import clean, clean_line

#: One attempt (seconds).
DEADLINE = 30


class From(Struct):
    """Who wrote: ``address`` is the sender's own name for them, e-mail and phone are claims."""

    address: str
    name: str = ""
    email: str = ""
    phone: str = ""


class Attached(Struct):
    """A file in a message."""

    name: str = ""
    type: str = "application/octet-stream"
    content_base64: str = ""


class Incoming(Struct):
    """One message of the body."""

    id: str
    from_: From = msgspec.field(name="from")
    text: str = ""
    at: str = ""
    reply_to: str = ""
    subject: str = ""
    attachments: list[Attached] = []
    language: str = ""
    fields: dict[str, str] = {}


class News(Struct):
    """One receipt of the body."""

    id: str
    state: ReceiptState
    at: str = ""
    error: str = ""


class Body(Struct):
    """The whole body; its items are decoded one by one, so that one bad item spoils no other."""

    messages: list[msgspec.Raw] = []
    receipts: list[msgspec.Raw] = []


class _Whole(Struct):
    messages: list[Incoming] = []
    receipts: list[News] = []


#: Fields of one message.
MOST_FIELDS = 50

_NO_DIGIT = re.compile(r"[^+0-9]")
_whole = msgspec.json.Decoder(_Whole)
_body = msgspec.json.Decoder(Body)
_message = msgspec.json.Decoder(Incoming)
_receipt = msgspec.json.Decoder(News)
_any = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Channel(Adapter):
    """Signed webhooks both ways; idempotent in both directions by ``id`` and ``idempotency_key``."""

    kind = "api"
    provider = "api"
    labels: ClassVar[dict[str, str]] = {"en": "API", "de": "API"}
    traits = Traits(
        address_kind="api",
        can_start=True,
        max_length=100_000,
        subject=False,
        html=True,
        receipts=True,
        read_receipts=True,
        repeat="safe",
    )
    settings = (
        Setting(
            "url",
            "url",
            {"en": "Address the hub posts answers to", "de": "Adresse, an die der Hub Antworten sendet"},
        ),
        Setting(
            "secret",
            "secret",
            {"en": "Shared secret for signatures", "de": "Gemeinsames Geheimnis für Signaturen"},
            required=True,
        ),
    )

    def __init__(self, channel: ChannelConfig) -> None:
        super().__init__(channel)
        self._session: aiohttp.ClientSession | None = None

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        """See contract: ``messages`` and ``receipts``, or a single message object."""
        try:
            whole = _whole.decode(envelope.body)
            if whole.messages or whole.receipts:
                return Reading(
                    tuple([_understand(m) for m in whole.messages]), tuple([_receipt_of(n) for n in whole.receipts])
                )
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # some item is odd: look at each one by itself
        return _read_slowly(envelope.body)

    async def send(self, out: Outgoing) -> Sent:
        """Post to ``url``; 2xx accepts, 408/425/429/5xx postpone (Retry-After counts), all else refuses."""
        url = self.channel.text("url")
        if not url:
            raise Refused("The channel has no url to post answers to. Set it with hub channel set.")
        body = msgspec.json.encode(_outgoing(out))
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": sign(self.channel.text("secret"), body),
            "Idempotency-Key": out.idempotency_key,
        }
        try:
            async with (
                asyncio.timeout(DEADLINE),
                self._client().post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                text = (await answer.content.read(65536)).decode("utf-8", "replace")
                return _judge(answer.status, answer.headers.get("Retry-After", ""), text, out)
        except aiohttp.ClientConnectorError as error:
            raise TryLater(f"{url} cannot be reached: {error}") from error

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=15), auto_decompress=True, trust_env=False
            )
        return self._session

    async def test(self) -> str:
        """Is somebody there? A signed body without messages must be answered with 2xx."""
        url = self.channel.text("url")
        if not url:
            return "The channel only receives: no url is set."
        body = b'{"test": true}'
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(self.channel.text("secret"), body)}
        try:
            async with (
                asyncio.timeout(15),
                self._client().post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status >= 300:
                    raise Refused(f"{url} answered {answer.status}.")
                return f"{url} answered {answer.status}."
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Refused(f"{url} cannot be reached: {error or 'no answer within 15 s'}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def sign(secret: str, body: bytes) -> str:
    """The header X-Hub-Signature-256 for a body."""
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def _read_slowly(body: bytes) -> Reading:
    try:
        fields = _any.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"the body is no JSON object: {_short(error)}") from error
    if "messages" not in fields and "receipts" not in fields:
        if "id" not in fields and "from" not in fields:
            return Reading()
        return _each([msgspec.Raw(body)], [])
    try:
        parts = _body.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"“messages” and “receipts” must be lists: {_short(error)}") from error
    return _each(parts.messages, parts.receipts)


def _each(messages: list[msgspec.Raw], receipts: list[msgspec.Raw]) -> Reading:
    said: list[Message] = []
    news: list[Receipt] = []
    refused: list[Refusal] = []
    for index, raw in enumerate(messages):
        try:
            said.append(_understand(_message.decode(raw)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused.append(Refusal(index, _short(error)))
    for index, raw in enumerate(receipts):
        try:
            news.append(_receipt_of(_receipt.decode(raw)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused.append(Refusal(len(messages) + index, "receipt: " + _short(error)))
    if refused and not said and not news:
        raise Unreadable("; ".join(f"item {r.index + 1}: {r.reason}" for r in refused[:5]))
    return Reading(tuple(said), tuple(news), tuple(refused))


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else clean_line(str(error), 200)


def _understand(m: Incoming) -> Message:
    number, address = clean_line(m.id, 400), clean_line(m.from_.address, 300)
    if not number:
        raise ValueError("“id” is empty")
    if not address:
        raise ValueError("“from.address” is empty")
    also = []
    if m.from_.email:
        also.append("email:" + clean_line(m.from_.email, 254).lower())
    if m.from_.phone:
        also.append("tel:" + _NO_DIGIT.sub("", m.from_.phone[:40]))
    return Message(
        provider_id=number,
        sender=Party("api:" + address, clean_line(m.from_.name, 120) if m.from_.name else ""),
        text=clean(m.text),
        subject=clean_line(m.subject) if m.subject else "",
        at=parse_time(m.at) if m.at else None,
        reply_to=clean_line(m.reply_to, 400) if m.reply_to else "",
        also=tuple(also),
        files=tuple([_file(a) for a in m.attachments]) if m.attachments else (),
        language=clean_line(m.language, 35).lower() if m.language else "",
        fields=_fields(m.fields) if m.fields else m.fields,
    )


def _fields(given: dict[str, str]) -> dict[str, str]:
    """What the customer chose, by name: rules of routing may ask for it."""
    if len(given) > MOST_FIELDS:
        raise ValueError(f"“fields” has more than {MOST_FIELDS} entries")
    return {clean_line(name, 60): clean_line(value, 300) for name, value in given.items()}


def _file(a: Attached) -> File:
    try:
        data = base64.b64decode(a.content_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"attachment “{clean_line(a.name, 80)}”: content_base64 is not base64") from error
    return File(clean_line(a.name, 255) or "file", clean_line(a.type, 100), data)


def _receipt_of(n: News) -> Receipt:
    if not n.id:
        raise ValueError("“id” is empty")
    return Receipt(clean_line(n.id, 400), n.state, parse_time(n.at) if n.at else None, clean_line(n.error, 500))


def _outgoing(out: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": out.id,
        "idempotency_key": out.idempotency_key,
        "to": out.recipients[0].partition(":")[2],
        "text": out.text,
        "conversation": out.conversation,
        "attachments": [
            {"name": f.name, "type": f.type, "content_base64": base64.b64encode(f.data).decode()} for f in out.files
        ],
    }
    optional = {"html": out.html, "subject": out.subject, "reply_to": out.reply_to}
    return body | {key: value for key, value in optional.items() if value}


class _Answer(Struct):
    id: str | int = ""


def _judge(status: int, retry_after: str, text: str, out: Outgoing) -> Sent:
    if 200 <= status < 300:
        try:
            given = str(msgspec.json.decode(text.encode(), type=_Answer).id)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            given = ""
        return Sent(clean_line(given, 400) or out.id)
    words = f"HTTP {status}: {clean_line(text, 300)}" if text.strip() else f"HTTP {status}"
    if status in (408, 425, 429) or status >= 500:
        raise TryLater(words, float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0)
    raise Refused(words)
