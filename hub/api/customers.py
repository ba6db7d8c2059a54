"""Customers: who they are, their addresses, their whole timeline, merging two and undoing it."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import addresses, customers, timeline
from hub.access import Actor
from hub.api import shapes
from hub.api.conversations import AddressText, ClientId, Line, TimelineQuery, cut, place
from hub.api.once import client_id, made_once
from hub.api.shapes import Cursor, Id, Limit, TimelineItem
from hub.api.wire import Call, Made, Page, read_cursor, route, write_cursor
from hub.clock import rfc3339
from hub.http import Problem
from hub.outbox import NotFound
from hub.tables import merges

Value = Annotated[str, Meta(max_length=5000)] | Annotated[int, Meta(ge=-(2**53), le=2**53)] | float | bool | None
Attributes = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=100)], Value], Meta(max_length=200)]


class Identity(Struct, frozen=True):
    """One normalised address of a customer (``email:a@b.de``, ``tel:+4930…``)."""

    id: str
    address: str
    name: str
    verified: bool
    created_at: str | None


class Customer(Struct, frozen=True):
    """The person (or company) behind addresses. ``owner`` is the employee responsible; ``company`` another customer, whose owner is
    asked next.
    """

    id: str
    name: str
    owner: str | None
    company: str | None
    attributes: dict[str, Any]
    identities: list[Identity]
    created_at: str | None


class CustomersQuery(Struct, forbid_unknown_fields=True):
    """``q``: how the name or an address begins."""

    q: Line = ""
    limit: Limit = 50
    cursor: Cursor = ""


class NewCustomer(Struct, forbid_unknown_fields=True):
    """``identities`` are addresses, as people write them or with their kind in front."""

    name: Line = ""
    identities: Annotated[list[AddressText], Meta(max_length=50)] = []
    owner: Id | None = None
    company: Id | None = None
    attributes: Attributes = {}
    client_id: ClientId | None = None


class CustomerChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes; an attribute that is null goes."""

    name: Line | UnsetType = UNSET
    owner: Id | UnsetType | None = UNSET
    company: Id | UnsetType | None = UNSET
    attributes: Attributes | UnsetType = UNSET


class NewIdentity(Struct, forbid_unknown_fields=True):
    """Another address."""

    address: AddressText
    name: Line = ""
    verified: bool = False
    client_id: ClientId | None = None


class NewMerge(Struct, forbid_unknown_fields=True):
    """``other`` becomes a part of this customer; ``evidence`` says why they are one."""

    other: Id
    evidence: Line = ""
    client_id: ClientId | None = None


class Merge(Struct, frozen=True):
    """Two customers that are one; can be undone."""

    id: str
    customer: str
    other: str
    evidence: str
    at: str | None


def shown(row: customers.CustomerRow) -> Customer:
    """A customer as JSON has it."""
    faces = [identity_shown(face) for face in row.identities]
    owner, company = shapes.name(row.owner_id), shapes.name(row.company_id)
    return Customer(str(row.id), row.name, owner, company, row.attributes, faces, rfc3339(row.created_at))


def identity_shown(face: customers.IdentityRow) -> Identity:
    """An address as JSON has it."""
    return Identity(str(face.id), face.address, face.name, face.verified, rfc3339(face.created_at))


def normal(text: str, field: str) -> str:
    """The address in the hub's form. Raises `Problem` 422."""
    try:
        return addresses.normal(text)
    except ValueError as error:
        raise Problem(422, str(error), field=field) from error


@route("GET", "/customers")
async def list_customers(call: Call, query: CustomersQuery) -> Page[Customer]:
    """Customers, newest first."""
    before = read_cursor(query.cursor, "c")[1] if query.cursor else 2**62
    found = await call.read(customers.listing, call.actor, query.q, before, query.limit + 1)
    page = found[: query.limit]
    return Page([shown(row) for row in page], write_cursor("c", page[-1].id) if len(found) > query.limit else None)


@route("POST", "/customers")
async def add_customer(call: Call, body: NewCustomer) -> Made[Customer]:
    """Make a customer; 409 when one of the addresses belongs to another."""
    faces = [normal(text, "identities") for text in body.identities]
    owner = int(body.owner) if body.owner else None
    number, fresh = await made_once(
        call,
        client_id(call, body.client_id),
        customers.add,
        call.actor,
        body.name,
        faces,
        owner,
        body.attributes,
        int(body.company) if body.company else None,
    )
    return Made(shown(await call.read(customers.one, call.actor, number)), fresh)


@route("GET", "/customers/{id}")
async def get_customer(call: Call, id: int) -> Customer:
    """One customer; a merged one answers as the customer they are a part of."""
    return shown(await call.read(customers.one, call.actor, id))


@route("PATCH", "/customers/{id}")
async def change_customer(call: Call, id: int, body: CustomerChange) -> Customer:
    """Change name, owner, company or attributes."""
    owner = int(body.owner) if isinstance(body.owner, str) else body.owner
    number = await call.write(
        customers.change,
        call.actor,
        id,
        name=None if body.name is UNSET else body.name,
        owner_id=owner,
        company_id=int(body.company) if isinstance(body.company, str) else body.company,
        attributes=None if body.attributes is UNSET else body.attributes,
    )
    return shown(await call.read(customers.one, call.actor, number))


@route("GET", "/customers/{id}/timeline")
async def get_customer_timeline(call: Call, id: int, query: TimelineQuery) -> Page[TimelineItem]:
    """All conversations and channels of the customer, oldest first within a page, as far as the employee may see them."""
    return await call.read(_timeline, call.actor, id, query)


def _timeline(conn: Connection, actor: Actor, number: int, query: TimelineQuery) -> Page[TimelineItem]:
    customer = customers.one(conn, actor, number)
    before, after = place(conn, query)
    found = timeline.of_customer(conn, actor, customer.id, before=before, after=after, most=query.limit + 1)
    page, following = cut(found, query.limit, after)
    return Page([shapes.item(entry) for entry in page], following)


# ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("GET", "/customers/{id}/identities")
async def list_identities(call: Call, id: int) -> Page[Identity]:
    """The customer's addresses."""
    row = await call.read(customers.one, call.actor, id)
    return Page([identity_shown(face) for face in row.identities])


@route("POST", "/customers/{id}/identities")
async def add_identity(call: Call, id: int, body: NewIdentity) -> Made[Identity]:
    """Give the customer another address; 409 when it belongs to somebody else."""
    address = normal(body.address, "address")
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, _add_address, call.actor, id, address, body.name, body.verified)
    customer = await call.read(customers.one, call.actor, id)
    face = next((face for face in customer.identities if face.id == number), None)
    if face is None:  # a repeat after it was taken away
        raise NotFound
    return Made(identity_shown(face), fresh)


def _add_address(conn: Connection, actor: Actor, number: int, address: str, name: str, verified: bool) -> int:
    return customers.add_address(conn, actor, number, address, name, verified).id


@route("DELETE", "/customers/{id}/identities/{identity}")
async def remove_identity(call: Call, id: int, identity: int) -> None:
    """Take an address away."""
    await call.write(customers.remove_address, call.actor, id, identity)


# ── merges ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("GET", "/customers/{id}/merges")
async def list_merges(call: Call, id: int) -> Page[Merge]:
    """Whom this customer has become one with."""
    customer = await call.read(customers.one, call.actor, id)
    return Page([_merge(row) for row in await call.read(customers.merges_of, customer.id)])


def _merge(row: Any) -> Merge:
    return Merge(str(row.id), str(row.winner_id), str(row.loser_id), row.evidence, rfc3339(row.at))


@route("POST", "/customers/{id}/merges")
async def merge_customers(call: Call, id: int, body: NewMerge) -> Made[Merge]:
    """Make the other customer a part of this one. Can be undone."""
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, customers.merge, call.actor, id, int(body.other), body.evidence)
    await call.read(customers.one, call.actor, id)
    return Made(_merge(await call.read(_merged, number)), fresh)


def _merged(conn: Connection, number: int) -> Any:
    """The merge, also when it has been undone since."""
    return conn.execute(sa.select(merges).where(merges.c.id == number)).one()


@route("DELETE", "/customers/{id}/merges/{merge}")
async def unmerge_customers(call: Call, id: int, merge: int) -> Customer:
    """Undo a merge; the answer is the customer who is one of their own again."""
    number = await call.write(customers.unmerge, call.actor, id, merge)
    return shown((await call.read(customers.rows, [number]))[0])
