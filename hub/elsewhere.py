"""Whoever takes part in other customers' conversations, and the others who take part in one's own: after a merge, or by a copy."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import inbox
from hub.access import Actor, visible
from hub.inbox import Row
from hub.merging import Moved
from hub.sql import among
from hub.tables import conversations, customers, identities, joins, messages, participants

#: Conversations that are shown, others who are shown, and the newest conversations of an address that are looked at.
MOST, GUESTS, LOOKED_AT = 6, 8, 200

_c, _i, _p, _m = conversations.c, identities.c, participants.c, messages.c


class Guest(Struct, frozen=True):
    """Another customer who takes part."""

    id: int
    name: str
    address: str


def takes_part(conn: Connection, actor: Actor, customer_id: int) -> list[Row]:
    """The newest conversations of others in which one of the customer's addresses takes part, as far as the actor may see them."""
    return inbox.rows(conn, list(conn.execute(_takes_part(actor), {"customer": customer_id}).scalars()))


@functools.lru_cache(1000)
def _takes_part(actor: Actor) -> sa.Select[int]:
    customer = sa.bindparam("customer", type_=sa.BigInteger)
    theirs = sa.select(_i.address).where(_i.customer_id == customer).limit(50)
    near = sa.select(_p.conversation_id).where(_p.address.in_(theirs)).order_by(_p.conversation_id.desc())
    return (
        sa.select(_c.id)
        .where(
            _c.id.in_(near.limit(LOOKED_AT)),
            _c.customer_id != customer,
            _c.merged_into.is_(None),
            visible(actor),
        )
        .order_by(_c.last_message_id.desc())
        .limit(MOST)
    )


def guests(conn: Connection, actor: Actor, conversation_id: int, customer_id: int) -> list[Guest]:
    """The other customers whose addresses take part in a conversation, as far as the actor may see them."""
    values = {"conversation": conversation_id, "customer": customer_id}
    return [Guest(*row) for row in conn.execute(_guests(actor), values)]


@functools.lru_cache(1000)
def _guests(actor: Actor) -> sa.Select[int, str, str]:
    statement = (
        sa.select(customers.c.id, customers.c.name, sa.func.min(_p.address))
        .join(identities, _i.address == _p.address)
        .join(customers, customers.c.id == _i.customer_id)
        .where(_p.conversation_id == sa.bindparam("conversation"), _i.customer_id != sa.bindparam("customer"))
        .group_by(customers.c.id, customers.c.name)
        .order_by(customers.c.id)
        .limit(GUESTS)
    )
    if not actor.sees_all:
        any_ = sa.exists().where(_c.customer_id == customers.c.id)
        statement = statement.where(sa.or_(~any_, any_.where(visible(actor))))
    return statement


def said(conn: Connection, homes: Sequence[int], addresses: Sequence[str]) -> list[int]:
    """Messages that are not in these conversations but were merged out of them, or came from these addresses to where they take part."""
    j, found = joins.c, set[int]()
    moved = sa.select(j.moved).where(among(j.source_id, homes), j.kind.in_(("merge", "move")), j.undone_at.is_(None))
    for text in conn.execute(moved).scalars():
        found.update(msgspec.json.decode(text, type=Moved).messages)
    there = sa.select(_p.conversation_id).where(among(_p.address, addresses))
    theirs = sa.select(_m.id).where(_m.conversation_id.in_(there), among(_m.sender, addresses))
    found.update(conn.execute(theirs.where(~among(_m.conversation_id, homes))).scalars())
    still = sa.select(_m.id).where(among(_m.id, sorted(found)), ~among(_m.conversation_id, homes)).order_by(_m.id)
    return list(conn.execute(still).scalars())
