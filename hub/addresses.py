"""Addresses as people write them, made into the hub's normal form: the kind in front, one spelling each."""

from __future__ import annotations

import re

from hub.text import clean_line

_KIND = re.compile(r"([a-z][a-z0-9_]{0,30}):(.+)", re.DOTALL)
_PHONE = re.compile(r"\+?[0-9][0-9 ()/.-]{2,30}")
#: The country codes of E.164, as ITU-T lists them.
_COUNTRIES = tuple(
    str(n)
    for first, last in (
        (1, 1), (7, 7), (20, 20), (27, 27), (30, 34), (36, 36), (39, 41), (43, 49), (51, 58), (60, 66), (81, 82), (84, 84), (86, 86),
        (90, 95), (98, 98), (211, 213), (216, 216), (218, 218), (220, 269), (290, 291), (297, 299), (350, 359), (370, 389),
        (420, 423), (500, 509), (590, 599), (670, 692), (850, 856), (870, 870), (880, 888), (960, 979), (992, 998),
    )
    for n in range(first, last + 1)
)  # fmt: skip
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


def phone(text: str) -> str:
    """A phone number without its looks: digits, with a + where it begins with a country. “(0)” behind a country goes."""
    plain = re.sub(r"^(\+\d{1,3}[ .-]*)\(0\)", r"\1", text.strip())
    digits = re.sub(r"[^0-9]", "", plain)
    if plain.startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def spellings(number: str) -> list[str]:
    """How a phone number may stand among the addresses (without their kind): a national one behind every country's code, an
    international one also as it is dialled at home.
    """
    plain = phone(number)
    if not plain.strip("+"):
        return []
    if plain.startswith("+"):
        home = [f"0{plain[1 + len(code) :]}" for code in _COUNTRIES if plain.startswith(f"+{code}") and len(plain) > 5]
        return [plain, plain[1:], *home]
    national = plain.removeprefix("0")
    abroad = [f"+{code}{national}" for code in _COUNTRIES] if plain.startswith("0") else []
    return [plain, f"+{plain}", *abroad]


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
