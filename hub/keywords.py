"""Which words does a contact hold? A text is folded once for all rules, and a hundred rules cost little more than one.

Keywords are beginnings of words, without regard to case and accents. Nothing is folded before a rule asks for words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from hub.directory import Rule
from hub.text import fold, split

#: How much of a text is looked through (characters).
LOOKED_AT = 4000
#: Keywords are sorted by so many first letters, so that a text asks only for those it may hold.
LETTERS = 3
#: So many tables of questions are kept sorted: this moment's and those that simulations try.
TABLES = 8


class Words:
    """The words of a contact's subject and text."""

    def __init__(self, subject: str, text: str, rules: tuple[Rule, ...] = ()) -> None:
        self._subject, self._text, self._rules = subject, text, rules

    @functools.cached_property
    def subject(self) -> str:
        """Those of the subject, a space before each."""
        return _line(self._subject)

    @functools.cached_property
    def all(self) -> str:
        """Those of subject and text."""
        return _line(f"{self._subject}\n{self._text[:LOOKED_AT]}")

    @functools.cached_property
    def asleep(self) -> frozenset[int]:
        """The places of the rules whose words are not there: nobody need look at their other conditions."""
        by_text, by_subject = _asking(self._rules)
        missed = by_text.missed(self.all) if by_text.places else frozenset()
        return missed | by_subject.missed(self.subject) if by_subject.places else missed


def holds(line: str, keywords: Iterable[str]) -> bool:
    """Does a word of the line begin like one of these? Several words must follow each other; signs alone are no word."""
    return any((wanted := _wanted(keyword)) and wanted in line for keyword in keywords)


def _line(text: str) -> str:
    """The folded words with a space before each: where another such line is found in it, a word begins."""
    return "".join(f" {word}" for word in split(fold(text)))


_wanted = functools.lru_cache(10_000)(_line)


class _Asking:
    """Which rules ask for which words."""

    def __init__(self, asked: Iterable[tuple[int, Sequence[str]]]) -> None:
        wanted = [(place, _wanted(keyword)) for place, keywords in asked for keyword in keywords]
        self.places = frozenset(place for place, _ in wanted)
        self._by_start: dict[str, list[tuple[str, int]]] = {}
        self._short: list[tuple[str, int]] = []
        for place, line in wanted:
            start = line.split()[0][:LETTERS] if line else ""
            if len(start) == LETTERS:
                self._by_start.setdefault(start, []).append((line, place))
            elif line:
                self._short.append((line, place))

    def missed(self, line: str) -> frozenset[int]:
        """The places of those that find none of their words here."""
        starts = {word[:LETTERS] for word in line.split()} & self._by_start.keys()
        possible = [pair for start in starts for pair in self._by_start[start]]
        return self.places - {place for wanted, place in self._short + possible if wanted in line}


#: What tables ask for, by their identity; the table is kept with it, so that no other one can have its identity.
_known: dict[int, tuple[tuple[Rule, ...], _Asking, _Asking]] = {}


def _asking(rules: tuple[Rule, ...]) -> tuple[_Asking, _Asking]:
    """(for words of subject and text, for those of the subject)."""
    known = _known.get(id(rules))
    if known is None:
        by_text = _Asking((place, rule.conditions.keywords) for place, rule in enumerate(rules))
        by_subject = _Asking((place, rule.conditions.subject) for place, rule in enumerate(rules))
        if len(_known) >= TABLES:
            _known.clear()
        known = _known[id(rules)] = rules, by_text, by_subject
    return known[1:]
