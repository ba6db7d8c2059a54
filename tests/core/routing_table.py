"""Reads `tests/core/situations.md`: a house, tables of questions, and situations as a team lead would write them down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import structs

from hub import hours
from hub.directory import WEIGHTS, Absence, ChannelFacts, Conditions, Directory, Employee, Rule, Settings, Target, Team
from hub.routing import Decision, Situation, Staff, Standing

FILE = Path(__file__).parent / "situations.md"
ZONE = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 16)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: The contact comes now unless it says when.
NOW = "Tue 10:00"
#: When everybody was given something last unless the day says otherwise.
BEFORE = "Mon 00:00"
QUESTIONS = ("assignee", "owner", "company", "rules", "last", "channel", "fallback")
#: The number of those who are in no list.
GHOST = 99


class Line(NamedTuple):
    """One situation: the chapter's rules and the cells of its line."""

    chapter: str
    rules: tuple[str, ...]
    title: str
    contact: str
    today: str
    goes_to: str
    why: str
    german: str


def moment(text: str) -> int:
    """``Tue 10:00``, ``2026-12-25 10:00`` or ``never`` (0), in Berlin."""
    if text == "never":
        return 0
    day, clock = text.split()
    found = MONDAY + timedelta(days=DAYS.index(day)) if day in DAYS else date.fromisoformat(day)
    return int(datetime.fromisoformat(f"{found.isoformat()}T{clock}").replace(tzinfo=ZONE).timestamp()) * 1000


def written(at: int) -> str:
    """A moment as the reasons of the file write it: ``Tue 17.11. 08:00``."""
    local = datetime.fromtimestamp(at / 1000, ZONE)
    return f"{DAYS[local.weekday()]} {local:%d.%m. %H:%M}"


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def chapters(text: str) -> Iterator[tuple[str, list[str]]]:
    """(title, lines) of each chapter."""
    for part in text.split("\n## ")[1:]:
        title, *lines = part.splitlines()
        yield title, lines


def rows(lines: Sequence[str]) -> Iterator[list[list[str]]]:
    """The tables among the lines, without the lines under their heads."""
    table: list[list[str]] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            if not line.startswith("|--"):
                table.append(cells(line))
        elif table:
            yield table
            table = []


def situations(text: str) -> list[Line]:
    """Every situation of the file."""
    found = []
    for title, lines in chapters(text):
        rules = tuple(line.removeprefix("- Rule ") for line in lines if line.startswith("- Rule "))
        for table in rows(lines):
            if table[0][0] == "situation":
                found += [Line(title, rules, *row) for row in table[1:]]
    return found


# ── the house ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class House:
    """The house of one situation: as the file says, then changed by what is different today, then frozen into a directory."""

    def __init__(self, text: str) -> None:
        people, teams, times = rows(dict(chapters(text))["The house"])
        self.numbers = {row[0]: number for number, row in enumerate(people[1:], 1)} | {"Nobody": GHOST}
        self.people = {self.numbers[row[0]]: self._person(*row) for row in people[1:]}
        self.hours = {number: _hours(number, *row) for number, row in enumerate(times[1:], 1)}
        self.hour_numbers = {found.name: number for number, found in self.hours.items()}
        self.team_numbers = {row[0]: number for number, row in enumerate(teams[1:], 1)} | {"Nowhere": GHOST}
        self.teams = {self.team_numbers[row[0]]: self._team(*row) for row in teams[1:]}
        self.staff: Staff = {number: Standing("available", 0, moment(BEFORE)) for number in self.people}
        self.absences: dict[int, tuple[Absence, ...]] = {}
        self.rules: list[Rule] = []
        self.questions: Sequence[str] = QUESTIONS
        self.fallback = Target()
        self.weights = dict(WEIGHTS)
        self.channel_hours: int | None = None

    def _person(self, name: str, role: str, skills: str, languages: str, carries: str, deputy: str) -> Employee:
        number = self.numbers[name]
        return Employee(
            number, name, role, _set(skills), _set(languages), int(carries), self.numbers[deputy] if deputy else None
        )

    def _team(self, name: str, members: str, strategy: Any, opened: str) -> Team:
        numbers = tuple(self.numbers[member] for member in _list(members))
        return Team(self.team_numbers[name], name, numbers, strategy, self.hour_numbers[opened] if opened else None)

    # ── what is different today ───────────────────────────────────────────────────────────────────────────────────────
    def today(self, text: str) -> None:
        """Change the house by one cell."""
        for clause in filter(None, re.split(r";\s*", text)):
            word, _, rest = clause.partition(" ")
            if word in self.numbers:
                self._change_person(self.numbers[word], rest)
            elif word in self.team_numbers:
                self._change_team(self.team_numbers[word], rest)
            else:
                self._change_house(word, rest)

    def _change_person(self, number: int, rest: str) -> None:
        verb, _, value = rest.partition(" ")
        person, standing = self.people[number], self.staff[number]
        if verb == "absent":
            self.absences[number] = (*self.absences.get(number, ()), self._absence(number, value))
        elif verb == "left":
            self.people[number] = structs.replace(person, disabled=True)
        elif verb == "light":
            self.people[number] = structs.replace(person, role="light")
        elif verb == "load":
            standing.load = int(value)
        elif verb == "given":
            standing.assigned_at = moment(value)
        elif verb == "did":
            standing.active_at = moment(value)
        else:
            assert verb in ("busy", "away", "offline"), rest
            standing.state = verb

    def _absence(self, number: int, text: str) -> Absence:
        found = re.fullmatch(r"(?:from (\S+ \S+))? ?(?:until (\S+ \S+))? ?(?:deputy (\S+))?", text)
        assert found, text
        start, end, deputy = found.groups()
        starts_at = moment(start) if start else moment("Mon 00:00") - 86_400_000
        return Absence(number, starts_at, moment(end) if end else None, self.numbers[deputy] if deputy else None)

    def _change_team(self, number: int, rest: str) -> None:
        if rest == "gone":
            del self.teams[number]
        else:
            assert rest.startswith("hours "), rest
            self.teams[number] = structs.replace(self.teams[number], hours_id=self.hour_numbers[rest[6:]])

    def _change_house(self, word: str, rest: str) -> None:
        if word == "questions":
            self.questions = _list(rest)
        elif word == "fallback":
            self.fallback = self.target(rest.removeprefix("→").strip())
        elif word == "weight":
            kind, value = rest.split()
            self.weights[kind] = int(value)
        elif word == "rule":
            self._change_rule(*rest.rsplit(" ", 1))
        elif (word, rest.split()[0]) == ("channel", "hours"):
            self.channel_hours = self.hour_numbers[rest.split()[1]]
        else:
            number, (_, region) = self.hour_numbers[word], rest.split()
            self.hours[number] = structs.replace(self.hours[number], region=region)

    def _change_rule(self, name: str, what: str) -> None:
        place = next(place for place, rule in enumerate(self.rules) if rule.name == name)
        rule = self.rules.pop(place)
        if what == "off":
            self.rules.insert(place, structs.replace(rule, enabled=False))
        else:
            assert what == "first"
            self.rules.insert(0, rule)

    # ── its table of questions ────────────────────────────────────────────────────────────────────────────────────────
    def target(self, text: str) -> Target:
        """``Gül``, ``Service`` or ``Gül then Sales``."""
        given: dict[str, Any] = {}
        for name in re.split(r",? then |^team ", text):
            if name in self.numbers:
                given["employee"] = str(self.numbers[name])
            elif name:
                given["team"] = str(self.team_numbers[name])
        return Target(**given)

    def add_rule(self, text: str) -> None:
        """``Name: conditions → target; skills …; speaks``."""
        name, _, rest = text.partition(": ")
        asked, _, told = rest.partition(" → ")
        whom, *more = told.split("; ")
        target = self.target(whom)
        for clause in more:
            word, _, value = clause.partition(" ")
            target = structs.replace(target, **({"speaks": True} if word == "speaks" else {"skills": _tuple(value)}))
        conditions = Conditions(**dict(self._asked(clause) for clause in asked.split("; ")))
        self.rules.append(Rule(len(self.rules) + 100, "rule", name, True, conditions, target))

    def _asked(self, clause: str) -> tuple[str, Any]:
        word, _, rest = clause.partition(" ")
        if word in ("attributes", "fields"):
            return word, dict([rest.split("=")])
        if word in ("open", "closed"):
            return ("hours", str(self.hour_numbers[rest])) if rest else ("open", word == "open")
        if word == "channels":
            return word, (str(channel(rest, self)[0]),)
        if word == "teams":
            return word, (str(self.team_numbers[rest]),)
        return {"region": "regions", "priority": "priorities"}.get(word, word), _tuple(rest)

    def directory(self, kind: str, team: str) -> Directory:
        """The house as the resolver sees it; ``kind`` and ``team`` say which channel the contact uses."""
        table: list[Rule] = []
        for place, word in enumerate(self.questions):
            question: Any = word.removeprefix("-")
            if question == "rules":
                table += [_whole(rule) for rule in self.rules]
            else:
                target = self.fallback if question == "fallback" else Target()
                table.append(Rule(place, question, "", not word.startswith("-"), Conditions(), target))
        number, _ = channel(f"{kind} to {team}", self)
        team_id = self.team_numbers.get(team)
        own = ChannelFacts(number, kind, f"{kind} {team}", team_id, self.channel_hours)
        return Directory(
            self.people,
            self.teams,
            tuple(table),
            self.absences,
            self.hours,
            {number: own},
            settings=Settings(30, self.weights),
        )


def _whole(rule: Rule) -> Rule:
    """“open Office” means that those hours are open."""
    c = rule.conditions
    return structs.replace(rule, conditions=structs.replace(c, open=True)) if c.hours and c.open is None else rule


def channel(text: str, house: House) -> tuple[int, int | None]:
    """(id, team) of a channel by its description, ``email to Sales``."""
    kind, _, team = text.partition(" to ")
    kinds = ("email", "sms", "whatsapp", "webchat", "voice", "visit", "fax")
    number = house.team_numbers.get(team, 0)
    return 1000 + 10 * number + kinds.index(kind), number or None


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _tuple(text: str) -> tuple[str, ...]:
    return tuple(_list(text))


def _set(text: str) -> frozenset[str]:
    return frozenset(_list(text))


def _hours(number: int, name: str, zone: str, region: str, week: str, exceptions: str) -> hours.Hours:
    days = {day: spans for day, *spans in map(str.split, _list(week))}
    return hours.parse(
        number, name, zone, region, days, {day: spans for day, *spans in map(str.split, _list(exceptions))}
    )


# ── the contact and its answer ────────────────────────────────────────────────────────────────────────────────────────
def contact(text: str, house: House) -> tuple[Situation, str, str]:
    """(the contact, its channel's kind, its channel's team)."""
    first, *clauses = text.split("; ")
    kind, _, team = first.partition(" to ")
    number, team_id = channel(first, house)
    given: dict[str, Any] = {"at": moment(NOW)}
    for clause in clauses:
        word, _, rest = clause.partition(" ")
        if word in DAYS or word[:2] == "20":
            given["at"] = moment(clause)
        elif clause.startswith("company owner "):
            given["company_owner_id"] = house.numbers[clause.split()[2]]
        elif clause.startswith("also with "):
            given |= {"assignee_id": house.numbers[clause.split()[2]], "held": False}
        elif word in PEOPLE:
            given[PEOPLE[word]] = house.numbers[rest]
        elif word == "asked":
            given["excluded"] = frozenset(house.numbers[name] for name in _list(rest))
        elif word in ("attribute", "field"):
            given[f"{word}s"] = dict([rest.split("=")])
        else:
            given[{"from": "sender"}.get(word, word)] = rest.replace(" / ", "\n")
    return Situation(kind=kind, channel_id=number, team_id=team_id, **given), kind, team


#: How the file calls the people that a contact may know.
PEOPLE = {"with": "assignee_id", "owner": "owner_id", "last": "last_agent_id"}


def spelt(d: Directory, decision: Decision) -> str:
    """Whose it is, as the file writes it: ``Ben for Anna · Service``."""
    who = d.employees[decision.assignee_id].name if decision.assignee_id is not None else "queue"
    if decision.covering_id is not None:
        who += f" for {d.employees[decision.covering_id].name}"
    if decision.team_id is None:
        return "everybody" if who == "queue" else who
    return f"{who} · {d.teams[decision.team_id].name}"


def made(line: Line, text: str) -> tuple[Directory, Situation, Staff]:
    """What the resolver is asked in this situation."""
    house = House(text)
    for rule in line.rules:
        house.add_rule(rule)
    house.today(line.today)
    asked, kind, team = contact(line.contact, house)
    return house.directory(kind, team), asked, house.staff
