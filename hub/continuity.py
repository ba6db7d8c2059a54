"""What a visitor of a web chat has not read for five minutes goes by e-mail, once, and an answer to the mail joins the conversation.

Which answers have reached a visitor is read from the events, so that a hub that was down tells of what it missed. Each waits in
`unread_chats` until it is due; whoever sends the mail takes what waits out in the same transaction.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, events, housemail, speaking
from hub.channels import Channels, Ready
from hub.clock import now
from hub.core import Hub
from hub.i18n import catalogue
from hub.messages import Details
from hub.sql import among, insert_into
from hub.tables import deliveries, facts, messages, unread_chats
from hub.tables import events as happened

#: How long an answer may stay unread (milliseconds).
PATIENCE = 5 * 60_000
#: Events, and conversations, in one transaction.
MOST = 500
CURSOR = "chats unread"
_m, _d, _u, _e = messages.c, deliveries.c, unread_chats.c, happened.c
_keep = sa.text(
    "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
)


async def turn(hub: Hub) -> int:
    """Note what reached visitors, then write to those who have not read it in time; how many mails."""
    chats = [r.id for r in hub.channels.by_id.values() if r.adapter.widget]
    if not chats:
        return 0
    if await hub.db.read(_behind):
        while await hub.db.write(follow, chats) >= MOST:
            pass
    mails = 0
    for conversation in await hub.db.read(due, now()):
        mails += await hub.db.write(send, hub.channels, hub.options.public_url, conversation)
    if mails:
        hub.bus.publish()
    return mails


def _cursor(conn: Connection) -> int | None:
    value = conn.execute(sa.select(facts.c.value).where(facts.c.name == CURSOR)).scalar()
    return int(value) if value else None


def _behind(conn: Connection) -> bool:
    cursor = _cursor(conn)
    return cursor is None or events.latest(conn) > cursor


def follow(conn: Connection, chats: Sequence[int]) -> int:
    """Note the next answers that reached visitors; how many events were looked at. A new house begins at the newest event."""
    cursor, latest = _cursor(conn), events.latest(conn)
    rows = []
    if cursor is not None:
        statement = sa.select(_e.id, _e.message_id, _e.conversation_id, _e.at).where(
            _e.id > cursor, _e.id <= latest, _e.kind == "delivery.sent", among(_e.channel_id, chats)
        )
        rows = list(conn.execute(statement.order_by(_e.id).limit(MOST)).all())
    fresh = [(row.message_id, row.conversation_id, row.at + PATIENCE) for row in rows if row.message_id]
    insert_into(conn, "unread_chats", ("message_id", "conversation_id", "due_at"), fresh, known="ignored")
    reached = rows[-1].id if len(rows) == MOST else latest
    conn.execute(_keep, {"name": CURSOR, "value": str(reached)})
    return len(rows)


def due(conn: Connection, moment: int) -> list[int]:
    """Conversations with something to write of, those that wait longest first."""
    statement = sa.select(_u.conversation_id, sa.func.min(_u.due_at)).where(_u.due_at <= moment)
    statement = statement.group_by(_u.conversation_id).order_by(sa.func.min(_u.due_at)).limit(MOST)
    return [row[0] for row in conn.execute(statement)]


def send(conn: Connection, channels: Channels, public_url: str, conversation_id: int) -> int:
    """Take out what waits in a conversation and mail what of it is still unread; 1 when there was something to mail."""
    home = conversations.lock_one(conn, conversation_id)
    taken = sa.delete(unread_chats).where(_u.conversation_id == conversation_id).returning(_u.message_id)
    ids = sorted(conn.execute(taken).scalars())
    statement = (
        sa.select(_m.id, _m.channel_id, _m.sender_name, _m.text)
        .join(deliveries, _d.message_id == _m.id)
        .where(among(_m.id, ids), among(_d.state, ["sent", "delivered"]), _m.direction == "out")
        .order_by(_m.id)
    )
    unread = list(conn.execute(statement).all())
    mailbox = housemail.mailbox(channels, home.team_id if home else None)
    if home is None or not unread or mailbox is None:
        return 0
    chat, address = channels.by_id.get(unread[0].channel_id), housemail.address_of(conn, home.id, home.customer_id)
    if chat is None or not address:
        return 0
    declared, page = _visitor(conn, home.id, chat)
    language = "de" if (speaking.of(conn, home.customer_id).language or declared).startswith("de") else "en"
    words = catalogue(language)
    firm = chat.config.text(f"title.{language}") or mailbox.config.text("display_name") or chat.config.name
    subject = words.text("{firm} answered in the chat", firm=firm)
    lines = [f"{row.sender_name.split(' ')[0]}: {row.text}" for row in unread if row.text]
    link = page or f"{public_url}/w/{chat.config.key}/page"
    last = words.text("Answer this mail, or go on in the chat: {link}", link=link)
    body = "".join([f"<p>{html.escape(line).replace(chr(10), '<br>')}</p>" for line in (*lines, last)])
    text = "\n\n".join([*lines, last])
    key = f"unread:{unread[-1].id}"
    return int(housemail.write(conn, home, mailbox, address, subject, text, body, key) is not None)


def reaches(conn: Connection, channels: Channels, conversation_id: int, customer_id: int, team_id: int | None) -> bool:
    """Would what stays unread in this conversation go by e-mail: is there a mailbox to write from, and an address to write to?"""
    mailbox = housemail.mailbox(channels, team_id)
    return mailbox is not None and bool(housemail.address_of(conn, conversation_id, customer_id))


def _visitor(conn: Connection, conversation_id: int, chat: Ready) -> tuple[str, str]:
    """(language, page) of the visitor's newest message; the page only where the chat may stand."""
    statement = sa.select(_m.details).where(
        _m.conversation_id == conversation_id, _m.direction == "in", _m.channel_id == chat.id
    )
    said = conn.execute(statement.order_by(_m.id.desc()).limit(1)).scalar()
    details = msgspec.json.decode(said, type=Details) if said else Details()
    language = details.language.lower()
    page = details.fields.get("page", "")
    try:
        parts = urlsplit(page)
        origin = f"{parts.scheme}://{parts.netloc}".lower()
    except ValueError:
        return language, ""
    allowed = chat.config.text("allowed_origins").lower().split()
    return language, page if parts.scheme in ("http", "https") and origin in allowed else ""
