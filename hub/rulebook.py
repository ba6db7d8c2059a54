"""The table of questions as team leads edit it. Every change is checked, told as an event, and heard of by every process.

Six questions are built in, one line each: they can be moved and switched off, the fallback's target can be set, and they stay.
Lines of the kind ``rule`` are the house's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import adapter, directory, events, rulechecks
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import WEIGHTS, Conditions, Directory, Rule, Settings, Target
from hub.events import NewEvent
from hub.rulechecks import MOST_RULES
from hub.sql import allocate, hold
from hub.tables import routing_rules
from hub.text import clean_line

#: Positions are numbered in such steps.
STEP = 1000
#: The most that a person may carry, and the most that one conversation may weigh.
MOST_CAPACITY, MOST_WEIGHT = 10_000, 1000

_place = sa.text("UPDATE routing_rules SET position = :position WHERE id = :id")
_write_fact = sa.text(
    "INSERT INTO facts (name, value) VALUES ('routing', :value) ON CONFLICT (name) DO UPDATE SET value = :value"
)


def questions(conn: Connection) -> tuple[Rule, ...]:
    """The table in its order."""
    return directory.rules(conn)


def add(
    conn: Connection,
    name: str,
    conditions: Conditions,
    target: Target,
    *,
    enabled: bool = True,
    position: int | None = None,
    actor_id: int | None = None,
) -> int:
    """Make a rule; its id. ``position`` counts from 1 in the whole table; None: before the question "last". Raises `Invalid`."""
    d = _held(conn)
    table = questions(conn)
    if sum(rule.kind == "rule" for rule in table) >= MOST_RULES:
        raise Invalid(f"There are {MOST_RULES} rules already; remove one first.")
    made = rulechecks.checked(d, Rule(0, "rule", name, enabled, conditions, target))
    number = allocate(conn, "rules", 1)[0]
    conn.execute(sa.insert(routing_rules).values(id=number, position=0, created_at=now(), kind="rule", **_row(made)))
    order = [rule.id for rule in table]
    before_last = next((n for n, rule in enumerate(table) if rule.kind == "last"), len(order))
    order.insert(before_last if position is None else position - 1, number)
    _number(conn, order)
    _told(conn, "added", actor_id, structs.replace(made, id=number), None)
    return number


def change(
    conn: Connection, number: int, given: Mapping[str, Any], position: int | None = None, actor_id: int | None = None
) -> bool:
    """Change what is given of name, enabled, conditions, target, and move it; False when there is no such line. Raises `Invalid`."""
    d = _held(conn)
    table = questions(conn)
    old = next((rule for rule in table if rule.id == number), None)
    if old is None:
        return False
    new = structs.replace(old, **given)
    if old.kind != "rule":
        rulechecks.check_built_in(old, new)
    if "conditions" in given or "target" in given or "name" in given:
        new = rulechecks.checked(d, new, anew=given)
    if new != old:
        conn.execute(sa.update(routing_rules).where(routing_rules.c.id == number).values(**_row(new)))
    if position is not None:
        order = [rule.id for rule in table if rule.id != number]
        order.insert(position - 1, number)
        _number(conn, order)
    if new != old or position is not None:
        _told(conn, "changed" if new != old else "moved", actor_id, new, old)
    return True


def remove(conn: Connection, number: int, actor_id: int | None = None) -> bool:
    """Remove a rule; False when there is none. Raises `Invalid` for a question that is built in."""
    _held(conn)
    old = next((rule for rule in questions(conn) if rule.id == number), None)
    if old is None:
        return False
    if old.kind != "rule":
        raise Invalid("This question is built in: it can be moved and switched off, but not removed.")
    conn.execute(sa.delete(routing_rules).where(routing_rules.c.id == number))
    _told(conn, "removed", actor_id, None, old)
    return True


def arrange(conn: Connection, ids: Sequence[int], actor_id: int | None = None) -> None:
    """Put the whole table into this order. Raises `Invalid` unless every line is named exactly once."""
    _held(conn)
    order = [rule.id for rule in questions(conn)]
    if len(set(ids)) < len(ids):
        raise Invalid("“ids”: a line is named twice; name every line exactly once.")
    if wrong := sorted(set(ids) - set(order)):
        raise Invalid(f"“ids”: there is no line {wrong[0]}; name every line of the table exactly once.")
    if missing := sorted(set(order) - set(ids)):
        raise Invalid(f"“ids”: line {missing[0]} is missing; name every line of the table exactly once.")
    if list(ids) == order:
        return
    _number(conn, ids)
    directory.bump(conn)
    data = {"what": "ordered", "before": [str(n) for n in order], "after": [str(n) for n in ids]}
    events.append(conn, [NewEvent("routing.changed", actor_id=actor_id, data=data)])


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def settings(conn: Connection) -> Settings:
    """Usual capacity, and weights by kind of channel."""
    return directory.current(conn).settings


def set_settings(conn: Connection, given: Settings, actor_id: int | None = None) -> None:
    """Replace the settings. Raises `Invalid`."""
    before = _held(conn).settings
    check_settings(given)
    if given == before:
        return
    conn.execute(_write_fact, {"value": msgspec.json.encode(given).decode()})
    directory.bump(conn)
    data = {"what": "settings", "before": msgspec.to_builtins(before), "after": msgspec.to_builtins(given)}
    events.append(conn, [NewEvent("routing.changed", actor_id=actor_id, data=data)])


def check_settings(given: Settings) -> None:
    """Raises `Invalid` with one sentence when the settings cannot be."""
    if not 1 <= given.capacity <= MOST_CAPACITY:
        raise Invalid(f"“capacity”: a person carries 1 to {MOST_CAPACITY}.")
    known = sorted({*adapter.kinds(), *WEIGHTS})
    for kind, weight in given.weights.items():
        if kind not in known:
            raise Invalid(
                f"“weights”: there is no kind of channel “{clean_line(kind, 40)}”; there are {', '.join(known)}."
            )
        if not 0 <= weight <= MOST_WEIGHT:
            raise Invalid(f"“weights.{kind}”: a conversation weighs 0 to {MOST_WEIGHT}.")


# ── a whole table ─────────────────────────────────────────────────────────────────────────────────────────────────────
def check_table(d: Directory, table: Sequence[Rule], known: Collection[Rule] = ()) -> tuple[Rule, ...]:
    """A whole table as it might be: each line checked, unless it is one of those that are ``known``. Raises `Invalid`."""
    if sum(rule.kind == "rule" for rule in table) > MOST_RULES:
        raise Invalid(f"“rules”: at most {MOST_RULES} rules.")
    built_in = [rule.kind for rule in table if rule.kind != "rule"]
    if twice := next((kind for kind in built_in if built_in.count(kind) > 1), None):
        raise Invalid(f"“rules”: the question “{twice}” stands there twice.")
    said = [_said(rule) for rule in known]
    return tuple(rule if _said(rule) in said else _line(d, rule) for rule in table)


def _said(rule: Rule) -> tuple[object, ...]:
    return rule.kind, rule.name, rule.conditions, rule.target


def _line(d: Directory, rule: Rule) -> Rule:
    if rule.kind != "rule":
        rulechecks.check_built_in(Rule(rule.id, rule.kind), rule)
    return rulechecks.checked(d, rule)


# ── how it is written ─────────────────────────────────────────────────────────────────────────────────────────────────
def _held(conn: Connection) -> Directory:
    """The directory, with nobody else changing it until the commit."""
    hold(conn, "directory")
    return directory.current(conn)


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "conditions": _packed(rule.conditions),
        "target": _packed(rule.target),
    }


def _packed(value: Conditions | Target) -> str:
    text = msgspec.json.encode(value).decode()
    return "" if text == "{}" else text


def _number(conn: Connection, order: Sequence[int]) -> None:
    conn.execute(_place, [{"position": n * STEP, "id": number} for n, number in enumerate(order, 1)])


def _told(conn: Connection, what: str, actor_id: int | None, after: Rule | None, before: Rule | None) -> None:
    """Tell every process, and write down who did what."""
    directory.bump(conn)
    rule = after or before
    assert rule is not None
    data = {"what": what, "rule": str(rule.id), "kind": rule.kind, "name": rule.name}
    for key, line in (("before", before), ("after", after)):
        if line is not None and what != "moved":
            data[key] = msgspec.to_builtins(line)
    events.append(conn, [NewEvent("routing.changed", actor_id=actor_id, data=data)])
