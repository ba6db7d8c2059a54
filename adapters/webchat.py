"""The `webchat` channel: what visitors of a web page write into the hub's own widget, and what they are answered.

There is no provider: the widget's door (hub/web/widget_doors.py) composes the envelope, and what is sent is in its visitor's reach as
soon as it is stored. An envelope is ``{"visitor": id, "said": {…}}``: the id as the visitor's signed token has it, and what the
widget posted, byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import Struct

from hub.adapter import Adapter, Setting, Traits
from hub.clock import parse_time
from hub.messages import Envelope, File, Message, Outgoing, Party, Reading, Receipt, Refusal, Refused, Sent, Unreadable
from hub.text import clean, clean_line

#: Characters of one message.
LONGEST = 10_000
#: How long a message may have waited in a widget without connection (milliseconds).
LONGEST_WAIT = 7 * 86_400_000
#: What a form's field may be.
ASKED = ("off", "optional", "required")

_VISITOR = re.compile(r"[a-z0-9]{8,40}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_MAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,190}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_ORIGIN = re.compile(r"(https?)://(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)


class Claim(Struct):
    """Who the visitor says they are; nobody has checked it."""

    name: str = ""
    email: str = ""
    consent: str = ""


class Attached(Struct):
    """A file in a message."""

    name: str = ""
    type: str = ""
    content_base64: str = ""


class Line(Struct):
    """One message: ``id`` is the widget's own, the same for every attempt."""

    id: str
    text: str = ""
    at: str = ""
    files: list[Attached] = []


class News(Struct):
    """What became of one of our messages on the visitor's screen."""

    id: str
    state: Literal["delivered", "read"]
    at: str = ""


class Said(Struct):
    """What the widget posts. ``page`` is where the visitor was, ``language`` the widget's."""

    messages: list[msgspec.Raw] = []
    receipts: list[msgspec.Raw] = []
    from_: Claim = msgspec.field(name="from", default_factory=Claim)
    page: str = ""
    language: str = ""


class Body(Struct):
    """The envelope."""

    visitor: str
    said: Said


_body = msgspec.json.Decoder(Body)
_line = msgspec.json.Decoder(Line)
_news = msgspec.json.Decoder(News)


def _texts(key: str, english: str, german: str, help_: str) -> tuple[Setting, Setting]:
    """A text in both languages: two settings."""
    return (
        Setting(f"{key}.en", "text", {"en": f"{english} (English)", "de": f"{german} (Englisch)"}, {"en": help_}),
        Setting(f"{key}.de", "text", {"en": f"{english} (German)", "de": f"{german} (Deutsch)"}, {"en": help_}),
    )


def _choice(key: str, english: str, german: str) -> Setting:
    return Setting(key, "choice", {"en": english, "de": german}, default="off", choices=ASKED)


class Channel(Adapter):
    """The hub's own chat for web pages."""

    kind = "webchat"
    widget = True
    labels: ClassVar[dict[str, str]] = {"en": "Web chat", "de": "Web-Chat"}
    traits = Traits(
        address_kind="webchat",
        can_start=False,
        max_length=LONGEST,
        max_file_bytes=10_000_000,
        receipts=True,
        read_receipts=True,
        repeat="safe",
    )
    settings = (
        Setting(
            "allowed_origins",
            "text",
            {"en": "Web sites that may show the chat", "de": "Websites, die den Chat zeigen dürfen"},
            {
                "en": "Origins with spaces between, like https://example.com https://*.example.org; “*” for all."
                " Empty: only the hub's own page.",
                "de": "Adressen mit Leerzeichen dazwischen, etwa https://example.com https://*.example.org; „*“ für alle."
                " Leer: nur die eigene Seite des Hubs.",
            },
        ),
        Setting(
            "identity_secret",
            "secret",
            {"en": "Secret for signed identities", "de": "Geheimnis für signierte Identitäten"},
        ),
        Setting(
            "colour",
            "text",
            {"en": "Colour", "de": "Farbe"},
            {"en": "Like #2c53d6; darkened where white text could not be read.", "de": "Etwa #2c53d6."},
            default="#2c53d6",
        ),
        Setting(
            "side",
            "choice",
            {"en": "Side of the button", "de": "Seite des Knopfes"},
            default="right",
            choices=("left", "right"),
        ),
        *_texts("title", "Title", "Titel", "Who answers here; empty: the firm's name."),
        *_texts("greeting", "Greeting", "Begrüßung", "The first line of the chat."),
        *_texts("away", "Text outside the hours", "Text außerhalb der Zeiten", "Said when nobody is there."),
        *_texts(
            "quick", "Quick replies", "Schnellantworten", "Answers to press, with | between: Prices | Opening hours."
        ),
        Setting(
            "invite.seconds",
            "integer",
            {"en": "Greet on the page after (seconds)", "de": "Auf der Seite grüßen nach (Sekunden)"},
            {"en": "0: never."},
            default=0,
        ),
        Setting(
            "invite.pages",
            "text",
            {"en": "Greet on these pages", "de": "Auf diesen Seiten grüßen"},
            {
                "en": "Paths with spaces between, like /prices /shop/*; empty: on all.",
                "de": "Pfade wie /preise /shop/*.",
            },
        ),
        _choice("form.name", "Ask for the name", "Nach dem Namen fragen"),
        _choice("form.email", "Ask for the e-mail address", "Nach der E-Mail-Adresse fragen"),
        Setting(
            "form.consent",
            "boolean",
            {"en": "Ask for consent before the chat", "de": "Vor dem Chat um Einwilligung bitten"},
            default=False,
        ),
        Setting("privacy_url", "url", {"en": "Privacy notice", "de": "Datenschutzhinweis"}),
        Setting(
            "blocked",
            "text",
            {"en": "Blocked visitors", "de": "Gesperrte Besucher"},
            {"en": "Visitor ids, IP addresses and networks with spaces between."},
        ),
    )

    @staticmethod
    def check(settings: Mapping[str, Any]) -> None:
        """See `Adapter.check`."""
        for origin in str(settings.get("allowed_origins", "")).split():
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"“allowed_origins”: “{origin[:80]}” is no web site; write it like https://example.com."
                )
        colour = str(settings.get("colour", "#000000"))
        if not _COLOUR.fullmatch(colour):
            raise ValueError(f"“colour”: “{colour[:20]}” is no colour; write it like #2c53d6.")
        if not 0 <= int(settings.get("invite.seconds") or 0) <= 3600:
            raise ValueError("“invite.seconds”: between 0 and 3600.")
        for name in str(settings.get("blocked", "")).split():
            if not _VISITOR.fullmatch(name) and not _is_network(name):
                raise ValueError(f"“blocked”: “{name[:60]}” is neither a visitor's id nor an IP address or network.")
        if settings.get("form.consent") and not settings.get("privacy_url"):
            raise ValueError("“form.consent”: set “privacy_url” too, so that people know what they agree to.")

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        """See the file's first lines. One bad line spoils no other."""
        try:
            body = _body.decode(envelope.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unreadable(f"it is not what the widget posts: {_short(error)}") from error
        if not _VISITOR.fullmatch(body.visitor):
            raise Unreadable("it names no visitor")
        reading = _each(body.visitor, body.said, envelope.received_at)
        if reading.refused and not reading.messages and not reading.receipts:
            raise Unreadable("; ".join(f"item {r.index + 1}: {r.reason}" for r in reading.refused[:5]))
        return reading

    async def send(self, out: Outgoing) -> Sent:
        """Stored is sent: the widget fetches it. The id holds the visitor, so that nobody else can say it was read."""
        visitor = out.recipients[0].partition(":")[2]
        if not _VISITOR.fullmatch(visitor):
            raise Refused(f"“{clean_line(visitor, 60)}” is no visitor of this chat.")
        return Sent(f"{visitor}:{out.id}")

    async def test(self) -> str:
        """There is nothing outside to try."""
        origins = self.channel.text("allowed_origins")
        where = f"and on {origins}" if origins else "only; set allowed_origins to show it on web sites"
        return f"The chat is open on the hub's own page {where}."


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else clean_line(str(error), 200)


def _each(visitor: str, said: Said, came: int) -> Reading:
    messages: list[Message] = []
    receipts: list[Receipt] = []
    refused: list[Refusal] = []
    for index, raw in enumerate(said.messages):
        try:
            messages.append(_message(visitor, said, _line.decode(raw), came))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused.append(Refusal(index, _short(error)))
    for index, raw in enumerate(said.receipts):
        try:
            receipts.append(_receipt(visitor, _news.decode(raw), came))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            refused.append(Refusal(len(said.messages) + index, "receipt: " + _short(error)))
    return Reading(tuple(messages), tuple(receipts), tuple(refused))


def _message(visitor: str, said: Said, line: Line, came: int) -> Message:
    number, text = clean_line(line.id, 100), clean(line.text, LONGEST)
    if not number:
        raise ValueError("“id” is empty")
    if not text.strip() and not line.files:
        raise ValueError("the message is empty")
    claim = said.from_
    mail = clean_line(claim.email, 254).lower()
    fields = {"page": clean_line(said.page, 500), "consent": clean_line(claim.consent, 40)}
    return Message(
        provider_id=f"{visitor}:{number}",
        sender=Party(f"webchat:{visitor}", clean_line(claim.name, 120) or _unnamed(visitor, said.language)),
        text=text,
        at=_plausible(line.at, came),
        also=(f"email:{mail}",) if _MAIL.fullmatch(mail) else (),
        files=tuple([_file(a) for a in line.files]),
        language=clean_line(said.language, 12),
        fields={key: value for key, value in fields.items() if value},
    )


def _unnamed(visitor: str, language: str) -> str:
    """What people call a visitor who has not said a name."""
    return f"{'Besucher' if language.startswith('de') else 'Visitor'} {visitor[:4].upper()}"


def _plausible(text: str, came: int) -> int | None:
    """When it was written, if the visitor's clock says something that can be: messages wait for days at the most."""
    at = parse_time(text) if text else None
    return at if at is not None and came - LONGEST_WAIT <= at <= came else None


def _file(a: Attached) -> File:
    try:
        data = base64.b64decode(a.content_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the file “{clean_line(a.name, 80)}” is not base64") from error
    return File(clean_line(a.name, 255) or "file", clean_line(a.type, 100) or "application/octet-stream", data)


def _receipt(visitor: str, news: News, came: int) -> Receipt:
    if not _NUMBER.fullmatch(news.id):
        raise ValueError("“id” is no message's")
    return Receipt(f"{visitor}:{news.id}", news.state, _plausible(news.at, came))
