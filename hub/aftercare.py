"""When a chat has ended: how the visitor found it (1 to 5), and all that was said as a mail.

Both only for the visitor's own conversation. The newest rating counts; agents see every one of them in the timeline.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, events, housemail, visitors
from hub.channels import Ready
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.messages import Party
from hub.tables import participants, ratings
from hub.visitors import PREFIX, Shown


def home_of(conn: Connection, channel_id: int, visitor: str) -> Current | None:
    """The visitor's newest conversation on the channel, held until the commit."""
    number = visitors.state(conn, channel_id, visitor).conversation
    return conversations.lock_one(conn, number) if number else None


def rate(conn: Connection, channel_id: int, visitor: str, score: int) -> bool:
    """Keep how the visitor found their conversation; False while it goes on, or when there is none."""
    home = home_of(conn, channel_id, visitor)
    if home is None or home.status != "closed":
        return False
    before = rating(conn, home.id)
    if before == score:
        return True
    values = {"score": score, "channel_id": channel_id, "employee_id": home.assignee_id, "at": now()}
    if before:
        conn.execute(sa.update(ratings).where(ratings.c.conversation_id == home.id).values(values))
    else:
        conn.execute(sa.insert(ratings).values(conversation_id=home.id, **values))
    told = NewEvent("conversation.rated", home.id, home.customer_id, channel_id=channel_id, data={"score": score})
    events.append(conn, [told])
    return True


def rating(conn: Connection, conversation_id: int) -> int:
    """How the visitor found the conversation, 1 to 5; 0: nothing said."""
    statement = sa.select(ratings.c.score).where(ratings.c.conversation_id == conversation_id)
    return conn.execute(statement).scalar() or 0


def said(conn: Connection, channel_id: int, visitor: str, conversation_id: int) -> list[Shown]:
    """What the visitor saw of one conversation of theirs."""
    whose = sa.select(participants.c.conversation_id).where(
        participants.c.conversation_id == conversation_id, participants.c.address == PREFIX + visitor
    )
    if conn.execute(whose).first() is None:
        return []
    shown, _ = visitors.shown(conn, channel_id, visitor)
    return [message for message in shown if message.conversation == conversation_id]


def send(
    conn: Connection,
    mailbox: Ready,
    home: Current,
    address: str,
    subject: str,
    lines: Sequence[str],
    more: str,
    key: str,
) -> int | None:
    """The transcript as a mail in the conversation; None when it was sent already. ``more`` is the last line, an address to open."""
    text = "\n\n".join([*lines, more])
    body = "".join([f"<p>{html.escape(line).replace(chr(10), '<br>')}</p>" for line in lines])
    link = f'<p><a href="{html.escape(more)}">{html.escape(more)}</a></p>' if more else ""
    return housemail.write(conn, home, mailbox, address, subject, text, body + link, f"transcript:{home.id}:{key}")


def known_address(conn: Connection, home: Current) -> Party | None:
    """Where a transcript goes when the visitor names no address."""
    address = housemail.address_of(conn, home.id, home.customer_id)
    return Party(address) if address else None
