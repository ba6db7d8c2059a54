"""A draft of the table of questions: changed at leisure, tried on past traffic, then put into force in one go, or thrown away.

There is one for the house, so that team leads work on the same. New rules have negative ids until they are in force.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import directory, rulebook, rulechecks
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Rule
from hub.sql import hold
from hub.tables import facts

NAME = "routing.draft"

_write = sa.text(
    "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
)


class Draft(Struct, frozen=True):
    """The table as it might be, and the one in force when the draft began."""

    rules: tuple[Rule, ...]
    base: tuple[Rule, ...]
    actor_id: int | None = None
    changed_at: int = 0


def one(conn: Connection) -> Draft | None:
    """The draft, if there is one."""
    stored = conn.execute(sa.select(facts.c.value).where(facts.c.name == NAME)).scalar()
    return msgspec.json.decode(stored, type=Draft) if stored else None


def begin(conn: Connection, actor_id: int | None = None) -> Draft:
    """Begin one as a copy of the table in force; the one there is when somebody was faster."""
    hold(conn, "directory")
    if (known := one(conn)) is not None:
        return known
    table = rulebook.questions(conn)
    return _save(conn, Draft(table, table), actor_id)


def discard(conn: Connection) -> None:
    """Throw it away."""
    conn.execute(sa.delete(facts).where(facts.c.name == NAME))


def put(conn: Connection, rule: Rule, actor_id: int | None = None) -> int:
    """Write a line into the draft: a new one (id 0) before the question "last", else in its place; its id. Raises `Invalid`."""
    draft = begin(conn, actor_id)
    d = directory.current(conn)
    if rule.id == 0:
        made = structs.replace(rulechecks.checked(d, rule), id=min([0, *(r.id for r in draft.rules)]) - 1)
        place = next((n for n, line in enumerate(draft.rules) if line.kind == "last"), len(draft.rules))
        rules = (*draft.rules[:place], made, *draft.rules[place:])
    else:
        old = next((line for line in draft.rules if line.id == rule.id), None)
        if old is None:
            raise Invalid("This line is not in the draft any more.")
        if old.kind != "rule":
            rulechecks.check_built_in(old, rule)
        made = rule if structs.replace(rule, enabled=old.enabled) == old else rulechecks.checked(d, rule)
        rules = tuple(made if line.id == rule.id else line for line in draft.rules)
    _save(conn, structs.replace(draft, rules=rulebook.check_table(d, rules, draft.rules)), actor_id)
    return made.id


def move(conn: Connection, number: int, position: int, actor_id: int | None = None) -> None:
    """Put a line at a position (from 1), the others make room."""
    draft = begin(conn, actor_id)
    line = next((line for line in draft.rules if line.id == number), None)
    if line is not None:
        others = [other for other in draft.rules if other.id != number]
        others.insert(position - 1, line)
        _save(conn, structs.replace(draft, rules=tuple(others)), actor_id)


def remove(conn: Connection, number: int, actor_id: int | None = None) -> None:
    """Take a rule out of the draft. Raises `Invalid` for a question that is built in."""
    draft = begin(conn, actor_id)
    line = next((line for line in draft.rules if line.id == number), None)
    if line is not None and line.kind != "rule":
        raise Invalid("This question is built in: it can be moved and switched off, but not removed.")
    _save(conn, structs.replace(draft, rules=tuple(r for r in draft.rules if r.id != number)), actor_id)


def publish(conn: Connection, actor_id: int | None = None) -> None:
    """Put the draft into force and forget it. Raises `Invalid` when there is none, or the table was changed since it began."""
    hold(conn, "directory")
    draft = one(conn)
    if draft is None:
        raise Invalid("There is no draft any more.")
    now_in_force = rulebook.questions(conn)
    if now_in_force != draft.base:
        raise Invalid(
            "The table in force was changed since this draft began. Throw the draft away and begin a new one."
        )
    wanted = {line.id: line for line in draft.rules}
    for old in now_in_force:
        new = wanted.get(old.id)
        if new is None:
            rulebook.remove(conn, old.id, actor_id)
        elif new != old:
            given = {
                n: getattr(new, n)
                for n in ("name", "enabled", "conditions", "target")
                if getattr(new, n) != getattr(old, n)
            }
            rulebook.change(conn, old.id, given, None, actor_id)
    rulebook.arrange(conn, _made(conn, draft.rules, actor_id), actor_id)
    discard(conn)


def _made(conn: Connection, rules: Sequence[Rule], actor_id: int | None) -> list[int]:
    """The ids of the lines in their order; those that are new are made."""
    return [
        rule.id
        if rule.id > 0
        else rulebook.add(conn, rule.name, rule.conditions, rule.target, enabled=rule.enabled, actor_id=actor_id)
        for rule in rules
    ]


def _save(conn: Connection, draft: Draft, actor_id: int | None) -> Draft:
    kept = structs.replace(draft, actor_id=actor_id, changed_at=now())
    conn.execute(_write, {"name": NAME, "value": msgspec.json.encode(kept).decode()})
    return kept
