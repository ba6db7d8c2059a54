"""The timeline: what was said and what happened, in the order of record, of one conversation or one customer."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.access import Actor, access_message, visible
from hub.events import COLUMNS, Event, from_row
from hub.messages import Details
from hub.receipts import RANK
from hub.sql import among, lit, run
from hub.tables import attachments, conversations, deliveries, employees, events, messages


class FileView(Struct, frozen=True):
    """An attachment as shown. ``id`` opens it by /api/v1/attachments/<id> or /attachments/<id>."""

    id: int
    name: str
    type: str
    size: int
    sha256: str
    inline_id: str


class DeliveryView(Struct, frozen=True):
    """How one recipient's copy fares."""

    id: int
    recipient: str
    state: str
    attempts: int
    error: str
    provider_id: str
    at: int


class MessageView(Struct, frozen=True):
    """A message with all that is shown of it. ``client_key`` names the act of writing it (see `hub.repeats`)."""

    id: int
    conversation_id: int
    customer_id: int
    channel_id: int | None
    journal_id: int | None
    author_id: int | None
    kind: str
    direction: str
    sender: str
    sender_name: str
    subject: str
    text: str
    visible_text: str
    html: str
    at: int
    received_at: int
    provider_id: str
    external_id: str
    reply_to_id: int | None
    details: Details
    files: tuple[FileView, ...]
    deliveries: tuple[DeliveryView, ...]
    client_key: str = ""

    @property
    def delivery(self) -> DeliveryView | None:
        """The delivery that matters most to an onlooker: what failed before what waits before what arrived."""
        worst = {"failed": 0, "unconfirmed": 1}
        return min(self.deliveries, key=lambda d: worst.get(d.state, 2 + RANK.get(d.state, 0)), default=None)


class Item(Struct, frozen=True):
    """One entry of the timeline: an event, with its message when it tells of one. ``id`` is the event's: the order of record."""

    id: int
    event: Event
    message: MessageView | None


def of_conversation(
    conn: Connection, conversation_id: int, *, before: int = 2**62, after: int = 0, most: int = 50
) -> list[Item]:
    """The newest ``most`` entries before (or, with ``after``, the first ones after) an entry's id, oldest first."""
    return _items(conn, _of_one(bool(after)), conversation_id, before, after, most)


def of_customer(
    conn: Connection, actor: Actor, customer_id: int, *, before: int = 2**62, after: int = 0, most: int = 50
) -> list[Item]:
    """The same over all conversations and channels of a customer that the actor may see."""
    return _items(conn, _of_all(actor, bool(after)), customer_id, before, after, most)


def message(conn: Connection, actor: Actor, message_id: int) -> MessageView | None:
    """One message with all that is shown of it, None when the actor may not see its conversation."""
    if access_message(conn, actor, message_id) is None:
        return None
    return views(conn, [message_id]).get(message_id)


_Entries = sa.Select[*tuple[Any, ...]]


@functools.cache
def _of_one(onward: bool) -> _Entries:
    return _entries(events.c.conversation_id == sa.bindparam("whose"), onward)


@functools.lru_cache(1000)
def _of_all(actor: Actor, onward: bool) -> _Entries:
    whose = events.c.customer_id == sa.bindparam("whose")
    if not actor.sees_all:
        theirs = sa.exists().where(conversations.c.id == events.c.conversation_id, visible(actor))
        whose = sa.and_(whose, sa.or_(events.c.conversation_id.is_(None), theirs))
    return _entries(whose, onward)


def _entries(whose: sa.ColumnElement[bool], onward: bool) -> _Entries:
    """The first ones after an id, or the last ones before it."""
    statement = sa.select(*COLUMNS).where(whose, events.c.shown)
    if onward:
        statement = statement.where(events.c.id > sa.bindparam("at")).order_by(events.c.id)
    else:
        statement = statement.where(events.c.id < sa.bindparam("at")).order_by(events.c.id.desc())
    return statement.limit(sa.bindparam("most"))


def _items(conn: Connection, entries: _Entries, whose: int, before: int, after: int, most: int) -> list[Item]:
    rows = conn.execute(entries, {"whose": whose, "at": after or before, "most": most}).all()
    found = sorted((from_row(row) for row in rows), key=lambda e: e.id)
    said = views(conn, [e.message_id for e in found if e.message_id])
    return [Item(e.id, e, said.get(e.message_id) if e.message_id else None) for e in found]


_a, _d = attachments.c, deliveries.c
_files_of = (
    sa.select(_a.message_id, _a.id, _a.name, _a.type, _a.size, _a.sha256, _a.inline_id)
    .where(among(_a.message_id, "ids"))
    .order_by(_a.id)
)
_copies_of = (
    sa.select(_d.message_id, _d.id, _d.recipient, _d.state, _d.attempts, _d.error, _d.provider_id, _d.changed_at)
    .where(among(_d.message_id, "ids"))
    .order_by(_d.id)
)
_messages = sa.select(messages).where(among(messages.c.id, "ids"), messages.c.direction != lit("withdrawn"))


def views(conn: Connection, ids: Sequence[int]) -> dict[int, MessageView]:
    """Messages by id with attachments and deliveries, without those taken back. Three statements."""
    if not ids:
        return {}
    wanted = list(ids)
    files: dict[int, list[FileView]] = {}
    for number, *fields in run(conn, _files_of, ids=wanted).all():
        files.setdefault(number, []).append(FileView(*fields))
    sent: dict[int, list[DeliveryView]] = {}
    for number, *fields in run(conn, _copies_of, ids=wanted).all():
        sent.setdefault(number, []).append(DeliveryView(*fields))
    rows = run(conn, _messages, ids=wanted).all()
    return {row.id: _view(row, tuple(files.get(row.id, ())), tuple(sent.get(row.id, ()))) for row in rows}


def _view(row: Any, files: tuple[FileView, ...], sent: tuple[DeliveryView, ...]) -> MessageView:
    return MessageView(
        id=row.id,
        conversation_id=row.conversation_id,
        customer_id=row.customer_id,
        channel_id=row.channel_id,
        journal_id=row.journal_id,
        author_id=row.author_id,
        kind=row.kind,
        direction=row.direction,
        sender=row.sender,
        sender_name=row.sender_name,
        subject=row.subject,
        text=row.text,
        visible_text=row.visible_text,
        html=row.html,
        at=row.at,
        received_at=row.received_at,
        provider_id=row.provider_id,
        external_id=row.external_id,
        reply_to_id=row.reply_to_id,
        details=msgspec.json.decode(row.details, type=Details) if row.details else Details(),
        files=files,
        deliveries=sent,
        client_key=row.client_key or "",
    )


def from_colleagues(actor: Actor, conversation_id: int, seen: int) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on `messages` for what others of the house have said in a conversation after the message ``seen``."""
    m = messages.c
    others = sa.or_(m.author_id.is_(None), m.author_id != actor.id)
    return (m.conversation_id == conversation_id, m.id > seen, m.direction.in_(("out", "internal")), others)


def names(conn: Connection) -> dict[int, str]:
    """Every employee's name by id; a small house has them all at hand."""
    return {row.id: row.name for row in conn.execute(sa.select(employees.c.id, employees.c.name))}
