"""What supervisors set up: business hours and service levels. Every change writes its event and tells the directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import directory, events, hours
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Conditions
from hub.events import NewEvent
from hub.hours import Hours
from hub.sql import allocate, hold
from hub.tables import channels, sla_clocks, sla_policies, teams
from hub.tables import hours as table
from hub.text import by_name, clean_line

#: So many clocks of a policy go in one transaction.
BATCH = 2000
#: What a service level may ask for: what is known of a conversation as long as it lasts.
ASKED = ("kinds", "channels", "teams", "priorities", "attributes")


class InUse(Invalid):
    """It cannot be removed while something depends on it; the text says what."""


def _told(conn: Connection, kind: str, actor_id: int | None, **data: object) -> None:
    events.append(conn, [NewEvent(kind, actor_id=actor_id, data=data)])


def _packed(value: object) -> str:
    return msgspec.json.encode(value).decode()


# ── hours ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def all_hours(conn: Connection) -> list[Hours]:
    """All business hours by name."""
    return sorted((hours.read(row) for row in conn.execute(sa.select(table))), key=lambda h: (by_name(h.name), h.id))


def one_hours(conn: Connection, number: int) -> Hours | None:
    """Business hours by id."""
    row = conn.execute(sa.select(table).where(table.c.id == number)).first()
    return hours.read(row) if row else None


def add_hours(
    conn: Connection,
    name: str,
    zone: str,
    region: str,
    week: Mapping[str, Sequence[str]],
    exceptions: Mapping[str, Sequence[str]],
    actor_id: int | None = None,
) -> int:
    """Make business hours; their id. Raises `Invalid`."""
    made = _checked(0, name, zone, region, week, exceptions)
    number = allocate(conn, "people", 1)[0]
    conn.execute(sa.insert(table).values(id=number, created_at=now(), **_hours_row(made)))
    directory.bump(conn)
    _told(conn, "hours.added", actor_id, hours=str(number), name=made.name)
    return number


def change_hours(conn: Connection, number: int, changes: Mapping[str, Any], actor_id: int | None = None) -> bool:
    """Change what is given of name, zone, region, week, exceptions; False when there are none. Raises `Invalid`.

    What is already due stays due: the new hours count for what begins or goes on from now on.
    """
    old = one_hours(conn, number)
    if old is None:
        return False
    given = {
        "name": old.name,
        "zone": old.zone,
        "region": old.region,
        "week": hours.week_form(old),
        "exceptions": hours.exceptions_form(old),
    }
    changed = _checked(number, **(given | dict(changes)))
    conn.execute(sa.update(table).where(table.c.id == number).values(**_hours_row(changed)))
    directory.bump(conn)
    _told(conn, "hours.changed", actor_id, hours=str(number), changed=sorted(changes))
    return True


def _checked(
    number: int,
    name: str,
    zone: str,
    region: str,
    week: Mapping[str, Sequence[str]],
    exceptions: Mapping[str, Sequence[str]],
) -> Hours:
    if not (name := clean_line(name, 120)):
        raise Invalid("“name”: business hours need a name.")
    try:
        return hours.parse(number, name, zone, region, week, exceptions)
    except ValueError as error:
        raise Invalid(str(error)) from error


def _hours_row(given: Hours) -> dict[str, Any]:
    return {
        "name": given.name,
        "zone": given.zone,
        "region": given.region,
        "week": _packed(hours.week_form(given)),
        "exceptions": _packed(hours.exceptions_form(given)),
    }


def remove_hours(conn: Connection, number: int, actor_id: int | None = None) -> bool:
    """Remove business hours; False when there are none. Raises `InUse` while a channel, team, service level or rule has them."""
    if conn.execute(sa.select(table.c.id).where(table.c.id == number)).first() is None:
        return False
    if users := _users(conn, number):
        raise InUse(f"These business hours are in use: {', '.join(users)}. Give them other hours first.")
    directory.bump(conn)
    _told(conn, "hours.removed", actor_id, hours=str(number))
    removed = sa.update(channels).where(channels.c.hours_id == number, channels.c.removed_at.is_not(None))
    conn.execute(removed.values(hours_id=None))
    conn.execute(sa.update(sla_clocks).where(sla_clocks.c.hours_id == number).values(hours_id=None))
    conn.execute(sa.delete(table).where(table.c.id == number))
    return True


def _users(conn: Connection, number: int) -> list[str]:
    """Who has these hours, in words."""
    c, t, p = channels.c, teams.c, sla_policies.c
    found = []
    for what, statement in (
        ("channel", sa.select(c.name).where(c.hours_id == number, c.removed_at.is_(None)).order_by(c.name)),
        ("team", sa.select(t.name).where(t.hours_id == number).order_by(t.name)),
        ("service level", sa.select(p.name).where(p.hours_id == number).order_by(p.name)),
    ):
        found += [f"{what} “{name}”" for name in conn.execute(statement.limit(5)).scalars()]
    rules = [rule.name for rule in directory.rules(conn) if rule.conditions.hours == str(number)]
    return found + [f"rule “{name}”" for name in rules[:5]]


# ── service levels ────────────────────────────────────────────────────────────────────────────────────────────────────
def all_policies(conn: Connection) -> list[Any]:
    """The rows of all service levels in their order."""
    p = sla_policies.c
    return list(conn.execute(sa.select(sla_policies).order_by(p.position, p.id)).all())


def add_policy(conn: Connection, given: Mapping[str, Any], position: int | None, actor_id: int | None = None) -> int:
    """Make a service level of columns of `sla_policies` (conditions as `Conditions`); its id. Raises `Invalid`.

    It counts for what begins from now on. ``position`` from 1; None: the last.
    """
    number = allocate(conn, "people", 1)[0]
    directory.bump(conn)  # also keeps two who arrange them apart
    values = _policy_row(conn, given)
    _promises_something(values)
    conn.execute(sa.insert(sla_policies).values(id=number, position=0, created_at=now(), **values))
    _arrange(conn, number, position)
    _told(conn, "sla_policy.added", actor_id, policy=str(number), name=values["name"])
    return number


def change_policy(
    conn: Connection, number: int, given: Mapping[str, Any], position: int | None, actor_id: int | None = None
) -> bool:
    """Change what is given; False when there is no such service level. Raises `Invalid`.

    Clocks that run keep the time they were given; those of a disabled one are withdrawn.
    """
    directory.bump(conn)
    p = sla_policies.c
    old = conn.execute(sa.select(sla_policies).where(p.id == number)).first()
    if old is None:
        return False
    values = _policy_row(conn, given)
    _promises_something(dict(old._mapping) | values)
    if values:
        conn.execute(sa.update(sla_policies).where(p.id == number).values(**values))
    if position is not None:
        _arrange(conn, number, position)
    changed = sorted([*values, *(["position"] if position is not None else [])])
    _told(conn, "sla_policy.changed", actor_id, policy=str(number), changed=changed)
    if old.enabled and values.get("enabled") is False:
        k = sla_clocks.c
        conn.execute(sa.delete(sla_clocks).where(k.policy_id == number, k.met_at.is_(None)))
    return True


def withdraw(conn: Connection, number: int) -> int:
    """Forget up to `BATCH` clocks of a service level; how many there were. Before `remove_policy`, until there are none."""
    hold(conn, "ids")
    k = sla_clocks.c
    some = sa.select(k.conversation_id, k.target).where(k.policy_id == number).limit(BATCH)
    gone = sa.delete(sla_clocks).where(sa.tuple_(k.conversation_id, k.target).in_(some))
    return conn.execute(gone).rowcount


def remove_policy(conn: Connection, number: int, actor_id: int | None = None) -> bool:
    """Remove a service level with the last of its clocks; False when there is none."""
    directory.bump(conn)
    withdraw(conn, number)
    if not conn.execute(sa.delete(sla_policies).where(sla_policies.c.id == number)).rowcount:
        return False
    _told(conn, "sla_policy.removed", actor_id, policy=str(number))
    return True


def _arrange(conn: Connection, number: int, position: int | None) -> None:
    """Put one at its place (from 1) and number all anew."""
    others = [row.id for row in all_policies(conn) if row.id != number]
    place = len(others) if position is None else position - 1
    ordered = [*others[:place], number, *others[place:]]
    renumber = sa.text("UPDATE sla_policies SET position = :position WHERE id = :id")
    conn.execute(renumber, [{"position": n, "id": policy} for n, policy in enumerate(ordered, 1)])


def _policy_row(conn: Connection, given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    if "name" in values and not (name := clean_line(values["name"], 120)):
        raise Invalid("“name”: a service level needs a name.")
    if "name" in values:
        values["name"] = name
    if "conditions" in values:
        values["conditions"] = _packed(_usable(values["conditions"]))
    hours_id = values.get("hours_id")
    if hours_id is not None and conn.execute(sa.select(table.c.id).where(table.c.id == hours_id)).first() is None:
        raise Invalid(f"“hours”: there are no business hours {hours_id}.")
    return values


def _usable(conditions: Conditions) -> Conditions:
    """The conditions themselves. Raises `Invalid` when they ask for what is known only while a message arrives."""
    usual = Conditions()
    for name in Conditions.__struct_fields__:
        if name not in ASKED and getattr(conditions, name) != getattr(usual, name):
            raise Invalid(f"“conditions.{name}”: a service level can only ask for {', '.join(ASKED)}.")
    return conditions


def _promises_something(values: Mapping[str, Any]) -> None:
    if not any(values.get(f"{target}_minutes") for target in ("first", "next", "resolution")):
        raise Invalid("A service level promises something: set first_minutes, next_minutes or resolution_minutes.")
