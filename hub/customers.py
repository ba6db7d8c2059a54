"""Customers by hand: make one, change what is known, give and take addresses, merge two and undo it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import belongings, events, identity
from hub.access import Actor, access_customer, require, visible
from hub.belongings import Moved
from hub.clock import now
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.sql import allocate, among, is_postgres
from hub.tables import conversations, customers, employees, identities, merges
from hub.text import clean_line, fold


class Taken(Exception):
    """The address belongs to a customer already; ``customer_id`` says to whom (None: one this employee may not see)."""

    def __init__(self, address: str, customer_id: int | None) -> None:
        super().__init__(
            f"“{address}” belongs to another customer already. Merge the two, or take it away there first."
        )
        self.customer_id = customer_id


class Impossible(ValueError):
    """It cannot be done; one sentence says why."""


class IdentityRow(Struct, frozen=True):
    """One address of a customer."""

    id: int
    customer_id: int
    address: str
    name: str
    verified: bool
    created_at: int


class CustomerRow(Struct, frozen=True):
    """A customer with addresses; ``company_id`` is the customer who is their company."""

    id: int
    name: str
    owner_id: int | None
    attributes: dict[str, Any]
    created_at: int
    identities: tuple[IdentityRow, ...]
    company_id: int | None = None


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def listing(conn: Connection, actor: Actor, q: str, before: int, most: int) -> list[CustomerRow]:
    """Customers the actor may see, newest first, whose name or address begins with ``q`` (kind in front or not)."""
    c = customers.c
    statement = sa.select(c.id).where(c.merged_into.is_(None), c.id < before).order_by(c.id.desc()).limit(most)
    if not actor.sees_all:
        theirs = sa.exists().where(conversations.c.customer_id == c.id)
        statement = statement.where(sa.or_(~theirs, theirs.where(visible(actor))))
    if wanted := fold(clean_line(q)):
        statement = statement.where(c.id.in_(_named(wanted)))
    return rows(conn, list(conn.execute(statement).scalars()))


def _named(wanted: str) -> sa.CompoundSelect[Any]:
    """The customers whose name or address begins so: ranges of two indexes."""
    i = identities.c
    kind, colon, bare = wanted.partition(":")
    ways = [
        sa.select(customers.c.id).where(_begins(customers.c.folded, wanted)),
        sa.select(i.customer_id).where(_begins(i.bare, wanted)),
    ]
    if colon:
        of_kind = i.address.startswith(f"{kind}:", autoescape=True)
        ways.append(sa.select(i.customer_id).where(_begins(i.bare, bare), of_kind))
    return sa.union(*ways)


def _begins(column: sa.ColumnElement[str], wanted: str) -> sa.ColumnElement[bool]:
    return sa.and_(column >= wanted, column < wanted + "\U0010ffff")


_i = identities.c
_faces_of = (
    sa.select(_i.id, _i.customer_id, _i.address, _i.name, _i.verified, _i.created_at)
    .where(among(_i.customer_id, "ids"))
    .order_by(_i.id)
)
_those = sa.select(customers).where(among(customers.c.id, "ids"))


def rows(conn: Connection, ids: Sequence[int]) -> list[CustomerRow]:
    """Customers in the order of ``ids``. Two statements; the caller has checked who may see them."""
    faces: dict[int, list[IdentityRow]] = {}
    values = {"ids": list(ids)}
    for row in conn.execute(_faces_of, values):
        faces.setdefault(row.customer_id, []).append(IdentityRow(*row))
    found = {row.id: row for row in conn.execute(_those, values)}
    return [_row(found[n], tuple(faces.get(n, ()))) for n in ids if n in found]


def _row(row: Any, faces: tuple[IdentityRow, ...]) -> CustomerRow:
    attributes = msgspec.json.decode(row.attributes) if row.attributes else {}
    return CustomerRow(row.id, row.name, row.owner_id, attributes, row.created_at, faces, row.company_id)


def one(conn: Connection, actor: Actor, customer_id: int) -> CustomerRow:
    """A customer (the winner's, when merged). Raises `NotFound`."""
    return rows(conn, [_access(conn, actor, customer_id)])[0]


def _access(conn: Connection, actor: Actor, customer_id: int) -> int:
    row = access_customer(conn, actor, customer_id)
    if row is None:
        raise NotFound
    return int(row.id)


def hold(conn: Connection, actor: Actor, *ids: int) -> list[int]:
    """The customers behind these ids (winners, when merged), held until the commit. Raises `NotFound`.

    What is found is held in order of id and looked up again. When somebody has merged it meanwhile everything is let go first:
    to hold one more, out of order, could be a deadlock.
    """
    found = [_access(conn, actor, number) for number in ids]
    while is_postgres(conn):
        attempt = conn.begin_nested()
        rows = sa.select(customers.c.id).where(among(customers.c.id, found)).order_by(customers.c.id)
        conn.execute(rows.with_for_update(key_share=True)).all()
        again = [_access(conn, actor, number) for number in ids]
        if again == found:
            attempt.commit()
            break
        attempt.rollback()
        found = again
    return found


# ── making and changing ───────────────────────────────────────────────────────────────────────────────────────────────
def add(
    conn: Connection,
    actor: Actor,
    name: str,
    addresses: Sequence[str],
    owner_id: int | None,
    attributes: Mapping[str, Any],
    company_id: int | None = None,
) -> int:
    """Make a customer; the id. ``addresses`` are normalised. Raises `access.Forbidden`, `Taken`, `Impossible`."""
    require(actor, "customers")
    addresses = list(dict.fromkeys(addresses))
    name = clean_line(name, 200) or (identity.readable(addresses[0]) if addresses else "")
    if not name:
        raise Impossible("A customer needs a name or an address.")
    _employee_exists(conn, owner_id)
    company_id = _company(conn, actor, None, company_id)
    identity.lock(conn, addresses)
    _refuse_taken(conn, actor, addresses)
    number, *rest = allocate(conn, "people", 1 + len(addresses))
    moment = now()
    packed = msgspec.json.encode(dict(attributes)).decode() if attributes else ""
    conn.execute(
        sa.insert(customers).values(
            id=number,
            name=name,
            folded=fold(name),
            owner_id=owner_id,
            attributes=packed,
            created_at=moment,
            company_id=company_id,
        )
    )
    _insert_faces(conn, number, dict(zip(rest, addresses, strict=True)), moment)
    events.append(conn, [NewEvent("customer.created", customer_id=number, actor_id=actor.id)])
    return number


def change(
    conn: Connection,
    actor: Actor,
    customer_id: int,
    *,
    name: str | None = None,
    owner_id: int | UnsetType | None = UNSET,
    attributes: Mapping[str, Any] | None = None,
    company_id: int | UnsetType | None = UNSET,
) -> int:
    """Change what is given; attributes are merged, one that is None goes. Raises `NotFound`, `access.Forbidden`, `Impossible`."""
    require(actor, "customers")
    (number,) = hold(conn, actor, customer_id)
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = clean_line(name, 200)
        values["folded"] = fold(values["name"])
        if not values["name"]:
            raise Impossible("A customer's name cannot be empty.")
    if owner_id is not UNSET:
        _employee_exists(conn, owner_id)
        values["owner_id"] = owner_id
    if company_id is not UNSET:
        values["company_id"] = _company(conn, actor, number, company_id)
    if attributes is not None:
        old = rows(conn, [number])[0].attributes
        merged = {key: value for key, value in {**old, **attributes}.items() if value is not None}
        if len(merged) > 200:
            raise Impossible("A customer has 200 attributes at most.")
        values["attributes"] = msgspec.json.encode(merged).decode() if merged else ""
    if values:
        conn.execute(sa.update(customers).where(customers.c.id == number).values(values))
        told = NewEvent(
            "customer.changed", customer_id=number, actor_id=actor.id, data={"changed": sorted({*values} - {"folded"})}
        )
        events.append(conn, [told])
    return number


def add_address(
    conn: Connection, actor: Actor, customer_id: int, address: str, name: str, verified: bool
) -> IdentityRow:
    """Give the customer another address; one they have already stays. Raises `NotFound`, `access.Forbidden`, `Taken`."""
    require(actor, "customers")
    (number,) = hold(conn, actor, customer_id)
    identity.lock(conn, [address])
    known = identity.find(conn, [address]).get(address)
    if known is None or known.id != number:
        _refuse_taken(conn, actor, [address])
        fresh = allocate(conn, "people", 1)[0]
        _insert_faces(conn, number, {fresh: address}, now(), clean_line(name, 200), verified)
        data = {"address": address}
        events.append(conn, [NewEvent("identity.added", customer_id=number, actor_id=actor.id, data=data)])
    return next(face for face in rows(conn, [number])[0].identities if face.address == address)


def remove_address(conn: Connection, actor: Actor, customer_id: int, identity_id: int) -> None:
    """Take an address away; a later message from there makes a new customer. Raises `NotFound`, `access.Forbidden`."""
    require(actor, "customers")
    (number,), i = hold(conn, actor, customer_id), identities.c
    if not conn.execute(sa.delete(identities).where(i.id == identity_id, i.customer_id == number)).rowcount:
        raise NotFound
    data = {"identity": str(identity_id)}
    events.append(conn, [NewEvent("identity.removed", customer_id=number, actor_id=actor.id, data=data)])


def _insert_faces(
    conn: Connection, customer_id: int, faces: Mapping[int, str], moment: int, name: str = "", verified: bool = False
) -> None:
    if faces:
        conn.execute(
            sa.insert(identities),
            [
                {
                    "id": number,
                    "customer_id": customer_id,
                    "address": address,
                    "bare": fold(identity.readable(address)),
                    "name": name,
                    "verified": verified,
                    "created_at": moment,
                }
                for number, address in faces.items()
            ],
        )


def _refuse_taken(conn: Connection, actor: Actor, addresses: Sequence[str]) -> None:
    for address, known in identity.find(conn, addresses).items():
        raise Taken(address, known.id if access_customer(conn, actor, known.id) is not None else None)


def _company(conn: Connection, actor: Actor, number: int | None, company_id: int | UnsetType | None) -> int | None:
    """The customer who is to be the company (the winner's id, when merged). Raises `Impossible`."""
    if not isinstance(company_id, int):
        return None
    row = access_customer(conn, actor, company_id)
    if row is None:
        raise Impossible(f"“company”: there is no customer {company_id}.")
    if row.id == number:
        raise Impossible("“company”: a customer cannot be their own company.")
    return int(row.id)


def _employee_exists(conn: Connection, number: int | UnsetType | None) -> None:
    e = employees.c
    if (
        isinstance(number, int)
        and not conn.execute(sa.select(e.id).where(e.id == number, e.disabled_at.is_(None))).first()
    ):
        raise Impossible(f"There is no active employee {number}.")


# ── two that are one ──────────────────────────────────────────────────────────────────────────────────────────────────
def merge(conn: Connection, actor: Actor, winner_id: int, loser_id: int, evidence: str) -> int:
    """Make ``loser_id`` a part of ``winner_id``; the merge's id. A fixed number of statements. Raises `NotFound`, `Impossible`."""
    require(actor, "customers")
    winner, loser = hold(conn, actor, winner_id, loser_id)
    if winner == loser:
        raise Impossible("These are the same customer already.")
    _lock_senders(conn, (winner, loser))
    number = allocate(conn, "people", 1)[0]
    _lock_conversations(conn, (winner, loser))
    moved = belongings.of(conn, loser, winner)
    belongings.move(conn, moved, loser, winner)
    conn.execute(sa.update(customers).where(customers.c.id == loser).values(merged_into=winner))
    conn.execute(
        sa.insert(merges).values(
            id=number,
            winner_id=winner,
            loser_id=loser,
            moved=msgspec.json.encode(moved).decode(),
            evidence=clean_line(evidence, 500),
            actor_id=actor.id,
            at=now(),
        )
    )
    data = {"merge": str(number), "winner": str(winner), "loser": str(loser)}
    events.append(conn, [NewEvent("customer.merged", customer_id=winner, actor_id=actor.id, data=data)])
    return number


def unmerge(conn: Connection, actor: Actor, customer_id: int, merge_id: int) -> int:
    """Undo a merge: the customer who is one of their own again. Raises `NotFound`, `Impossible`."""
    require(actor, "customers")
    m = merges.c
    row = conn.execute(sa.select(merges).where(m.id == merge_id, m.undone_at.is_(None))).first()
    if row is None:
        raise NotFound
    holder, there = hold(conn, actor, customer_id, row.winner_id)
    if holder != there:
        raise NotFound
    _lock_senders(conn, (holder, row.loser_id))
    _lock_conversations(conn, (holder, row.loser_id))
    undone = sa.update(merges).where(m.id == merge_id, m.undone_at.is_(None)).values(undone_at=now())
    if not conn.execute(undone).rowcount:
        raise NotFound
    loser = int(row.loser_id)
    belongings.move(conn, msgspec.json.decode(row.moved, type=Moved), holder, loser)
    conn.execute(sa.update(customers).where(customers.c.id == loser).values(merged_into=None))
    data = {"merge": str(merge_id), "winner": str(holder), "loser": str(loser)}
    events.append(conn, [NewEvent("customer.unmerged", customer_id=holder, actor_id=actor.id, data=data)])
    return loser


def merges_of(conn: Connection, customer_id: int) -> list[Any]:
    """The merges in force whose winner is this customer, newest first."""
    m = merges.c
    statement = sa.select(merges).where(m.winner_id == customer_id, m.undone_at.is_(None)).order_by(m.id.desc())
    return list(conn.execute(statement))


def _lock_senders(conn: Connection, ids: Sequence[int]) -> None:
    """Hold their addresses until the commit; the locks are taken in the house's order (see `hub.store`)."""
    found = sa.select(identities.c.address).where(among(identities.c.customer_id, ids))
    identity.lock(conn, list(conn.execute(found).scalars()))


def _lock_conversations(conn: Connection, ids: Sequence[int]) -> None:
    if is_postgres(conn):
        c = conversations.c
        conn.execute(sa.select(c.id).where(among(c.customer_id, ids)).order_by(c.id).with_for_update()).all()
