"""The rows that a message of ours is made of: what it says, and its way to each recipient."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from hub import repeats
from hub.access import Actor
from hub.channels import Ready
from hub.clock import now
from hub.conversations import Current
from hub.fitting import Draft
from hub.messages import Details, Party
from hub.text import clean, clean_line

_ANSWERED = re.compile(r"(re|aw|antw|sv|vs|ref|rif)\s*(\[\d+\])?:", re.IGNORECASE)


def _answering(home: Current, draft: Draft) -> str:
    """The conversation's subject as an answer has it: one "Re:" in front, whatever language began it."""
    if draft.how == "forward":
        return f"Fwd: {home.subject}".rstrip()
    if not home.subject or _ANSWERED.match(home.subject) or not home.last_message_id:
        return home.subject
    return f"Re: {home.subject}"


def message(
    number: int, actor: Actor, home: Current, channel: Ready | None, draft: Draft, to: Sequence[Party], kind: str
) -> dict[str, Any]:
    """What is said. Without ``channel`` it is a note, or goes by one that is not in use any more."""
    moment = now()
    shown_to, cc, bcc = (tuple((p.address, p.name) for p in parties) for parties in (to, draft.cc, draft.bcc))
    forwarded = draft.about if draft.how == "forward" else 0
    details = Details(shown_to, cc, bcc=bcc, forwarded=forwarded, template=draft.template)
    text = clean(draft.text)
    return {
        "id": number,
        "conversation_id": home.id,
        "customer_id": home.customer_id,
        "channel_id": channel.id if channel else draft.via or None,
        "author_id": actor.id,
        "kind": kind,
        "direction": "internal" if kind == "note" else "out",
        "sender": "",
        "sender_name": actor.name,
        "subject": clean_line(draft.subject)
        or (_answering(home, draft) if channel and channel.adapter.traits.subject else ""),
        "text": text,
        "visible_text": "",
        "html": clean(draft.html),
        "details": msgspec.json.encode(details).decode() if kind != "note" else "",
        "at": moment,
        "received_at": moment,
        "client_key": repeats.client_key(actor, draft.client_id),
    }


def delivery(
    number: int, message_id: int, home: Current, channel_id: int, address: str, due: int, moment: int
) -> dict[str, Any]:
    """Its way to one recipient, by the clock of the database ready to be gone at ``due`` (ms)."""
    return {
        "id": number,
        "message_id": message_id,
        "conversation_id": home.id,
        "channel_id": channel_id,
        "recipient": address,
        "state": "queued",
        "not_before": due,
        "lease_until": 0,
        "idempotency_key": secrets.token_urlsafe(18),
        "created_at": moment,
        "changed_at": moment,
    }
