"""Ten thousand contacts in houses that change all the time: each goes where a second opinion says, and no promise is broken.

The world is `tests.prop.routing_world`, the second opinion `tests.prop.routing_opinion`; sabotages of the resolver show that they notice.
"""

from __future__ import annotations

import inspect
import random
import re
import textwrap
from typing import Any

import msgspec
import pytest

from hub import keywords, reasons, routing
from hub.directory import Directory, Rule
from hub.i18n import catalogue
from hub.routing import Decision, Situation, Staff
from hub.text import fold
from tests.prop import routing_opinion
from tests.prop import routing_world as world
from tests.prop.routing_world import World

#: So many houses, each with so many contacts.
HOUSES = 24
CONTACTS = 500
#: Steps that begin a new question of the table.
QUESTIONS = {"assignee", "owner", "company", "last", "rule", "channel", "fallback"}

_directories = msgspec.json.Decoder(Directory)
_situations = msgspec.json.Decoder(Situation)
_staff = msgspec.json.Decoder(Staff)
_decisions = msgspec.json.Decoder(Decision)


# ── what must hold of each decision ───────────────────────────────────────────────────────────────────────────────────
def check_person(w: World, c: Situation, got: Decision) -> None:
    """Whoever gets it may have it, whatever led there."""
    if got.assignee_id is None:
        return
    person = w.people[got.assignee_id]
    assert not person.gone, "it went to somebody who has left"
    assert person.role != "light", "it went to somebody who only reads"
    assert not w.absent(got.assignee_id), "it went to somebody who is absent"
    assert got.assignee_id not in c.excluded, "it went to somebody who was asked already"
    if got.assignee_id != c.assignee_id or not c.held:
        assert w.load(got.assignee_id) + world.WEIGHTS[c.kind] <= person.capacity, "it went to somebody who is full"
    if c.kind in world.SPOT:
        assert person.state == "available", "somebody waits on the spot for somebody who is not there"


def check_place(w: World, c: Situation, got: Decision) -> None:
    """It is in somebody's care: a person's, an existing team's, or everybody's where the channel has no team."""
    assert got.team_id is None or got.team_id in w.teams, "it waits in the queue of a team that does not exist"
    if got.assignee_id is None and got.team_id is None:
        assert got.steps[-1] == ("nobody",), "it is lost without a word"
        assert c.team_id not in w.teams, "its channel has a team and it is in no queue"
    if got.assignee_id is None and got.team_id is not None:
        assert got.steps[-1] == ("queue", f"Team {got.team_id}"), "it waits in a queue without a word"
    for other in got.others:
        assert other != got.assignee_id and routing_opinion.fits(w, c, other, {}), (
            "another one is named who could not take it"
        )


def check_words(got: Decision) -> None:
    """Every step can be read in both languages, and no chain of deputies goes round."""
    english = reasons.each_in_words(got.reason, "en")
    german = reasons.each_in_words(got.reason, "de")
    assert len(english) == len(german) == len(got.steps) > 0
    said: set[Any] = set()
    for step, en, de in zip(got.steps, english, german, strict=True):
        assert str(step[0]) in reasons.STEPS, f"“{step[0]}” has no words"
        assert not re.search(r"[{}_]|None", en + de), f"“{en}”, “{de}” are not words"
        assert en != str(step[0]) and len(en) > 4
        said = set() if step[0] in QUESTIONS else said
        assert step not in said, "it went round in a circle"
        said.add(step)


def check_opinion(w: World, c: Situation, got: Decision) -> None:
    """The second opinion is the same."""
    expected = routing_opinion.opinion(w, c)
    assert (got.assignee_id, got.team_id, got.covering_id) == expected, f"{got} instead of {expected}"


def shuffled(rng: random.Random, d: Directory, staff: Staff) -> tuple[Directory, Staff]:
    """The same with every dictionary in another order."""

    def other(given: dict[int, Any]) -> dict[int, Any]:
        return dict(rng.sample(list(given.items()), len(given)))

    again = {name: other(getattr(d, name)) for name in ("employees", "teams", "absences", "hours", "channels")}
    return msgspec.structs.replace(d, **again), other(staff)


def check_replay(rng: random.Random, d: Directory, kept: Directory, c: Situation, staff: Staff, got: Decision) -> None:
    """The same again: at once, in another order, and from what was written down."""
    assert routing.decide(d, c, staff) == got, "asked twice, decided twice"
    other, doing = shuffled(rng, d, staff)
    assert routing.decide(other, c, doing) == got, "it depends on the order of a dictionary"
    contact = _situations.decode(msgspec.json.encode(c))
    people = _staff.decode(msgspec.json.encode(staff))
    again = routing.decide(kept, contact, people)
    assert again == got, "what was written down decides otherwise"
    assert _decisions.decode(msgspec.json.encode(got)) == again


# ── running a house ───────────────────────────────────────────────────────────────────────────────────────────────────
def run(seed: int, contacts: int, *, replay: bool = True) -> dict[str, int]:
    """Let a house live and check every decision; how often what happened."""
    w = world.build(seed)
    rng = random.Random(-seed)
    counted = {"person": 0, "queue": 0, "everybody": 0, "covered": 0, "kept though full": 0, "back": 0}
    d = kept = world.directory(w)
    for number in range(contacts):
        if number % 3 == 0:
            world.change(w)
            d = world.directory(w)
            kept = _directories.decode(msgspec.json.encode(d)) if replay else d
            counted["back"] += hand_back(w, d)
        c, staff = world.contact(w), world.staff(w)
        got = routing.decide(d, c, staff)
        check_person(w, c, got)
        check_place(w, c, got)
        check_words(got)
        check_opinion(w, c, got)
        if replay:
            check_replay(rng, d, kept, c, staff, got)
        count(counted, w, c, got)
        keep(w, c, d, staff, got)
    return counted


def keep(w: World, c: Situation, d: Directory, staff: Staff, got: Decision) -> None:
    """The world remembers what it gave to whom, and the resolver's own note says the same."""
    routing.take(d, c, staff, got)
    if c.assignee_id is not None and c.held:
        mine = (n for n, talk in w.talks.items() if (talk.kind, talk.assignee) == (c.kind, c.assignee_id))
        number = next(mine)
    else:
        w.numbers += 1
        number = w.numbers
    w.talks[number] = world.Conversation(c.kind, got.assignee_id, got.covering_id)
    if got.assignee_id is not None and (got.assignee_id != c.assignee_id or not c.held):
        w.people[got.assignee_id].given = staff[got.assignee_id].assigned_at
        assert staff[got.assignee_id].load == w.load(got.assignee_id), "the note of what somebody has to do is wrong"


def hand_back(w: World, d: Directory) -> int:
    """Those who are back get what others hold for them, though they be full."""
    back = 0
    for talk in w.talks.values():
        person = talk.covering
        if person is None or w.absent(person):
            continue
        talk.assignee, talk.covering = person, None
        c = Situation(w.at, "email", 1, w.channels[1]["team"], assignee_id=person)
        if not w.people[person].gone and w.people[person].role != "light":
            got = routing.decide(msgspec.structs.replace(d, rules=(Rule(1, "assignee"),)), c, world.staff(w))
            assert (got.assignee_id, got.covering_id) == (person, None), "who is back does not keep what is theirs"
            back += 1
    return back


def count(counted: dict[str, int], w: World, c: Situation, got: Decision) -> None:
    """So that a run in which nothing happens is noticed."""
    where = "person" if got.assignee_id is not None else "queue" if got.team_id is not None else "everybody"
    counted[where] += 1
    counted["covered"] += got.covering_id is not None
    holder = got.assignee_id if got.assignee_id == c.assignee_id and c.held else None
    if holder is not None and w.load(holder) + world.WEIGHTS[c.kind] > w.people[holder].capacity:
        counted["kept though full"] += 1


@pytest.mark.parametrize("seed", range(1, HOUSES + 1))
def test_nobody_gets_what_they_cannot_do_and_nothing_is_left_lying(seed: int) -> None:
    counted = run(seed, CONTACTS)

    assert counted["person"] + counted["queue"] + counted["everybody"] == CONTACTS
    assert counted["person"] > CONTACTS / 10
    assert counted["queue"] > 10


def test_in_ten_thousand_contacts_everything_happens_that_is_promised() -> None:
    assert HOUSES * CONTACTS >= 10_000
    total: dict[str, int] = {}
    for seed in range(1, 13):
        for name, times in run(seed, CONTACTS, replay=False).items():
            total[name] = total.get(name, 0) + times

    assert min(total.values()) >= 5, total


# ── it notices ────────────────────────────────────────────────────────────────────────────────────────────────────────
#: What is broken, in which function, which text of it becomes which.
SABOTAGES = {
    "the absent get work": ("_never", "d.absence(person.id, s.at)", "None"),
    "the full get work": ("_hindrance", "> person.capacity", "> 10_000"),
    "who has it loses it when full": ("_hindrance", "employee_id != s.holder_id and ", ""),
    "those who left get work": ("_never", "if person.disabled", "if False"),
    "readers get work": ("_never", 'person.role == "light"', "False"),
    "those who declined are asked again": ("_never", "person.id in s.excluded", "False"),
    "skills do not matter": ("_lacking", "if fold(skill) not in known", "if False"),
    "languages do not matter": ("_lacking", "c.speaks and", "False and"),
    "calls ring where nobody is": ("_hindrance", "s.kind in LIVE", "False"),
    "no deputy is asked": ("_deputy", "return deputy if", "return None if"),
    "an absence names nobody": ("_deputy", "if named:", "if False:"),
    "a circle is gone round again": (
        "_person_or_deputy",
        "if deputy in seen:",
        "if deputy in seen and len(steps) > 99:",
    ),
    "nothing is handed back": ("_person_or_deputy", "person if absent else None", "None"),
    "a team takes the first it finds": ("_choose", "fitting.sort(", "(lambda key: None)("),
    "a team throws dice": ("_turn", "return idle_since, member", "return random.random(), member"),
    "the last one is forgotten": ("_choose", "s.last_agent_id in fitting", "False"),
    "closed teams work": ("_choose", "not hours.is_open(opened, s.at)", "False"),
    "teams that take for themselves are given": ("_choose", 'team.strategy == "queue"', "False"),
    "a team that fits is left alone": ("_choose", "if not fitting:", "if len(fitting) < 2:"),
    "every second line of the table is overlooked": ("plan", "not rule.enabled", "place % 2"),
    "turned off lines are asked": ("plan", "not rule.enabled", "False"),
    "countries that begin alike are one": ("_within", 'f"{wanted}-"', "wanted"),
    "a reason is code": ("decide", '("nobody",)', '("no_body",)'),
    "a colleague's other conversation counts for nothing": ("_hindrance", "s.holder_id", "s.assignee_id"),
    "a lost team gets the contact": (
        "_team_for",
        "s.team_id in d.teams else None",
        "s.team_id in d.teams or candidate else None",
    ),
}


def sabotage(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Replace a function of the resolver by one whose text differs a little."""
    text = textwrap.dedent(inspect.getsource(getattr(routing, name)))
    assert old in text, f"{name} does not say {old!r} any more"
    made: dict[str, Any] = {}
    exec(f"from __future__ import annotations\n{text.replace(old, new)}", vars(routing), made)
    monkeypatch.setattr(routing, name, made[name])


@pytest.mark.parametrize("what", sorted(SABOTAGES))
def test_it_notices_when(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "random", random, raising=False)
    sabotage(monkeypatch, *SABOTAGES[what])

    with pytest.raises(AssertionError):
        for seed in range(1, HOUSES + 1):
            run(seed, CONTACTS, replay=seed == 1)


def test_it_notices_when_words_are_found_in_the_middle_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keywords, "_line", lambda text: fold(text))
    monkeypatch.setattr(keywords, "_wanted", lambda text: fold(text))
    monkeypatch.setattr(keywords, "_known", {})

    with pytest.raises(AssertionError):
        for seed in range(1, HOUSES + 1):
            run(seed, CONTACTS, replay=seed == 1)


def test_the_words_that_are_checked_are_german_ones() -> None:
    assert catalogue("de").text(reasons.STEPS["nobody"]) != reasons.STEPS["nobody"]
