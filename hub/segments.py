"""How many SMS a text is (3GPP TS 23.038 and 23.040): in the seven-bit alphabet 160 characters, or 153 in each of several; any other
character makes it UCS-2, with 70, or 67 in each of several. The alphabet stands in gsm7.json, for the screens too.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec
from msgspec import Struct


class Alphabet(Struct, frozen=True):
    """The characters of one septet, and those of two (an escape before them)."""

    basic: str
    extended: str


class Count(Struct, frozen=True):
    """``units`` are septets or 16-bit units, ``room`` how many fit into this many ``parts``. ``odd``: the first character that is
    not in the seven-bit alphabet (empty: none, the text is sent in it).
    """

    parts: int
    units: int
    room: int
    odd: str = ""


@functools.cache
def alphabet() -> Alphabet:
    """The seven-bit alphabet."""
    return msgspec.json.decode((resources.files("hub") / "gsm7.json").read_bytes(), type=Alphabet)


def count(text: str) -> Count:
    """How many SMS it takes. What needs two units is never cut in the middle, so a part may stay short by one."""
    known = alphabet()
    odd = next((c for c in text if c not in known.basic and c not in known.extended), "")
    if odd:
        sizes, alone, each = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67
    else:
        sizes, alone, each = [2 if c in known.extended else 1 for c in text], 160, 153
    units = sum(sizes)
    if units <= alone:
        return Count(1 if units else 0, units, alone, odd)
    parts, left = 1, each
    for size in sizes:
        if size > left:
            parts, left = parts + 1, each
        left -= size
    return Count(parts, units, parts * each, odd)
