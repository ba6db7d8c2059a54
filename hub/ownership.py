"""Who looks after which customer, as a table (see `hub.sheets`): written out whole, taken in as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, addresses, events, identity
from hub.access import Actor, require
from hub.events import NewEvent
from hub.sheets import Change, DryRun, Fault, Line, Outcome, refuse
from hub.sql import among, is_postgres
from hub.tables import customers, employees, identities

#: The columns of the table; the first one (an id or an address) says whom a line is about, or else ``address``.
COLUMNS = ("customer", "name", "address", "owner")
#: The most lines.
MOST = 20_000
#: Customers read at once.
BATCH = 2000


def listing(conn: Connection) -> Iterator[dict[str, str]]:
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


def about(lines: Sequence[Line]) -> list[tuple[Line, int | str]]:
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
    refuse(faults)
    return found


def take(conn: Connection, actor: Actor, lines: Sequence[tuple[Line, int | str]], *, dry: bool = False) -> Outcome:
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
    refuse(faults)
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
