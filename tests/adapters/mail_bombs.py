"""Mails that brought parsers down: each a small recipe for a large trouble."""

import base64
from collections.abc import Callable


def nested(levels: int) -> bytes:
    return b"MIME-Version: 1.0\r\n" + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(levels)
    ) + b"Content-Type: text/plain\r\n\r\nhi\r\n"  # fmt: skip


def growing(levels: int, lines: int) -> bytes:
    """Boundaries that are beginnings of each other, and lines that begin like all of them."""
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (b"b" * level, b"b" * level)
        for level in range(1, levels)
    )
    return head + (b"--" + b"b" * levels + b"x\r\n") * lines


BOMBS: dict[str, Callable[[], bytes]] = {
    "100 levels": lambda: nested(100),
    "1000 levels": lambda: nested(1_000),
    "5000 levels": lambda: nested(5_000),
    "3000 messages in messages": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 3_000 + b"Subject: x\r\n\r\nhi",
    "a million parts": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 1_000_000,
    "100k headers": lambda: b"".join(b"X-%d: a\r\n" % n for n in range(100_000)) + b"\r\nhi",
    "100k subjects": lambda: b"Subject: =?utf-8?q?a?=\r\n" * 100_000 + b"\r\nhi",
    "a subject of 10 MB": lambda: b"Subject: " + b"a" * 10_000_000 + b"\r\n\r\nhi",
    "100k encoded words": lambda: b"Subject: " + b"=?utf-8?Q?a?= " * 100_000 + b"\r\n\r\nhi",
    "half an encoded word": lambda: b"Subject: " + b"=?utf-8?b?" * 100_000 + b"\r\n\r\nhi",
    "50k addresses": lambda: b"To: " + b",".join(b'"n %d" <u%d@x.example>' % (n, n) for n in range(50_000)) + b"\r\n\r\nhi",
    "20k parentheses": lambda: b"From: " + b"(" * 20_000 + b"a@b" + b")" * 20_000 + b"\r\n\r\nhi",
    "60k open parentheses": lambda: b"To: " + b"(" * 60_000 + b"\r\n\r\nhi",
    "20k quotes": lambda: b"From: " + b'"' * 20_001 + b" <a@b>\r\n\r\nhi",
    "60k letters without an at": lambda: b"To: " + b"a" * 60_000 + b"\r\n\r\nhi",
    "50k ats": lambda: b"From: " + b"a@" * 50_000 + b"\r\n\r\nhi",
    "50k colons": lambda: b"To: a@" + b":" * 50_000 + b"\r\n\r\nhi",
    "50k angles": lambda: b"To: " + b"<" * 50_000 + b">" * 10 + b"\r\n\r\nhi",
    "50k commas": lambda: b"To: " + b"," * 50_000 + b"\r\n\r\nhi",
    "20k references": lambda: b"References: " + b" ".join(b"<%d@x>" % n for n in range(20_000)) + b"\r\n\r\nhi",
    "20k parameters": lambda: b"Content-Type: text/plain; " + b"; ".join(b"p%d*0=a" % n for n in range(20_000)) + b"\r\n\r\nhi",
    "4k parameters in 8 kB": lambda: b'Content-Type: text/plain; a="' + b";" * 8_000 + b"\r\n\r\nhi",
    "a line of 2 MB of dashes": lambda: b'Content-Type: multipart/mixed; boundary="' + b"-" * 60 + b'"\r\n\r\n' + b"-" * 2_000_000,
    "100k folded lines": lambda: b"Subject: x" + b"\r\n " * 100_000 + b"y\r\n\r\nhi",
    "50 boundaries and 200k lines": lambda: nested(50) + b"--bX\r\n" * 200_000,
    "boundaries within boundaries": lambda: growing(50, 170_000),
    "60 MB of base64": lambda: b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(b"\0" * 44_000_000),
    "bad base64": lambda: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A-=*" * 2_000_000,
    "uuencode": lambda: b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + b"`\n" * 1_000_000,
    "quoted-printable": lambda: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 5_000_000,
    "a text of 20 MB": lambda: b"\r\n\r\n" + b"On Monday x wrote:\n" * 1_000_000,
    "HTML of 100k divs": lambda: b"Content-Type: text/html\r\n\r\n" + b"<div>" * 100_000,
    "utf-7": lambda: b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+" * 4_000_000,
}  # fmt: skip
