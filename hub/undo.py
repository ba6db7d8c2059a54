"""Second thoughts: a message taken back before it leaves, and one sent again that did not arrive."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, directory, drafts, events, fitting, holds, search, sla
from hub.access import Actor, Forbidden, access_message, require
from hub.answers import is_answer
from hub.clock import now
from hub.conversations import Current
from hub.drafts import Content, Kept
from hub.events import NewEvent
from hub.holds import Before, Hold
from hub.moving import words_of
from hub.outbox import NotFound
from hub.sql import among, is_postgres
from hub.tables import attachments, deliveries, messages, participants
from hub.tables import events as happened


class TooLate(Exception):
    """It is on its way, or was never held back."""

    def __init__(self) -> None:
        super().__init__("This message is on its way already; it cannot be taken back any more.")


def take_back(conn: Connection, actor: Actor, message_id: int) -> Kept:
    """Withdraw a message that nobody has begun to deliver; what it said is the writer's draft again.

    Against the delivery worker: whoever holds the deliveries' rows first wins, and the other one sees it. Raises `TooLate`,
    `NotFound`, `access.Forbidden`.
    """
    require(actor, "reply")
    row = access_message(conn, actor, message_id)
    if row is None:
        raise NotFound
    if row.author_id != actor.id:
        raise Forbidden("Only who wrote a message can take it back.")
    _claim(conn, message_id)
    home = conversations.lock_one(conn, row.conversation_id)
    hold = holds.of(conn, message_id)
    if home is None or hold is None:
        raise TooLate
    files = _unmake(conn, row)
    told = [NewEvent("message.withdrawn", home.id, home.customer_id, message_id, row.channel_id, actor.id)]
    _go_back(conn, home, hold)
    told += sla.follow(conn, directory.current(conn), [home])
    events.append(conn, told)
    holds.end(conn, message_id)
    content = Content(
        row.text,
        hold.before.via,
        hold.before.to,
        hold.before.cc,
        hold.before.subject,
        files,
        hold.before.actions,
        hold.before.bcc,
        hold.before.how,
        hold.before.about,
        hold.before.sure,
    )
    return drafts.bring_back(conn, actor, home.id, "reply", content)


def _claim(conn: Connection, message_id: int) -> None:
    """Hold all deliveries of the message and remove them, if none was ever claimed. Raises `TooLate`."""
    d = deliveries.c
    held = sa.select(d.id, d.state, d.attempts).where(d.message_id == message_id).order_by(d.id)
    if is_postgres(conn):
        held = held.with_for_update()
    rows = conn.execute(held).all()
    if not rows or any(row.state != "queued" or row.attempts for row in rows):
        raise TooLate
    conn.execute(sa.delete(deliveries).where(d.message_id == message_id))


def _unmake(conn: Connection, row: Any) -> tuple[int, ...]:
    """Leave nothing of the message but its name, by which a late repeat of its sending is known; its files."""
    number: int = row.id
    a, m, e = attachments.c, messages.c, happened.c
    files = tuple(conn.execute(sa.select(a.id).where(a.message_id == number).order_by(a.id)).scalars())
    conn.execute(sa.update(attachments).where(among(a.id, files)).values(message_id=None, created_at=now()))
    search.remove(conn, [(number, words_of(row))])
    empty = dict.fromkeys(("subject", "text", "visible_text", "html", "details"), "")
    conn.execute(sa.update(messages).where(m.id == number).values(**empty, direction="withdrawn", reply_to_id=None))
    near = sa.and_(e.conversation_id == row.conversation_id, e.id > number, e.shown)
    conn.execute(sa.update(happened).where(near, e.message_id == number, e.kind == "message.sent").values(shown=False))
    return files


def _go_back(conn: Connection, home: Current, hold: Hold) -> None:
    """The conversation as if the message had never been written, with everything that happened since."""
    was, moved, later = hold.before, _moved_since(conn, hold), holds.following(conn, hold)
    if later is not None:
        holds.change(conn, later.message_id, _merged(was, later.before, hold.message_id, moved))
    if home.last_message_id == hold.message_id:
        home.last_message_id, home.last_message_at, home.preview = was.last_message_id, was.last_message_at, was.preview
    if not _answered_since(conn, hold):
        if not moved:
            home.status, home.closed_at, home.snoozed_until = was.status, was.closed_at, was.snoozed_until
        if not moved or home.status != "closed":
            home.waiting_since = _earlier(was.waiting_since, home.waiting_since)
        if was.clocks is not None:
            sla.put_back(conn, home.id, was.clocks)
        p = participants.c
        conn.execute(sa.delete(participants).where(p.conversation_id == home.id, among(p.address, was.joined)))
    home.touched = True
    conversations.save(conn, [home])


def _merged(first: Before, second: Before, message_id: int, moved: bool) -> Before:
    """What a later message would go back to, now that the one before it never was."""
    changed = msgspec.structs.replace(
        second,
        waiting_since=_earlier(first.waiting_since, second.waiting_since),
        clocks=first.clocks,
        joined=tuple(dict.fromkeys((*first.joined, *second.joined))),
    )
    if not moved:
        as_before = {name: getattr(first, name) for name in ("status", "closed_at", "snoozed_until")}
        changed = msgspec.structs.replace(changed, **as_before)
    if second.last_message_id == message_id:
        as_before = {name: getattr(first, name) for name in ("last_message_id", "last_message_at", "preview")}
        changed = msgspec.structs.replace(changed, **as_before)
    return changed


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _answered_since(conn: Connection, hold: Hold) -> bool:
    """Did an agent write to the customer after this message?"""
    m = messages.c
    later = sa.select(m.id).where(m.conversation_id == hold.conversation_id, m.id > hold.message_id, is_answer())
    return conn.execute(later.limit(1)).first() is not None


def _moved_since(conn: Connection, hold: Hold) -> bool:
    """Did anything happen since that decides by itself whether the conversation is open?"""
    e = happened.c
    since = sa.select(e.id).where(
        e.conversation_id == hold.conversation_id,
        e.id > hold.told_until,
        e.shown,
        e.kind.in_(("message.received", "conversation.status")),
    )
    return conn.execute(since.limit(1)).first() is not None


def retry(conn: Connection, actor: Actor, message_id: int) -> int:
    """Queue what failed or stayed unconfirmed again, because a person wants it; how many deliveries. Raises `NotFound`, and
    `CannotSend` where one of them does not want to be written to any more.
    """
    require(actor, "reply")
    row = access_message(conn, actor, message_id)
    if row is None:
        raise NotFound
    d = deliveries.c
    which = sa.and_(d.message_id == message_id, d.state.in_(("failed", "unconfirmed")), d.recipient != "")
    known = directory.current(conn)
    channel = known.channels.get(row.channel_id) or known.removed.get(row.channel_id)
    if channel is not None:
        recipients = list(conn.execute(sa.select(d.recipient).where(which)).scalars())
        fitting.check_consent(conn, channel.kind, channel.name, recipients)
    statement = sa.update(deliveries).where(which)
    again = {"state": "queued", "not_before": 0, "lease_until": 0, "error": "", "changed_at": now()}
    count = conn.execute(statement.values(**again)).rowcount
    if count:
        told = NewEvent("delivery.queued", row.conversation_id, row.customer_id, message_id, row.channel_id, actor.id)
        told.data = {"by_hand": True}
        events.append(conn, [told])
    return count
