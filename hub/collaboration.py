"""What people do with a conversation besides answering: take it, pass it on, close it, tag it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import assignment, conversations, directory, events, mentions, sla, staff
from hub.access import Actor, access_conversation, require
from hub.assignment import Again, reroute
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.messages import Status
from hub.outbox import CannotSend, NotFound
from hub.sql import lit
from hub.tables import conversations as table
from hub.tables import employees, tags, teams
from hub.text import clean_line


def _open(conn: Connection, actor: Actor, conversation_id: int, right: str) -> Current:
    require(actor, right)
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    return home


def _told(home: Current, actor: Actor, kind: str, **data: object) -> NewEvent:
    return NewEvent(kind, home.id, home.customer_id, actor_id=actor.id, data=data)


class Absent(CannotSend):
    """Somebody is away until ``until`` (ms, None: until further notice); ``deputy_id`` acts for them (None: nobody can)."""

    def __init__(self, name: str, until: int | None, deputy_id: int | None, deputy: str) -> None:
        instead = f"{deputy} stands in" if deputy_id else "nobody stands in"
        super().__init__(f"{name} is absent; {instead}. Choose somebody else, or say that you want it anyway.")
        self.name, self.until, self.deputy_id, self.deputy = name, until, deputy_id, deputy


def assign(
    conn: Connection,
    actor: Actor,
    conversation_id: int,
    employee_id: int | None,
    team_id: int | None,
    why: str = "",
    *,
    anyway: bool = False,
) -> None:
    """Give the conversation to an employee, to a team, or (both None) to nobody. Raises `NotFound`, `access.Forbidden`, `Absent`.

    Naming only a team takes it from whoever had it. ``anyway``: also to somebody who is absent.
    """
    home = _open(conn, actor, conversation_id, "assign")
    if employee_id is not None and not _exists(conn, employees, employee_id, employees.c.disabled_at.is_(None)):
        raise CannotSend(f"There is no active employee {employee_id}.")
    if team_id is not None and not _exists(conn, teams, team_id, sa.true()):
        raise CannotSend(f"There is no team {team_id}.")
    new_team = team_id if team_id is not None else (home.team_id if employee_id is not None else None)
    if (home.assignee_id, home.team_id) == (employee_id, new_team):
        return
    if employee_id is not None and employee_id not in (home.assignee_id, actor.id) and not anyway:
        _refuse_absent(conn, employee_id)
    home.assignee_id, home.team_id, home.touched = employee_id, new_team, True
    home.covering_id, home.assigned_at = None, now() if employee_id is not None else None
    home.reason = f"text:{clean_line(why)}" if why else "assigned"
    conversations.save(conn, [home])
    assignment.withdraw(conn, home.id)
    data = {
        "assignee": str(employee_id) if employee_id else None,
        "team": str(new_team) if new_team else None,
        "reason": home.reason,
    }
    events.append(conn, [_told(home, actor, "conversation.assigned", **data)])
    events.append(conn, sla.follow(conn, directory.current(conn), [home]))


def _refuse_absent(conn: Connection, employee_id: int) -> None:
    d, at = directory.current(conn), now()
    absence = d.absence(employee_id, at)
    if absence is not None:
        deputy = staff.stand_in(d, employee_id, at)
        name = d.employees[deputy].name if deputy else ""
        raise Absent(d.employees[employee_id].name, absence.ends_at, deputy, name)


def _exists(conn: Connection, table: sa.Table, number: int, condition: sa.ColumnElement[bool]) -> bool:
    return conn.execute(sa.select(table.c.id).where(table.c.id == number, condition)).first() is not None


def set_status(conn: Connection, actor: Actor, conversation_id: int, status: Status, until: int | None = None) -> None:
    """Open, wait, snooze until a time, or close. Raises `NotFound`, `access.Forbidden`, `CannotSend` for a snooze without time."""
    home = _open(conn, actor, conversation_id, "assign")
    if status == "snoozed" and (until is None or until <= now()):
        raise CannotSend("To snooze, say until when: a time in the future.")
    if home.status == status and home.snoozed_until == until:
        return
    before = home.status
    home.status, home.touched = status, True
    home.snoozed_until = until if status == "snoozed" else None
    home.closed_at = now() if status == "closed" else None
    if status == "closed":
        home.waiting_since, home.unread = None, 0
        assignment.withdraw(conn, home.id)
    conversations.save(conn, [home])
    data = {"before": before, "status": status} | ({"until": until} if status == "snoozed" else {})
    events.append(conn, [_told(home, actor, "conversation.status", **data)])
    events.append(conn, sla.follow(conn, directory.current(conn), [home]))


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


def set_tags(conn: Connection, actor: Actor, conversation_id: int, wanted: Sequence[str]) -> list[str]:
    """Replace the tags; those it has now, sorted. Raises `NotFound`, `access.Forbidden`."""
    home = _open(conn, actor, conversation_id, "assign")
    after = sorted({clean_line(t, 60) for t in wanted} - {""})
    before = sorted(conn.execute(sa.select(tags.c.tag).where(tags.c.conversation_id == home.id)).scalars())
    if before == after:
        return after
    conn.execute(sa.delete(tags).where(tags.c.conversation_id == home.id))
    if after:
        conn.execute(sa.insert(tags), [{"conversation_id": home.id, "tag": tag} for tag in after])
    events.append(conn, [_told(home, actor, "conversation.tagged", tags=after)])
    return after


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
    woken = {"before": "snoozed", "status": "open"}
    news = [NewEvent("conversation.status", h.id, h.customer_id, data=woken) for h in found]
    d = directory.current(conn)
    alone = [Again(h) for h in found if assignment.lost(d, h, moment)]
    events.append(conn, [*news, *reroute(conn, alone)])
    events.append(conn, sla.follow(conn, d, found))
    return len(found)
