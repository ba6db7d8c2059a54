"""The place in a text where the words of a search stand, with those words marked. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hub.text import fold

#: What stands before the first hit, and how long an excerpt is (characters).
BEFORE, LONGEST = 60, 260

_WORD = re.compile(r"[^\W_]+")
#: Pieces of a text, each with whether it is a hit.
Pieces = tuple[tuple[str, bool], ...]


def excerpt(text: str, words: Sequence[str]) -> Pieces:
    """Around the first of the (folded) words, which may be the beginnings of longer ones; the beginning where there is none."""
    flat = " ".join(text[:20_000].split())
    hits = _hits(flat, words)
    begin = _word_begin(flat, hits[0][0] - BEFORE) if hits else 0
    end = min(len(flat), begin + LONGEST)
    pieces: list[tuple[str, bool]] = [("… ", False)] if begin else []
    at = begin
    for first, last in hits:
        if first >= end:
            break
        if first > at:
            pieces.append((flat[at:first], False))
        pieces.append((flat[first : min(last, end)], True))
        at = last
    if at < end:
        pieces.append((flat[at:end], False))
    if end < len(flat):
        pieces.append((" …", False))
    return tuple(pieces)


def _hits(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    wanted = tuple(w for w in words if w)
    return [found.span() for found in _WORD.finditer(text) if wanted and fold(found[0]).startswith(wanted)]


def _word_begin(text: str, place: int) -> int:
    """The beginning of the next word, so that none is cut."""
    if place <= 0:
        return 0
    return text.find(" ", place) + 1
