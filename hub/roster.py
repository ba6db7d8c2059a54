"""Who works here and who does what, as a table: written out whole, taken in as a whole or not at all, in a few statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, administration, directory, events, staff
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.clock import now
from hub.events import NewEvent
from hub.messages import Role
from hub.sheets import Change, DryRun, Fault, Line, Outcome, joined, parted, refuse
from hub.sql import allocate, hold, insert_rows, update_rows
from hub.tables import employees
from hub.text import clean_line, fold

#: The columns of the table; the first one says whom a line is about.
COLUMNS = ("email", "name", "role", "teams", "skills", "languages", "capacity", "deputy")
#: The most lines.
MOST = 1000

_NAMED = re.compile(r"“(\w+)”: ")


class _Person(Struct):
    """Somebody as a line wants them. ``before``: their cells until now, None: they are new."""

    line: Line
    id: int
    email: str
    before: dict[str, str] | None
    name: str
    role: str
    skills: str = ""
    languages: str = ""
    capacity: int = 0
    deputy_id: int | None = None


def listing(conn: Connection) -> list[dict[str, str]]:
    """Everybody who works here, as lines of the table."""
    return list(_cells(conn, [row for row in accounts.all_employees(conn) if row.disabled_at is None]).values())


def _cells(conn: Connection, rows: Iterable[Any]) -> dict[int, dict[str, str]]:
    emails = {row.id: row.email for row in accounts.all_employees(conn)}
    inside: dict[int, list[str]] = {}
    for team, members in administration.all_teams(conn):
        for number in members:
            inside.setdefault(number, []).append(team.slug)
    return {
        row.id: {
            "email": row.email,
            "name": row.name,
            "role": row.role,
            "teams": joined(sorted(inside.get(row.id, []))),
            "skills": joined(directory.listed(row.skills)),
            "languages": joined(directory.listed(row.languages)),
            "capacity": str(row.capacity or ""),
            "deputy": emails.get(row.deputy_id, ""),
        }
        for row in rows
    }


def take(conn: Connection, actor: Actor, lines: Sequence[Line], *, dry: bool = False) -> Outcome:
    """Make and change employees as the lines say; who is in none stays as they are.

    Raises `Forbidden`, `sheets.Unusable`; with ``dry`` `sheets.DryRun`.
    """
    require(actor, "employees")
    hold(conn, "people")  # keeps two tables apart; before the directory, as whoever makes an employee does
    directory.bump(conn)
    faults: list[Fault] = []
    rows = accounts.all_employees(conn)
    people = _people(conn, lines, rows, faults)
    _deputies(people, rows, faults)
    members = _teams(conn, people, faults)
    _keep_an_administrator(people, rows, faults)
    refuse(faults)
    _write(conn, actor, people, members)
    after = _cells(conn, accounts.all_employees(conn))
    changes = [Change(p.line.number, p.email, p.before is None, pairs) for p in people if (pairs := _pairs(p, after))]
    outcome = Outcome(len(lines), tuple(changes))
    if dry:
        raise DryRun(outcome)
    return outcome


def _pairs(person: _Person, after: Mapping[int, Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    """(before, after) of every cell that changed."""
    old = person.before or {}
    return {name: (old.get(name, ""), v) for name, v in after[person.id].items() if old.get(name, "") != v}


# ── what the lines say ────────────────────────────────────────────────────────────────────────────────────────────────
def _people(conn: Connection, lines: Sequence[Line], rows: Sequence[Any], faults: list[Fault]) -> list[_Person]:
    """Whom each line is about, with what it says of them alone."""
    cells, known = _cells(conn, rows), {row.email: row for row in rows}
    seen: dict[str, int] = {}
    people: list[_Person] = []
    for line in lines:
        try:
            email = accounts.clean_email(line.cells["email"])
        except Invalid as error:
            faults.append(Fault(line.number, "email", str(error)))
            continue
        row = known.get(email)
        if email in seen:
            faults.append(Fault(line.number, "email", f"“{email}” is in line {seen[email]} already."))
        elif row is not None and row.disabled_at is not None:
            faults.append(Fault(line.number, "email", f"“{email}” does not work here any more; restore them first."))
        else:
            people.append(_person(line, email, row, cells[row.id] if row is not None else None, faults))
        seen.setdefault(email, line.number)
    new = [person for person in people if not person.id]
    for person, number in zip(new, allocate(conn, "people", len(new)), strict=True):
        person.id = number
    return people


def _person(line: Line, email: str, row: Any, before: dict[str, str] | None, faults: list[Fault]) -> _Person:
    person = _Person(line, 0, email, before, "", "agent")
    if row is not None:
        person = _Person(
            line,
            row.id,
            email,
            before,
            row.name,
            row.role,
            row.skills,
            row.languages,
            row.capacity,
            row.deputy_id,
        )
    person.name = clean_line(line.cells.get("name", ""), 120) or person.name or email
    person.role = line.cells.get("role") or person.role
    if person.role not in get_args(Role):
        faults.append(
            Fault(line.number, "role", f"There is no role “{person.role}”. Roles: {', '.join(get_args(Role))}.")
        )
    for column in ("skills", "languages", "capacity"):
        if column in line.cells:
            _set_up(person, column, line.cells[column], faults)
    return person


def _set_up(person: _Person, column: str, cell: str, faults: list[Fault]) -> None:
    if column == "capacity" and cell and not (cell.isascii() and cell.isdecimal() and len(cell) < 10):
        faults.append(Fault(person.line.number, column, f"“{cell}” is no number; leave it empty for “as usual”."))
        return
    try:
        checked = staff.checked({column: int(cell or 0) if column == "capacity" else parted(cell)})
    except Invalid as error:
        words = _NAMED.sub("", str(error), count=1)
        faults.append(Fault(person.line.number, column, words[:1].upper() + words[1:]))
        return
    setattr(person, column, checked[column])


def _deputies(people: Sequence[_Person], rows: Sequence[Any], faults: list[Fault]) -> None:
    """Who stands in for whom; it may be somebody of the same table."""
    numbers = {row.email: row.id for row in rows if row.disabled_at is None} | {p.email: p.id for p in people}
    for person in people:
        if "deputy" not in person.line.cells:
            continue
        email = person.line.cells["deputy"].lower()
        if email and email not in numbers:
            faults.append(Fault(person.line.number, "deputy", f"There is no active employee “{email}”."))
        elif email == person.email:
            faults.append(Fault(person.line.number, "deputy", "Nobody is their own deputy; choose somebody else."))
        else:
            person.deputy_id = numbers.get(email)


def _teams(conn: Connection, people: Sequence[_Person], faults: list[Fault]) -> dict[int, set[int]]:
    """The members of every team that changes."""
    known = administration.all_teams(conn)
    by_name = {fold(team.name): team.id for team, _ in known} | {team.slug: team.id for team, _ in known}
    before = {team.id: set(members) for team, members in known}
    after = {number: set(members) for number, members in before.items()}
    for person in people:
        if "teams" not in person.line.cells:
            continue
        names = parted(person.line.cells["teams"])
        faults += [
            Fault(person.line.number, "teams", f"There is no team “{name}”.")
            for name in names
            if fold(name) not in by_name
        ]
        wanted = {by_name[fold(name)] for name in names if fold(name) in by_name}
        for number, members in after.items():
            (members.add if number in wanted else members.discard)(person.id)
    return {number: members for number, members in after.items() if members != before[number]}


def _keep_an_administrator(people: Sequence[_Person], rows: Sequence[Any], faults: list[Fault]) -> None:
    roles = {row.id: row.role for row in rows if row.disabled_at is None} | {p.id: p.role for p in people}
    if "admin" in roles.values() or not rows:
        return
    admins = {row.id for row in rows if row.role == "admin"}
    words = "This is the last administrator. Make another one first."
    faults += [Fault(person.line.number, "role", words) for person in people if person.id in admins]


# ── what is written ───────────────────────────────────────────────────────────────────────────────────────────────────
_WRITTEN = ("name", "role", "skills", "languages", "capacity", "deputy_id", "id")


def _write(conn: Connection, actor: Actor, people: Sequence[_Person], members: Mapping[int, set[int]]) -> None:
    """All rows in two statements: first who is new, for deputies may come after whom they stand in for."""
    old = {row.id: row for row in accounts.all_employees(conn)}
    new = [person for person in people if person.id not in old]
    moment = now()
    fresh = [{"id": p.id, "email": p.email, "language": actor.language, "created_at": moment} for p in new]
    insert_rows(conn, employees, fresh)
    changed = {p.id: _changed(p, old[p.id]) for p in people if p.id in old}
    written = [p for p in people if p.id not in old or changed[p.id]]
    update_rows(conn, employees, [{name: getattr(p, name) for name in _WRITTEN} for p in written])
    for number, inside in members.items():
        administration.set_members(conn, number, sorted(inside), actor.id)
    news = [
        NewEvent("employee.changed", actor_id=actor.id, data={"employee": str(p.id), "changed": changed[p.id]})
        if p.id in old
        else NewEvent("employee.added", actor_id=actor.id, data={"employee": str(p.id), "role": p.role})
        for p in written
    ]
    events.append(conn, news)


def _changed(person: _Person, row: Any) -> list[str]:
    return sorted(name for name in _WRITTEN if getattr(person, name) != getattr(row, name))
