"""What stands in a search field, taken apart: words, "phrases", and operators like ``from:`` and ``is:open``. Pure.

    parse('invoice "new roof" from:vogel is:open before:2026-03-01 #4821').terms

Nobody's search fails: an operator nobody knows is searched as text, a date that is none is left out, and `Query.hints` say so.
"""

from __future__ import annotations

import re
from datetime import date

from msgspec import Struct

from hub.addresses import phone
from hub.text import clean, fold

#: Parts of one search that are looked at.
MOST = 20
#: The operators by every name they go by.
OPERATORS = {
    "from": "from", "von": "from",
    "to": "channel", "channel": "channel", "an": "channel", "kanal": "channel",
    "tag": "tag", "schlagwort": "tag",
    "is": "is", "ist": "is",
    "assignee": "assignee", "zustandig": "assignee",
    "team": "team",
    "has": "has", "hat": "has",
    "before": "before", "vor": "before",
    "after": "after", "nach": "after",
}  # fmt: skip
#: What may follow ``is:``.
STATES = {
    "open": "open", "offen": "open",
    "waiting": "waiting", "wartend": "waiting", "wartet": "waiting",
    "snoozed": "snoozed", "zuruckgestellt": "snoozed", "pausiert": "snoozed",
    "closed": "closed", "geschlossen": "closed", "erledigt": "closed",
    "unread": "unread", "ungelesen": "unread",
    "unassigned": "unassigned", "frei": "unassigned", "unzugewiesen": "unassigned",
    "mine": "mine", "mein": "mine", "meine": "mine",
    "mentioned": "mentioned", "erwahnt": "mentioned",
}  # fmt: skip
#: What may follow ``has:``.
THINGS = dict.fromkeys(
    ("attachment", "attachments", "file", "files", "anhang", "anhange", "datei", "dateien"), "attachment"
)

_QUOTES = str.maketrans(dict.fromkeys("„“”«»‟", '"'))
_TOKEN = re.compile(
    r"(?P<key>[^\W\d_]{2,20}):(?:\"(?P<quoted>[^\"]*)\"?|(?P<value>\S*))"
    r"|\"(?P<phrase>[^\"]*)\""
    r"|\#(?P<number>\d{1,15})(?!\w)"
    r"|(?P<phone>(?<!\w)(?:\+|0)[\d](?:[ ()/.\u00a0-]{0,3}\d){5,18}(?!\w))"
    r"|(?P<word>\S+)"
)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})\.(\d{1,2})\.(\d{4})")


class Term(Struct, frozen=True):
    """One part. ``kind``: word, phrase, number, phone, or an operator's first name; ``text`` is what was written."""

    kind: str
    value: str
    text: str


class Hint(Struct, frozen=True):
    """Something about the search that its writer should know. ``code``: unknown (operator), empty (operator), date, state,
    thing; and once it is looked up: channel, assignee, team (nobody knows it), many (only some are looked at), order (one
    contradicts another).
    """

    code: str
    value: str


class Query(Struct, frozen=True):
    """A search, taken apart."""

    terms: tuple[Term, ...] = ()
    hints: tuple[Hint, ...] = ()

    def values(self, kind: str) -> tuple[str, ...]:
        """What was said by this operator, in its order."""
        return tuple(term.value for term in self.terms if term.kind == kind)

    def day(self, kind: str) -> date | None:
        """The day of ``before:`` or ``after:``, the last one that was given."""
        said = self.values(kind)
        return date.fromisoformat(said[-1]) if said else None

    @property
    def words(self) -> str:
        """The loose words."""
        return " ".join(self.values("word"))

    def without(self, place: int) -> str:
        """The search as text, one part left out."""
        return " ".join(term.text for n, term in enumerate(self.terms) if n != place)


def parse(text: str) -> Query:
    """Take a search apart; whatever it is, there is an answer."""
    terms: list[Term] = []
    hints: list[Hint] = []
    for found in _TOKEN.finditer(clean(text, 1000).translate(_QUOTES)):
        if len(terms) >= MOST:
            break
        term = _term(found, hints)
        if term is not None:
            terms.append(term)
    return Query(tuple(terms), tuple(hints))


def _term(found: re.Match[str], hints: list[Hint]) -> Term | None:
    text = found[0]
    if found["key"]:
        return _operator(found, hints)
    if found["phrase"] is not None:
        return Term("phrase", found["phrase"], text) if found["phrase"].strip() else None
    if found["number"]:
        return Term("number", str(int(found["number"])), text)
    if found["phone"]:
        return Term("phone", phone(text), text)
    return Term("word", text, text)


def _operator(found: re.Match[str], hints: list[Hint]) -> Term | None:
    name, text = found["key"], found[0]
    value = (found["quoted"] if found["quoted"] is not None else found["value"]).strip()
    kind = OPERATORS.get(fold(name))
    if kind is None:
        if value and not value.startswith("//"):
            hints.append(Hint("unknown", name))
        return Term("word", text, text)
    if not value:
        hints.append(Hint("empty", name))
        return None
    if kind in ("before", "after"):
        day = read_day(value)
        if day is None:
            hints.append(Hint("date", value))
            return None
        return Term(kind, day.isoformat(), text)
    if kind in ("is", "has"):
        known = (STATES if kind == "is" else THINGS).get(fold(value))
        if known is None:
            hints.append(Hint("state" if kind == "is" else "thing", value))
            return Term("word", value, text)
        return Term(kind, known, text)
    return Term(kind, value, text)


def read_day(text: str) -> date | None:
    """2026-03-01 or 1.3.2026; None for what is no day."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(n) for n in (found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)))
    try:
        return date(year, month, day)
    except ValueError:
        return None
