"""Raw mail cut into parts: where each begins and ends, its headers, its decoded bytes. Bounded and linear.

The standard library's feed parser needs ten seconds and 340 MB for a million empty parts and gives up at 1000 levels,
so the cutting is done here with `bytes.find` over one buffer that is never copied; `email.message.Message` with
``policy.compat32`` then answers what one part's (bounded) headers mean.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from email.message import Message as Headers
from email.policy import compat32
from email.utils import collapse_rfc2231_value
from typing import Any

from adapters._mime_headers import base64_bytes, decode

MAX_PARTS = 1_000
MAX_DEPTH = 50
#: Bytes kept of one header, and of one that lists addresses.
MAX_HEADER = 8_192
MAX_LIST_HEADER = 65_536
#: Lines of one header block that are looked at, bytes likewise.
MAX_HEADER_LINES = 20_000
MAX_HEADER_BLOCK = 12_000_000
#: How often each header is kept.
MAX_SAME = 50
#: Possible boundary lines that are looked at in one mail.
MAX_CHECKS = 100_000

_LISTS = frozenset({"to", "cc", "from", "reply-to", "references"})
_WANTED = _LISTS | {
    *(
        "sender",
        "subject",
        "date",
        "message-id",
        "in-reply-to",
        "content-language",
        "auto-submitted",
        "x-auto-response-suppress",
    ),
    *("x-autoreply", "x-autorespond", "x-auto-reply", "precedence", "list-id", "return-path", "delivered-to"),
    *("x-original-to", "envelope-to", "x-failed-recipients", "content-type", "content-disposition"),
    *("content-transfer-encoding", "content-id", "content-location", "content-description"),
    "authentication-results",
}
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}\Z")


class Budget:
    """What one mail may still cost; ``spent`` says that something was left out."""

    def __init__(self) -> None:
        self.parts = MAX_PARTS
        self.checks = MAX_CHECKS
        self.spent = False


class Part:
    """One part of a mail: decoded headers by lower-case name, and the span of its body in the buffer."""

    def __init__(self, raw: bytes, headers: dict[str, list[str]], start: int, end: int, usual: str) -> None:
        self.raw = raw
        self.headers = headers
        self.start = start
        self.end = end
        self.children: list[Part] = []
        self._usual = usual
        self._meaning: Headers | None = None
        self.type = self._content_type()

    def get(self, name: str) -> str:
        """The first header of that name; empty when there is none."""
        found = self.headers.get(name)
        return found[0] if found else ""

    def all(self, name: str) -> list[str]:
        """Every header of that name, in order."""
        return self.headers.get(name, [])

    @property
    def body(self) -> memoryview:
        """The body as it was transmitted, without a copy."""
        return memoryview(self.raw)[self.start : self.end]

    @property
    def is_attachment(self) -> bool:
        """Whether the sender calls it an attachment (RFC 2183)."""
        return self.get("content-disposition").strip().lower().startswith("attachment")

    @property
    def file_name(self) -> str:
        """The name the sender gave (RFC 2231, 2047 or neither), undecoded words and all; empty when none."""
        return self._ask(_file_name)

    @property
    def content_id(self) -> str:
        """By what HTML parts refer to this one (RFC 2392), without angle brackets."""
        return "".join(self.get("content-id").split()).strip("<>")[:500]

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type, as text."""

        def ask(headers: Headers) -> str:
            found = headers.get_param(name)
            return found[2] if isinstance(found, tuple) else str(found or "")

        return self._ask(ask)

    def data(self, most: int | None = None) -> bytes:
        """The part's bytes with the transfer encoding undone; at most about ``most`` of them."""
        body = self.body if most is None else self.body[: most * 4 // 3 + 4]
        encoding = self.get("content-transfer-encoding").strip().strip("\"'").lower()
        if encoding == "base64":
            return base64_bytes(body)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(body)
        if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
            return _uudecode(bytes(body))
        return bytes(body)

    def text(self, most: int) -> str:
        """The part as text."""
        return decode(self.data(most), self.parameter("charset"))

    def _content_type(self) -> str:
        if not self.get("content-type"):
            return self._usual
        found = self._ask(lambda headers: headers.get_content_type())
        return found if _TYPE.match(found) else "application/octet-stream"

    def _ask(self, question: Callable[[Headers], str]) -> str:
        """Ask the standard library about the content headers; what it cannot answer counts as absent."""
        if self._meaning is None:
            self._meaning = Headers(policy=compat32)
            for name in ("content-type", "content-disposition"):
                if value := self.get(name):
                    self._meaning[name] = value
        try:
            return question(self._meaning)
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
            return ""


def _file_name(headers: Headers) -> str:
    """The name in UTF-8 (``filename*=``) before the one for old programs, Content-Disposition before Content-Type."""
    said: list[Any] = [  # text, or for RFC 2231 a triple
        value
        for header, wanted in (("content-disposition", "filename"), ("content-type", "name"))
        for name, value in headers.get_params([], header)
        if name.lower() == wanted and value
    ]
    names = [collapse_rfc2231_value(value) for value in sorted(said, key=lambda value: isinstance(value, str))]
    return next((name for name in names if name.strip()), "")


def parse(raw: bytes) -> tuple[Part, bool]:
    """The tree of a mail, and whether something was left out because it was over a cap. Never raises."""
    if b"\r" in raw[:65_536] and raw.find(b"\n", 0, 65_536) < 0:
        raw = raw.replace(b"\r", b"\n")  # written by a program of the last century
    start = _skip_mbox_line(raw)
    budget = Budget()
    return _part(raw, start, len(raw), budget, 0, "text/plain"), budget.spent


def headers_of(raw: bytes, start: int, end: int) -> tuple[dict[str, list[str]], int]:
    """The wanted headers of the block at ``start``, unfolded and decoded from bytes, and where the body begins."""
    kept: dict[str, list[bytearray]] = {}
    value = bytearray()
    room, at, seen = 0, start, False
    stop = min(end, start + MAX_HEADER_BLOCK)
    for _ in range(MAX_HEADER_LINES):
        if at >= stop:
            break
        newline = raw.find(b"\n", at, stop)
        following = newline + 1 if newline >= 0 else stop
        begin, at = at, following
        content_end = min(following, begin + MAX_LIST_HEADER)
        text = raw[begin:content_end].rstrip(b"\r\n")
        if not text:
            return _finish(kept), following
        if text[:1] in b" \t" and seen:
            if room > len(value):
                value += b"\n" + text[: room - len(value)]
            continue
        name, colon, rest = text.partition(b":")
        name = name.rstrip()
        if not colon or b" " in name or not name:
            if not seen or not _looks_like_header(raw, at, stop):
                return _finish(kept), begin
            continue
        seen = True
        key = name.lower().decode("latin-1")
        room = 0
        value = bytearray()
        values = kept.setdefault(key, []) if key in _WANTED else None
        if values is not None and len(values) < MAX_SAME:
            room = MAX_LIST_HEADER if key in _LISTS else MAX_HEADER
            value += rest[:room]
            values.append(value)  # grows with its continuation lines
    return _finish(kept), at


def _finish(kept: dict[str, list[bytearray]]) -> dict[str, list[str]]:
    return {key: [_unfold(value) for value in values] for key, values in kept.items()}


def _unfold(value: bytearray) -> str:
    """A header's bytes as text: line ends removed, tabs and blanks that began lines kept as one blank."""
    text = decode(bytes(value)).strip()
    return " ".join(line.strip("\r\t ") for line in text.split("\n")) if "\n" in text else text


def _looks_like_header(raw: bytes, at: int, stop: int) -> bool:
    line = raw[at : min(stop, at + 80)].split(b"\n", 1)[0]
    name, colon, _ = line.partition(b":")
    return bool(colon) and bool(name) and b" " not in name.rstrip()


def _skip_mbox_line(raw: bytes) -> int:
    """Where the headers begin: after white space and after the "From " line of a mailbox file."""
    at = len(raw[:2_000]) - len(raw[:2_000].lstrip())
    if raw.startswith((b"From ", b">From "), at):
        newline = raw.find(b"\n", at, at + 1000)
        return newline + 1 if newline >= 0 else at
    return at


def _part(raw: bytes, start: int, end: int, budget: Budget, depth: int, usual: str) -> Part:
    budget.parts -= 1
    headers, body = headers_of(raw, start, end)
    part = Part(raw, headers, min(body, end), end, usual)
    if part.type.startswith("multipart/"):
        if depth >= MAX_DEPTH:
            budget.spent = True
            part.type = "application/octet-stream"
        else:
            _split(part, budget, depth)
    return part


def _split(part: Part, budget: Budget, depth: int) -> None:
    """Cut a multipart into its children; one whose boundary never comes is plain text instead."""
    usual = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
    boundary = part.parameter("boundary").rstrip().encode("utf-8", "replace")[:200]
    spans = list(_spans(part, b"--" + boundary, budget)) if boundary else []
    if not spans and (guess := _guess_boundary(part)):
        spans = list(_spans(part, guess, budget))
    if not spans:
        part.type = "text/plain"
    for start, end in spans:
        if budget.parts <= 0:
            budget.spent = True
            return
        part.children.append(_part(part.raw, start, end, budget, depth + 1, usual))


def _spans(part: Part, mark: bytes, budget: Budget) -> list[tuple[int, int]]:
    """The spans between the delimiter lines of a multipart (RFC 2046 5.1.1)."""
    raw, stop = part.raw, part.end
    spans: list[tuple[int, int]] = []
    opened = -1
    for begin, after in _marks(part, mark):
        budget.checks -= 1
        if budget.checks <= 0 or len(spans) >= budget.parts:
            budget.spent = True
            return spans
        newline = raw.find(b"\n", after, stop)
        line_end = newline if newline >= 0 else stop
        rest = raw[after : min(line_end, after + 100)].strip(b" \t\r")
        if rest not in (b"", b"--"):
            continue
        if opened >= 0:
            cut = begin - 2 if raw[begin - 2 : begin] == b"\r\n" else begin - 1
            spans.append((opened, max(cut, opened)))
        opened = min(line_end + 1, stop)
        if rest:
            return spans
    if opened >= 0:
        spans.append((opened, stop))  # never closed: the last part goes on to the end
    return spans


def _marks(part: Part, mark: bytes) -> Iterator[tuple[int, int]]:
    """Where lines begin with ``mark``, and where the mark ends."""
    if part.raw.startswith(mark, part.start):
        yield part.start, part.start + len(mark)
    needle, at = b"\n" + mark, part.start
    while (found := part.raw.find(needle, at, part.end)) >= 0:
        at = found + len(needle)
        yield found + 1, at


def _guess_boundary(part: Part) -> bytes:
    """The delimiter of a multipart whose declared boundary is wrong: a line that looks like one, with headers after."""
    head = part.raw[part.start : min(part.end, part.start + 8_192)]
    at = 0 if head.startswith(b"--") else head.find(b"\n--") + 1
    if at == 0 and not head.startswith(b"--"):
        return b""
    line, _, following = head[at:].partition(b"\n")
    line = line.strip()
    return line if 4 < len(line) <= 100 and following[:8].lower() == b"content-" else b""


def _uudecode(body: bytes) -> bytes:
    out = []
    for line in body.split(b"\n"):
        line = line.rstrip(b"\r")
        if not line or line.startswith((b"begin ", b"end")):
            continue
        length = (((line[0] - 32) & 63) * 4 + 5) // 3 + 1  # what follows is padding of some encoders
        try:
            out.append(binascii.a2b_uu(line[:length]))
        except binascii.Error:
            continue
    return b"".join(out)
