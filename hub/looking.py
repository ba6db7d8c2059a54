"""Looking at the timeline: what is remembered so that nothing jumps, and what somebody wants to see of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.access import Actor, access_message
from hub.outbox import NotFound
from hub.sql import among, insert_into, run
from hub.tables import employees, heights, picture_senders

History = Literal["all", "one"]
#: Pixels that a mail can be high.
HIGHEST = 20_000
#: Senders whose remote pictures one employee wants to see; the next one is refused.
MOST_SENDERS = 2000


def remember_height(conn: Connection, actor: Actor, message_id: int, height: int) -> None:
    """How high a mail was on somebody's screen (pixels). Raises `NotFound`, ValueError for what no mail can be."""
    if not 1 <= height <= HIGHEST:
        raise ValueError(f"A mail is between 1 and {HIGHEST} pixels high.")
    row = access_message(conn, actor, message_id)
    if row is None or not row.html:
        raise NotFound
    h = heights.c
    if not conn.execute(sa.update(heights).where(h.message_id == message_id).values(height=height)).rowcount:
        insert_into(conn, "heights", ("message_id", "height"), [(message_id, height)], known="ignored")


def heights_of(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The heights that are known of these messages."""
    h = heights.c
    return {row[0]: row[1] for row in conn.execute(sa.select(h.message_id, h.height).where(among(h.message_id, ids)))}


def show_pictures_of(conn: Connection, actor: Actor, message_id: int) -> str:
    """From now on the actor sees the remote pictures of whoever sent this message; their address. Raises `NotFound`, ValueError."""
    row = access_message(conn, actor, message_id)
    if row is None or row.direction != "in":
        raise NotFound
    p = picture_senders.c
    count = sa.select(sa.func.count()).select_from(picture_senders).where(p.employee_id == actor.id)
    if conn.execute(count).scalar_one() >= MOST_SENDERS:
        raise ValueError(f"You see the pictures of {MOST_SENDERS} senders already.")
    columns = ("employee_id", "address")
    insert_into(conn, "picture_senders", columns, [(actor.id, row.sender)], known="ignored")
    return str(row.sender)


def shown_senders(conn: Connection, actor: Actor, addresses: Sequence[str]) -> frozenset[str]:
    """Those of the addresses whose remote pictures the actor wants to see."""
    if not addresses:
        return frozenset()
    p = picture_senders.c
    wanted = sa.select(p.address).where(p.employee_id == actor.id, among(p.address, addresses))
    return frozenset(conn.execute(wanted).scalars())


_history = sa.select(employees.c.history).where(employees.c.id == sa.bindparam("employee"))


def history(conn: Connection, actor: Actor) -> History:
    """How much of a customer the actor wants to see beside a conversation: the whole history, or only this one."""
    chosen = run(conn, _history, employee=actor.id).scalar()
    return "all" if chosen == "all" else "one"


def set_history(conn: Connection, actor: Actor, chosen: History) -> None:
    """Remember that."""
    conn.execute(sa.update(employees).where(employees.c.id == actor.id).values(history=chosen))


def forget(conn: Connection, ids: Sequence[int]) -> None:
    """These messages are erased."""
    conn.execute(sa.delete(heights).where(among(heights.c.message_id, ids)))


def forget_senders(conn: Connection, addresses: Sequence[str]) -> None:
    """The people behind these addresses are erased."""
    conn.execute(sa.delete(picture_senders).where(among(picture_senders.c.address, addresses)))
