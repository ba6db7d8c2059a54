"""Tasks of customers, what they agreed to, and their orders: for programs that know of them, such as a shop."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from hub import caring, consents, customers
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import parse_time, rfc3339
from hub.http import Problem

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Moment = Annotated[str, Meta(max_length=40, description="RFC 3339, such as 2026-11-24T09:00:00Z")]


class Task(Struct, frozen=True):
    """Something to be done for a customer: until when, by whom."""

    id: str
    customer: str
    conversation: str | None
    text: str
    due_at: str | None
    person: str | None
    created_at: str | None
    done_at: str | None


class NewTask(Struct, forbid_unknown_fields=True):
    """``conversation``: where it was noted, whose timeline tells of it."""

    text: Text
    due_at: Moment | None = None
    person: Id | None = None
    conversation: Id | None = None
    client_id: ClientId | None = None


class TaskChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes; ``done`` ticks it or opens it again."""

    text: Text | UnsetType = UNSET
    due_at: Moment | UnsetType | None = UNSET
    person: Id | UnsetType | None = UNSET
    done: bool | UnsetType = UNSET


class Consent(Struct, frozen=True):
    """What counts for a kind of channel (email, sms …): ``state`` is "in" or "out", ``how`` says how one knows."""

    kind: str
    state: Literal["in", "out"]
    how: str
    by: str
    at: str | None


class NewConsent(Struct, forbid_unknown_fields=True):
    """``at``: when they said so; now, where it is left out."""

    kind: Annotated[str, Meta(min_length=1, max_length=40)]
    state: Literal["in", "out"]
    how: Line = ""
    at: Moment | None = None


class Order(Struct, frozen=True):
    """``amount`` is in the smallest unit of the currency (cents)."""

    id: str
    number: str
    at: str | None
    amount: int
    currency: str
    state: str
    url: str


class NewOrder(Struct, forbid_unknown_fields=True):
    """What is known of an order now; the same ``number`` again replaces it."""

    number: Annotated[str, Meta(min_length=1, max_length=100)]
    at: Moment
    amount: Annotated[int, Meta(ge=-(2**53), le=2**53)] = 0
    currency: Annotated[str, Meta(max_length=3)] = ""
    state: Annotated[str, Meta(max_length=60)] = ""
    url: Annotated[str, Meta(max_length=2000)] = ""


def _task(row: caring.Todo) -> Task:
    return Task(
        str(row.id), str(row.customer_id), name(row.conversation_id or None), row.text, rfc3339(row.due_at),
        name(row.person_id or None), rfc3339(row.created_at), rfc3339(row.done_at),
    )  # fmt: skip


def _moment(text: str, field: str) -> int:
    found = parse_time(text)
    if found is None:
        raise Problem(422, f"“{field}”: write it like 2026-11-24T09:00:00Z.", field=field)
    return found


@route("GET", "/tasks")
async def my_tasks(call: Call) -> Page[Task]:
    """One's own open tasks, what is due first."""
    return Page([_task(row) for row in await call.read(caring.my_todos, call.actor)])


@route("PATCH", "/tasks/{id}")
async def change_task(call: Call, id: int, body: TaskChange) -> Task:
    """Change a task, or tick it."""
    due = _moment(body.due_at, "due_at") if isinstance(body.due_at, str) else body.due_at
    person = int(body.person) if isinstance(body.person, str) else body.person
    values = {"text": body.text, "due_at": due, "person_id": person, "done": body.done}
    await call.write(lambda conn: caring.change_todo(conn, call.actor, id, **values))  # type: ignore[arg-type]
    return _task(await call.read(caring.todo, call.actor, id))


@route("GET", "/customers/{id}/tasks")
async def list_tasks(call: Call, id: int) -> Page[Task]:
    """The customer's open tasks, what is due first, and what was done last."""
    row = await call.read(customers.one, call.actor, id)
    return Page([_task(each) for each in await call.read(caring.todos_of, row.id)])


@route("POST", "/customers/{id}/tasks")
async def add_task(call: Call, id: int, body: NewTask) -> Made[Task]:
    """Note a task."""
    number, fresh = await made_once(
        call,
        client_id(call, body.client_id),
        caring.add_todo,
        call.actor,
        id,
        body.text,
        _moment(body.due_at, "due_at") if body.due_at else None,
        int(body.person) if body.person else None,
        int(body.conversation) if body.conversation else None,
    )
    return Made(_task(await call.read(caring.todo, call.actor, number)), fresh)


@route("GET", "/customers/{id}/consents")
async def list_consents(call: Call, id: int) -> Page[Consent]:
    """What counts now, by kind of channel; where nothing was said one may write."""
    row = await call.read(customers.one, call.actor, id)
    found = await call.read(consents.of_customer, row.id)
    return Page([Consent(c.kind, c.state, c.how, c.by, rfc3339(c.at)) for c in found])


@route("POST", "/customers/{id}/consents")
async def add_consent(call: Call, id: int, body: NewConsent) -> Page[Consent]:
    """Write down that they agreed, or opted out; nothing is sent to them by such a channel then. The answer is what counts now."""
    at = _moment(body.at, "at") if body.at else None
    await call.write(caring.consent, call.actor, id, body.kind, body.state, body.how, at)
    return await list_consents(call, id)


@route("GET", "/customers/{id}/orders")
async def list_orders(call: Call, id: int) -> Page[Order]:
    """The newest fifty orders."""
    row = await call.read(customers.one, call.actor, id)
    found = await call.read(caring.orders_of, row.id, 50)
    return Page([Order(**{**structs.asdict(o), "id": str(o.id), "at": rfc3339(o.at)}) for o in found])


@route("POST", "/customers/{id}/orders")
async def put_order(call: Call, id: int, body: NewOrder) -> Page[Order]:
    """Keep what is known of an order now, by its number. The answer are the newest ones."""
    given = caring.Order(0, body.number, _moment(body.at, "at"), body.amount, body.currency, body.state, body.url)
    await call.write(caring.order, call.actor, id, given)
    return await list_orders(call, id)


@route("DELETE", "/customers/{id}/orders/{order}")
async def remove_order(call: Call, id: int, order: int) -> None:
    """Forget an order."""
    await call.write(caring.remove_order, call.actor, id, order)
