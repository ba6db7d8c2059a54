"""Blocked senders: what they write is kept, in conversations that are closed at once; nobody is told, nobody gets them.

Nothing is lost: it stands in the customer's timeline and among the closed conversations, and whoever looks may lift the block.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.sql import among, insert_into, run
from hub.tables import blocked, customers, employees, identities, participants

#: What `conversations.closed_as` says of a conversation that a blocked sender began, or that was closed with the block.
REASON = "blocked"

#: Blocked senders on one page of the list.
MOST = 100


class Blocked(Struct, frozen=True):
    """A blocked sender: who blocked them, and whose address it is (0: nobody's)."""

    address: str
    by: str
    at: int
    customer_id: int = 0
    customer: str = ""


_known = sa.select(blocked.c.address).where(among(blocked.c.address, "addresses"))
_senders = (
    sa.select(participants.c.address, blocked.c.at)
    .join(identities, identities.c.address == participants.c.address)
    .outerjoin(blocked, blocked.c.address == participants.c.address)
    .where(
        participants.c.conversation_id == sa.bindparam("number", type_=sa.BigInteger),
        identities.c.customer_id == sa.bindparam("whose", type_=sa.BigInteger),
    )
    .limit(50)
)


def among_senders(conn: Connection, addresses: Sequence[str]) -> set[str]:
    """Those of the addresses that are blocked. One statement."""
    return set(run(conn, _known, addresses=list(addresses)).scalars()) if addresses else set()


def senders(conn: Connection, conversation_id: int, customer_id: int) -> dict[str, bool]:
    """The customer's addresses that take part in a conversation, in their order: is it blocked?"""
    found = run(conn, _senders, number=conversation_id, whose=customer_id).all()
    return {address: since is not None for address, since in sorted(found)}


def block(conn: Connection, employee_id: int, addresses: Sequence[str]) -> None:
    """From now on nobody is told of what these write."""
    rows = [(address, employee_id, now()) for address in sorted(addresses)]
    insert_into(conn, "blocked", ("address", "employee_id", "at"), rows, known="ignored")


def unblock(conn: Connection, addresses: Sequence[str]) -> None:
    """They are heard again; what they wrote meanwhile stays where it is."""
    if addresses:
        conn.execute(sa.delete(blocked).where(among(blocked.c.address, list(addresses))))


def listing(conn: Connection, after: str = "") -> list[Blocked]:
    """The blocked senders by address, those after one; `MOST` and one more at most. For those who may see everybody."""
    b, i, e = blocked.c, identities.c, employees.c
    statement = (
        sa.select(b.address, e.name, b.at, i.customer_id, customers.c.name)
        .outerjoin(employees, e.id == b.employee_id)
        .outerjoin(identities, i.address == b.address)
        .outerjoin(customers, customers.c.id == i.customer_id)
        .where(b.address > after)
        .order_by(b.address)
        .limit(MOST + 1)
    )
    return [Blocked(row[0], row[1] or "", row[2], row[3] or 0, row[4] or "") for row in conn.execute(statement)]
