"""Mail that the hub itself writes to a customer in a conversation they have on another channel: what they did not read, a transcript.

It is an ordinary message without an author: its delivery is carried like any other, and whoever answers it joins the conversation.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import consents, conversations, events, search
from hub.channels import Channels, Ready
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.messages import Details
from hub.sql import allocate, db_now, insert_rows
from hub.tables import deliveries, identities, messages
from hub.text import clean_line

_m = messages.c


def mailbox(channels: Channels, team_id: int | None = None) -> Ready | None:
    """The e-mail channel such mail leaves by: the team's, else the house's first; None when there is none."""
    found = [
        r
        for r in channels.by_id.values()
        if r.adapter.traits.address_kind == "email" and r.adapter.traits.can_send and r.adapter.traits.subject
    ]
    return min(found, key=lambda r: (team_id is None or r.row.team_id != team_id, r.id), default=None)


def address_of(conn: Connection, conversation_id: int, customer_id: int) -> str:
    """Where to write: the address that the customer last gave in this conversation, else one of theirs that was proven; or nothing,
    also when they have opted out of mails.
    """
    address = _known_address(conn, conversation_id, customer_id)
    return "" if (address, "email") in consents.out(conn, [address]) else address


def _known_address(conn: Connection, conversation_id: int, customer_id: int) -> str:
    said = sa.select(_m.details).where(_m.conversation_id == conversation_id, _m.direction == "in", _m.details != "")
    for text in conn.execute(said.order_by(_m.id.desc()).limit(50)).scalars():
        for address in msgspec.json.decode(text, type=Details).also:
            if address.startswith("email:"):
                return address
    i = identities.c
    proven = sa.select(i.address).where(i.customer_id == customer_id, i.verified, i.address.startswith("email:"))
    return conn.execute(proven.order_by(i.id.desc()).limit(1)).scalar() or ""


def write(
    conn: Connection, home: Current, mailbox: Ready, address: str, subject: str, text: str, html: str, key: str
) -> int | None:
    """Queue the mail; None when the one with this ``key`` is there already. The caller holds the conversation."""
    client_key = f"house:{key}"
    if conn.execute(sa.select(_m.id).where(_m.client_key == client_key)).first() is not None:
        return None
    number, copy, told = allocate(conn, "ids", 3)
    row = _row(number, home, mailbox, address, clean_line(subject, 200), text, html)
    insert_rows(conn, messages, [row | {"client_key": client_key}])
    due = conn.execute(sa.select(db_now())).scalar_one()
    insert_rows(
        conn,
        deliveries,
        [
            {
                "id": copy, "message_id": number, "conversation_id": home.id, "channel_id": mailbox.id,
                "recipient": address, "state": "queued", "not_before": due, "lease_until": 0,
                "idempotency_key": secrets.token_urlsafe(18), "created_at": now(), "changed_at": now(),
            }
        ],
    )  # fmt: skip
    conversations.add_participants(conn, [(home.id, address, mailbox.id)])
    search.add(conn, [(number, search.of_message("out", row["subject"], "", row["text"]))])
    events.append(conn, [NewEvent("message.sent", home.id, home.customer_id, number, mailbox.id, id=told)])
    return number


def _row(
    number: int, home: Current, mailbox: Ready, address: str, subject: str, text: str, html: str
) -> dict[str, Any]:
    moment = now()
    return {
        "id": number,
        "conversation_id": home.id,
        "customer_id": home.customer_id,
        "channel_id": mailbox.id,
        "kind": "email",
        "direction": "out",
        "subject": subject,
        "text": text,
        "html": html,
        "details": msgspec.json.encode(Details(((address, ""),))).decode(),
        "at": moment,
        "received_at": moment,
    }
