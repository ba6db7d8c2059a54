"""A house of thirty people that changes all the time, kept in plain dictionaries.

It knows the open conversations, so it can say itself how much everybody has to do. `directory` and `staff` tell `hub.routing` of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.directory import Absence, ChannelFacts, Conditions, Directory, Employee, Rule, Settings, Target, Team
from hub.hours import Hours
from hub.routing import Situation, Staff, Standing

HOUR = 3_600_000
START = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp()) * 1000
WEIGHTS = {"email": 1, "sms": 1, "webchat": 4, "voice": 5, "visit": 5}
SPOT = ("webchat", "voice", "visit")
SKILLS = ("Solar", "Kühlung", "billing", "Verträge")
LANGUAGES = ("de", "en", "pl", "tr")
WORDS = (
    "Wechselrichter",
    "Kühlung",
    "Rechnung",
    "Störung 302",
    "Straße",
    "Vertrag",
    "hallo",
    "bitte",
    "Mahnung",
    "und",
    "Re",
    "302",
)
KEYWORDS = (
    "wechsel",
    "KUHLUNG",
    "rechnung",
    "störung 302",
    "strasse",
    "Verträge",
    "mahn",
    "richter",
    "302 bitte",
    "hallo und",
)
REGIONS = ("", "DE", "DE-NI", "DE-BY", "AT", "DEX")
USUAL = ("assignee", "owner", "company", "rule", "last", "channel", "fallback")
STATES = ("available", "available", "available", "busy", "away", "offline")


@dataclass
class Person:
    """Somebody of the house and what they are doing."""

    name: str
    role: str
    skills: set[str]
    languages: set[str]
    capacity: int
    deputy: int | None = None
    gone: bool = False
    away: list[tuple[int, int | None, int | None]] = field(default_factory=list)
    state: str = "available"
    given: int = 0
    did: int = 0


@dataclass
class Conversation:
    """An open conversation."""

    kind: str
    assignee: int | None
    covering: int | None = None


@dataclass
class World:
    """The house. ``opened``: hours as (days of the week, first hour, first hour after), UTC."""

    rng: random.Random
    at: int = START
    people: dict[int, Person] = field(default_factory=dict)
    teams: dict[int, dict[str, Any]] = field(default_factory=dict)
    channels: dict[int, dict[str, Any]] = field(default_factory=dict)
    opened: dict[int, tuple[set[int], int, int]] = field(default_factory=dict)
    table: list[dict[str, Any]] = field(default_factory=list)
    talks: dict[int, Conversation] = field(default_factory=dict)
    numbers: int = 0

    def load(self, number: int) -> int:
        """What this person's open conversations weigh."""
        return sum(WEIGHTS[talk.kind] for talk in self.talks.values() if talk.assignee == number)

    def absent(self, number: int) -> bool:
        """Is this person away now?"""
        return any(a <= self.at and (b is None or self.at < b) for a, b, _ in self.people[number].away)

    def is_open(self, hours: int | None) -> bool:
        """Are these hours open now? No hours: always."""
        if hours is None:
            return True
        now = datetime.fromtimestamp(self.at / 1000, UTC)
        days, first, last = self.opened[hours]
        return now.weekday() in days and first <= now.hour < last


# ── building and changing it ──────────────────────────────────────────────────────────────────────────────────────────
def build(seed: int) -> World:
    """Thirty people, six teams, five channels, some rules."""
    rng = random.Random(seed)
    w = World(rng)
    w.opened = {1: ({0, 1, 2, 3, 4}, 8, 17), 2: ({0, 1, 2, 3, 4, 5}, 6, 22), 3: ({6}, 10, 12)}
    for number in range(1, 31):
        role = rng.choice(["agent"] * 8 + ["supervisor", "light"])
        skills = set(rng.sample(SKILLS, rng.randint(0, 3)))
        speaks = set(rng.sample(LANGUAGES, rng.randint(1, 3)))
        w.people[number] = Person(f"Person {number}", role, skills, speaks, rng.randint(3, 14))
    for number in w.people:
        w.people[number].deputy = rng.choice([None, rng.randint(1, 30), rng.randint(1, 30)])
    for number in range(1, 7):
        w.teams[number] = {
            "members": rng.sample(range(1, 31), rng.randint(0, 8)),
            "strategy": rng.choice(["longest_idle", "longest_idle", "round_robin", "round_robin", "queue"]),
            "hours": rng.choice([None, None, None, 1, 2]),
        }
    for number, kind in enumerate([*WEIGHTS, "email"], 1):
        w.channels[number] = {
            "kind": kind,
            "team": rng.choice([None, None, *range(1, 7), 77]),
            "hours": rng.choice([None, None, None, 2, 3]),
        }
    rules = [{"kind": "rule", "on": rng.random() < 0.9, **rule(w)} for _ in range(8)]
    w.table = [{"kind": k, "on": True} for k in ("assignee", "owner", "company", "last", "channel")]
    w.table[3:3] = rules
    w.table.append({"kind": "fallback", "on": True, "if": {}, "person": None, "team": rng.choice([None, None, 1, 77])})
    return w


def rule(w: World) -> dict[str, Any]:
    """A rule that asks for one or two things."""
    rng = w.rng
    may: dict[str, Any] = {
        "keywords": rng.sample(KEYWORDS, 2),
        "subject": rng.sample(KEYWORDS, 2),
        "kinds": rng.sample(sorted(WEIGHTS), 2),
        "languages": [rng.choice(LANGUAGES)],
        "regions": [rng.choice(REGIONS[1:])],
        "fields": {"topic": rng.choice("ab")},
        "attributes": {"tier": "gold"},
        "domains": ["acme.de"],
        "open": rng.random() < 0.5,
    }
    return {
        "if": {name: may[name] for name in rng.sample(sorted(may), rng.choice([1, 2, 2]))},
        "person": rng.choice([None, rng.randint(1, 30), 99]),
        "team": rng.choice([None, rng.randint(1, 6), 77]),
        "skills": rng.sample(SKILLS, rng.choice([0, 0, 1, 2])),
        "speaks": rng.random() < 0.2,
    }


def change(w: World) -> None:
    """Something happens in the house; time goes by."""
    rng = w.rng
    w.at += rng.choice([0, 1000, 60_000, HOUR, 5 * HOUR])
    busy = [talk.assignee for talk in w.talks.values() if talk.assignee]
    number = rng.choice([*w.people, *busy])
    person = w.people[number]
    what = rng.randrange(12)
    if what < 3:
        start = w.at + rng.choice([-HOUR, -HOUR, 0, 30 * HOUR])
        end = rng.choice([None, w.at + rng.choice([0, HOUR, 24 * HOUR, 90 * HOUR])])
        person.away.append((start, end, rng.choice([None, None, rng.randint(1, 30), 99])))
    elif what < 6:
        for other in rng.sample(list(w.people.values()), 8):
            other.away = [a for a in other.away if a[1] is not None and rng.random() < 0.3]
    elif what == 6:
        person.gone = rng.random() < 0.15
        person.role = rng.choice(["agent"] * 6 + ["light"])
    elif what == 7:
        person.skills, person.capacity = set(rng.sample(SKILLS, rng.randint(0, 3))), rng.randint(2, 14)
    elif what == 8:
        team = rng.choice(list(w.teams.values()))
        team["members"] = rng.sample(range(1, 31), rng.randint(0, 8))
        team["strategy"] = rng.choice(["longest_idle", "longest_idle", "round_robin", "round_robin", "queue"])
    elif what == 9:
        order(w)
    elif what == 10:
        person.deputy = rng.choice([None, rng.randint(1, 30)])
    else:
        place = rng.choice([place for place, line in enumerate(w.table) if line["kind"] == "rule"])
        w.table[place] = {"kind": "rule", "on": rng.random() < 0.9, **rule(w)}
    for other in rng.sample(list(w.people.values()), 4):
        other.state = rng.choice(STATES)
        other.did = rng.choice([other.did, w.at])
    for talk in rng.sample(list(w.talks), min(len(w.talks), rng.choice([0, 3, 6]))):
        del w.talks[talk]


def order(w: World) -> None:
    """Somebody moves lines of the table; often they put the questions back into their usual order."""
    w.rng.shuffle(w.table)
    if w.rng.random() < 0.7:
        w.table.sort(key=lambda line: USUAL.index(line["kind"]))


def contact(w: World) -> Situation:
    """Somebody writes, calls or comes; sometimes about an open conversation, sometimes one whom nobody should ask again."""
    rng = w.rng
    number = rng.choice(list(w.channels))
    kind = w.channels[number]["kind"]
    same = [talk for talk in w.talks.values() if talk.kind == kind and talk.assignee]

    last = rng.choice(list(w.teams.values()))["members"]

    def some(chance: float) -> int | None:
        away = [n for n in w.people if w.absent(n)]
        return rng.choice([*w.people, *away, 99]) if rng.random() < chance else None

    return Situation(
        w.at,
        kind,
        number,
        w.channels[number]["team"],
        1,
        some(0.25),
        some(0.1),
        rng.choice(same).assignee if same and rng.random() < 0.25 else None,
        rng.choice(last) if last and rng.random() < 0.5 else None,
        rng.choice(["x@acme.de", "x@notacme.de", "+4930123", ""]),
        " ".join(rng.choices(WORDS, k=rng.randint(0, 3))),
        ", ".join(rng.choices(WORDS, k=rng.randint(0, 5))),
        rng.choice(["", *LANGUAGES]),
        rng.choice(REGIONS),
        "",
        {"tier": rng.choice(["gold", "tin"])},
        {"topic": rng.choice("abc")},
        frozenset(rng.sample(range(1, 31), rng.choice([0, 0, 0, 3, 12]))),
        rng.random() < 0.7,
    )


# ── as the resolver sees it ───────────────────────────────────────────────────────────────────────────────────────────
def directory(w: World) -> Directory:
    """The house as `hub.routing` is told of it, in an order of its own."""
    people = {
        n: Employee(n, p.name, p.role, frozenset(p.skills), frozenset(p.languages), p.capacity, p.deputy, p.gone)
        for n, p in w.people.items()
    }
    teams = {n: Team(n, f"Team {n}", tuple(t["members"]), t["strategy"], t["hours"]) for n, t in w.teams.items()}
    away = {n: tuple(Absence(n, *one) for one in p.away) for n, p in w.people.items() if p.away}
    channels = {n: ChannelFacts(n, c["kind"], f"Channel {n}", c["team"], c["hours"]) for n, c in w.channels.items()}
    return Directory(
        people, teams, tuple(map(_line, w.table)), away, hours(w), channels, settings=Settings(30, WEIGHTS)
    )


def _line(line: dict[str, Any]) -> Rule:
    if "if" not in line:
        return Rule(1, line["kind"], "", line["on"])
    asked: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in line["if"].items()
    }
    target = Target(
        str(line["person"]) if line["person"] else None,
        str(line["team"]) if line["team"] else None,
        tuple(line.get("skills", ())),
        line.get("speaks", False),
    )
    return Rule(2, line["kind"], "Some rule", line["on"], Conditions(**asked), target)


_hours: dict[tuple[int, ...], Hours] = {}


def hours(w: World) -> dict[int, Hours]:
    """The opening hours; the same objects as long as they are the same."""
    found = {}
    for number, (days, first, last) in w.opened.items():
        key = (number, first, last, *sorted(days))
        if key not in _hours:
            week = tuple(((first * 60, last * 60),) if day in days else () for day in range(7))
            _hours[key] = Hours(number, f"Hours {number}", "UTC", "", week, {})
        found[number] = _hours[key]
    return found


def staff(w: World) -> Staff:
    """What everybody is doing."""
    return {n: Standing(p.state, w.load(n), p.given, p.did) for n, p in w.people.items()}
