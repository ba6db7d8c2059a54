"""Raw mail as a message of the hub. Pure, bounded, and never quiet about what it left out (flag ``truncated``)."""

from __future__ import annotations

import hashlib
import html
import mimetypes
import re
from collections.abc import Iterable
from urllib.parse import unquote

from msgspec import Struct

from adapters import _html, _mime_auth, _mime_headers, _quotes
from adapters._mime_parts import Part, headers_of, parse
from hub.messages import Envelope, File, Flag, Message, Party
from hub.text import clean, clean_line

#: Bytes of one text part that are decoded, and parts of text that are joined.
MAX_TEXT_BYTES = 4_000_000
MAX_TEXTS = 20

_TOKEN = re.compile(r"c\d{1,18}\.m\d{1,18}\.[a-z2-7]{16}\Z")
_CID = re.compile(r"cid:([^\"'\s<>)]{1,500})", re.IGNORECASE)
#: Characters nobody sees, which make one file name look like another.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_ENDINGS = {
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
    "text/plain": ".txt",
    "text/calendar": ".ics",
}


class _Body(Struct):
    """One stretch of the body: as text, as HTML, or both when the mail offers a choice."""

    plain: str | None = None
    html: str | None = None


class _Harvest:
    """What walking the parts collects."""

    def __init__(self) -> None:
        self.files: list[Part] = []
        self.texts = 0
        self.cut = False


def message(envelope: Envelope) -> Message:
    """The mail in an envelope. Anything that has bytes is a mail; what is missing is empty."""
    raw = envelope.body
    digest = hashlib.sha256(raw).hexdigest()
    root, over_cap = parse(raw)
    harvest = _Harvest()
    bodies = _walk(root, harvest)
    text, html_body, sources = _texts(bodies)
    files = tuple(_files(harvest.files, sources))
    report = _returned_headers(root)
    sender, also = _sender(root, digest)
    references = _mime_headers.ids(" ".join(root.all("references")))
    reply_to = _first(_mime_headers.ids(root.get("in-reply-to"), 1), report)
    flags = list(_flags(root, envelope))
    too_big = envelope.headers.get("truncated", "")
    if too_big:
        text = (
            f"This e-mail is {_size(too_big)} large. Only its headers were fetched; the rest is still in the mailbox."
        )
    if over_cap or harvest.cut or too_big or len(text) > 1_000_000:
        flags.append("truncated")
    text = clean(text)
    return Message(
        provider_id="sha256:" + digest,
        sender=sender,
        kind="email",
        text=text,
        visible_text=_quotes.visible(text),
        html=html_body,
        subject=_mime_headers.line(root.get("subject"), 1000),
        at=_mime_headers.date(root.get("date")),
        reply_to=reply_to,
        external_id=_mime_headers.message_id(root.get("message-id")),
        references=tuple(references),
        tokens=_tokens(root, envelope, [*_given(reply_to), *reversed(references), *report]),
        to=tuple(_parties(root, "to")),
        cc=tuple(_parties(root, "cc")),
        also=also,
        files=files,
        flags=tuple(flags),
        language=_mime_headers.language(root.get("content-language")),
        failed_checks=_mime_auth.failed(root.all("authentication-results")),
    )


class Head(Struct, frozen=True):
    """What the headers of a mail say by themselves."""

    sender: Party
    subject: str
    at: int | None
    external_id: str
    to: tuple[Party, ...]


def head(raw: bytes, digest: str) -> Head:
    """The first things to know about a mail, from its beginning alone; cheap whatever follows."""
    headers, _ = headers_of(raw, 0, len(raw))
    root = Part(raw, headers, len(raw), len(raw), "text/plain")
    return Head(
        _sender(root, digest)[0],
        _mime_headers.line(root.get("subject"), 1000),
        _mime_headers.date(root.get("date")),
        _mime_headers.message_id(root.get("message-id")),
        tuple(_parties(root, "to")),
    )


def _given(text: str) -> list[str]:
    return [text] if text else []


def _first(*lists: list[str]) -> str:
    return next((found[0] for found in lists if found), "")


def _size(number: str) -> str:
    return f"{int(number) / 1_000_000:.0f} MB" if number.isdigit() else "too many bytes"


# -- headers ---------------------------------------------------------------------------------------------------------


def _parties(root: Part, name: str) -> list[Party]:
    found: list[Party] = []
    for value in root.all(name):
        found += _mime_headers.addresses(value)
    return found[: _mime_headers.MAX_ADDRESSES]


def _sender(root: Part, digest: str) -> tuple[Party, tuple[str, ...]]:
    """Who wrote it (From, else Sender, else an address nobody has), and the address answers are asked to go to."""
    found = _parties(root, "from") or _parties(root, "sender")
    unknown = Party(f"email:unknown@{digest[:16]}.invalid", _mime_headers.name_only(root.get("from")))
    sender = found[0] if found else unknown
    wanted = [party.address for party in _parties(root, "reply-to")[:5] if party.address != sender.address]
    return sender, tuple(dict.fromkeys(wanted))


def _flags(root: Part, envelope: Envelope) -> Iterable[Flag]:
    submitted = root.get("auto-submitted").partition(";")[0].strip().lower()
    precedence = root.get("precedence").strip().lower()
    answered = ("x-auto-response-suppress", "x-autoreply", "x-autorespond", "x-auto-reply")
    automatic = submitted not in ("", "no") or precedence in ("auto_reply", "auto-reply")
    if automatic or any(root.get(name) for name in answered):
        yield "auto_reply"
    report = root.type == "multipart/report" and root.parameter("report-type").lower() != "disposition-notification"
    if report or root.get("x-failed-recipients") or (_null_sender(root, envelope) and submitted != "auto-replied"):
        yield "bounce"
    if precedence in ("bulk", "list", "junk") or root.get("list-id"):
        yield "bulk"


def _null_sender(root: Part, envelope: Envelope) -> bool:
    """Whether the mail says that nobody is to answer it (RFC 5321 4.5.5)."""
    if "mail_from" in envelope.headers:
        return envelope.headers["mail_from"].strip() in ("", "<>")
    return "".join(root.get("return-path").split()) == "<>"


def _returned_headers(root: Part) -> list[str]:
    """The Message-ID of the mail that a delivery report sends back."""
    if root.type != "multipart/report":
        return []
    for part in root.children[:10]:
        if part.type in ("message/rfc822", "text/rfc822-headers", "message/global"):
            headers, _ = headers_of(part.raw, part.start, part.end)
            found = _mime_headers.message_id(next(iter(headers.get("message-id", [])), ""))
            if found:
                return [found]
    return []


def _tokens(root: Part, envelope: Envelope, ids: list[str]) -> tuple[str, ...]:
    """Candidates for the hub's own thread tokens: plus-parts of recipients first, then local parts of message ids."""
    spoken = [party.address for name in ("to", "cc", "delivered-to", "x-original-to") for party in _parties(root, name)]
    envelope_recipients = envelope.headers.get("recipients", "") or envelope.headers.get("recipient", "")
    spoken += envelope_recipients.split(",")[:100]
    found = [address.strip().rpartition("@")[0].rpartition("+")[2].lower() for address in spoken]
    found += [one.rpartition("@")[0].lower() for one in ids]
    return tuple(dict.fromkeys(token for token in found if _TOKEN.match(token)))[:20]


# -- body ------------------------------------------------------------------------------------------------------------


def _walk(part: Part, harvest: _Harvest) -> list[_Body]:
    """The stretches of text of a part in reading order; everything else goes to the harvest's files."""
    if part.type == "multipart/alternative":
        return _alternative(part, harvest)
    if part.type.startswith("multipart/") and part.children:
        return [body for child in part.children for body in _walk(child, harvest)]
    if not _is_text(part) or harvest.texts >= MAX_TEXTS:
        harvest.files.append(part)
        return []
    harvest.texts += 1
    if part.end - part.start > MAX_TEXT_BYTES * 4 // 3:
        harvest.cut = True
    text = part.text(MAX_TEXT_BYTES)
    return [_Body(html=text)] if part.type in ("text/html", "application/xhtml+xml") else [_Body(plain=text)]


def _is_text(part: Part) -> bool:
    if part.is_attachment or part.file_name:
        return False
    if part.type in ("text/plain", "text/html", "text/enriched", "text/richtext"):
        return True
    return part.type == "text/unknown" or (part.type == "text" and not part.content_id)


def _alternative(part: Part, harvest: _Harvest) -> list[_Body]:
    """Of several spellings of one text: the last plain one and the last HTML one."""
    chosen = _Body()
    for child in part.children:
        bodies = _walk(child, harvest)
        if any(body.html is not None for body in bodies):
            chosen.html = "\n".join(_as_html(body) for body in bodies)
        elif plain := "\n".join(body.plain or "" for body in bodies):
            chosen.plain = plain
    return [chosen] if chosen.plain is not None or chosen.html is not None else []


def _as_html(body: _Body) -> str:
    if body.html is not None:
        return body.html
    return f'<div style="white-space:pre-wrap">{html.escape(body.plain or "")}</div>'


def _texts(bodies: list[_Body]) -> tuple[str, str, str]:
    """The text, the sanitised HTML (empty when the mail has none), and the HTML as it came, to find pictures in."""
    source = "\n".join(_as_html(body) for body in bodies) if any(body.html for body in bodies) else ""
    safe = clean(_html.sanitise(source)) if source else ""
    pieces = []
    for body in bodies:
        plain = body.plain
        if (plain is None or not plain.strip()) and body.html:
            plain = _html_as_text(body.html) if len(bodies) > 1 else _html_as_text(body.html, safe)
        pieces.append((plain or "").replace("\r\n", "\n").strip("\n"))
    return "\n\n".join(piece for piece in pieces if piece.strip()), safe, source


def _html_as_text(source: str, safe: str = "") -> str:
    safe = safe or _html.sanitise(source)
    return _html.to_text(safe) if safe else _html.crude_text(source)


# -- files -----------------------------------------------------------------------------------------------------------


def _files(parts: list[Part], source: str) -> Iterable[File]:
    shown = {unquote(found[1]).strip("<>").lower() for found in _CID.finditer(source[: _html.MAX_HTML * 4])}
    for number, part in enumerate(parts, 1):
        inline = part.content_id
        name = _file_name(part, number)
        yield File(name, _file_type(part, name), part.data(), inline if inline.lower() in shown else "")


def _file_name(part: Part, number: int) -> str:
    """What the sender calls the file, on one line, without invisible characters; a plain word when it is nameless."""
    given = part.file_name
    name = _INVISIBLE.sub("", _mime_headers.line(given, 250)).replace("\\", "/").rpartition("/")[2].strip()
    if name:
        return name
    if part.type in ("message/rfc822", "message/global"):
        headers, _ = headers_of(part.raw, part.start, part.end)
        subject = _mime_headers.line(next(iter(headers.get("subject", [])), ""), 100)
        return f"{subject.replace('/', '-') or 'message'}.eml"
    ending = _ENDINGS.get(part.type) or mimetypes.guess_extension(part.type) or ".bin"
    return f"{part.type.partition('/')[0]}-{number}{ending}"


def _file_type(part: Part, name: str) -> str:
    if part.type in ("message/global",):
        return "message/rfc822"
    if part.type in ("application/octet-stream", "application/x-octet-stream"):
        return mimetypes.guess_type(clean_line(name))[0] or "application/octet-stream"
    return part.type if not part.type.startswith("multipart/") else "application/octet-stream"
