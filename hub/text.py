"""Text at the border: what strangers send becomes text that every database and screen can hold."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: Combining marks that normalisation splits off: those of Latin, Greek, Cyrillic, Hebrew and Arabic. A character class is
#: many times faster than asking unicodedata for each character.
_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_WORD = re.compile(r"[^\W_]+")


def clean(text: str, limit: int = 1_000_000) -> str:
    """Text without NUL, lone surrogates and other control characters (tab and newline stay), cut at ``limit``."""
    if len(text) > limit:
        text = text[:limit]
    if text.isascii() and text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def clean_line(text: str, limit: int = 500) -> str:
    """The same on one line: for names, subjects, header values. No line break of any kind survives."""
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):
        text = _LINE_CONTROL.sub(" ", text)
    return text.strip()[:limit]


def fold(text: str) -> str:
    """Lower case without diacritics, so that "munchen" finds "München" on both databases."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text.replace("ß", "ss"))).lower()


def by_name(name: str) -> tuple[str, str]:
    """The key that names are sorted by: as in a German dictionary (DIN 5007-1) Ä stands with A and ß with ss, small with large."""
    return fold(name), name


def split(folded: str) -> list[str]:
    """The words of a folded text: runs of letters and digits."""
    return _WORD.findall(folded)


def words(text: str, most: int = 12) -> list[str]:
    """The folded words of a search, at most ``most`` of them."""
    return [w[:60] for w in split(fold(clean(text, 1000)))][:most]


def preview(text: str, length: int = 140) -> str:
    """The first line's worth of a text, for lists."""
    return " ".join(text[: length * 4].split())[:length]
