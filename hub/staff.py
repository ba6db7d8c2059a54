"""What supervisors set up about people and teams: who can do what and how much, who stands in, and how a team shares its work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import directory, events
from hub.accounts import Invalid
from hub.directory import Directory, Strategy
from hub.events import NewEvent
from hub.tables import employees, hours, teams
from hub.text import clean_line

#: What somebody may carry at most; skills and languages of one person; characters of one of them.
MOST_CAPACITY, MOST_ENTRIES, MOST_CHARACTERS = 10_000, 50, 60
#: How long an offer may ring (seconds), and after how long silence may count (minutes of business time).
MOST_RINGING, MOST_SILENCE = 600, 40_320

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def set_up(conn: Connection, employee_id: int, given: Mapping[str, Any], actor_id: int | None = None) -> bool:
    """Change what is given of skills, languages, capacity (0: as usual), deputy_id; False when there is nobody. Raises `Invalid`."""
    if conn.execute(sa.select(employees.c.id).where(employees.c.id == employee_id)).first() is None:
        return False
    values = checked(given)
    _check_deputy(conn, employee_id, values.get("deputy_id"))
    if values:
        conn.execute(sa.update(employees).where(employees.c.id == employee_id).values(values))
        directory.bump(conn)
        data = {"employee": str(employee_id), "changed": sorted(values)}
        events.append(conn, [NewEvent("employee.changed", actor_id=actor_id, data=data)])
    return True


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same as columns: lists of skills and languages as they are kept. Raises `Invalid`."""
    values = dict(given)
    if "skills" in values:
        values["skills"] = _packed(_entries("skills", values["skills"]))
    if "languages" in values:
        values["languages"] = _packed(_languages(values["languages"]))
    if not 0 <= values.get("capacity", 0) <= MOST_CAPACITY:
        raise Invalid(f"“capacity”: a person carries 1 to {MOST_CAPACITY}; 0 means as usual.")
    return values


def _packed(entries: list[str]) -> str:
    return msgspec.json.encode(entries).decode() if entries else ""


def _entries(field: str, given: Iterable[str]) -> list[str]:
    """Every entry once, on one line, without blanks around it."""
    found = list(dict.fromkeys(text for entry in given if (text := clean_line(entry, MOST_CHARACTERS + 1))))
    if len(found) > MOST_ENTRIES:
        raise Invalid(f"“{field}”: at most {MOST_ENTRIES} entries.")
    if any(len(text) > MOST_CHARACTERS for text in found):
        raise Invalid(f"“{field}”: an entry has 1 to {MOST_CHARACTERS} characters.")
    return found


def _languages(given: Iterable[str]) -> list[str]:
    found = _entries("languages", given)
    if wrong := next((text for text in found if not _LANGUAGE.fullmatch(text)), None):
        raise Invalid(f"“languages”: “{wrong}” is no language; write it like de or en-GB.")
    return found


def _check_deputy(conn: Connection, employee_id: int, deputy_id: int | None) -> None:
    if deputy_id is None:
        return
    if deputy_id == employee_id:
        raise Invalid("“deputy”: nobody is their own deputy; choose somebody else.")
    e = employees.c
    if conn.execute(sa.select(e.id).where(e.id == deputy_id, e.disabled_at.is_(None))).first() is None:
        raise Invalid(f"“deputy”: there is no active employee {deputy_id}.")


def change_team(conn: Connection, team_id: int, given: Mapping[str, Any], actor_id: int | None = None) -> bool:
    """Change what is given of name, strategy, hours_id, lead_id, offer_seconds, silent_minutes; False when there is no such team.

    Raises `Invalid`.
    """
    if conn.execute(sa.select(teams.c.id).where(teams.c.id == team_id)).first() is None:
        return False
    values = dict(given)
    if "name" in values and not (name := clean_line(values["name"], 120)):
        raise Invalid("“name”: a team needs a name.")
    if "name" in values:
        values["name"] = name
    if "strategy" in values and values["strategy"] not in get_args(Strategy):
        raise Invalid(f"“strategy”: there are {', '.join(get_args(Strategy))}.")
    if not 0 <= values.get("offer_seconds", 0) <= MOST_RINGING:
        raise Invalid(f"“offer_seconds”: 0 to {MOST_RINGING} seconds.")
    if not 0 <= values.get("silent_minutes", 0) <= MOST_SILENCE:
        raise Invalid(f"“silent_minutes”: 0 to {MOST_SILENCE} minutes.")
    _check_lead_and_hours(conn, values)
    if values:
        conn.execute(sa.update(teams).where(teams.c.id == team_id).values(values))
        directory.bump(conn)
        data = {"team": str(team_id), "changed": sorted(values)}
        events.append(conn, [NewEvent("team.changed", actor_id=actor_id, data=data)])
    return True


def _check_lead_and_hours(conn: Connection, values: Mapping[str, Any]) -> None:
    lead, opened, e = values.get("lead_id"), values.get("hours_id"), employees.c
    if lead is not None and conn.execute(sa.select(e.id).where(e.id == lead, e.disabled_at.is_(None))).first() is None:
        raise Invalid(f"“lead”: there is no active employee {lead}.")
    if opened is not None and conn.execute(sa.select(hours.c.id).where(hours.c.id == opened)).first() is None:
        raise Invalid(f"“hours”: there are no business hours {opened}.")


def stand_in(d: Directory, employee_id: int, at: int) -> int | None:
    """Who acts for somebody who is absent at this moment: the first of their deputies who is here to do it, None when nobody is."""
    seen = {employee_id}
    while (deputy := _next_deputy(d, employee_id, at)) is not None and deputy not in seen:
        if not d.employees[deputy].disabled and d.absence(deputy, at) is None:
            return deputy
        seen.add(deputy)
        employee_id = deputy
    return None


def _next_deputy(d: Directory, employee_id: int, at: int) -> int | None:
    absence = d.absence(employee_id, at)
    deputy = (absence.deputy_id if absence else None) or d.employees[employee_id].deputy_id
    return deputy if deputy in d.employees else None
