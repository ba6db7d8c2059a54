"""What people do with a conversation besides answering: take it, pass it on, close it, tag it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import actions, assignment, conversations, directory, events, mentions, sla
from hub.access import Actor, access_conversation, require
from hub.assignment import Again, reroute
from hub.clock import now
from hub.conversations import Current, who_snoozed, woken
from hub.events import NewEvent
from hub.messages import Status
from hub.outbox import CannotSend, NotFound
from hub.sql import lit
from hub.tables import conversations as table
from hub.work import Absent as Absent  # the doors know it by this module
from hub.work import Deed


def _open(conn: Connection, actor: Actor, conversation_id: int, right: str) -> Current:
    require(actor, right)
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    return home


def _told(home: Current, actor: Actor, kind: str, **data: object) -> NewEvent:
    return NewEvent(kind, home.id, home.customer_id, actor_id=actor.id, data=data)


def assign(
    conn: Connection,
    actor: Actor,
    conversation_id: int,
    employee_id: int | None,
    team_id: int | None,
    why: str = "",
    *,
    anyway: bool = False,
) -> int:
    """Give the conversation to an employee, to a team, or (both None) to nobody; the action's id (0: nothing changed).

    Naming only a team takes it from whoever had it. ``anyway``: also to somebody who is absent. Raises `NotFound`,
    `access.Forbidden`, `CannotSend`, `Absent`.
    """
    deed = Deed("assign", employee=employee_id, team=team_id, why=why, anyway=anyway)
    return actions.one(conn, actor, deed, conversation_id)


def set_status(
    conn: Connection,
    actor: Actor,
    conversation_id: int,
    status: Status,
    until: int | None = None,
    *,
    until_reply: bool = False,
    closed_as: str = "",
) -> int:
    """Open, wait, snooze until a time or until the customer replies, or close; the action's id (0: nothing changed).

    Raises `NotFound`, `access.Forbidden`, `CannotSend` for a snooze without time.
    """
    if status == "snoozed" and until is None and not until_reply:
        raise CannotSend("To snooze, say until when: a time in the future.")
    return actions.one(conn, actor, Deed("status", status, until, closed_as), conversation_id)


def mark_seen(conn: Connection, actor: Actor, conversation_id: int) -> bool:
    """The employee has read it: nothing is unread any more, and who mentioned them has been heard. True when that changed."""
    home = _open(conn, actor, conversation_id, "note")
    asked = mentions.seen(conn, actor.id, home.id)
    if not home.unread:
        if asked:
            events.append(conn, [_told(home, actor, "mention.seen")])
        return asked
    home.unread, home.touched = 0, True
    conversations.save(conn, [home])
    events.append(conn, [_told(home, actor, "conversation.seen")])
    return True


def set_tags(conn: Connection, actor: Actor, conversation_id: int, wanted: Sequence[str]) -> int:
    """Replace the tags; the action's id (0: nothing changed). Raises `NotFound`, `access.Forbidden`."""
    return actions.one(conn, actor, Deed("tags", add=tuple(wanted), only=True), conversation_id)


def wake_snoozed(conn: Connection, most: int = 200) -> int:
    """Open what was snoozed until now; how many."""
    c = table.c
    moment = now()
    due = (
        sa.select(c.id)
        .where(c.status == lit("snoozed"), c.snoozed_until <= moment)
        .order_by(c.snoozed_until)
        .limit(most)
    )
    held = conversations.lock_for(conn, list(conn.execute(due).scalars()), [], [], moment)
    # somebody may have closed or snoozed it anew before it was held
    found = [h for h in held if h.status == "snoozed" and h.snoozed_until is not None and h.snoozed_until <= moment]
    for home in found:
        home.status, home.snoozed_until, home.touched = "open", None, True
    conversations.save(conn, found)
    set_by = who_snoozed(conn, [h.id for h in found])
    news = [NewEvent("conversation.status", h.id, h.customer_id, data=woken(set_by.get(h.id))) for h in found]
    d = directory.current(conn)
    alone = [Again(h) for h in found if assignment.lost(d, h, moment)]
    events.append(conn, [*news, *reroute(conn, alone)])
    events.append(conn, sla.follow(conn, d, found))
    return len(found)
