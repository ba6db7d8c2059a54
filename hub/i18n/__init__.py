"""The words on the screen: English in the code and templates, every other language in a .po file beside this one.

    words = catalogue("de")
    words.text("Close")                                  # Erledigen
    words.plural("{n} new", "{n} new ones", 3)           # 3 neue

The files are ordinary gettext catalogues (msgid, msgid_plural, msgstr), so any translator's tool can edit them.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
#: What people may choose, by their own names.
LANGUAGES = {"en": "English", "de": "Deutsch"}

_HOLE = re.compile(r"\\\{(\w+)\\\}")


class Catalogue:
    """One language. Unknown texts come back as they are: English."""

    def __init__(self, language: str, texts: dict[str, tuple[str, ...]]) -> None:
        self.language = language
        self.texts = texts

    def text(self, words: str, /, **values: object) -> str:
        """``words`` in this language with ``{holes}`` filled."""
        found = self.texts.get(words, (words,))[0] or words
        return found.format(**values) if values else found

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The singular or plural form for ``n``, which also fills ``{n}``."""
        forms = self.texts.get(one, (one, many))
        return forms[0 if n == 1 else -1].format(n=n, **values)

    def sentence(self, english: str) -> str:
        """What the core said in English (an error with names filled in), in this language where the catalogue knows it."""
        if english in self.texts:
            return self.texts[english][0]
        for pattern, translated in self._patterns:
            if found := pattern.fullmatch(english):
                return translated.format(**found.groupdict())
        return english

    @functools.cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile(_HOLE.sub(r"(?P<\1>.*?)", re.escape(english))), forms[0])
            for english, forms in self.texts.items()
            if "{" in english and english.endswith((".", "{prefix}"))
        ]


@functools.cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language; English for those we do not have."""
    if language not in LANGUAGES:
        language = "en"
    file = FOLDER / f"{language}.po"
    return Catalogue(language, dict(read_po(file.read_text("utf-8"))) if file.exists() else {})


def read_po(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(msgid, its translations) of a .po file; the header and what is not translated are left out."""
    for block in re.split(r"\n\s*\n", text):
        parts: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if found := re.match(r'(msg\w+(?:\[\d\])?)\s+(".*")\s*$', line):
                name = found[1]
                parts[name] = ast.literal_eval(found[2])
            elif line.startswith('"'):
                parts[name] += ast.literal_eval(line)
        forms = tuple(value for key, value in parts.items() if key.startswith("msgstr"))
        if parts.get("msgid") and all(forms):
            yield parts["msgid"], forms


def chosen(accept: str, otherwise: str) -> str:
    """The first language of an Accept-Language header that we have (RFC 9110, 12.5.4), else ``otherwise``."""
    wishes = []
    for place, part in enumerate(accept.split(",")[:20]):
        name, _, weight = part.partition(";q=")
        try:
            wishes.append((-float(weight or 1), place, name.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    return next((name for weight, _, name in sorted(wishes) if name in LANGUAGES and weight), otherwise)
