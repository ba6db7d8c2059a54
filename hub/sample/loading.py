"""Putting the sample into a house, in one transaction, and knowing afterwards what was put there."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import directory, events
from hub.accounts import Invalid
from hub.clock import now
from hub.events import NewEvent
from hub.sample.house import found
from hub.sample.plan import plan
from hub.sample.words import STAFF
from hub.sample.writing import Writer, names_of
from hub.secretbox import SecretBox
from hub.sql import hold, insert_rows
from hub.tables import employees, samples


def loaded(conn: Connection) -> bool:
    """Is the sample in this house?"""
    return conn.execute(sa.select(samples.c.id).limit(1)).first() is not None


def made_up(conn: Connection, employee_id: int) -> bool:
    """Is this employee part of the sample?"""
    mine = sa.select(samples.c.id).where(samples.c.kind == "employees", samples.c.id == employee_id)
    return conn.execute(mine).first() is not None


def load(
    conn: Connection,
    box: SecretBox,
    *,
    seed: int = 1,
    language: str = "en",
    me: int | None = None,
    password_hash: str | None = None,
) -> None:
    """Put the sample into the house. Raises `Invalid` when it is there already.

    ``me`` is the employee who wants to look around: some of the conversations are theirs (None: they are Anna Becker's).
    ``password_hash``: how the sample's colleagues sign in; without it they are only names.
    """
    for counter in ("people", "conversations", "ids"):  # in the house's order, for this takes them in its own
        hold(conn, counter)
    if loaded(conn):
        raise Invalid("The sample is here already.")
    firm = found(conn, box, language, password_hash, me)
    firm.people["me"] = me if me is not None else firm.people["anna"]
    name = conn.execute(sa.select(employees.c.name).where(employees.c.id == firm.people["me"])).scalar_one()
    marks = Writer(firm, plan(seed, now()), names_of(name)).write(conn)
    insert_rows(conn, samples, [{"kind": kind, "id": number} for kind, number in (*firm.marks, *marks)])
    directory.bump(conn)
    events.append(conn, [NewEvent("sample.loaded", actor_id=me)])


def colleagues(conn: Connection) -> dict[str, int]:
    """The sample's colleagues by key."""
    mine = sa.select(samples.c.id).where(samples.c.kind == "employees")
    rows = conn.execute(sa.select(employees.c.email, employees.c.id).where(employees.c.id.in_(mine))).all()
    ids = {row.email: row.id for row in rows}
    return {c.key: ids[c.email] for c in STAFF if c.email in ids}
