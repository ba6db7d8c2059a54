"""Whom one may give a conversation to: presence, load, absence and deputy beside every name."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import assignment, directory, presence, staff
from hub.clock import now
from hub.directory import Directory
from hub.text import by_name


class Mate(Struct, frozen=True):
    """A colleague. ``load`` is known of the team's members only; ``until`` is set while they are absent (0: without end)."""

    id: int
    name: str
    state: str
    inside: bool = False
    load: int | None = None
    capacity: int = 0
    until: int | None = None
    deputy_id: int | None = None
    deputy: str = ""


def mates(conn: Connection, team_id: int | None) -> tuple[Mate, ...]:
    """Everybody who answers customers: the team's members first, those who are available before the others."""
    d, moment = directory.current(conn), now()
    doing = presence.everybody(conn)
    team = d.teams.get(team_id or 0)
    people = [e for e in d.employees.values() if not e.disabled and e.role != "light"]
    inside = {e.id for e in people if team and e.id in team.members}
    standings = assignment.standings(conn, d, inside, moment) if inside else {}
    found = []
    for e in people:
        away, standing = mate(d, e.id, moment), standings.get(e.id)
        state = doing[e.id].state if e.id in doing else "offline"
        load = standing.load if standing else None
        found.append(
            Mate(e.id, e.name, state, e.id in inside, load, e.capacity, away.until, away.deputy_id, away.deputy)
        )
    return tuple(
        sorted(found, key=lambda m: (not m.inside, m.until is not None, m.state != "available", by_name(m.name), m.id))
    )


def mate(d: Directory, employee_id: int, moment: int) -> Mate:
    """Somebody, with their absence and who acts for them now."""
    person = d.employees[employee_id]
    absence = d.absence(employee_id, moment)
    if absence is None:
        return Mate(person.id, person.name, "")
    deputy = staff.stand_in(d, employee_id, moment)
    return Mate(
        person.id,
        person.name,
        "",
        until=absence.ends_at or 0,
        deputy_id=deputy,
        deputy=d.employees[deputy].name if deputy is not None else "",
    )


def absent(conn: Connection, employee_id: int) -> Mate | None:
    """The same when somebody is absent now, else None."""
    d = directory.current(conn)
    found = mate(d, employee_id, now()) if employee_id in d.employees else None
    return found if found and found.until is not None else None
