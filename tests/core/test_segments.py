"""How many SMS a text is: the seven-bit alphabet with its extension, anything else, and what must not be cut."""

import pytest

from hub import segments

#: (text, parts, units, room, the first character that does not fit the seven-bit alphabet); the client is asked the same.
CASES = [
    ("", 0, 0, 160, ""),
    ("a" * 142, 1, 142, 160, ""),
    ("ä" * 160, 1, 160, 160, ""),
    ("a" * 161, 2, 161, 306, ""),
    ("a" * 307, 3, 307, 459, ""),
    ("€" * 80, 1, 160, 160, ""),
    ("€" * 81, 2, 162, 306, ""),
    ("a" * 152 + "€" + "a" * 152, 3, 306, 459, ""),  # the escape and its sign stay together
    ("two\nlines", 1, 9, 160, ""),
    ("ç" + "a" * 69, 1, 70, 70, "ç"),
    ("😀" * 35, 1, 70, 70, "😀"),
    ("😀" * 36, 2, 72, 134, "😀"),
    ("a" * 66 + "😀" + "a" * 3, 2, 71, 134, "😀"),
    ("Ж" * 71, 2, 71, 134, "Ж"),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_a_text_is_so_many_sms(case: tuple[str, int, int, int, str]) -> None:
    text, *expected = case

    counted = segments.count(text)
    assert [counted.parts, counted.units, counted.room, counted.odd] == expected


def test_the_alphabet_has_all_its_signs_once() -> None:
    known = segments.alphabet()

    assert len(set(known.basic)) == len(known.basic) == 127  # and the escape
    assert len(set(known.extended)) == len(known.extended) == 10
