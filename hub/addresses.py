"""Addresses as people write them, made into the hub's normal form: the kind in front, one spelling each."""

from __future__ import annotations

import re

from hub.text import clean_line

_KIND = re.compile(r"([a-z][a-z0-9_]{0,30}):(.+)", re.DOTALL)
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{2,30}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")


def normal(text: str, kind: str = "") -> str:
    """``A@B.de`` → ``email:a@b.de``; ``+49 30 12`` → ``tel:+493012``; what has its kind in front keeps it.

    ``kind`` is taken where the text says none. Raises ValueError with one sentence for what is no address.
    """
    line = clean_line(text, 1000)
    if not line or line != text.strip() or len(line) > 400:
        raise ValueError(f"“{line[:80]}” is no address: it must be one line of at most 400 characters.")
    if kind and line.startswith(f"{kind}:"):
        return _one_spelling(kind, line[len(kind) + 1 :].strip())
    if kind:
        return _one_spelling(kind, line)
    if match := _KIND.fullmatch(line):
        return _one_spelling(match[1], match[2].strip())
    if _MAIL.fullmatch(line):
        return _one_spelling("email", line)
    if _PHONE.fullmatch(line):
        return _one_spelling("tel", line)
    raise ValueError(f"“{line[:80]}” is no address: write its kind in front, like email:a@b.de or tel:+493012345.")


def _one_spelling(kind: str, rest: str) -> str:
    if kind == "email":
        if not _MAIL.fullmatch(rest):
            raise ValueError(f"“{rest[:80]}” is no e-mail address.")
        rest = rest.lower()
    elif kind == "tel":
        if not _PHONE.fullmatch(rest):
            raise ValueError(f"“{rest[:80]}” is no phone number; write it like +493012345.")
        rest = ("+" if rest.startswith("+") else "") + re.sub(r"[^0-9]", "", rest)
    if not rest:
        raise ValueError(f"“{kind}:” is no address: something must follow the kind.")
    return f"{kind}:{rest}"
