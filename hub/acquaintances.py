"""Customers as lists and panels know them: found however an address is written, when they last wrote, how much there is of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import addresses
from hub.access import Actor, visible
from hub.sql import among
from hub.tables import conversations, customers, employees, events, identities, messages
from hub.text import clean_line, fold

#: Conversations of one customer that are counted, and the newest messages that are looked at for who wrote when.
COUNTED, LOOKED_AT = 1000, 300
#: The newest customers among whom a word in the middle of a name is looked for.
NEWEST = 20_000
#: The open ones are counted among so many of a customer's newest conversations.
RECENT = 100
_PHONE = re.compile(r"\+?[0-9(][0-9 ()/.-]{3,30}")


class Acquaintance(Struct, frozen=True):
    """A customer in a list. ``last_at`` is when the newest of the conversations the reader may see last moved (ms, None: there is
    none), ``open`` how many of those are not closed, `RECENT` at most.
    """

    id: int
    name: str
    addresses: tuple[str, ...]
    company: str
    owner: str
    last_at: int | None
    open: int


class Facts(Struct, frozen=True):
    """How much there is of a customer that the reader may see; `COUNTED` at most. ``first_at``: when the first began (ms)."""

    conversations: int = 0
    open: int = 0
    first_at: int | None = None


def search(conn: Connection, actor: Actor, q: str, before: int, most: int) -> list[int]:
    """Customers the actor may see, newest first, with ids below ``before``: whose name or an address begins so (phone numbers in any
    notation), one of whose names begins so (among the `NEWEST`), or who have that number. Without ``q`` everybody.
    """
    c = customers.c
    statement = sa.select(c.id).where(c.merged_into.is_(None), c.id < before).order_by(c.id.desc()).limit(most)
    if not actor.sees_all:
        theirs = sa.exists().where(conversations.c.customer_id == c.id)
        statement = statement.where(sa.or_(~theirs, theirs.where(visible(actor))))
    if wanted := clean_line(q, 200):
        statement = statement.where(c.id.in_(_fitting(wanted)))
    return list(conn.execute(statement).scalars())


def _fitting(q: str) -> sa.CompoundSelect[Any]:
    i, wanted = identities.c, fold(q)
    recent = sa.select(customers.c.id, customers.c.folded).order_by(customers.c.id.desc()).limit(NEWEST).subquery()
    kind, colon, bare = wanted.partition(":")
    ways = [
        sa.select(customers.c.id).where(_begins(customers.c.folded, wanted)),
        sa.select(i.customer_id).where(_begins(i.bare, wanted)),
        sa.select(recent.c.id).where(recent.c.folded.contains(f" {wanted}", autoescape=True)),
    ]
    if colon and bare:
        of_kind = i.address.startswith(f"{kind}:", autoescape=True)
        ways.append(sa.select(i.customer_id).where(_begins(i.bare, bare.strip()), of_kind))
    if _PHONE.fullmatch(q):
        ways.append(sa.select(i.customer_id).where(among(i.bare, addresses.spellings(q))))
        ways.append(sa.select(i.customer_id).where(_begins(i.bare, addresses.phone(q) or wanted)))
    number = q.removeprefix("#")
    if number.isascii() and number.isdecimal() and len(number) < 19:
        ways.append(sa.select(customers.c.id).where(customers.c.id == int(number)))
    return sa.union(*ways)


def _begins(column: sa.ColumnElement[str], wanted: str) -> sa.ColumnElement[bool]:
    return sa.and_(column >= wanted, column < wanted + "\U0010ffff")


def acquaintances(conn: Connection, actor: Actor, ids: Sequence[int]) -> list[Acquaintance]:
    """What a list shows of these customers, in their order. Two statements; the caller has checked who may see them."""
    if not ids:
        return []
    c, i, company = customers.c, identities.c, customers.alias()
    shown: dict[int, list[str]] = {}
    faces = sa.select(i.customer_id, i.address).where(among(i.customer_id, ids)).order_by(i.id)
    for number, address in conn.execute(faces):
        shown.setdefault(number, []).append(address)
    statement = (
        sa.select(c.id, c.name, company.c.name, employees.c.name, _last(actor), _open(actor))
        .outerjoin(company, company.c.id == c.company_id)
        .outerjoin(employees, employees.c.id == c.owner_id)
        .where(among(c.id, ids))
    )
    found = {
        row[0]: Acquaintance(row[0], row[1], tuple(shown.get(row[0], ())), row[2] or "", row[3] or "", row[4], row[5])
        for row in conn.execute(statement)
    }
    return [found[number] for number in ids if number in found]


def _last(actor: Actor) -> sa.ScalarSelect[Any]:
    v = conversations.c
    newest = sa.select(v.last_message_at).where(v.customer_id == customers.c.id, visible(actor)).correlate(customers)
    return newest.order_by(v.last_message_id.desc()).limit(1).scalar_subquery()


def _open(actor: Actor) -> sa.ScalarSelect[Any]:
    v = conversations.c
    recent = sa.select(v.status).where(v.customer_id == customers.c.id, visible(actor)).correlate(customers)
    some = recent.order_by(v.last_message_id.desc()).limit(RECENT).subquery()
    return sa.select(sa.func.count()).select_from(some).where(some.c.status != "closed").scalar_subquery()


def facts(conn: Connection, actor: Actor, customer_id: int) -> Facts:
    """How much there is of a customer. One statement."""
    return Facts(*conn.execute(_facts(actor), {"customer": customer_id}).one())


@functools.lru_cache(1000)
def _facts(actor: Actor) -> sa.Select[int, int, int | None]:
    v = conversations.c
    some = (
        sa.select(v.status, v.created_at)
        .where(v.customer_id == sa.bindparam("customer"), visible(actor))
        .order_by(v.last_message_id)
        .limit(COUNTED)
        .subquery()
    )
    unfinished = sa.func.count().filter(some.c.status != "closed")
    return sa.select(sa.func.count(), unfinished, sa.func.min(some.c.created_at)).select_from(some)


def _wrote() -> sa.Select[str, int]:
    e, m = events.c, messages.c
    newest = (
        sa.select(e.message_id, e.at)
        .where(e.customer_id == sa.bindparam("customer"), e.kind == "message.received", e.shown)
        .order_by(e.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    joined = sa.select(m.sender, sa.func.max(newest.c.at)).join(newest, newest.c.message_id == m.id)
    return joined.group_by(m.sender)


_newest_of = _wrote()


def wrote(conn: Connection, customer_id: int) -> dict[str, int]:
    """When the customer last wrote from each address (ms), as far as that is among the newest `LOOKED_AT` messages."""
    return {row[0]: row[1] for row in conn.execute(_newest_of, {"customer": customer_id})}
