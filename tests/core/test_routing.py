"""Who gets a contact, and why: every line of `tests/core/situations.md`, and what a table cannot say."""

from __future__ import annotations

import re
import time

import pytest
from msgspec import structs

from hub import keywords, reasons, routing
from hub.directory import Conditions, Directory, Employee, Rule, Target, Team
from hub.i18n import catalogue
from hub.routing import Decision, Missing, Situation, Standing, decide
from tests.core.routing_table import FILE, Line, made, moment, situations, spelt, written

TEXT = FILE.read_text("utf-8")
LINES = situations(TEXT)


def test_the_table_has_at_least_150_situations_of_which_no_two_are_called_alike() -> None:
    titles = [(line.chapter, line.title) for line in LINES]

    assert len(LINES) >= 150
    assert len(set(titles)) == len(titles)
    assert sum(bool(line.german) for line in LINES) >= 40
    assert all(line.goes_to and line.why for line in LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.chapter} - {line.title}")
def test_the_contact_goes_where_the_table_says_and_for_its_reason(line: Line) -> None:
    directory, contact, staff = made(line, TEXT)

    decision = decide(directory, contact, staff)

    said = {"goes to": spelt(directory, decision), "why": reasons.in_words(decision.reason, "en", written)}
    expected = {"goes to": line.goes_to, "why": line.why}
    if line.german:
        said["warum"] = reasons.in_words(decision.reason, "de", written)
        expected["warum"] = line.german
    assert said == expected


@pytest.mark.parametrize("line", LINES[::4], ids=lambda line: f"{line.chapter} - {line.title}")
def test_who_is_not_known_yet_is_asked_for_and_then_it_is_decided_the_same(line: Line) -> None:
    directory, contact, staff = made(line, TEXT)
    known: routing.Staff = {}
    asked = 0

    while True:
        try:
            decision = decide(directory, contact, known)
            break
        except Missing as gap:
            assert gap.ids and not gap.ids & known.keys()
            known |= {number: staff[number] for number in gap.ids}
            asked += 1

    assert asked <= 4
    assert decision == decide(directory, contact, staff)


def test_the_table_uses_every_reason_that_the_resolver_has() -> None:
    said = {str(step[0]) for line in LINES for step in decide(*made(line, TEXT)).steps}

    asked_elsewhere = {
        "assigned",
        "started",
        "split",
        "claimed",
        "offered",
        "declined",
        "missed",
        "accepted",
        "back",
        "silent",
        "gone",
    }
    endings = {"away_long", "shut"}  # absent and closed without a moment
    never = {"available"}
    assert set(reasons.STEPS) - said - asked_elsewhere - endings - never == set()
    assert said <= set(reasons.STEPS)


def test_every_reason_exists_in_german_with_the_same_holes() -> None:
    german = catalogue("de")
    holes = re.compile(r"\{\w+\}")

    for code, words in reasons.STEPS.items():
        assert words in german.texts, code
        assert sorted(holes.findall(german.text(words))) == sorted(holes.findall(words)), code


# ── reasons ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_names_with_braces_and_signs_are_names() -> None:
    steps = (("rule", "{0} & {when} <b>"), ("absent", "{1}", 0), ("queue", "{}"))

    said = reasons.in_words(Decision(None, None, steps).reason, "en", written)

    assert said == ("Rule “{0} & {when} <b>” → {1} is absent until Thu 01.01. 01:00 → Waits in the queue of {}")


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("", []),
        ("assigned", ["assigned by hand"]),
        ("text:because {0}", ["because {0}"]),
        ("[]", []),
        ("[not json", ["[not json"]),
        ('[["owner"]]', [" is responsible for this customer"]),
        ('[["new code", "x"]]', ["new code"]),
        ('[[], ["nobody"]]', ["open to everybody"]),
        ('[["absent", "Anna", "x"]]', ["Anna is absent until further notice"]),
        ('{"a": 1}', ['{"a": 1}']),
    ],
)
def test_whatever_stands_in_the_database_is_written_somehow(kept: str, said: list[str]) -> None:
    assert reasons.each_in_words(kept) == said
    assert reasons.in_words(kept) == " → ".join(said)


def test_a_moment_without_a_zone_says_that_it_is_utc() -> None:
    steps = (("closed", "Sales", moment("2026-11-24 09:00")),)

    assert reasons.in_words(Decision(None, None, steps).reason) == "Sales is closed until 2026-11-24 08:00 UTC"


# ── one after the other ───────────────────────────────────────────────────────────────────────────────────────────────
TEAM = Directory(
    {number: Employee(number, f"Person {number}", capacity=2) for number in range(1, 5)},
    {1: Team(1, "Team", (3, 1, 2, 4))},
    (Rule(1, "channel"),),
)


def test_contacts_of_one_moment_go_round_until_everybody_is_full_and_then_wait() -> None:
    staff = {number: Standing("available", 0, 1000) for number in TEAM.employees}
    contact = Situation(5000, "email", team_id=1)
    got = []

    for _ in range(10):
        decision = decide(TEAM, contact, staff)
        routing.take(TEAM, contact, staff, decision)
        got.append(decision.assignee_id)

    assert got == [1, 2, 3, 4, 1, 2, 3, 4, None, None]
    assert all(standing.load == 2 for standing in staff.values())


def test_who_keeps_a_conversation_is_not_given_more_by_it() -> None:
    staff = {number: Standing("available", 2, 1000) for number in TEAM.employees}
    contact = Situation(5000, "email", team_id=1, assignee_id=2)
    decision = decide(TEAM, contact, staff)

    routing.take(TEAM, contact, staff, decision)

    assert decision.assignee_id == 2
    assert staff[2] == Standing("available", 2, 1000)


def test_a_decision_names_the_next_ones_in_their_order_but_no_more_than_five() -> None:
    many = structs.replace(
        TEAM,
        employees={number: Employee(number, f"Person {number}") for number in range(1, 10)},
        teams={1: Team(1, "Team", tuple(range(1, 10)))},
    )
    staff = {number: Standing("available", 0, 1000 - number) for number in many.employees}

    decision = decide(many, Situation(5000, "voice", team_id=1), staff)

    assert (decision.assignee_id, decision.others) == (9, (8, 7, 6, 5, 4))


# ── rules at scale ────────────────────────────────────────────────────────────────────────────────────────────────────
def _thousand() -> Directory:
    rules = tuple(
        Rule(
            number,
            "rule",
            f"Rule {number}",
            True,
            Conditions(keywords=(f"word{number}x", f"zwei wort{number}")),
            Target(team="1"),
        )
        for number in range(1000)
    )
    return structs.replace(TEAM, rules=(*rules, Rule(1001, "channel")))


def test_the_first_of_a_thousand_rules_whose_words_are_there_decides() -> None:
    many = _thousand()
    staff = {number: Standing("available", 0, 1000) for number in many.employees}

    def said(text: str) -> str:
        return str(decide(many, Situation(5000, "email", team_id=1, text=text), staff).steps[0][1])

    assert said("…, Word999xyz; word17x!") == "Rule 17"
    assert said("zwei wort44") == "Rule 4"  # also the beginning of it
    assert said("zwei worte4 word word1") == "Team"


def test_one_word_without_an_end_costs_no_more_than_a_text() -> None:
    many = _thousand()
    staff = {number: Standing("available", 0, 1000) for number in many.employees}
    hostile = Situation(5000, "email", team_id=1, text="㌖" * 1_000_000)  # each becomes six letters
    decide(many, hostile, staff)

    began = time.process_time()
    decide(many, hostile, staff)

    assert time.process_time() - began < 0.5


def test_a_table_that_took_the_place_of_another_is_not_mistaken_for_it() -> None:
    contact = Situation(5000, "email", text="fresh")
    staff = {number: Standing("available", 0, 1000) for number in TEAM.employees}
    for number in range(5 * keywords.TABLES):
        wanted = "fresh" if number % 2 else "stale"
        rule = Rule(number, "rule", wanted, True, Conditions(keywords=(wanted,)), Target(employee="1"))

        decision = decide(structs.replace(TEAM, rules=(rule,)), contact, staff)

        assert decision.assignee_id == (1 if number % 2 else None)
