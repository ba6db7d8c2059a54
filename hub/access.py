"""Who may see and do what: the one door to every object.

Administrators and supervisors see everything. Agents and light agents see conversations of their teams, those of channels without a
team, those assigned to them, and those a colleague has mentioned them in. Light agents read and write notes; they neither answer
customers nor change settings.
What somebody may not see does not exist for them: callers answer 404.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.messages import Role
from hub.sql import among
from hub.tables import attachments, conversations, customers, mentions, messages, team_members


class Actor(Struct, frozen=True):
    """The employee on whose behalf something happens."""

    id: int
    name: str
    email: str
    role: Role
    teams: frozenset[int] = frozenset()
    language: str = "en"

    @property
    def sees_all(self) -> bool:
        return self.role in ("admin", "supervisor")


class Forbidden(Exception):
    """The role does not allow it; the text says which role would."""


#: What each role may do beyond reading what it sees.
RIGHTS: dict[str, frozenset[Role]] = {
    "reply": frozenset({"admin", "supervisor", "agent"}),
    "note": frozenset({"admin", "supervisor", "agent", "light"}),
    "assign": frozenset({"admin", "supervisor", "agent"}),
    "delete": frozenset({"admin"}),
    "customers": frozenset({"admin", "supervisor", "agent"}),
    "journal": frozenset({"admin", "supervisor"}),
    "replay": frozenset({"admin"}),
    "channels": frozenset({"admin"}),
    "employees": frozenset({"admin"}),
    "routing": frozenset({"admin", "supervisor"}),
}


def require(actor: Actor, right: str) -> None:
    """Raise `Forbidden` unless the actor's role has the right."""
    if actor.role not in RIGHTS[right]:
        allowed = ", ".join(sorted(RIGHTS[right]))
        raise Forbidden(f"This needs one of the roles {allowed}; you are {actor.role}.")


def belongs(actor: Actor) -> sa.ColumnElement[bool]:
    """The condition on `conversations` for the actor's own work: their teams', nobody's team's, their own. What they were only
    mentioned in is not in it; lists of work and queues ask this, everything else asks `visible`.
    """
    if actor.sees_all:
        return sa.true()
    c = conversations.c
    return sa.or_(c.team_id.is_(None), c.assignee_id == actor.id, among(c.team_id, sorted(actor.teams)))


def visible(actor: Actor) -> sa.ColumnElement[bool]:
    """The condition on `conversations` for what the actor may see."""
    if actor.sees_all:
        return sa.true()
    m = mentions.alias()
    asked = sa.select(m.c.message_id).where(m.c.conversation_id == conversations.c.id, m.c.employee_id == actor.id)
    return sa.or_(belongs(actor), asked.exists())


def may_see(actor: Actor, team_id: int | None, assignee_id: int | None, asked: Collection[int] = ()) -> bool:
    """The same rule in memory, for the live stream; ``asked`` are those mentioned in the conversation."""
    mine = assignee_id == actor.id or actor.id in asked
    return actor.sees_all or team_id is None or mine or team_id in actor.teams


def access_conversation(conn: Connection, actor: Actor, conversation_id: int) -> Any | None:
    """The conversation's row when the actor may see it, else None."""
    return conn.execute(_conversation(actor), {"number": conversation_id}).first()


@functools.lru_cache(1000)
def _conversation(actor: Actor) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(conversations).where(conversations.c.id == sa.bindparam("number"), visible(actor))


def access_message(conn: Connection, actor: Actor, message_id: int) -> Any | None:
    """The message's row when the actor may see its conversation, else None; what was taken back is not there."""
    statement = (
        sa.select(messages)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.id == message_id, messages.c.direction != "withdrawn", visible(actor))
    )
    return conn.execute(statement).first()


def access_attachment(conn: Connection, actor: Actor, attachment_id: int) -> Any | None:
    """The attachment's row: of a message the actor may see, or an upload of their own not yet sent; else None."""
    a = attachments.c
    statement = (
        sa.select(attachments)
        .outerjoin(messages, messages.c.id == a.message_id)
        .outerjoin(conversations, conversations.c.id == messages.c.conversation_id)
        .where(
            a.id == attachment_id,
            sa.or_(
                sa.and_(a.message_id.is_not(None), visible(actor)),
                sa.and_(a.message_id.is_(None), a.uploader_id == actor.id),
            ),
        )
    )
    return conn.execute(statement).first()


def access_envelope(conn: Connection, actor: Actor, journal_id: int) -> bool:
    """May the actor have this entry of the journal byte for byte? Only who may see every message that was read out of it."""
    if actor.sees_all:
        return True
    # a conversation that is nobody's makes the condition NULL, and NOT NULL is not true
    seen = sa.func.coalesce(visible(actor), sa.false())
    m = messages.c
    hidden = (
        sa.select(m.id)
        .join(conversations, conversations.c.id == m.conversation_id)
        .where(m.journal_id == journal_id, m.journal_id.is_not(None), ~seen)
        .limit(1)
    )
    return conn.execute(hidden).first() is None


def access_customer(conn: Connection, actor: Actor, customer_id: int) -> Any | None:
    """The customer's row (the winner's, when merged) when the actor may see one of their conversations, else None.

    Agents may also see customers nobody has talked to yet.
    """
    row = conn.execute(sa.select(customers).where(customers.c.id == customer_id)).first()
    for _ in range(20):
        if row is None or row.merged_into is None:
            break
        row = conn.execute(sa.select(customers).where(customers.c.id == row.merged_into)).first()
    if row is None or actor.sees_all:
        return row
    theirs = sa.select(conversations.c.id).where(conversations.c.customer_id == row.id)
    if conn.execute(theirs.limit(1)).first() is None:
        return row
    return row if conn.execute(theirs.where(visible(actor)).limit(1)).first() else None


def load_teams(conn: Connection, employee_id: int) -> frozenset[int]:
    """The teams of an employee."""
    return frozenset(
        conn.execute(sa.select(team_members.c.team_id).where(team_members.c.employee_id == employee_id)).scalars()
    )
