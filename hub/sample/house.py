"""The sample firm before anybody writes: colleagues, teams, channels, hours, rules, a service level, absences, saved replies."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import absences, accounts, channels, directory, events, levels, replies, rulebook, staff
from hub.clock import now
from hub.directory import Conditions, Target
from hub.events import NewEvent
from hub.sample.matters import REPLIES
from hub.sample.words import CHANNELS, STAFF, TEAMS, Colleague
from hub.secretbox import SecretBox
from hub.sql import allocate, insert_rows
from hub.tables import team_members
from hub.tables import teams as teams_table

ZONE = "Europe/Berlin"
WEEK = {day: ["08:00-12:30", "13:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"sat": ["09:00-13:00"]}
#: What the sample's service level promises, in minutes of business time.
FIRST, NEXT, SOLVED = 60, 240, 2880
#: What the stand-in of the channels' provider signs with; it listens on the loopback only.
SECRET = "sample-secret"  # noqa: S105


class Firm(Struct, frozen=True):
    """The ids of what was made: colleagues, teams and channels by key; ``marks`` are all of it, by table."""

    people: dict[str, int]
    teams: dict[str, int]
    channels: dict[str, int]
    hours: int
    policy: int
    marks: list[tuple[str, int]]


def found(conn: Connection, box: SecretBox, language: str, password_hash: str | None, me: int | None) -> Firm:
    """Make the firm. ``password_hash``: how its people sign in (None: nobody can); ``me`` joins its teams."""
    people = {
        c.key: accounts.add_employee(conn, c.email, c.name, _role(c, password_hash), password_hash) for c in STAFF
    }
    teams = _teams(conn, people, me)
    made = _channels(conn, box, language, teams)
    opened = levels.add_hours(conn, "Nordlicht", ZONE, "DE-NI", WEEK, {})
    _able(conn, people, teams, opened)
    marks = [("employees", n) for n in people.values()] + [("teams", n) for n in teams.values()]
    marks += [("channels", n) for n in made.values()] + [("hours", opened)]
    marks += [("absences", n) for n in _absences(conn, people)]
    marks += [("routing_rules", n) for n in _rules(conn, people, teams, tuple(made.values()))]
    promised = {"first_minutes": FIRST, "next_minutes": NEXT, "resolution_minutes": SOLVED, "hours_id": opened}
    within = Conditions(channels=tuple(str(n) for n in made.values()))
    policy = levels.add_policy(conn, {"name": "Standard", "enabled": True, "conditions": within, **promised}, None)
    marks += [("sla_policies", policy)]
    marks += [("saved_replies", n) for n in _replies(conn, people["anna"])]
    return Firm(people, teams, made, opened, policy, marks)


def _role(colleague: Colleague, password_hash: str | None) -> str:
    """Nobody is an administrator who could never sign in: the house's last real one must stay the last."""
    return "supervisor" if colleague.role == "admin" and password_hash is None else colleague.role


def _teams(conn: Connection, people: dict[str, int], me: int | None) -> dict[str, int]:
    ids = allocate(conn, "people", len(TEAMS))
    taken = set(conn.execute(sa.select(teams_table.c.slug)).scalars())
    rows = [
        {"id": number, "slug": slug if slug not in taken else f"{slug}-sample", "name": name, "created_at": now()}
        for (slug, name), number in zip(TEAMS, ids, strict=True)
    ]
    insert_rows(conn, teams_table, rows)
    teams = dict(zip((slug for slug, _ in TEAMS), ids, strict=True))
    members = {(teams[team], people[c.key]) for c in STAFF for team in c.teams}
    members |= {(number, me) for number in ids if me is not None}
    insert_rows(conn, team_members, [{"team_id": t, "employee_id": e} for t, e in sorted(members)])
    return teams


def _channels(conn: Connection, box: SecretBox, language: str, teams: dict[str, int]) -> dict[str, int]:
    """The channels; where their stand-ins listen is told to them when those run."""
    made = {}
    for channel in CHANNELS:
        given: dict[str, str] = {}
        if channel.kind == "email":
            given = {"address": "support@nordlicht.example", "display_name": "Nordlicht Solar"}
        elif channel.kind == "api":
            given = {"secret": SECRET}
        row = channels.add(conn, box, channel.kind, channel.called(language), given, teams[channel.team])
        made[channel.key] = row.config.id
    events.append(conn, [NewEvent("channel.added", channel_id=number) for number in made.values()])
    return made


def _able(conn: Connection, people: dict[str, int], teams: dict[str, int], opened: int) -> None:
    for c in STAFF:
        if c.role != "light":
            given = {"skills": list(c.skills), "languages": list(c.languages), "capacity": 60}
            staff.set_up(conn, people[c.key], given)
    staff.change_team(conn, teams["service"], {"hours_id": opened, "lead_id": people["anna"], "silent_minutes": 240})
    staff.change_team(conn, teams["sales"], {"hours_id": opened, "lead_id": people["maria"], "strategy": "queue"})


def _rules(conn: Connection, people: dict[str, int], teams: dict[str, int], within: tuple[int, ...]) -> list[int]:
    """Two rules that look at the sample's own channels only: real customers are none of their business."""
    own = tuple(str(n) for n in within)
    faults = Conditions(channels=own, keywords=("Fehler", "error", "Wechselrichter", "inverter"))
    invoices = Conditions(channels=own, subject=("Rechnung", "invoice"))
    return [
        rulebook.add(conn, "Inverter errors", faults, Target(team=str(teams["service"]), skills=("inverter",))),
        rulebook.add(conn, "Invoices", invoices, Target(employee=str(people["jonas"]), team=str(teams["sales"]))),
    ]


def _absences(conn: Connection, people: dict[str, int]) -> list[int]:
    today = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    made = []
    for who, first, days, kind in (("maria", -2, 9, "leave"), ("elif", 12, 3, "training")):
        actor = accounts.actor(conn, people[who])
        assert actor is not None
        begins = today + timedelta(days=first)
        span = int(begins.timestamp() * 1000), int((begins + timedelta(days=days)).timestamp() * 1000)
        made.append(absences.add(conn, actor, people[who], *span, kind=kind, deputy_id=people["jonas"]))
    return made


def _replies(conn: Connection, author: int) -> list[int]:
    actor = accounts.actor(conn, author)
    assert actor is not None
    made = []
    for name, shortcut, language, text in REPLIES:
        given = {"name": name, "text": text, "language": language, "shortcut": shortcut, "visibility": "everyone"}
        made.append(replies.add(conn, actor, given))
    directory.bump(conn)
    return made
