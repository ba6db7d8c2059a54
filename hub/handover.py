"""“Continue on …”: a code that belongs to one conversation, good once and for an hour.

Whoever writes it on another channel proves that the conversation is theirs: their message joins it, it goes on there, and an address
that nobody knew becomes one of its customer's. Only the hash of a code is kept. A code has 50 random bits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import conversations, events, identity
from hub.clock import now
from hub.entries import Entry
from hub.events import NewEvent
from hub.secretbox import SecretBox
from hub.sql import among
from hub.tables import conversations as homes
from hub.tables import handovers

#: How long a code is good (milliseconds).
GOOD_FOR = 3_600_000
#: Characters of a message in which a code is looked for.
LOOKED_AT = 2000
_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE = re.compile(rf"\bHUB-([{_SIGNS}]{{5}})-([{_SIGNS}]{{5}})\b", re.IGNORECASE | re.ASCII)
_h = handovers.c


def make(conn: Connection, conversation_id: int) -> tuple[str, int]:
    """A fresh code for the conversation and until when it is good (ms). Earlier ones stay good."""
    one, two = ("".join(secrets.choice(_SIGNS) for _ in range(5)) for _ in range(2))
    until = now() + GOOD_FOR
    conn.execute(sa.delete(handovers).where(_h.expires_at < now()))
    row = {"code_hash": _hash(one + two), "conversation_id": conversation_id, "expires_at": until}
    conn.execute(sa.insert(handovers).values(row))
    return f"HUB-{one}-{two}", until


def follow(conn: Connection, box: SecretBox, entries: Sequence[Entry]) -> None:
    """Let messages with a genuine code into their conversations. The caller holds the senders; without a code this asks nothing."""
    said: dict[str, Entry] = {}
    for e in entries:
        if not e.message.flags and (match := _CODE.search(e.message.text[:LOOKED_AT])):
            said.setdefault(_hash(match[1] + match[2]), e)
    if not said:
        return
    named, c = homes.alias(), homes.c  # one that was merged stands for where it goes on
    statement = (
        sa.select(_h.code_hash, c.id, c.customer_id, c.channel_id, c.last_message_id)
        .join(named, named.c.id == _h.conversation_id)
        .join(homes, c.id == sa.func.coalesce(named.c.merged_into, named.c.id))
        .where(among(_h.code_hash, list(said)), _h.expires_at > now())
        .order_by(c.id)
    )
    for row in conn.execute(statement).all():
        e = said[row.code_hash]
        used = sa.delete(handovers).where(_h.code_hash == row.code_hash)
        if e.item.channel_id != row.channel_id and conn.execute(used).rowcount:
            _join(conn, box, e, row.id, row.customer_id, row.last_message_id)


def _join(conn: Connection, box: SecretBox, e: Entry, home: int, customer: int, message: int) -> None:
    sender = e.message.sender
    if not identity.find(conn, [sender.address]):
        identity.attach(conn, customer, sender.address, sender.name)
        data = {"address": sender.address}
        events.append(conn, [NewEvent("identity.added", home, customer, channel_id=e.item.channel_id, data=data)])
    conversations.add_participants(conn, [(home, sender.address, e.item.channel_id)])
    conn.execute(sa.update(homes).where(homes.c.id == home).values(channel_id=e.item.channel_id))
    e.message = structs.replace(e.message, tokens=(conversations.make_token(box, home, message), *e.message.tokens))


def _hash(code: str) -> str:
    return hashlib.sha256(f"hub handover {code.upper()}".encode()).hexdigest()
