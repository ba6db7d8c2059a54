"""Who does what, and who looks after whom, as tables (see `hub.sheets`): written out whole, taken in as a whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, addresses, administration, directory, events, identity, staff
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.events import NewEvent
from hub.sheets import Change, Fault, Line, Outcome, Unusable, joined, parted
from hub.sql import among, hold, is_postgres
from hub.tables import customers, employees, identities
from hub.text import fold

#: Columns of the two tables; the first one says whom a line is about.
PEOPLE = ("email", "name", "role", "teams", "skills", "languages", "capacity", "deputy")
OWNERS = ("customer", "name", "address", "owner")
#: The most lines of each.
MOST_PEOPLE, MOST_OWNERS = 500, 20_000
#: Customers read at once.
BATCH = 2000

P = ParamSpec("P")
T = TypeVar("T")

_NAMED = re.compile(r"“(\w+)”: ")
#: A line and the employee it is about.
_Pair = tuple[Line, Any]


class DryRun(Exception):
    """What would have been changed; raised so that the transaction is not kept."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("a dry run keeps nothing")
        self.outcome = outcome


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def people(conn: Connection) -> list[dict[str, str]]:
    """Everybody who works here, as lines of the table."""
    rows = [row for row in accounts.all_employees(conn) if row.disabled_at is None]
    return list(_as_cells(conn, rows).values())


def _as_cells(conn: Connection, rows: Sequence[Any]) -> dict[int, dict[str, str]]:
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


def take_people(conn: Connection, actor: Actor, lines: Sequence[Line], *, dry: bool = False) -> Outcome:
    """Make and change employees as the lines say; who is in none stays as they are.

    Raises `Forbidden`, `Unusable`; with ``dry`` `DryRun`.
    """
    require(actor, "employees")
    faults: list[Fault] = []
    hold(conn, "people")  # keeps two tables apart; before the directory, as whoever makes an employee does
    directory.bump(conn)
    before = {row.email: row for row in accounts.all_employees(conn)}
    cells = _as_cells(conn, list(before.values()))
    old = {email: cells[row.id] for email, row in before.items()}
    pairs = list(_people_of(conn, actor, lines, before, faults))
    for line, row in sorted(
        pairs, key=lambda pair: pair[0].cells.get("role") != "admin"
    ):  # the last one may not go first
        _take_person(conn, actor, line, row, old.get(row.email), faults)
    _take_teams(conn, actor, pairs, faults)
    _refuse(faults)
    rows = accounts.all_employees(conn)
    after = _as_cells(conn, rows)
    changes = [c for line, row in pairs if (c := _difference(line, row.email, old.get(row.email), after[row.id]))]
    outcome = Outcome(len(lines), tuple(changes))
    if dry:
        raise DryRun(outcome)
    return outcome


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise Unusable(sorted(faults, key=lambda fault: fault.line))


def _people_of(
    conn: Connection, actor: Actor, lines: Sequence[Line], known: Mapping[str, Any], faults: list[Fault]
) -> Iterator[_Pair]:
    """Whom each line is about; who is new is made."""
    seen: dict[str, int] = {}
    for line in lines:
        email = line.cells["email"].lower()
        if email in seen:
            faults.append(Fault(line.number, "email", f"“{email}” is in line {seen[email]} already."))
            continue
        seen[email] = line.number
        row = known.get(email)
        if row is not None and row.disabled_at is not None:
            faults.append(Fault(line.number, "email", f"“{email}” does not work here any more; restore them first."))
        elif row is not None:
            yield line, row
        else:
            made = _tried(line, "email", faults, _made, conn, actor, line, email)
            if made is not None:
                yield line, made


def _made(conn: Connection, actor: Actor, line: Line, email: str) -> Any:
    role = line.cells.get("role") or "agent"
    number = accounts.add_employee(conn, email, line.cells.get("name", ""), role, None, actor.language)
    data = {"employee": str(number), "role": role}
    events.append(conn, [NewEvent("employee.added", actor_id=actor.id, data=data)])
    return conn.execute(sa.select(employees).where(employees.c.id == number)).one()


def _tried(
    line: Line, column: str, faults: list[Fault], work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T | None:
    """What the work gives; None when it cannot be, which is noted at the column the refusal names."""
    try:
        return work(*args, **kwargs)
    except Invalid as error:
        named = _NAMED.match(str(error))
        words = str(error)[named.end() :] if named else str(error)
        place = "role" if "There is no role" in words or "last administrator" in words else column
        faults.append(Fault(line.number, named[1] if named else place, words[:1].upper() + words[1:]))
        return None


def _take_person(
    conn: Connection, actor: Actor, line: Line, row: Any, old: Mapping[str, str] | None, faults: list[Fault]
) -> None:
    given = line.cells
    new = {name: value for name, value in given.items() if old is None or value != old[name]}
    if old is not None and (new.get("name") or new.get("role")):
        _tried(
            line,
            "role" if new.get("role") else "name",
            faults,
            administration.change_employee,
            conn,
            row.id,
            name=new.get("name") or None,
            role=new.get("role") or None,
            actor_id=actor.id,
        )
    values: dict[str, Any] = {name: parted(new[name]) for name in ("skills", "languages") if name in new}
    if "capacity" in new:
        if new["capacity"] and not (new["capacity"].isascii() and new["capacity"].isdecimal()):
            faults.append(
                Fault(line.number, "capacity", f"“{new['capacity']}” is no number; leave it empty for “as usual”.")
            )
        else:
            values["capacity"] = int(new["capacity"][:9] or 0)
    if "deputy" in new:
        deputy = _by_email(conn, new["deputy"])
        if new["deputy"] and deputy is None:
            faults.append(Fault(line.number, "deputy", f"There is no active employee “{new['deputy']}”."))
        else:
            values["deputy_id"] = deputy
    if values:
        _tried(line, "email", faults, staff.set_up, conn, row.id, values, actor.id)


def _by_email(conn: Connection, email: str) -> int | None:
    row = accounts.by_email(conn, email) if email else None
    return int(row.id) if row is not None else None


def _take_teams(conn: Connection, actor: Actor, pairs: Sequence[_Pair], faults: list[Fault]) -> None:
    """Who is in which team: one change per team that changes."""
    known = administration.all_teams(conn)
    by_name = {fold(team.name): team.id for team, _ in known} | {team.slug: team.id for team, _ in known}
    before = {team.id: set(members) for team, members in known}
    after = {number: set(members) for number, members in before.items()}
    for line, row in pairs:
        if "teams" not in line.cells:
            continue
        wanted = set()
        for name in parted(line.cells["teams"]):
            if (number := by_name.get(fold(name))) is None:
                faults.append(Fault(line.number, "teams", f"There is no team “{name}”."))
            else:
                wanted.add(number)
        for number, members in after.items():
            (members.add if number in wanted else members.discard)(row.id)
    for number, members in after.items():
        if members != before[number] and not faults:
            administration.set_members(conn, number, sorted(members), actor.id)


def _difference(line: Line, what: str, old: Mapping[str, str] | None, new: Mapping[str, str]) -> Change | None:
    changes = {name: ((old or {}).get(name, ""), value) for name, value in new.items()}
    changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    return Change(line.number, what, old is None, changes) if changes else None


# ── owners ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def owners(conn: Connection) -> Iterator[dict[str, str]]:
    """Every customer who has an owner, as lines of the table."""
    c, i, e = customers.c, identities.c, employees.c
    statement = (
        sa.select(c.id, c.name, e.email)
        .join(employees, e.id == c.owner_id)
        .where(c.owner_id.is_not(None), c.merged_into.is_(None))
        .order_by(c.id)
        .limit(BATCH)
    )
    last = 0
    while rows := conn.execute(statement.where(c.id > last)).all():
        last = rows[-1].id
        first: dict[int, str] = {}
        faces = sa.select(i.customer_id, i.address).where(among(i.customer_id, [row.id for row in rows]))
        for number, address in conn.execute(faces.order_by(i.id)):
            first.setdefault(number, address)
        for row in rows:
            yield {"customer": str(row.id), "name": row.name, "address": first.get(row.id, ""), "owner": row.email}


def owner_lines(lines: Sequence[Line]) -> list[tuple[Line, int | str]]:
    """Each line with the id or the normalised address it is about. Blocking. Raises `Unusable`."""
    found: list[tuple[Line, int | str]] = []
    faults: list[Fault] = []
    for line in lines:
        column = "customer" if line.cells.get("customer") else "address"
        text = line.cells.get(column, "")
        if column == "customer" and text.isascii() and text.isdecimal() and len(text) < 19:
            found.append((line, int(text)))
            continue
        try:
            found.append((line, addresses.normal(text)))
        except ValueError as error:
            faults.append(Fault(line.number, column, str(error)))
    _refuse(faults)
    return found


def take_owners(
    conn: Connection, actor: Actor, lines: Sequence[tuple[Line, int | str]], *, dry: bool = False
) -> Outcome:
    """Give customers their owners as the lines say; an empty owner takes it away. A few statements for each owner.

    Raises `Forbidden`, `Unusable`; with ``dry`` `DryRun`.
    """
    require(actor, "routing")
    faults: list[Fault] = []
    homes = _customers_of(conn, lines)
    emails = {row.email: row.id for row in accounts.all_employees(conn) if row.disabled_at is None}
    wanted: dict[int, tuple[Line, int | None]] = {}
    for line, key in lines:
        number, email = homes.get(key), line.cells["owner"].lower()
        if number is None:
            faults.append(Fault(line.number, "customer", f"There is no customer “{key}”."))
        elif email and email not in emails:
            faults.append(Fault(line.number, "owner", f"There is no active employee “{email}”."))
        elif number in wanted and wanted[number][1] != emails.get(email):
            words = f"Line {wanted[number][0].number} gives the same customer to somebody else."
            faults.append(Fault(line.number, "customer", words))
        else:
            wanted.setdefault(number, (line, emails.get(email)))
    _refuse(faults)
    outcome = Outcome(len(lines), _give_owners(conn, actor, wanted))
    if dry:
        raise DryRun(outcome)
    return outcome


def _customers_of(conn: Connection, lines: Sequence[tuple[Line, int | str]]) -> dict[int | str, int]:
    """The customer behind each id and address; of merged ones the winner."""
    c = customers.c
    texts = sorted({key for _, key in lines if isinstance(key, str)})
    found: dict[int | str, int] = {address: known.id for address, known in identity.find(conn, texts).items()}
    found |= {key: key for _, key in lines if isinstance(key, int)}
    for _ in range(20):
        rows = conn.execute(sa.select(c.id, c.merged_into).where(among(c.id, sorted(set(found.values())))))
        into = {row.id: row.merged_into for row in rows}
        found = {key: into[number] or number for key, number in found.items() if number in into}
        if not any(into.values()):
            break
    return found


def _give_owners(conn: Connection, actor: Actor, wanted: Mapping[int, tuple[Line, int | None]]) -> tuple[Change, ...]:
    c = customers.c
    statement = sa.select(c.id, c.name, c.owner_id).where(among(c.id, sorted(wanted))).order_by(c.id)
    if is_postgres(conn):
        statement = statement.with_for_update(key_share=True)
    emails = {row.id: row.email for row in accounts.all_employees(conn)}
    by_owner: dict[int | None, list[int]] = {}
    changes = []
    for row in conn.execute(statement).all():
        line, owner = wanted[row.id]
        if row.owner_id != owner:
            by_owner.setdefault(owner, []).append(row.id)
            pair = (emails.get(row.owner_id, ""), emails.get(owner or 0, ""))
            changes.append(Change(line.number, f"{row.id} {row.name}".strip(), False, {"owner": pair}))
    for owner, numbers in by_owner.items():
        conn.execute(sa.update(customers).where(among(c.id, numbers)).values(owner_id=owner))
    told = sorted(number for numbers in by_owner.values() for number in numbers)
    data = {"changed": ["owner_id"]}
    events.append(conn, [NewEvent("customer.changed", customer_id=n, actor_id=actor.id, data=data) for n in told])
    return tuple(sorted(changes, key=lambda change: change.line))
