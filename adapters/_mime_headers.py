"""Mail headers, decoded tolerantly and in linear time: encoded words, addresses, ids, dates (RFC 5322, 2047, 2231).

The standard library raises or hangs on what the wild sends (nested comments, a thousand encoded words, years beyond
9999); nothing here raises, and every loop ends at a cap.
"""

from __future__ import annotations

import binascii
import codecs
import re
from email.utils import mktime_tz, parsedate_tz

from hub.clock import parse_time
from hub.messages import Party
from hub.text import clean_line

MAX_WORDS = 200
MAX_ADDRESSES = 500
MAX_REFERENCES = 100
MAX_ID = 500

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>]{1,500})>")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NO_ADDRESS = re.compile(r"[\s<>(),;:\"@]")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@\x00-\x1f\x7f-\x9f]{1,200}@[^\s<>(),;:\"@\x00-\x1f\x7f-\x9f]{1,200}\Z")
#: Codecs that are no character sets of mail; some are quadratic.
_NOT_FOR_MAIL = frozenset({"punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"})
#: What programs say and what they mean.
_ALIASES = {
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso-8859-8",
    "windows-874": "cp874",
    "unicode-1-1-utf-7": "utf-7",
    "x-mac-roman": "mac-roman",
    "cp-850": "cp850",
    "utf8mb4": "utf-8",
    "unknown-8bit": "utf-8",
    "default_charset": "utf-8",
}


_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\s*(?:[,;(]|\Z)")


def language(value: str) -> str:
    """The first language of a Content-Language header (RFC 3282), in lower case; empty when it names none."""
    found = _LANGUAGE.match(value[:200])
    return found[1].lower() if found else ""


def charset(name: str) -> str:
    """The codec for a declared character set; empty when there is none."""
    name = name.strip(" \"'").lower().partition("*")[0]
    name = _ALIASES.get(name, name)
    try:
        codec = codecs.lookup(name).name if name else ""
    except (LookupError, ValueError, UnicodeError):
        return ""
    return "" if codec.replace("-", "_") in _NOT_FOR_MAIL else codec


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text: by the declared character set, else UTF-8, else Windows-1252. Never raises.

    What is not in the declared set but is UTF-8 is read as UTF-8; otherwise unreadable bytes become U+FFFD.
    """
    codec = charset(declared)
    for name in (codec, "utf-8"):
        try:
            return data.decode(name or "utf-8")
        except (UnicodeError, LookupError, ValueError):  # LookupError: a codec of bytes, not of text
            continue
    try:
        return data.decode(codec if codec and (codec != "utf-8" or "utf" in declared.lower()) else "cp1252", "replace")
    except (LookupError, ValueError):
        return data.decode("cp1252", "replace")


def base64_bytes(data: bytes | memoryview) -> bytes:
    """Base64 as the wild writes it: foreign characters skipped, missing padding forgiven."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    raw = bytes(data)
    kept = raw.translate(None, delete=_NOT_BASE64)
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


_NOT_BASE64 = bytes(
    c for c in range(256) if c not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)


def words(value: str) -> str:
    """A header value with its encoded words (RFC 2047) read; the controls they may hide are still in it."""
    if "=?" not in value:
        return value
    out: list[str] = []
    run: list[bytes] = []
    run_charset, at = "", 0
    for count, found in enumerate(_WORD.finditer(value)):
        if count >= MAX_WORDS:
            break
        between = value[at : found.start()]
        glued = at > 0 and not between.strip()
        if run and not (glued and found[1].lower() == run_charset):
            out.append(decode(b"".join(run), run_charset))
            run.clear()
        if not glued:
            out.append(between)
        run_charset = found[1].lower()
        run.append(_word(found[2], found[3]))
        at = found.end()
    out.append(decode(b"".join(run), run_charset))
    out.append(value[at:])
    return "".join(out)


def _word(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    if encoding in "bB":
        return base64_bytes(raw)
    return _HEX.sub(lambda found: bytes.fromhex(found[1].decode()), raw.replace(b"_", b" "))


def line(value: str, limit: int = 500) -> str:
    """A header value for people: decoded, on one line, without controls."""
    return clean_line(words(value), limit)


def valid_address(text: str) -> bool:
    """Whether mail could be sent there: one @, no white space, nothing that means something in a header or in SMTP."""
    if len(text) > 254 or not _ADDRESS.match(text):
        return False
    domain = text.rpartition("@")[2]
    return not domain.startswith((".", "-")) and not domain.endswith((".", "-")) and ".." not in domain


def addresses(value: str) -> list[Party]:
    """The parties of an address header, in order, at most `MAX_ADDRESSES`; what holds no address is left out."""
    found = [party for chunk in _chunks(value) if (party := _party(chunk))]
    if not found and "=?" in value and "@" in (decoded := words(value)):
        found = [party for chunk in _chunks(clean_line(decoded, 8000)) if (party := _party(chunk))]
    return found


def name_only(value: str) -> str:
    """What an address header without an address calls the sender."""
    return line(value.partition("<")[0].replace('"', "") or value.strip("<> "), 200)


class _Chunk:
    """One entry of an address list while it is read: the text outside, between angle brackets, in parentheses."""

    __slots__ = ("angle", "comment", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.angle = ""
        self.comment = ""


def _chunks(value: str) -> list[_Chunk]:
    """An address header cut at its top-level commas, in one pass; unbalanced quotes and parentheses count as text."""
    chunks = [_Chunk()]
    at, end = 0, len(value)
    last_quote, last_angle, last_paren = value.rfind('"'), value.rfind(">"), value.rfind(")")
    while at < end and len(chunks) <= MAX_ADDRESSES:
        char = value[at]
        now = chunks[-1]
        if char == '"' and last_quote > at:
            text, at = _quoted(value, at + 1)
            now.text.append(text)
        elif char == "(" and last_paren > at:
            now.comment, at = _comment(value, at + 1)
        elif char == "<" and last_angle > at:
            close = value.find(">", at)
            now.angle, at = value[at + 1 : close], close + 1
        elif char in ",;":
            chunks.append(_Chunk())
            at += 1
        elif char == ":" and not any("@" in text for text in now.text[-3:]):
            now.text.clear()  # the name of a group, or mailto:
            at += 1
        else:
            stop = at + 1
            while stop < end and value[stop] not in '"(<,;:':
                stop += 1
            now.text.append(value[at:stop])
            at = stop
    return chunks


def _quoted(value: str, at: int) -> tuple[str, int]:
    """The text of a quoted string that begins before ``at``, and where it ends."""
    out: list[str] = []
    while at < len(value):
        char = value[at]
        if char == '"':
            return "".join(out), at + 1
        if char == "\\" and at + 1 < len(value):
            at += 1
        out.append(value[at])
        at += 1
    return "".join(out), at


def _comment(value: str, at: int) -> tuple[str, int]:
    """The text of a comment, with what is nested in it, and where it ends."""
    depth, start = 1, at
    while at < len(value):
        char = value[at]
        if char == "\\":
            at += 1
        elif char in "()":
            depth += 1 if char == "(" else -1
            if not depth:
                return value[start:at], at + 1
        at += 1
    return value[start:at], at


def _party(chunk: _Chunk) -> Party | None:
    text = "".join(chunk.text)
    name = text if chunk.angle else ""
    address = "".join(chunk.angle.split()).strip("'").lower()
    address = address.removeprefix("mailto:").removeprefix("smtp:").rstrip(".")
    if not valid_address(address):
        if address := _bare_address(chunk.angle):
            name = text
        elif address := _bare_address(text):
            name = text.replace(address, "", 1).rstrip("< ")
        address = address.lower()
        if not valid_address(address):
            return None
    shown = (line(name, 200) or line(chunk.comment, 200)).strip('" ')
    if shown.startswith("'") and shown.endswith("'"):
        shown = shown.strip("' ")
    return Party("email:" + address, "" if shown.lower() == address else shown)


def _bare_address(text: str) -> str:
    """The first address in running text; found from its @ outwards, since a pattern would be quadratic."""
    at = text.find("@")
    if at < 0:
        return ""
    before = _NO_ADDRESS.split(text[max(at - 200, 0) : at])[-1]
    after = _NO_ADDRESS.split(text[at + 1 : at + 200], maxsplit=1)[0]
    return f"{before}@{after}".strip("'").rstrip(".")


def ids(value: str, most: int = MAX_REFERENCES) -> list[str]:
    """The message ids of a header, without angle brackets, each once; the last ``most`` of them."""
    found = [clean_line("".join(one.split()), MAX_ID) for one in _ID.findall(value)]
    if not found:
        found = [clean_line(one, MAX_ID) for one in value.split() if "@" in one]
    return list(dict.fromkeys(one for one in found if one))[-most:]


def message_id(value: str) -> str:
    """The one id of a Message-ID header, however it is written; empty when there is none."""
    found = _ID.search(value)
    return clean_line("".join((found[1] if found else value.strip("<> \t\r\n")).split()), MAX_ID)


def date(value: str) -> int | None:
    """Milliseconds since 1970 of a Date header; None when it says nothing sensible. Without a zone it counts as UTC."""
    value = value[:200].strip()
    try:
        parsed = parsedate_tz(value)
        if parsed is None:
            return parse_time(value)
        at = int(mktime_tz((*parsed[:9], parsed[9] or 0))) * 1000
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return at if 0 <= at < 253_402_300_800_000 else None
