"""The directory of responsibility: who works here, in which teams, with which skills, absent when, and the table of questions.

It is read whole and kept in memory; every change gives it a new version in its own transaction (`bump`), so `current` asks for one
number and reads again only when that is another. All times are milliseconds UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from msgspec import Struct, field
from sqlalchemy.engine import Connection, Engine

from hub import hours as business
from hub.hours import Hours
from hub.sql import lit, renew, run
from hub.tables import absences, channels, counters, employees, facts, routing_rules, sla_policies, team_members, teams
from hub.tables import hours as hours_table

Strategy = Literal["longest_idle", "round_robin", "queue"]
Question = Literal["assignee", "owner", "company", "rule", "last", "channel", "fallback"]

#: How much of a person one open conversation of a kind takes; kinds not named here count as 1.
WEIGHTS = {"email": 1, "api": 1, "sms": 1, "webchat": 5, "voice": 5, "visit": 5}
#: Kinds whose customer waits on the spot: only somebody who is available now can take them.
LIVE = frozenset({"voice", "visit", "webchat"})


class Employee(Struct, frozen=True):
    """Somebody who may be given work. ``capacity``: how much of `Settings.weights` they carry at once."""

    id: int
    name: str
    role: str = "agent"
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    capacity: int = 30
    deputy_id: int | None = None
    disabled: bool = False


class Absence(Struct, frozen=True):
    """Away from ``starts_at`` until before ``ends_at`` (None: until further notice); the house knows it since ``known_at``."""

    employee_id: int
    starts_at: int
    ends_at: int | None = None
    deputy_id: int | None = None
    kind: str = "leave"
    id: int = 0
    known_at: int = 0

    def holds(self, at: int) -> bool:
        """Is the person away at this moment?"""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


class Team(Struct, frozen=True):
    """Employees who share a queue. ``offer_seconds`` 0: live contacts are assigned, not offered; ``silent_minutes`` 0: never."""

    id: int
    name: str
    members: tuple[int, ...] = ()
    strategy: Strategy = "longest_idle"
    hours_id: int | None = None
    lead_id: int | None = None
    offer_seconds: int = 0
    silent_minutes: int = 0
    slug: str = ""


class Conditions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must be true of a contact; everything given must hold, of a list one entry. Empty: always.

    ``keywords`` are beginnings of words in subject or text, ``subject`` in the subject alone, both without regard to case and
    accents. ``regions``: "DE" also holds for "DE-NI". ``fields``: what the customer chose (IVR, form). ``open``: are the hours
    ``hours`` (or else the channel's) open?
    """

    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    fields: dict[str, str] = {}
    priorities: tuple[str, ...] = ()
    open: bool | None = None
    hours: str | None = None


class Target(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a rule leads: a person, a team, or first the person and then the team. ``skills`` are needed of whoever takes it;
    ``speaks``: the customer's language too.
    """

    employee: str | None = None
    team: str | None = None
    skills: tuple[str, ...] = ()
    speaks: bool = False


class Rule(Struct, frozen=True):
    """One line of the table of questions. Only a ``rule`` has conditions; a ``rule`` and the ``fallback`` have a target."""

    id: int
    kind: Question
    name: str = ""
    enabled: bool = True
    conditions: Conditions = Conditions()
    target: Target = Target()


class Policy(Struct, frozen=True):
    """A service level; minutes of business time, 0: not promised."""

    id: int
    name: str
    conditions: Conditions
    first_minutes: int
    next_minutes: int
    resolution_minutes: int
    hours_id: int | None


class ChannelFacts(Struct, frozen=True):
    """What routing knows of a channel."""

    id: int
    kind: str
    name: str = ""
    team_id: int | None = None
    hours_id: int | None = None


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Capacity of employees who have none of their own, and the weight of an open conversation by kind of channel."""

    capacity: int = 30
    weights: dict[str, int] = field(default_factory=lambda: dict(WEIGHTS))


class Directory(Struct, frozen=True):
    """Everything routing knows that does not change from contact to contact. ``removed``: channels that are no more, for their names."""

    employees: dict[int, Employee]
    teams: dict[int, Team]
    rules: tuple[Rule, ...]
    absences: dict[int, tuple[Absence, ...]] = {}
    hours: dict[int, Hours] = {}
    channels: dict[int, ChannelFacts] = {}
    policies: tuple[Policy, ...] = ()
    settings: Settings = Settings()
    version: int = 0
    removed: dict[int, ChannelFacts] = {}

    def absence(self, employee_id: int, at: int) -> Absence | None:
        """The absence that holds at this moment, the one that lasts longest first."""
        found = [a for a in self.absences.get(employee_id, ()) if a.holds(at)]
        return max(found, key=lambda a: (a.ends_at is None, a.ends_at or 0)) if found else None

    def weight(self, kind: str) -> int:
        """What one open conversation of this kind of channel takes."""
        return self.settings.weights.get(kind, 1)

    def hours_of(self, hours_id: int | None) -> Hours | None:
        """The business hours; None: always open."""
        return self.hours.get(hours_id) if hours_id is not None else None


_version = sa.select(counters.c.value).where(counters.c.name == lit("directory"))
_known: WeakKeyDictionary[Engine, Directory] = WeakKeyDictionary()


def bump(conn: Connection) -> None:
    """Tell every process that the directory changed; in the transaction that changes it."""
    renew(conn, "directory")


def current(conn: Connection) -> Directory:
    """The directory as of this transaction. One statement while nothing changed."""
    version = run(conn, _version).scalar_one()
    known = _known.get(conn.engine)
    if known is None or known.version != version:
        known = _known[conn.engine] = _read(conn, version)
    return known


def _read(conn: Connection, version: int) -> Directory:
    settings = _settings(conn)
    members: dict[int, list[int]] = {}
    for team, employee in conn.execute(
        sa.select(team_members.c.team_id, team_members.c.employee_id).order_by(team_members.c.employee_id)
    ):
        members.setdefault(team, []).append(employee)
    away: dict[int, list[Absence]] = {}
    for row in conn.execute(sa.select(absences).where(absences.c.state != lit("over")).order_by(absences.c.id)):
        away.setdefault(row.employee_id, []).append(
            Absence(row.employee_id, row.starts_at, row.ends_at, row.deputy_id, row.kind, row.id, row.created_at)
        )
    live: dict[int, ChannelFacts] = {}
    gone: dict[int, ChannelFacts] = {}
    for row in conn.execute(sa.select(channels)):
        facts_ = ChannelFacts(row.id, row.kind, row.name, row.team_id, row.hours_id)
        (live if row.removed_at is None else gone)[row.id] = facts_
    return Directory(
        {row.id: _employee(row, settings) for row in conn.execute(sa.select(employees))},
        {row.id: _team(row, members.get(row.id, ())) for row in conn.execute(sa.select(teams))},
        rules(conn),
        {employee: tuple(found) for employee, found in away.items()},
        {row.id: business.read(row) for row in conn.execute(sa.select(hours_table))},
        live,
        _policies(conn),
        settings,
        version,
        gone,
    )


def _settings(conn: Connection) -> Settings:
    stored = conn.execute(sa.select(facts.c.value).where(facts.c.name == "routing")).scalar()
    return msgspec.json.decode(stored, type=Settings) if stored else Settings()


def _employee(row: Any, settings: Settings) -> Employee:
    return Employee(
        row.id,
        row.name,
        row.role,
        frozenset(listed(row.skills)),
        frozenset(listed(row.languages)),
        row.capacity or settings.capacity,
        row.deputy_id,
        row.disabled_at is not None,
    )


def _team(row: Any, members: Sequence[int]) -> Team:
    return Team(
        row.id,
        row.name,
        tuple(members),
        row.strategy or "longest_idle",
        row.hours_id,
        row.lead_id,
        row.offer_seconds,
        row.silent_minutes,
        row.slug,
    )


def rules(conn: Connection) -> tuple[Rule, ...]:
    """The table of questions in its order, disabled lines too."""
    r = routing_rules.c
    return tuple(
        Rule(
            row.id,
            row.kind,
            row.name,
            row.enabled,
            msgspec.json.decode(row.conditions, type=Conditions) if row.conditions else Conditions(),
            msgspec.json.decode(row.target, type=Target) if row.target else Target(),
        )
        for row in conn.execute(sa.select(routing_rules).order_by(r.position, r.id))
    )


def _policies(conn: Connection) -> tuple[Policy, ...]:
    p = sla_policies.c
    return tuple(
        Policy(
            row.id,
            row.name,
            msgspec.json.decode(row.conditions, type=Conditions) if row.conditions else Conditions(),
            row.first_minutes,
            row.next_minutes,
            row.resolution_minutes,
            row.hours_id,
        )
        for row in conn.execute(sa.select(sla_policies).where(p.enabled).order_by(p.position, p.id))
    )


def listed(text: str) -> list[str]:
    """A list kept as JSON text; empty text is the empty list."""
    return msgspec.json.decode(text, type=list[str]) if text else []
