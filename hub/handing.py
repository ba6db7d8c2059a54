"""“This is somebody else”: a conversation becomes another customer's, and back again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import conversations, customers, directory, events, sla
from hub.access import Actor, access_conversation, access_customer, require
from hub.conversations import Current
from hub.events import NewEvent
from hub.outbox import CannotSend, NotFound
from hub.sql import among
from hub.tables import conversations as table
from hub.tables import customers as people
from hub.tables import employees, messages
from hub.tables import events as happened

#: What it is called among the events.
KIND = "conversation.customer"


class Given(Struct, frozen=True):
    """A conversation was another customer's (``source``) until somebody gave it to the one it is of now."""

    source: int
    name: str
    actor: str
    at: int


def give(conn: Connection, actor: Actor, conversation_id: int, customer_id: int) -> int:
    """Make the conversation, with all that was said in it and what was merged into it, the other customer's; the id of the one it was of.

    Both customers are held before the conversations (see `hub.store`). Addresses stay whose they are: what comes from them later,
    outside this conversation, is still said by who has them. Raises `NotFound`, `access.Forbidden`, `CannotSend`.
    """
    require(actor, "customers")
    while True:
        row = access_conversation(conn, actor, conversation_id)
        if row is None:
            raise NotFound
        if row.merged_into is not None:
            raise CannotSend(f"Conversation #{conversation_id} was merged into #{row.merged_into} already.")
        attempt = conn.begin_nested()
        source, target = customers.hold(conn, actor, row.customer_id, customer_id)
        whole = _whole(conn, conversation_id)
        homes = {home.id: home for home in conversations.lock_for(conn, whole, [], [], 0)}
        home = homes[conversation_id]
        if (home.customer_id, home.merged_into, _whole(conn, home.id)) == (source, None, whole):
            attempt.commit()
            break
        attempt.rollback()  # somebody gave it away or merged it meanwhile: hold what it is now
    if source != target:
        # what was merged into it from another customer's conversations leaves those where they are
        theirs = [homes[number] for number in whole if homes[number].customer_id == source]
        _move(conn, actor, theirs, target)
    return source


def _whole(conn: Connection, conversation_id: int) -> list[int]:
    """The conversation and those that were merged into it."""
    c = table.c
    followers = sa.select(c.id).where(c.merged_into == conversation_id).order_by(c.id)
    return [conversation_id, *conn.execute(followers).scalars()]


def _move(conn: Connection, actor: Actor, homes: Sequence[Current], target: int) -> None:
    home, source, ids = homes[0], homes[0].customer_id, [each.id for each in homes]
    m, e = messages.c, happened.c
    conn.execute(sa.update(table).where(among(table.c.id, ids)).values(customer_id=target))
    conn.execute(sa.update(messages).where(among(m.conversation_id, ids)).values(customer_id=target))
    told = sa.update(happened).where(among(e.conversation_id, ids), e.shown, e.customer_id == source)
    conn.execute(told.values(customer_id=target))
    for each in homes:
        each.customer_id = target
    data = {"from": str(source), "to": str(target)}
    events.append(conn, [NewEvent(KIND, home.id, target, actor_id=actor.id, data=data)])
    events.append(conn, sla.follow(conn, directory.current(conn), list(homes)))


_last = (
    sa.select(happened.c.data, happened.c.at, employees.c.name)
    .outerjoin(employees, employees.c.id == happened.c.actor_id)
    .where(happened.c.conversation_id == sa.bindparam("conversation"), happened.c.shown, happened.c.kind == KIND)
    .order_by(happened.c.id.desc())
    .limit(2)
)


def last(conn: Connection, actor: Actor, conversation_id: int, customer_id: int) -> Given | None:
    """Whose the conversation was before it was given to the customer it is of now; None when it never was, when it was given back,
    or when the actor may not see that customer.
    """
    rows = conn.execute(_last, {"conversation": conversation_id}).all()
    if not rows:
        return None
    data = msgspec.json.decode(rows[0].data)
    if len(rows) == 2 and msgspec.json.decode(rows[1].data) == {"from": data["to"], "to": data["from"]}:
        return None
    before = access_customer(conn, actor, int(data["from"]))
    if before is None or before.id == customer_id:
        return None
    named = conn.execute(sa.select(people.c.name).where(people.c.id == before.id)).scalar_one()
    return Given(before.id, named, rows[0].name or "", rows[0].at)
