"""Which conversation does a message belong to? And what a conversation is.

A message joins a conversation only for a reason that cannot be forged: our own signed thread token (in the reply address or the
message id of what we sent) from somebody who takes part in it, or, on channels that run on (chat, SMS), the customer's current
one. Everything else begins a new conversation; one it seems related to is only named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.messages import Message
from hub.secretbox import SecretBox
from hub.sql import among, insert_into, insert_rows, is_postgres, lit, run, update_rows
from hub.tables import conversations, messages, participants

_TOKEN = re.compile(r"c(\d{1,18})\.m(\d{1,18})\.([a-z2-7]{16})")


def make_token(box: SecretBox, conversation_id: int, message_id: int) -> str:
    """The thread token of a message we send: ``c12.m345.<mac>``, safe in the local part of a mail address."""
    name = f"c{conversation_id}.m{message_id}"
    return f"{name}.{box.sign(name)}"


def read_token(box: SecretBox, token: str) -> tuple[int, int] | None:
    """(conversation, message) of a genuine token, else None."""
    match = _TOKEN.fullmatch(token.lower())
    if not match or not box.verify(f"c{match[1]}.m{match[2]}", match[3]):
        return None
    return int(match[1]), int(match[2])


class Offer(Struct, frozen=True):
    """A live contact offered to somebody until ``expires_at``; ``refused``: who had it before them."""

    employee_id: int
    expires_at: int
    refused: tuple[int, ...] = ()


class Current(Struct):
    """A conversation as the batch changes it. ``fresh`` ones are inserted, the others updated if ``touched``; ``moved`` ones got
    another assignee or team; ``offer``: it was offered to somebody just now.
    """

    id: int
    customer_id: int
    channel_id: int
    status: str
    subject: str
    unread: int
    waiting_since: int | None
    snoozed_until: int | None
    closed_at: int | None
    last_message_id: int
    last_message_at: int
    preview: str
    team_id: int | None
    assignee_id: int | None
    reason: str
    created_at: int
    covering_id: int | None = None
    assigned_at: int | None = None
    merged_into: int | None = None
    fresh: bool = False
    touched: bool = False
    moved: bool = False
    offer: Offer | None = None


_FIELDS = tuple(f for f in Current.__struct_fields__ if f not in ("fresh", "touched", "moved", "offer"))
_COLUMNS = [conversations.c[name] for name in _FIELDS]


def _lock_statement() -> sa.Select[Any]:
    c = conversations.c
    named = sa.select(c.id).where(among(c.id, "ids"))
    running = sa.select(c.id).where(
        among(c.customer_id, "customers"),
        among(c.channel_id, "channels"),
        sa.or_(c.status != "closed", c.closed_at > sa.bindparam("closed_after", type_=sa.BigInteger)),
    )
    return sa.select(*_COLUMNS).where(c.id.in_(sa.union(named, running))).order_by(c.id)


_named_or_running = _lock_statement()
_named_or_running_held = _named_or_running.with_for_update()


def lock_for(
    conn: Connection, ids: Sequence[int], customers: Sequence[int], channels: Sequence[int], closed_after: int
) -> list[Current]:
    """The conversations named, and those of the customers on the channels that still run; held until the commit.

    Still running: not closed, or closed after ``closed_after``.
    """
    statement = _named_or_running_held if is_postgres(conn) else _named_or_running
    values = {"ids": ids, "customers": customers, "channels": channels, "closed_after": closed_after}
    return [Current(*row) for row in run(conn, statement, **values).all()]


def follow_merged(conn: Connection, found: list[Current]) -> dict[int, Current]:
    """By id where they go on: those among ``found`` that were merged lead to the other one, which joins ``found`` and is held too."""
    here = {home.id: home for home in found}
    gone = [home for home in found if home.merged_into is not None]
    missing = {home.merged_into for home in gone if home.merged_into is not None} - here.keys()
    if missing:
        more = lock_for(conn, sorted(missing), [], [], 0)
        found += more
        here |= {home.id: home for home in more}
    return here | {home.id: here[home.merged_into] for home in gone if home.merged_into in here}


_living = sa.select(messages.c.id, messages.c.conversation_id).where(among(messages.c.id, "ids"))


def living(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The conversations that these messages are in now."""
    return {row[0]: row[1] for row in run(conn, _living, ids=list(ids)).all()} if ids else {}


def lock_one(conn: Connection, conversation_id: int) -> Current | None:
    """One conversation, held until the commit."""
    statement = sa.select(*_COLUMNS).where(conversations.c.id == conversation_id)
    if is_postgres(conn):
        statement = statement.with_for_update()
    row = conn.execute(statement).first()
    return Current(*row) if row else None


def was_deleted(conn: Connection, conversation_id: int) -> bool:
    """Is it closed because all that was said in it was deleted?"""
    c = conversations.c
    closed = sa.select(c.id).where(c.id == conversation_id, c.status == "closed", c.closed_as == "deleted")
    return conn.execute(closed).first() is not None


def look_at(conn: Connection, ids: Sequence[int]) -> dict[int, Current]:
    """Conversations by id as they are now; nobody holds them."""
    rows = conn.execute(sa.select(*_COLUMNS).where(among(conversations.c.id, ids)))
    return {row[0]: Current(*row) for row in rows}


_members = sa.select(participants.c.conversation_id, participants.c.address).where(
    among(participants.c.conversation_id, "ids")
)


def participants_of(conn: Connection, ids: Sequence[int]) -> set[tuple[int, str]]:
    """(conversation, address) of everybody who takes part."""
    return {(row[0], row[1]) for row in run(conn, _members, ids=list(ids)).all()}


class Seen(Struct, frozen=True):
    """Messages the hub has that a batch refers to."""

    by_key: dict[str, tuple[int, int]]
    by_external: dict[str, tuple[int, int]]


_m = messages.c
_by_key = sa.select(_m.dedupe, _m.id, _m.conversation_id).where(among(_m.dedupe, "keys"))
_by_external = (
    sa.select(_m.external_id, _m.id, _m.conversation_id)
    .where(_m.external_id != lit(""), among(_m.external_id, "external_ids"))
    .order_by(_m.id)
)


def known_keys(conn: Connection, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(message, conversation) behind those dedupe keys that the hub has."""
    return {key: (number, home) for key, number, home in run(conn, _by_key, keys=list(keys)).all()}


def referred(conn: Connection, keys: Sequence[str], external_ids: Sequence[str]) -> Seen:
    """What is behind dedupe keys and external ids. Two statements."""
    found = run(conn, _by_external, external_ids=list(external_ids)).all()
    return Seen(known_keys(conn, keys), {external: (number, home) for external, number, home in found})


def save(conn: Connection, changed: Sequence[Current]) -> None:
    """Write what a batch made of the conversations: one insert, one update."""
    insert_rows(conn, conversations, [{name: getattr(c, name) for name in _FIELDS} for c in changed if c.fresh])
    touched = [c for c in changed if c.touched and not c.fresh]
    update_rows(conn, conversations, [{name: getattr(c, name) for name in _CHANGING} for c in touched])


_CHANGING = (*(f for f in _FIELDS if f not in ("id", "customer_id", "channel_id", "created_at")), "id")


def add_participants(conn: Connection, rows: Sequence[tuple[int, str, int]]) -> None:
    """(conversation, address, channel): who takes part from now on."""
    insert_into(conn, "participants", ("conversation_id", "address", "channel_id"), rows, known="ignored")


def receive(
    current: Current, message: Message, message_id: int, at: int, preview: str, *, blocked: bool = False
) -> None:
    """What a customer's message does to its conversation. Machines' answers do not wake or reopen it, nor do ``blocked`` senders;
    what these begin is closed.
    """
    current.touched = True
    current.last_message_id, current.last_message_at, current.preview = message_id, at, preview
    if not current.subject and message.subject:
        current.subject = message.subject
    if blocked:
        if current.fresh and not current.unread:
            current.status, current.closed_at = "closed", at
        return
    machine = bool({"auto_reply", "bounce"} & set(message.flags))
    if not machine:
        current.waiting_since = current.waiting_since or at
    if current.fresh or not machine:
        current.unread += 1
        current.status, current.snoozed_until, current.closed_at = "open", None, None


def mark_blocked(conn: Connection, ids: Sequence[int]) -> None:
    """These were closed when they began, because of who wrote."""
    if ids:
        conn.execute(sa.update(conversations).where(among(conversations.c.id, list(ids))).values(closed_as="blocked"))


_snoozed = sa.select(conversations.c.id, conversations.c.snoozed_by, conversations.c.snoozed_at).where(
    among(conversations.c.id, "ids"), conversations.c.snoozed_at.is_not(None)
)


def who_snoozed(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[int | None, int]]:
    """(employee, when) by conversation, of those somebody once put away. One statement."""
    return {row[0]: (row[1], row[2]) for row in run(conn, _snoozed, ids=list(ids)).all()} if ids else {}


def woken(set_by: tuple[int | None, int] | None, *, reply: bool = False) -> dict[str, Any]:
    """What is told when a conversation comes back from snooze; ``reply``: because the customer wrote."""
    data: dict[str, Any] = {"before": "snoozed", "status": "open"} | ({"reply": True} if reply else {})
    if set_by is not None:
        data |= {"set_by": str(set_by[0]) if set_by[0] else None, "set_at": set_by[1]}
    return data
