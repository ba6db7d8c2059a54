"""What belongs to a customer besides their name, and goes along when two become one: addresses, conversations, tasks, orders …"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.sql import among
from hub.tables import consents, conversations, identities, messages, orders, todos
from hub.tables import events as happened

#: Entries of the timeline that belong to no conversation; the others stay where they were written, they are history.
_outside = sa.and_(happened.c.shown, happened.c.conversation_id.is_(None))


class Moved(Struct, frozen=True):
    """What a merge moved, so that undoing it puts back exactly that. ``events`` are those outside any conversation. Of orders with
    one number only those are moved that the winner does not have.
    """

    identities: tuple[int, ...] = ()
    conversations: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    todos: tuple[int, ...] = ()
    consents: tuple[int, ...] = ()
    orders: tuple[int, ...] = ()


def of(conn: Connection, loser: int, winner: int) -> Moved:
    """What will be the winner's."""
    taken = sa.select(orders.c.number).where(orders.c.customer_id == winner)
    return Moved(
        _ids(conn, identities, identities.c.customer_id == loser),
        _ids(conn, conversations, conversations.c.customer_id == loser),
        _ids(conn, happened, happened.c.customer_id == loser, _outside),
        _ids(conn, todos, todos.c.customer_id == loser),
        _ids(conn, consents, consents.c.customer_id == loser),
        _ids(conn, orders, orders.c.customer_id == loser, ~orders.c.number.in_(taken)),
    )


def _ids(conn: Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> tuple[int, ...]:
    return tuple(conn.execute(sa.select(table.c.id).where(*conditions).order_by(table.c.id)).scalars())


def move(conn: Connection, moved: Moved, source: int, target: int) -> None:
    """Those of the rows that are still the source's become the target's."""
    i, c, m, e = identities.c, conversations.c, messages.c, happened.c
    shown = sa.and_(e.shown, e.customer_id == source)
    theirs = ((todos, moved.todos), (consents, moved.consents), (orders, moved.orders))
    for table, conditions in (
        (identities, (i.customer_id == source, among(i.id, moved.identities))),
        (conversations, (c.customer_id == source, among(c.id, moved.conversations))),
        (messages, (m.customer_id == source, among(m.conversation_id, moved.conversations))),
        (happened, (shown, among(e.conversation_id, moved.conversations))),
        (happened, (shown, among(e.id, moved.events))),
        *((rows, (rows.c.customer_id == source, among(rows.c.id, ids))) for rows, ids in theirs),
    ):
        conn.execute(sa.update(table).where(*conditions).values(customer_id=target))
