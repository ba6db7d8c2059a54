"""Tasks, consents and orders of a customer, written down: by people on their page, or by programs through the API."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import customers, directory, events
from hub.access import Actor, access_conversation, access_customer, require
from hub.clock import now
from hub.consents import State
from hub.customers import Impossible
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.sql import allocate, among
from hub.tables import consents, employees, orders, todos
from hub.tables import customers as people
from hub.text import clean_line

#: Open tasks of a customer and of an employee, tasks done lately and orders that are shown.
OPEN, MINE, DONE, ORDERS = 20, 200, 3, 5
#: The furthest moment that is kept (the year 9999).
LATEST = 253_402_300_799_000

_t, _o = todos.c, orders.c


class Todo(Struct, frozen=True):
    """Something to be done for a customer: until when (the end of a day, ms), by whom (0: nobody yet)."""

    id: int
    text: str
    due_at: int | None
    person_id: int
    person: str
    customer_id: int
    customer: str
    conversation_id: int
    created_at: int
    done_at: int | None


class Order(Struct, frozen=True):
    """What a shop says of an order; ``amount`` in the smallest unit of the currency (cents)."""

    id: int
    number: str
    at: int
    amount: int
    currency: str
    state: str
    url: str


# ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _todos(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(
            _t.id, _t.text, _t.due_at, _t.person_id, employees.c.name.label("person"), _t.customer_id,
            people.c.name.label("customer"), _t.conversation_id, _t.created_at, _t.done_at,
        )
        .join(people, people.c.id == _t.customer_id)
        .outerjoin(employees, employees.c.id == _t.person_id)
        .where(*which)
    )  # fmt: skip


def _read(conn: Connection, statement: sa.Select[Any], **values: int) -> list[Todo]:
    return [
        Todo(
            row.id, row.text, row.due_at, row.person_id or 0, row.person or "", row.customer_id, row.customer,
            row.conversation_id or 0, row.created_at, row.done_at,
        )
        for row in conn.execute(statement, values)
    ]  # fmt: skip


_todos_of = (
    _todos(_t.customer_id == sa.bindparam("customer"))
    .order_by(_t.done_at.is_not(None), _t.done_at.desc(), _t.due_at.is_(None), _t.due_at, _t.id)
    .limit(OPEN + DONE)
)


def todos_of(conn: Connection, customer_id: int) -> list[Todo]:
    """The open tasks of a customer, what is due first, then those done last. The caller has checked who may see the customer."""
    found = _read(conn, _todos_of, customer=customer_id)
    open_ones = [each for each in found if each.done_at is None]
    return [*open_ones[:OPEN], *found[len(open_ones) :][:DONE]]


def some_todos(conn: Connection, ids: list[int]) -> dict[int, Todo]:
    """Tasks by id, those that are still there. The caller has checked who may see their customers. One statement."""
    return {found.id: found for found in _read(conn, _todos(among(_t.id, ids)))} if ids else {}


def my_todos(conn: Connection, actor: Actor) -> list[Todo]:
    """The actor's own open tasks, what is due first."""
    mine = _todos(_t.person_id == actor.id, _t.done_at.is_(None))
    return _read(conn, mine.order_by(_t.due_at.is_(None), _t.due_at, _t.id).limit(MINE))


def todo(conn: Connection, actor: Actor, number: int) -> Todo:
    """One task. Raises `NotFound`; their own tasks everybody sees."""
    found = _read(conn, _todos(_t.id == number))
    if not found or (found[0].person_id != actor.id and access_customer(conn, actor, found[0].customer_id) is None):
        raise NotFound
    return found[0]


def add_todo(
    conn: Connection,
    actor: Actor,
    customer_id: int,
    text: str,
    due_at: int | None = None,
    person_id: int | None = None,
    conversation_id: int | None = None,
) -> int:
    """Note a task; its id. Raises `NotFound`, `access.Forbidden`, `Impossible`."""
    require(actor, "note")
    (number,) = customers.hold(conn, actor, customer_id)
    values = _checked(conn, text, due_at, person_id)
    home = access_conversation(conn, actor, conversation_id) if conversation_id else None
    if conversation_id and (home is None or home.customer_id != number):
        raise Impossible("This conversation is not the customer's.")
    fresh = allocate(conn, "people", 1)[0]
    row = {"id": fresh, "customer_id": number, "conversation_id": conversation_id, "author_id": actor.id}
    conn.execute(sa.insert(todos).values(**row, **values, created_at=now()))
    _tell(conn, actor, "customer.task", number, conversation_id, fresh, values)
    return fresh


def change_todo(
    conn: Connection,
    actor: Actor,
    number: int,
    *,
    text: str | UnsetType = UNSET,
    due_at: int | UnsetType | None = UNSET,
    person_id: int | UnsetType | None = UNSET,
    done: bool | UnsetType = UNSET,
) -> None:
    """Change what is given; ``done`` ticks it or opens it again. Raises `NotFound`, `access.Forbidden`, `Impossible`."""
    require(actor, "note")
    there = todo(conn, actor, number)
    values = _checked(
        conn,
        there.text if text is UNSET else text,
        there.due_at if due_at is UNSET else due_at,
        None if person_id is UNSET else person_id,
    )
    if person_id is UNSET:  # whose it is stays, even if they are not with the house any more
        values["person_id"] = there.person_id or None
    ticked = done is not UNSET and done != (there.done_at is not None)
    if ticked:
        values |= {"done_at": now() if done else None, "done_by": actor.id if done else None}
    conn.execute(sa.update(todos).where(_t.id == number).values(**values))
    if ticked:
        kind = "customer.task_done" if done else "customer.task_open"
        _tell(conn, actor, kind, there.customer_id, there.conversation_id or None, number, values)


def _checked(conn: Connection, text: str, due_at: int | None, person_id: int | None) -> dict[str, Any]:
    words = clean_line(text, 500)
    if not words:
        raise Impossible("A task needs words: what is to be done?")
    if due_at is not None and not 0 <= due_at <= LATEST:
        raise Impossible("This day is too far away.")
    known = directory.current(conn).employees.get(person_id) if person_id else None
    if person_id and (known is None or known.disabled):
        raise Impossible(f"There is no active employee {person_id}.")
    return {"text": words, "due_at": due_at, "person_id": person_id}


def _tell(
    conn: Connection, actor: Actor, kind: str, customer: int, home: int | None, number: int, values: dict[str, Any]
) -> None:
    data = {"task": str(number), "text": values["text"]}
    if values["due_at"] is not None:
        data["due_at"] = values["due_at"]
    if values["person_id"]:
        data["person"] = str(values["person_id"])
    events.append(conn, [NewEvent(kind, home, customer, actor_id=actor.id, data=data)])


# ── consents ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def consent(
    conn: Connection, actor: Actor, customer_id: int, kind: str, state: State, how: str, at: int | None = None
) -> int:
    """Write down that the customer agreed, or opted out of a kind of channel; its id.

    Raises `NotFound`, `access.Forbidden`, `Impossible`.
    """
    require(actor, "customers")
    (number,) = customers.hold(conn, actor, customer_id)
    kind, moment = clean_line(kind, 40), now() if at is None else at
    if not kind or not 0 <= moment <= LATEST:
        raise Impossible("Say which kind of channel, and when.")
    fresh = allocate(conn, "people", 1)[0]
    row = {"id": fresh, "customer_id": number, "kind": kind, "state": state, "employee_id": actor.id, "at": moment}
    conn.execute(sa.insert(consents).values(**row, how=clean_line(how, 300)))
    data = {"channel": kind, "state": state}
    events.append(conn, [NewEvent("customer.consent", customer_id=number, actor_id=actor.id, data=data)])
    return fresh


# ── orders ────────────────────────────────────────────────────────────────────────────────────────────────────────────
_orders_of = (
    sa.select(_o.id, _o.number, _o.at, _o.amount, _o.currency, _o.state, _o.url)
    .where(_o.customer_id == sa.bindparam("customer"))
    .order_by(_o.at.desc(), _o.id.desc())
    .limit(sa.bindparam("most"))
)


def orders_of(conn: Connection, customer_id: int, most: int = ORDERS) -> list[Order]:
    """The newest orders. The caller has checked who may see the customer."""
    return [Order(*row) for row in conn.execute(_orders_of, {"customer": customer_id, "most": most})]


def order(conn: Connection, actor: Actor, customer_id: int, given: Order) -> int:
    """Keep what is known of an order now, by its number; its id. Raises `NotFound`, `access.Forbidden`, `Impossible`."""
    require(actor, "customers")
    (number,) = customers.hold(conn, actor, customer_id)
    name = clean_line(given.number, 100)
    if not name or not 0 <= given.at <= LATEST:
        raise Impossible("An order needs a number and a day.")
    if given.url and not given.url.startswith(("https://", "http://")):
        raise Impossible("“url”: write the whole address, with https:// in front.")
    values = {
        "at": given.at, "amount": given.amount, "currency": clean_line(given.currency, 3).upper(),
        "state": clean_line(given.state, 60), "url": clean_line(given.url, 2000), "changed_at": now(),
    }  # fmt: skip
    known = sa.select(_o.id).where(_o.customer_id == number, _o.number == name)
    there: int | None = conn.execute(known).scalar()
    if there is not None:
        conn.execute(sa.update(orders).where(_o.id == there).values(**values))
        return there
    fresh = allocate(conn, "people", 1)[0]
    conn.execute(sa.insert(orders).values(id=fresh, customer_id=number, number=name, **values))
    return fresh


def remove_order(conn: Connection, actor: Actor, customer_id: int, order_id: int) -> None:
    """The order is forgotten. Raises `NotFound`, `access.Forbidden`."""
    require(actor, "customers")
    (number,) = customers.hold(conn, actor, customer_id)
    if not conn.execute(sa.delete(orders).where(_o.id == order_id, _o.customer_id == number)).rowcount:
        raise NotFound
