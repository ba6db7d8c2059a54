"""A message on its way from its envelope to the rows it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hub import tongue
from hub.conversations import Current
from hub.messages import Details, Message, Reading


class StoredFile(Struct, frozen=True):
    """An attachment whose bytes are already in the blob store."""

    name: str
    type: str
    size: int
    sha256: str
    inline_id: str


class Item(Struct, frozen=True):
    """One envelope read: ready to be stored. ``files`` holds a list per message, bytes already kept."""

    journal_id: int
    channel_id: int
    team_id: int | None
    in_thread: bool
    received_at: int
    reading: Reading
    files: tuple[tuple[StoredFile, ...], ...] = ()


class Entry:
    """A message of the batch on its way to becoming rows."""

    __slots__ = (
        "blocked",
        "conversation",
        "created",
        "files",
        "id",
        "item",
        "key",
        "message",
        "related",
        "reply_to_id",
    )

    def __init__(self, item: Item, message: Message, files: Sequence[StoredFile]) -> None:
        language = tongue.spoken(message.visible_text or message.text, message.language)
        if language != message.language:
            message = msgspec.structs.replace(message, language=language)
        self.item, self.message, self.files = item, message, files
        self.key = dedupe_key(item.channel_id, message.provider_id)
        self.conversation: Current | None = None
        self.created = False
        self.blocked = False
        self.related: int | None = None
        self.reply_to_id: int | None = None
        self.id = 0


def dedupe_key(channel_id: int, provider_id: str) -> str:
    """What makes a message one and the same."""
    return f"{channel_id}:{provider_id[:500]}"


def sent_key(channel_id: int, provider_id: str) -> str:
    """The same for what we sent: a name of its own, so that a customer's id that happens to equal one of ours is no copy."""
    return f"{channel_id}:>{provider_id[:500]}"


def said_at(e: Entry) -> int:
    """When the customer said it; where they do not say, when it came."""
    return e.message.at if e.message.at is not None else e.item.received_at


def message_row(e: Entry, home: Current) -> dict[str, Any]:
    """The message's row."""
    m = e.message
    return {
        "id": e.id,
        "conversation_id": home.id,
        "customer_id": home.customer_id,
        "channel_id": e.item.channel_id,
        "journal_id": e.item.journal_id,
        "kind": m.kind,
        "direction": "in",
        "sender": m.sender.address,
        "sender_name": m.sender.name,
        "subject": m.subject,
        "text": m.text,
        "visible_text": m.visible_text,
        "html": m.html,
        "details": _details(m),
        "at": said_at(e),
        "received_at": e.item.received_at,
        "dedupe": e.key,
        "provider_id": m.provider_id,
        "external_id": m.external_id[:900],
        "reply_to_id": e.reply_to_id,
    }


def _details(m: Message) -> str:
    said = m.to or m.cc or m.flags or m.also or m.references or m.reply_to or m.language or m.fields
    if not (said or m.call or m.visit or m.spot or m.failed_checks):
        return ""
    return msgspec.json.encode(
        Details(
            tuple((p.address, p.name) for p in m.to),
            tuple((p.address, p.name) for p in m.cc),
            m.flags,
            m.also,
            m.references[-20:],
            m.reply_to,
            m.language,
            m.fields,
            m.call,
            m.visit,
            m.spot,
            failed_checks=m.failed_checks,
        )
    ).decode()


def file_row(number: int, e: Entry, file: StoredFile) -> dict[str, Any]:
    """An attachment's row."""
    return {
        "id": number,
        "message_id": e.id,
        "name": file.name,
        "type": file.type,
        "size": file.size,
        "sha256": file.sha256,
        "inline_id": file.inline_id,
        "created_at": e.item.received_at,
    }
