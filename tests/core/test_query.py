"""What stands in a search field, taken apart; and the pure helpers around it."""

from __future__ import annotations

from datetime import date

import pytest

from hub.addresses import phone, spellings
from hub.excerpts import excerpt
from hub.query import MOST, parse, read_day


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \u00a0 ", []),
        ("invoice late", [("word", "invoice"), ("word", "late")]),
        ('"new roof" today', [("phrase", "new roof"), ("word", "today")]),
        ("„neues Dach“", [("phrase", "neues Dach")]),
        ('"never closed', [("word", '"never'), ("word", "closed")]),
        ('""', []),
        ("from:vogel", [("from", "vogel")]),
        ('from:"Katrin Vogel" hi', [("from", "Katrin Vogel"), ("word", "hi")]),
        ("VON:Vogel", [("from", "Vogel")]),
        ("to:shop channel:email kanal:x", [("channel", "shop"), ("channel", "email"), ("channel", "x")]),
        ("tag:refund schlagwort:„sehr eilig“", [("tag", "refund"), ("tag", "sehr eilig")]),
        ("is:open is:unread is:mine", [("is", "open"), ("is", "unread"), ("is", "mine")]),
        ("ist:offen ist:ungelesen ist:Meine", [("is", "open"), ("is", "unread"), ("is", "mine")]),
        ("ist:zurückgestellt ist:erledigt ist:erwähnt", [("is", "snoozed"), ("is", "closed"), ("is", "mentioned")]),
        ("has:attachment hat:anhang hat:Anhänge", [("has", "attachment")] * 3),
        ("assignee:me zuständig:ich", [("assignee", "me"), ("assignee", "ich")]),
        ("team:Service", [("team", "Service")]),
        ("before:2026-03-01 nach:1.2.2026", [("before", "2026-03-01"), ("after", "2026-02-01")]),
        ("#4821", [("number", "4821")]),
        ("#0007x #", [("word", "#0007x"), ("word", "#")]),
        ("+49 151 2264-8810", [("phone", "+4915122648810")]),
        ("(0)", [("word", "(0)")]),
        ("0049 (0)4141/53 17 60 please", [("phone", "+49041415 31760".replace(" ", "")), ("word", "please")]),
        ("+49 (0)4141 53 17 60", [("phone", "+494141531760")]),
        ("0151 22648810", [("phone", "015122648810")]),
        ("20-1187", [("word", "20-1187")]),
        ("12:30 https://a.example/b", [("word", "12:30"), ("word", "https://a.example/b")]),
        ("a:b", [("word", "a:b")]),
    ],
)
def test_a_search_is_taken_apart(text: str, terms: list[tuple[str, str]]) -> None:
    assert [(t.kind, t.value) for t in parse(text).terms] == terms


@pytest.mark.parametrize(
    ("text", "hints", "words"),
    [
        ("kunde:müller", [("unknown", "kunde")], "kunde:müller"),
        ("before:yesterday x", [("date", "yesterday")], "x"),
        ("before:2026-02-30", [("date", "2026-02-30")], ""),
        ("is:lost", [("state", "lost")], "lost"),
        ("has:teeth", [("thing", "teeth")], "teeth"),
        ("from: x", [("empty", "from")], "x"),
        ('tag:"" x', [("empty", "tag")], "x"),
        ("https://a.example", [], "https://a.example"),
    ],
)
def test_what_makes_no_sense_is_told_and_the_rest_is_searched(
    text: str, hints: list[tuple[str, str]], words: str
) -> None:
    query = parse(text)

    assert [(h.code, h.value) for h in query.hints] == hints
    assert query.words == words


def test_the_last_day_counts_and_one_part_can_be_left_out() -> None:
    query = parse('a "b c" before:2026-01-01 before:2.3.2026')

    assert query.day("before") == date(2026, 3, 2)
    assert query.day("after") is None
    assert query.without(1) == "a before:2026-01-01 before:2.3.2026"
    assert len(parse("x " * 500).terms) == MOST


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "from:\x00", '"' * 99, "is:" * 99, "+" * 50, "0" * 500, "#" + "9" * 40, "a:" * 300]
)
def test_no_search_is_too_strange(text: str) -> None:
    assert parse(text).without(0) is not None


@pytest.mark.parametrize("text", ["2026-13-01", "0000-01-01", "31.04.2026", "1.1.26", "x"])
def test_no_day_is_none(text: str) -> None:
    assert read_day(text) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+49 151 2264 8810", "+4915122648810"),
        ("0049151/22648810", "+4915122648810"),
        ("(0151) 2264-8810", "+4915122648810"),
        ("0151 22648810", "015122648810"),
        ("+49 (0)151 22648810", "+4915122648810"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("+4915122648810", "015122648810"),
    ],
)
def test_a_phone_number_is_found_in_any_notation(typed: str, kept: str) -> None:
    assert kept in spellings(phone(typed))
    assert "+4915122648811" not in spellings(phone(typed))
    assert len(spellings(typed)) < 300


def test_the_words_are_marked_whatever_their_accents() -> None:
    pieces = excerpt("In der Großen Straße 7 wohnt Frau Müller; " + "x " * 300, ["muller", "stras"])

    assert [words for words, hit in pieces if hit] == ["Straße", "Müller"]
    assert pieces[-1] == (" …", False)
    assert excerpt("nothing", []) == (("nothing", False),)
    assert excerpt("", ["a"]) == ()


def test_an_excerpt_is_around_its_first_hit() -> None:
    pieces = excerpt("word " * 500 + "needle in it", ["needle"])

    assert pieces[0] == ("… ", False)
    assert ("needle", True) in pieces
    assert sum(len(words) for words, _ in pieces) < 300
