"""Who is responsible for what in the demo's firm: hours, teams, skills, an absence with a deputy, rules, and a service level."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import absences, accounts, directory, levels, rulebook, staff
from hub.directory import Conditions, Target
from hub.tables import customers, employees

ZONE = "Europe/Berlin"
WEEK = {day: ["08:00-12:30", "13:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"sat": ["09:00-13:00"]}
#: Skills and languages by the beginning of the e-mail address.
ABLE = {
    "anna": (["billing"], ["de", "en"]),
    "elif": (["inverter", "wallbox"], ["de", "tr", "en"]),
    "jonas": (["billing", "inverter"], ["de", "en"]),
    "maria": (["offers"], ["de", "sv", "en"]),
}


def set_up(conn: Connection, teams: dict[str, int]) -> None:
    """Everything that routing asks about. ``teams``: ids by slug."""
    people = {row.email.partition("@")[0]: row.id for row in accounts.all_employees(conn)}
    opened = levels.add_hours(conn, "Nordlicht", ZONE, "DE-NI", WEEK, {})
    for name, (skills, languages) in ABLE.items():
        given = {"skills": skills, "languages": languages, "capacity": 12}
        staff.set_up(conn, people[name], given)
    staff.change_team(conn, teams["service"], {"hours_id": opened, "lead_id": people["anna"], "silent_minutes": 240})
    sales = {"hours_id": opened, "lead_id": people["maria"], "strategy": "queue", "offer_seconds": 20}
    staff.change_team(conn, teams["sales"], sales)
    _absences(conn, people)
    rulebook.add(
        conn,
        "Inverter errors",
        Conditions(keywords=("Fehler", "error", "Wechselrichter", "inverter")),
        Target(team=str(teams["service"]), skills=("inverter",)),
    )
    invoices = Conditions(kinds=("email",), subject=("Rechnung", "invoice"))
    rulebook.add(conn, "Invoices", invoices, Target(employee=str(people["jonas"]), team=str(teams["sales"])))
    promised = {"first_minutes": 60, "next_minutes": 240, "resolution_minutes": 2880, "hours_id": opened}
    levels.add_policy(conn, {"name": "Standard", "enabled": True, "conditions": Conditions(), **promised}, None)


def _absences(conn: Connection, people: dict[str, int]) -> None:
    today = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    for who, first, days, kind, deputy in (("maria", -2, 9, "leave", "jonas"), ("elif", 12, 3, "training", None)):
        actor = accounts.actor(conn, people[who])
        assert actor is not None
        starts = today + timedelta(days=first)
        ends = starts + timedelta(days=days)
        absences.add(
            conn,
            actor,
            people[who],
            int(starts.timestamp() * 1000),
            int(ends.timestamp() * 1000),
            kind=kind,
            deputy_id=people[deputy] if deputy else people["jonas"],
        )


def give_owner(conn: Connection, customer: str, email: str) -> None:
    """Somebody is responsible for a customer for good."""
    owner = sa.select(employees.c.id).where(employees.c.email == email).scalar_subquery()
    conn.execute(sa.update(customers).where(customers.c.name == customer).values(owner_id=owner))
    directory.bump(conn)
