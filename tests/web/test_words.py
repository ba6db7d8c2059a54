"""The catalogue: every visible word has its German, and nothing stands in the templates beside it."""

import re
from pathlib import Path

import pytest

from hub.i18n import LANGUAGES, Catalogue, catalogue, chosen, read_po
from hub.web import keys
from hub.web.when import When, zone

ROOT = Path(__file__).parent.parent.parent
#: Texts asked of the catalogue in templates and code.
ASKED = re.compile(r"""(?:\b_|words\.text)\(\s*(['"])(.*?)\1""")
PLURALS = re.compile(r"""(?:\bn_|\.plural)\(\s*(['"])(.*?)\1,\s*(['"])(.*?)\3""")
HOLES = re.compile(r"\{\w+\}")


def sources() -> list[Path]:
    return [
        *(ROOT / "templates").rglob("*.j2"),
        *(ROOT / "hub" / "web").glob("*.py"),
        ROOT / "hub" / "tell.py",
        ROOT / "hub" / "pushing.py",
        ROOT / "hub" / "continuity.py",
    ]


def asked() -> set[str]:
    texts = [path.read_text("utf-8") for path in sources()]
    return (
        {b.label for b in keys.table()}
        | {m[2] for text in texts for m in ASKED.finditer(text)}
        | {m[2] for text in texts for m in PLURALS.finditer(text)}
    )


def test_every_text_of_the_screens_is_translated() -> None:
    known = catalogue("de").texts

    assert len(asked()) > 100
    assert sorted(text for text in asked() if text not in known) == []


def test_translations_have_the_holes_of_the_original() -> None:
    wrong = [
        english
        for english, forms in catalogue("de").texts.items()
        if any(set(HOLES.findall(form)) != set(HOLES.findall(english)) for form in forms)
    ]

    assert wrong == []


def test_no_template_has_words_of_its_own() -> None:
    """What stands between tags is markup, a value or a catalogue text."""
    said = []
    for path in (ROOT / "templates").rglob("*.j2"):
        text = re.sub(r"\{% block (columns|screen) %\} ?\w+", " ", path.read_text("utf-8"))
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", text, flags=re.S)
        text = re.sub(r'<script.*?</script>|<[^>]*>|[\w-]+="[^"]*"|data-[a-z]+', " ", text, flags=re.S)
        text = re.sub(r"&[a-z]+;", " ", text)
        said += [f"{path.name}: {word}" for word in re.findall(r"[A-Za-z]{3,}", text)]

    assert said == []


def test_no_template_marks_anything_as_safe_or_carries_inline_style_or_handlers() -> None:
    bad = re.compile(r"\|\s*safe\b|autoescape|Markup|\sstyle=|\son[a-z]+=")
    found = [p.name for p in (ROOT / "templates").rglob("*.j2") if bad.search(p.read_text("utf-8"))]

    assert found == []


def test_plurals_choose_their_form() -> None:
    words = catalogue("de")

    assert words.plural("{n} day", "{n} days", 1) == "1 Tag"
    assert words.plural("{n} day", "{n} days", 3) == "3 Tage"
    assert catalogue("en").plural("{n} day", "{n} days", 3) == "3 days"


def test_errors_of_the_core_are_said_in_the_language_with_their_names() -> None:
    assert catalogue("de").sentence("Nothing can be sent by “Shop {x}”.") == "Über „Shop {x}“ lässt sich nichts senden."
    assert catalogue("de").sentence("Nobody ever wrote this.") == "Nobody ever wrote this."


def test_an_unfinished_translation_is_left_out() -> None:
    po = 'msgid ""\nmsgstr "header"\n\nmsgid "A"\nmsgstr ""\n\nmsgid "B "\n"b"\nmsgstr "x\\"y"\n'

    assert dict(read_po(po)) == {"B b": ('x"y',)}
    assert Catalogue("xx", {}).text("A {n}", n=1) == "A 1"


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("de-AT,en;q=0.5", "de"),
        ("fr, en;q=0.8, de;q=0.9", "de"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=0", "en"),
        ("de;q=x", "en"),
    ],
)
def test_the_browsers_wish_counts_before_sign_in(accept: str, language: str) -> None:
    assert chosen(accept, "en") == language
    assert set(LANGUAGES) == {"en", "de"}


def test_times_are_spelled_in_the_readers_language_and_zone() -> None:
    now = 1795450500000  # 2026-11-23 14:55 UTC
    german = When(catalogue("de"), zone("Europe/Berlin"), now)
    english = When(catalogue("en"), zone("nonsense/../zone"), now)

    assert (german.time(now), english.time(now)) == (
        f"{(now // 3600000 + 1) % 24:02}:{now // 60000 % 60:02}",
        english.short(now),
    )
    assert german.day(now) == "Heute"
    assert german.day(now - 86400000) == "Gestern"
    assert german.full(10**18) == "1. Januar 1970, 00:00 CET"
    assert english.read_local("2026-11-24T09:00") == german.read_local("2026-11-24T10:00")
    assert english.read_local("tomorrow") is None
