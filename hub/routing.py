"""To whom does a contact go, and why? One resolver for mail, message, chat, call and visit.

An ordered table of questions (`Directory.rules`) leads to a person or a team; then: can they? Absent people are replaced by their
deputies, full ones are passed over, a team chooses among its members. Where nobody fits, the team's queue has it, never nobody.

`decide` is a pure function of the directory, the contact and what people are doing now (`Staff`): the same three give the same
decision. Every step it took is in the decision, as codes with the names of that day; `hub.reasons` puts them into words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from hub import hours
from hub.directory import LIVE, Conditions, Directory, Employee, Rule, Team
from hub.keywords import Words, holds
from hub.text import fold

#: How far a chain of deputies is followed.
MOST_DEPUTIES = 20

#: One step of a decision: a code and what belongs to it (names, moments in ms, counts).
Step = tuple[str | int | None, ...]


class Situation(Struct, frozen=True):
    """A contact as routing sees it. ``kind`` is the channel's; ``team_id`` the channel's team; ``assignee_id`` who works on the open
    conversation; ``last_agent_id`` who spoke with the customer last; ``region`` like DE-NI; ``excluded``: has declined or been silent.
    ``held``: the assignee has this very conversation; else it is another open one of the customer, and this one would be more work.
    """

    at: int
    kind: str
    channel_id: int = 0
    team_id: int | None = None
    customer_id: int = 0
    owner_id: int | None = None
    company_owner_id: int | None = None
    assignee_id: int | None = None
    last_agent_id: int | None = None
    sender: str = ""
    subject: str = ""
    text: str = ""
    language: str = ""
    region: str = ""
    priority: str = ""
    attributes: dict[str, str] = {}
    fields: dict[str, str] = {}
    excluded: frozenset[int] = frozenset()
    held: bool = True

    @property
    def holder_id(self) -> int | None:
        """Whose load this contact is already."""
        return self.assignee_id if self.held else None


class Standing(Struct):
    """What a person is doing now. ``load``: weight of their open conversations; moments in ms, 0: never."""

    state: str = "offline"
    load: int = 0
    assigned_at: int = 0
    active_at: int = 0


#: What people are doing, by employee.
Staff = dict[int, Standing]


class Candidate(Struct, frozen=True):
    """A question of the table that has an answer: a person, a team, or first the one and then the other."""

    step: Step
    employee_id: int | None = None
    team_id: int | None = None
    skills: tuple[str, ...] = ()
    speaks: bool = False


class Decision(Struct, frozen=True):
    """Who it is and how that came. ``covering_id``: for whose absence the assignee stands in; ``others``: who else could, in order."""

    assignee_id: int | None
    team_id: int | None
    steps: tuple[Step, ...]
    covering_id: int | None = None
    others: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """The steps as they are kept with the conversation and its events."""
        return msgspec.json.encode(self.steps).decode()


class Missing(Exception):
    """`decide` needs to know what these employees are doing; give it their standings and ask again."""

    def __init__(self, ids: set[int]) -> None:
        super().__init__(f"{len(ids)} standings are missing")
        self.ids = ids


# ── which questions have an answer ───────────────────────────────────────────────────────────────────────────────────
def plan(d: Directory, s: Situation) -> Iterator[Candidate]:
    """The answers of the table in its order, up to the first team: a team always takes it, into its queue at least.

    One after the other on demand: when the owner takes it, no rule is tried.
    """
    words = Words(s.subject, s.text, d.rules)
    for place, rule in enumerate(d.rules):
        if not rule.enabled or (rule.kind == "rule" and place in words.asleep):
            continue
        if (candidate := _answer(d, s, rule, words)) is not None:
            yield candidate
            if candidate.team_id is not None:
                return


def _answer(d: Directory, s: Situation, rule: Rule, words: Words) -> Candidate | None:
    match rule.kind:
        case "assignee":
            return _person(d, "assignee", s.assignee_id)
        case "owner":
            return _person(d, "owner", s.owner_id)
        case "company":
            return _person(d, "company", s.company_owner_id)
        case "last":
            return _person(d, "last", s.last_agent_id)
        case "channel":
            own = d.teams.get(s.team_id or 0)
            return Candidate(("channel", own.name), team_id=own.id) if own else None
    if rule.kind == "rule" and not _matches(d, rule.conditions, s, words):
        return None
    employee, team = _number(rule.target.employee, d.employees), _number(rule.target.team, d.teams)
    if employee is None and team is None:
        return None
    return Candidate((rule.kind, rule.name), employee, team, rule.target.skills, rule.target.speaks)


def _person(d: Directory, code: str, employee_id: int | None) -> Candidate | None:
    person = d.employees.get(employee_id or 0)
    return Candidate((code, person.name), person.id) if person else None


def _number(text: str | None, known: dict[int, Employee] | dict[int, Team]) -> int | None:
    number = int(text) if text and text.isdecimal() else 0
    return number if number in known else None


def matches(d: Directory, conditions: Conditions, s: Situation) -> bool:
    """Does everything hold that is asked for? Nothing asked for: yes."""
    return _matches(d, conditions, s, Words(s.subject, s.text))


def _matches(d: Directory, c: Conditions, s: Situation, words: Words) -> bool:
    if c.kinds and s.kind not in c.kinds:
        return False
    if c.channels and str(s.channel_id) not in c.channels:
        return False
    if c.teams and str(s.team_id) not in c.teams:
        return False
    if c.priorities and (s.priority or "normal") not in c.priorities:
        return False
    if c.languages and not any(_within(s.language.lower(), language.lower()) for language in c.languages):
        return False
    if c.regions and not any(_within(s.region.upper(), region.upper()) for region in c.regions):
        return False
    if c.domains and s.sender.rpartition("@")[2].lower() not in {name.lower().lstrip("@") for name in c.domains}:
        return False
    if any(s.fields.get(name) != value for name, value in c.fields.items()):
        return False
    if any(s.attributes.get(name) != value for name, value in c.attributes.items()):
        return False
    if c.subject and not holds(words.subject, c.subject):
        return False
    if c.keywords and not holds(words.all, c.keywords):
        return False
    return c.open is None or c.open == hours.is_open(_asked_hours(d, c, s), s.at)


def _within(value: str, wanted: str) -> bool:
    return value == wanted or value.startswith(f"{wanted}-")


def _asked_hours(d: Directory, c: Conditions, s: Situation) -> hours.Hours | None:
    if c.hours is not None:
        return d.hours_of(int(c.hours) if c.hours.isdecimal() else None)
    return d.hours_of(hours_id(d, s.channel_id, s.team_id))


def hours_id(d: Directory, channel_id: int, team_id: int | None) -> int | None:
    """Whose hours count for a contact: the channel's, or else the team's."""
    channel, team = d.channels.get(channel_id), d.teams.get(team_id or 0)
    return (channel.hours_id if channel else None) or (team.hours_id if team else None)


# ── who of them ───────────────────────────────────────────────────────────────────────────────────────────────────────
def decide(d: Directory, s: Situation, staff: Staff) -> Decision:
    """The decision. Raises `Missing` when ``staff`` does not say what somebody asked about is doing."""
    steps: list[Step] = []
    refused: set[int] = set()
    for candidate in plan(d, s):
        again = candidate.employee_id in refused
        if again and candidate.team_id is None:
            continue
        steps.append(candidate.step)
        if candidate.employee_id is not None and not again:
            found, covering = _person_or_deputy(d, s, staff, candidate, steps)
            if found is not None:
                return Decision(found, _team_for(d, s, candidate), tuple(steps), covering)
            if not candidate.skills and not candidate.speaks:
                refused.add(candidate.employee_id)  # asking more of them changes nothing
        if candidate.team_id is not None:
            team = d.teams[candidate.team_id]
            if candidate.step[0] != "channel":
                steps.append(("team", team.name))
            fitting = _choose(d, s, staff, candidate, team, steps)
            return Decision(fitting[0] if fitting else None, team.id, tuple(steps), None, tuple(fitting[1:6]))
    team_id = _team_for(d, s, None)
    steps.append(("queue", d.teams[team_id].name) if team_id is not None else ("nobody",))
    return Decision(None, team_id, tuple(steps))


def _team_for(d: Directory, s: Situation, candidate: Candidate | None) -> int | None:
    if candidate is not None and candidate.team_id is not None:
        return candidate.team_id
    return s.team_id if s.team_id in d.teams else None


def _person_or_deputy(
    d: Directory, s: Situation, staff: Staff, candidate: Candidate, steps: list[Step]
) -> tuple[int | None, int | None]:
    """(who, for whose absence), both None when neither the person nor a deputy can."""
    person = candidate.employee_id
    assert person is not None
    no = _hindrance(d, s, staff, person, candidate)
    if no is None:
        return person, None
    steps.append(no)
    absent = no[0] == "absent"
    if unknown := set(itertools.islice(_deputies(d, person, s.at), MOST_DEPUTIES)) - staff.keys():
        raise Missing(unknown)
    seen, at_work = {person}, person
    while len(seen) <= MOST_DEPUTIES and (deputy := _deputy(d, at_work, s.at)) is not None:
        if deputy in seen:
            steps.append(("circle", d.employees[deputy].name))
            break
        seen.add(deputy)
        refused = _hindrance(d, s, staff, deputy, candidate)
        if refused is None:
            steps.append(("deputy", d.employees[deputy].name, d.employees[person].name))
            return deputy, person if absent else None
        steps.append(refused)
        at_work = deputy
    return None, None


def _deputy(d: Directory, employee_id: int, at: int) -> int | None:
    """Whom the absence names, of several the one that lasts longest; or else the standing deputy."""
    named = [a for a in d.absences.get(employee_id, ()) if a.deputy_id in d.employees and a.holds(at)]
    if named:
        return max(named, key=lambda a: (a.ends_at is None, a.ends_at or 0)).deputy_id
    deputy = d.employees[employee_id].deputy_id
    return deputy if deputy in d.employees else None


def _deputies(d: Directory, employee_id: int, at: int) -> Iterator[int]:
    seen, deputy = {employee_id}, _deputy(d, employee_id, at)
    while deputy is not None and deputy not in seen:
        yield deputy
        seen.add(deputy)
        deputy = _deputy(d, deputy, at)


def _hindrance(d: Directory, s: Situation, staff: Staff, employee_id: int, c: Candidate) -> Step | None:
    """Why this person cannot take it, None when they can. Who already has it keeps it though they are full."""
    person = d.employees[employee_id]
    if no := _never(d, s, person, c):
        return no
    standing = staff.get(employee_id)
    if standing is None:
        raise Missing({employee_id})
    if s.kind in LIVE and standing.state != "available":
        return (standing.state, person.name)
    if employee_id != s.holder_id and standing.load + d.weight(s.kind) > person.capacity:
        return ("full", person.name, standing.load, person.capacity)
    return None


def _never(d: Directory, s: Situation, person: Employee, c: Candidate) -> Step | None:
    """What no free minute changes."""
    if person.disabled:
        return ("disabled", person.name)
    if person.role == "light":
        return ("light", person.name)
    if person.id in s.excluded:
        return ("passed", person.name)
    if absence := d.absence(person.id, s.at):
        return ("absent", person.name, absence.ends_at)
    if missing := _lacking(s, person, c):
        return ("unskilled", person.name, ", ".join(missing))
    return None


def _lacking(s: Situation, person: Employee, c: Candidate) -> list[str]:
    """The skills and the language that are asked for and that this person has not."""
    known = {fold(skill) for skill in person.skills} if c.skills else set()
    missing = [skill for skill in c.skills if fold(skill) not in known]
    if c.speaks and s.language and not _speaks(person, s.language.lower()):
        missing.append(s.language)
    return missing


def _speaks(person: Employee, language: str) -> bool:
    """Whoever speaks de-AT understands de, and the other way round."""
    known = [other.lower() for other in person.languages]
    return any(_within(language, other) or _within(other, language) for other in known)


def _choose(d: Directory, s: Situation, staff: Staff, c: Candidate, team: Team, steps: list[Step]) -> list[int]:
    """The members who can take it now, the right one first; empty: it waits in the team's queue."""
    opened = d.hours_of(hours_id(d, s.channel_id, team.id) if s.team_id == team.id else team.hours_id)
    if not hours.is_open(opened, s.at):
        steps += [("closed", team.name, hours.next_open(opened, s.at)), ("queue", team.name)]
        return []
    if team.strategy == "queue":
        steps.append(("queue", team.name))
        return []
    members = [member for member in team.members if member in d.employees]
    if unknown := set(members) - staff.keys():
        raise Missing(unknown)
    fitting = [m for m in members if staff[m].state == "available" and _hindrance(d, s, staff, m, c) is None]
    if not fitting:
        steps += [_nobody(d, s, c, team), ("queue", team.name)]
        return []
    fitting.sort(key=lambda member: _turn(team, staff[member], member))
    if s.last_agent_id in fitting:
        fitting.remove(s.last_agent_id)
        fitting.insert(0, s.last_agent_id)
        steps.append(("again", d.employees[fitting[0]].name))
    else:
        steps.append((team.strategy, d.employees[fitting[0]].name, len(fitting)))
    return fitting


def _nobody(d: Directory, s: Situation, c: Candidate, team: Team) -> Step:
    """Why nobody fits: is nobody free, or would it wait for ever because no member knows how?"""
    able = [d.employees[m] for m in team.members if m in d.employees and not d.employees[m].disabled]
    lacking = [_lacking(s, person, c) for person in able]
    if lacking and all(lacking):
        return ("unable", team.name, ", ".join(min((len(few), few) for few in lacking)[1]))
    return ("nofit", team.name)


def _turn(team: Team, standing: Standing, member: int) -> tuple[int, int]:
    idle_since = standing.assigned_at
    if team.strategy == "longest_idle":
        idle_since = max(idle_since, standing.active_at)
    return idle_since, member


def take(d: Directory, s: Situation, staff: Staff, decision: Decision) -> None:
    """Note in ``staff`` what the decision gave to whom, for the next one of the same moment."""
    if decision.assignee_id is not None and decision.assignee_id != s.holder_id:
        standing = staff.setdefault(decision.assignee_id, Standing())
        standing.load += d.weight(s.kind)
        standing.assigned_at = max(
            s.at, standing.assigned_at + 1
        )  # who got two in one millisecond comes after who got one


def may_take(d: Directory, s: Situation, employee_id: int) -> bool:
    """May this person take the contact out of a queue? Whatever they are doing; but not without the skills it needs."""
    person = d.employees.get(employee_id)
    team = next((c for c in plan(d, s) if c.team_id is not None), Candidate(()))
    return person is not None and (not (team.skills or team.speaks) or _never(d, s, person, team) is None)
