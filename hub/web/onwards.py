"""Where somebody goes when a conversation leaves the list beside it: to the next one, the previous one, or back to the list."""

from __future__ import annotations

from typing import Literal, get_args

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.access import Actor, access_conversation
from hub.outbox import NotFound
from hub.tables import employees
from hub.web import reads
from hub.web.places import Place

Choice = Literal["next", "previous", "list"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
#: Pages of the list that are looked through.
PAGES = 4


class Spot(Struct, frozen=True):
    """A conversation's place in a list: the page it is on, and what stands before and after it (0: nothing)."""

    cursor: str
    before: int
    after: int


def chosen(conn: Connection, actor: Actor) -> Choice:
    """What somebody wants to see when a conversation has left their list."""
    said = conn.execute(sa.select(employees.c.after_work).where(employees.c.id == actor.id)).scalar()
    return said if said in CHOICES else "next"


def spot(conn: Connection, actor: Actor, place: Place, number: int) -> Spot | None:
    """Where it stands; None when it is not among the first pages."""
    cursor, last = "", 0
    for _ in range(PAGES):
        try:
            listed = reads.listed(conn, actor, place, cursor)
        except (NotFound, ValueError):
            return None
        ids = [row.id for row in listed.rows]
        if number in ids:
            at = ids.index(number)
            after = ids[at + 1] if at + 1 < len(ids) else _first(conn, actor, place, listed.next)
            return Spot(cursor, ids[at - 1] if at else last, after)
        if listed.next is None:
            return None
        cursor, last = listed.next, ids[-1] if ids else 0
    return None


def _first(conn: Connection, actor: Actor, place: Place, cursor: str | None) -> int:
    if cursor is None:
        return 0
    rows = reads.listed(conn, actor, place, cursor, limit=1).rows
    return rows[0].id if rows else 0


def onward(conn: Connection, actor: Actor, place: Place, number: int, was: Spot | None) -> int:
    """The conversation to go to after a deed: the same one while it stays in the list, 0: to the list."""
    there = access_conversation(conn, actor, number) is not None
    if was is None:
        return number if there else 0
    rows = reads.listed(conn, actor, place, was.cursor).rows
    if there and number in [row.id for row in rows]:
        return number
    wish = chosen(conn, actor)
    if wish == "list":
        return 0
    order = (was.after, was.before) if wish == "next" else (was.before, was.after)
    return next((n for n in order if n and access_conversation(conn, actor, n) is not None), 0)
