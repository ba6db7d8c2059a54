"""An outgoing message as the bytes of a mail (RFC 5322, 2045–2047, 2231). One function writes headers, and checks them.

The headers are written here and not by `email`, because Python before 3.11.8 turns a subject that holds the *text*
``=?utf-8?q?=0D=0ABcc:…?=`` into a real header line. What was written is read again by the standard library.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from urllib.parse import quote

from adapters._mime_headers import valid_address
from hub.clock import now
from hub.messages import File, Outgoing, Party, Refused
from hub.text import clean, clean_line

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}\Z")
_PLAIN = re.compile(r"[\x20-\x7e]*\Z")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}\Z")
_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,500}\Z")

Headers = list[tuple[str, str]]


def header(name: str, value: str) -> bytes:
    """One header line, ready for the wire. Raises ValueError for anything that would be more than one header."""
    lines = value.split("\r\n ")
    if not _NAME.match(name) or not all(_PLAIN.match(line) for line in lines):
        raise ValueError(f"The header {name} would not be one header.")
    return f"{name}: {value}\r\n".encode("ascii")


def phrase(text: str, first: int = 60) -> str:
    """Text for a header: as it is when plain, else as encoded words (RFC 2047) of at most 75 characters each."""
    text = clean_line(text, 1000)
    foldable = "  " not in text and max(map(len, text.split(" "))) < 900
    if _PLAIN.match(text) and "=?" not in text and foldable:
        return _fold(text, first)
    pieces, piece = [], b""
    for char in text:
        encoded = char.encode()
        if len(piece) + len(encoded) > 36:
            pieces.append(piece)
            piece = b""
        piece += encoded
    pieces.append(piece)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(one).decode()}?=" for one in pieces)


def _fold(text: str, first: int) -> str:
    """Plain text broken at blanks into lines of about 75 characters; a longer word stays whole (RFC 5322 2.1.1)."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        room = 74 if lines else first
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def mailbox(party: Party) -> str:
    """``Name <address>`` for a header. Raises `Refused` for an address that is none."""
    address = checked(party.address)
    name = clean_line(party.name, 200)
    if not name:
        return address
    if _ATOMS.match(name) and "=?" not in name:
        return f"{name} <{address}>"
    if _PLAIN.match(name) and "=?" not in name:
        return '"{}" <{}>'.format(name.replace("\\", "\\\\").replace('"', '\\"'), address)
    return f"{phrase(name)} <{address}>"


def _mailboxes(parties: Sequence[Party]) -> str:
    """A list of mailboxes for a header; an address that is none is left out here and refused as a recipient."""
    written = []
    for party in parties:
        try:
            written.append(mailbox(party))
        except Refused:
            continue
    return ",\r\n ".join(written)


def checked(address: str) -> str:
    """The bare address of ``email:…`` as SMTP may have it. Raises `Refused` in one sentence when mail cannot go there.

    An international domain is written in ASCII (RFC 5891); the part before the @ has to be ASCII.
    """
    bare = address.removeprefix("email:")
    local, _, domain = bare.rpartition("@")
    if valid_address(bare) and not bare.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise Refused(f"“{clean_line(bare, 100)}” has a domain that cannot exist.")
        bare = f"{local}@{domain}"
        if not local.isascii():
            raise Refused(f"“{clean_line(bare, 100)}” has letters before the @ that this mail server cannot send to.")
    if not valid_address(bare) or len(local) > 64 or local.startswith("-"):
        raise Refused(f"“{clean_line(bare, 100)}” is not an e-mail address.")
    return bare


def compose(out: Outgoing, own: Party) -> tuple[bytes, str]:
    """The mail for ``out`` from our address ``own``, and its Message-ID without angle brackets.

    The thread token stands in the reply address (``local+token@domain``) and in the Message-ID; the same attempt gives
    the same Message-ID, so that receivers notice a second copy. Raises `Refused` when our own address is none.
    """
    address = checked(own.address)
    local, _, domain = address.rpartition("@")
    message_id = f"{out.token or 'm' + out.id}@{domain}"
    reply_address = f"email:{local.partition('+')[0]}+{out.token}@{domain}" if out.token else own.address
    references = [one for one in (*out.references[-30:], out.reply_to) if _ID.match(one)]
    headers: Headers = [
        ("Date", format_datetime(datetime.fromtimestamp((out.at or now()) / 1000, UTC))),
        ("From", mailbox(own)),
        ("Reply-To", mailbox(Party(reply_address, own.name))),
        ("To", _mailboxes(out.to) or "undisclosed-recipients:;"),
        ("Cc", _mailboxes(out.cc)),
        ("Subject", phrase(out.subject)),
        ("Message-ID", f"<{message_id}>"),
        ("In-Reply-To", f"<{out.reply_to}>" if _ID.match(out.reply_to) else ""),
        ("References", "\r\n ".join(f"<{one}>" for one in dict.fromkeys(references))),
        ("MIME-Version", "1.0"),
    ]
    kept = [(name, value) for name, value in headers if value or name == "Subject"]
    body_headers, body = _body(out)
    raw = b"".join(header(name, value) for name, value in (*kept, *body_headers)) + b"\r\n" + body
    _same_headers(raw, [name for name, _ in (*kept, *body_headers)])
    return raw, message_id


def _same_headers(raw: bytes, names: Sequence[str]) -> None:
    """Read the mail as a stranger would; raise ValueError when it says other headers than were meant."""
    block = raw[: raw.index(b"\r\n\r\n") + 4]
    if BytesHeaderParser().parsebytes(block).keys() != list(names):
        raise ValueError("The mail reads differently from what was written.")


def _body(out: Outgoing) -> tuple[Headers, bytes]:
    text = _text_part("text/plain", clean(out.text))
    if out.html:
        page = _text_part("text/html", clean(out.html))
        inline = [file for file in out.files if file.inline_id]
        if inline:
            page = _multipart("related", [page, *(_file_part(file) for file in inline)], out, "r")
        text = _multipart("alternative", [text, page], out, "a")
    attached = [file for file in out.files if not (out.html and file.inline_id)]
    if attached:
        return _multipart("mixed", [text, *(_file_part(file) for file in attached)], out, "m")
    return text


def _multipart(kind: str, parts: Sequence[tuple[Headers, bytes]], out: Outgoing, mark: str) -> tuple[Headers, bytes]:
    written = [b"".join(header(*one) for one in headers) + b"\r\n" + body for headers, body in parts]
    boundary = f"=_{mark}_{out.token or out.id}"[:60]
    boundary = re.sub(r"[^A-Za-z0-9._=]", "_", boundary)
    while any(boundary.encode() in part for part in written):
        boundary += "x"
    line = f"--{boundary}".encode()
    body = b"".join(line + b"\r\n" + part + b"\r\n" for part in written) + line + b"--\r\n"
    return [("Content-Type", f'multipart/{kind}; boundary="{boundary}"')], body


def _text_part(kind: str, text: str) -> tuple[Headers, bytes]:
    data = text.rstrip("\n").encode("utf-8") + b"\n"
    headers = [("Content-Type", f"{kind}; charset=utf-8")]
    if data.isascii() and max(len(line) for line in data.split(b"\n")) < 990:
        return [*headers, ("Content-Transfer-Encoding", "7bit")], data.replace(b"\n", b"\r\n")
    encoded = binascii.b2a_qp(data, istext=True).replace(b"\n", b"\r\n")
    return [*headers, ("Content-Transfer-Encoding", "quoted-printable")], encoded


def _file_part(file: File) -> tuple[Headers, bytes]:
    """An attachment in base64; its name in ASCII for old programs and in UTF-8 for all others (RFC 6266, RFC 2231)."""
    kind = file.type.lower() if _TYPE.match(file.type.lower()) else "application/octet-stream"
    if kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"  # these may not be base64 (RFC 2045 6.4)
    name = clean_line(file.name, 150).replace("/", "_").replace("\\", "_") or "file"
    ascii_name = re.sub(r"[^A-Za-z0-9._ ()+-]", "_", name)
    extended = "" if ascii_name == name else "".join(_extended(name))
    inline = bool(file.inline_id) and bool(_ID.match(file.inline_id))
    headers = [
        ("Content-Type", f'{kind};\r\n name="{ascii_name}"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f'{"inline" if inline else "attachment"};\r\n filename="{ascii_name}"{extended}'),
    ]
    if inline:
        headers.append(("Content-ID", f"<{file.inline_id}>"))
    encoded = base64.encodebytes(file.data).replace(b"\n", b"\r\n")
    return headers, encoded


def _extended(name: str) -> list[str]:
    """``filename*0*=…`` in pieces that fit a line (RFC 2231 3 and 4)."""
    encoded = quote(name, safe="")
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,18}", encoded)
    if len(pieces) == 1:
        return [f";\r\n filename*=utf-8''{encoded}"]
    pieces[0] = "utf-8''" + pieces[0]
    return [f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces)]
