"""Two people at one conversation: what others have said since somebody last looked, and what they are about to say."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import drafts, mentions
from hub.access import Actor, access_conversation
from hub.drafts import Mode
from hub.nearby import Place
from hub.outbox import NotFound
from hub.sql import among
from hub.tables import conversations, employees, messages, participants
from hub.timeline import from_colleagues

#: How many are shown, and how much of each (characters).
MOST, SHOWN = 3, 1200


class Newer(Struct, frozen=True):
    """What a colleague has said meanwhile. ``name`` is empty for what the hub said by itself."""

    id: int
    name: str
    at: int
    text: str
    note: bool


def newer(conn: Connection, actor: Actor, conversation_id: int, seen: int) -> list[Newer]:
    """The newest few of what others have said after the message ``seen``, oldest first. Raises `NotFound`."""
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    m = messages.c
    statement = (
        sa.select(m.id, sa.func.coalesce(employees.c.name, ""), m.at, sa.func.substr(m.text, 1, SHOWN), m.direction)
        .outerjoin(employees, employees.c.id == m.author_id)
        .where(*from_colleagues(actor, conversation_id, seen))
        .order_by(m.id.desc())
        .limit(MOST)
    )
    rows = conn.execute(statement).all()[::-1]
    return [Newer(row[0], row[1], row[2], row[3], row[4] == "internal") for row in rows]


def place(conn: Connection, actor: Actor, conversation_id: int) -> Place:
    """Who may see the conversation. Raises `NotFound`."""
    row = access_conversation(conn, actor, conversation_id)
    if row is None:
        raise NotFound
    return row.team_id, row.assignee_id, mentions.asked_in(conn, [conversation_id]).get(conversation_id, frozenset())


def listeners(conn: Connection, conversation_id: int, channels: list[int]) -> tuple[tuple[int, str], ...]:
    """(channel, address) of the customers who take part over one of these channels."""
    p = participants.c
    statement = sa.select(p.channel_id, p.address).where(
        p.conversation_id == conversation_id, among(p.channel_id, channels)
    )
    return tuple((row[0], row[1]) for row in conn.execute(statement.limit(20))) if channels else ()


class Foreign(Struct, frozen=True):
    """A colleague's draft."""

    name: str
    text: str
    saved_at: int


def draft_of(conn: Connection, actor: Actor, conversation_id: int, colleague: int, mode: Mode) -> Foreign:
    """What a colleague is about to say where the actor may look too. Raises `NotFound` when there is nothing."""
    home = access_conversation(conn, actor, conversation_id)
    who = conn.execute(sa.select(employees).where(employees.c.id == colleague)).first()
    if home is None or who is None:
        raise NotFound
    kept = drafts.written_by(conn, colleague, conversation_id, mode)
    if kept is None or not kept.alive:
        raise NotFound
    return Foreign(who.name, kept.content.text, kept.saved_at)


def home_of_visitor(conn: Connection, channel_id: int, address: str) -> tuple[int, Place, str] | None:
    """(conversation, who may see it, the customer's name there) of a visitor's newest conversation that is not closed."""
    c, p = conversations.c, participants.c
    statement = (
        sa.select(c.id, c.team_id, c.assignee_id)
        .join(participants, p.conversation_id == c.id)
        .where(p.address == address, c.channel_id == channel_id, c.status != "closed")
        .order_by(c.id.desc())
        .limit(1)
    )
    row = conn.execute(statement).first()
    if row is None:
        return None
    m = messages.c
    said = sa.select(m.sender_name).where(m.conversation_id == row[0], m.sender == address)
    asked = mentions.asked_in(conn, [row[0]]).get(row[0], frozenset())
    return row[0], (row[1], row[2], asked), conn.execute(said.order_by(m.id.desc()).limit(1)).scalar() or ""
