"""A reply is a message, its deliveries and an event, in one transaction. Nothing leaves from here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import (
    conversations,
    directory,
    events,
    fitting,
    holds,
    identity,
    mentions,
    outgoing,
    presence,
    repeats,
    search,
    sla,
    timeline,
    uploads,
    ways,
)
from hub.access import Actor, access_conversation, access_customer, require
from hub.channels import Channels, Ready
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.failpoints import hit
from hub.fitting import CannotSend as CannotSend
from hub.fitting import Draft as Draft
from hub.fitting import Gone
from hub.messages import Party
from hub.sql import allocate, db_now, insert_rows
from hub.tables import deliveries, messages
from hub.text import clean, clean_line, preview


class NotFound(Exception):
    """It does not exist, or not for this employee."""


class Deleted(CannotSend):
    """Everything that was said there was deleted: nothing is written there until the customer writes again or somebody opens it."""

    def __init__(self) -> None:
        super().__init__("This conversation was deleted; nothing can be written there any more.")


class Stale(Exception):
    """Somebody else answered meanwhile; ``newer`` are the ids of what this screen has not seen."""

    def __init__(self, newer: list[int]) -> None:
        super().__init__("somebody answered since this screen was last in step")
        self.newer = newer


def reply(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    undo_seconds: float,
    conversation_id: int,
    draft: Draft,
    *,
    by_itself: bool = False,
) -> tuple[int, bool]:
    """Queue a reply: (message id, False if it was already there). ``by_itself``: it was planned; nobody is at work just now.

    A forward is shown to somebody: they take no part in the conversation by that, so what they answer begins one of its own, which
    names this one; and the customer still waits for an answer. Nor does who gets a blind copy take part.
    Raises `NotFound`, `access.Forbidden`, `Stale`, `CannotSend`, `fitting.Gone`, `repeats.OtherWords`.
    """
    require(actor, "reply")
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    identity.lock(conn, [f"client:{repeats.client_key(actor, draft.client_id)}"])
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    if earlier := _earlier(conn, actor, draft, home.id):
        return earlier, False
    _refuse_over(conn, home)
    _refuse_stale(conn, actor, home, draft)
    channel = _channel(channels, draft.via or home.channel_id)
    to = _whom(conn, home, channel, draft)
    answered = _answered(conn, home, channel, draft, to)
    return _write(conn, actor, home, channel, draft, to, undo_seconds, answered, by_itself), True


def weigh(conn: Connection, actor: Actor, channels: Channels, home: Current, draft: Draft, at: int) -> Draft:
    """The draft as it shall leave at a later moment (ms): by a channel and to recipients that are settled now. Raises as `reply`."""
    if _earlier(conn, actor, draft, home.id):
        raise CannotSend("This has been sent already.")
    _refuse_over(conn, home)
    _refuse_stale(conn, actor, home, draft)
    channel = _channel(channels, draft.via or home.channel_id)
    to = _whom(conn, home, channel, draft)
    fitting.check(channel.adapter.traits, channel.config.name, draft, to)
    fitting.check_window(conn, home.customer_id, channel, draft, to, at)
    fitting.check_consent(
        conn, channel.config.kind, channel.config.name, [p.address for p in (*to, *draft.cc, *draft.bcc)]
    )
    fitting.own_files(conn, actor, draft, channel)
    return msgspec.structs.replace(draft, via=channel.id, to=to, sure=draft.sure or not draft.to, seen=0)


def refuse(conn: Connection, actor: Actor, home: Current, draft: Draft, reason: str) -> int:
    """Keep what could not leave by itself as a message that failed, so that it is seen and the conversation opens (`hub.failures`)."""
    recipients = list(dict.fromkeys(p.address for p in (*draft.to, *draft.cc, *draft.bcc))) or [""]
    number, *rest = allocate(conn, "ids", 2 + len(recipients))
    moment = now()
    row = outgoing.message(number, actor, home, None, draft, draft.to, "email" if draft.subject else "text")
    same = sa.select(messages.c.id).where(messages.c.client_key == row["client_key"])
    if conn.execute(same).first() is not None:  # what was sent under its name meanwhile says something else
        row["client_key"] = None
    insert_rows(conn, messages, [row])
    waiting = fitting.waiting_files(conn, actor, draft.files)
    uploads.give(conn, actor.id, number, waiting, ())
    lost = {"state": "failed", "error": reason, "attempts": 1}
    ways_out = [
        outgoing.delivery(n, number, home, draft.via, a, moment, moment) | lost
        for n, a in zip(rest, recipients, strict=False)
    ]
    insert_rows(conn, deliveries, ways_out)
    search.add(conn, [(number, search.of_message("out", row["subject"], "", row["text"]))])
    home.touched, home.last_message_id, home.last_message_at, home.preview = True, number, moment, preview(draft.text)
    conversations.save(conn, [home])
    sent = NewEvent("message.sent", home.id, home.customer_id, number, draft.via, actor.id, id=rest[-1], at=moment)
    data = {"delivery": str(rest[0]), "state": "failed", "attempt": 1, "error": reason}
    events.append(conn, [sent, NewEvent("delivery.failed", home.id, home.customer_id, number, draft.via, data=data)])
    return number


def start(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    undo_seconds: float,
    draft: Draft,
    customer_id: int | None = None,
) -> tuple[int, int, bool]:
    """Begin a conversation: (conversation, message, False if it was already there). Raises as `reply`."""
    require(actor, "reply")
    identity.lock(conn, [f"client:{repeats.client_key(actor, draft.client_id)}", *(p.address for p in draft.to[:1])])
    if earlier := _earlier(conn, actor, draft, None):
        row = conn.execute(sa.select(messages.c.conversation_id).where(messages.c.id == earlier)).scalar_one()
        return row, earlier, False
    channel = _channel(channels, draft.via)
    traits = channel.adapter.traits
    if not traits.can_start:
        raise CannotSend(f"On “{channel.config.name}” only customers can begin a conversation.")
    to = draft.to
    if customer_id is not None:
        customer = access_customer(conn, actor, customer_id)
        if customer is None:
            raise NotFound
        to = to or _reach(conn, customer.id, channel)
    else:
        if not to:
            raise CannotSend("Say whom to write to: “to” or “customer” is missing.")
        customer_id = identity.resolve(conn, to[:1])[to[0].address].id
    home = _begin(conn, actor, channel, customer_id, draft)
    begun = NewEvent("conversation.created", home.id, customer_id, channel_id=channel.id, actor_id=actor.id)
    begun.data = {"reason": "started"}
    events.append(conn, [begun])
    return home.id, _write(conn, actor, home, channel, draft, to, undo_seconds), True


def note(conn: Connection, actor: Actor, conversation_id: int, text: str, client_id: str) -> tuple[int, bool]:
    """Write an internal note: (message id, False if it was already there). Raises as `reply`."""
    require(actor, "note")
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    draft = Draft(clean(text).strip(), client_id)
    if not draft.text:
        raise CannotSend("The note is empty.")
    identity.lock(conn, [f"client:{repeats.client_key(actor, client_id)}"])
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    if earlier := _earlier(conn, actor, draft, home.id):
        return earlier, False
    _refuse_over(conn, home)
    number, told = allocate(conn, "ids", 2)
    details, asked = mentions.asked_by(directory.current(conn), actor.id, draft.text)
    row = outgoing.message(number, actor, home, None, draft, (), "note") | {"details": details}
    insert_rows(conn, messages, [row])
    mentions.add(conn, home.id, number, asked)
    search.add(conn, [(number, search.of_message("internal", "", "", draft.text))])
    whom = {"mentioned": [str(n) for n in asked]} if asked else {}
    added = NewEvent("note.added", home.id, home.customer_id, number, actor_id=actor.id, data=whom, id=told)
    events.append(conn, [added])
    return number, True


def _earlier(conn: Connection, actor: Actor, draft: Draft, home: int | None) -> int | None:
    """The message of an act that is repeated. Raises `repeats.OtherWords`, `CannotSend`."""
    try:
        return repeats.earlier(conn, actor, draft.client_id, repeats.Act(home, draft.text, draft.html, draft.files))
    except repeats.Withdrawn as error:
        raise CannotSend("This message was taken back. Send it again as a new one.") from error


def _refuse_over(conn: Connection, home: Current) -> None:
    if home.merged_into is not None:
        raise CannotSend(f"This conversation was merged into #{home.merged_into}; work there.")
    if home.status == "closed" and conversations.was_deleted(conn, home.id):
        raise Deleted


def _refuse_stale(conn: Connection, actor: Actor, home: Current, draft: Draft) -> None:
    if not draft.seen:
        return
    m = messages.c
    statement = sa.select(m.id).where(m.conversation_id == home.id, m.id > draft.seen, m.direction.in_(("in", "out")))
    if draft.minds == "colleagues":
        statement = sa.select(m.id).where(*timeline.from_colleagues(actor, home.id, draft.seen))
    newer = list(conn.execute(statement.order_by(m.id).limit(50)).scalars())
    if newer:
        raise Stale(newer)


def _channel(channels: Channels, channel_id: int) -> Ready:
    ready = channels.by_id.get(channel_id)
    if ready is None:
        raise CannotSend("This channel is not in use any more. Choose another one to reply by.")
    if not ready.adapter.traits.can_send:
        raise CannotSend(f"Nothing can be sent by “{ready.config.name}”.")
    return ready


def _whom(conn: Connection, home: Current, channel: Ready, draft: Draft) -> tuple[Party, ...]:
    """The recipients, looked at once more where the screen said that they are the customer's."""
    if not draft.to and draft.how == "forward":
        raise CannotSend("Say to whom it shall be forwarded.")
    if draft.sure and (gone := ways.strangers(conn, home.customer_id, home.id, [p.address for p in draft.to])):
        raise Gone(
            f"“{gone[0].partition(':')[2]}” is not the customer's address any more. Nothing was sent: choose whom to write to."
        )
    if draft.sure:
        called = ways.names(conn, [p.address for p in draft.to])
        return tuple(Party(p.address, p.name or called.get(p.address, "")) for p in draft.to)
    return draft.to or _reach(conn, home.customer_id, channel, home.id)


def _reach(conn: Connection, customer_id: int, channel: Ready, conversation_id: int = 0) -> tuple[Party, ...]:
    party = ways.to(conn, channel, customer_id, conversation_id)
    if party is None:
        raise CannotSend(
            f"The customer has no address for {channel.config.name}. Add one, or reply by another channel."
        )
    return (party,)


def _answered(conn: Connection, home: Current, channel: Ready, draft: Draft, to: Sequence[Party]) -> int | None:
    """The message that is answered: the one that was chosen, else the recipient's newest, else the newest of such an address."""
    if draft.how == "forward":
        return None
    m = messages.c
    kind = to[0].address.partition(":")[0]
    come = (m.conversation_id == home.id, m.direction == "in")
    for which in (
        sa.and_(m.conversation_id == home.id, m.id == draft.about, m.channel_id == channel.id),
        sa.and_(*come, m.sender == to[0].address),
        sa.and_(*come, m.sender.startswith(f"{kind}:", autoescape=True)),
    ):
        found: int | None = conn.execute(sa.select(m.id).where(which).order_by(m.id.desc()).limit(1)).scalar()
        if found is not None:
            return found
    return None


def _begin(conn: Connection, actor: Actor, channel: Ready, customer_id: int, draft: Draft) -> Current:
    moment = now()
    home = Current(
        id=allocate(conn, "conversations", 1)[0],
        customer_id=customer_id,
        channel_id=channel.id,
        status="open",
        subject=clean_line(draft.subject),
        unread=0,
        waiting_since=None,
        snoozed_until=None,
        closed_at=None,
        last_message_id=0,
        last_message_at=moment,
        preview="",
        team_id=channel.row.team_id,
        assignee_id=actor.id,
        reason="started",
        created_at=moment,
        assigned_at=moment,
        fresh=True,
    )
    conversations.save(conn, [home])
    home.fresh = False
    return home


def _write(
    conn: Connection,
    actor: Actor,
    home: Current,
    channel: Ready,
    draft: Draft,
    to: Sequence[Party],
    undo_seconds: float,
    answered: int | None = None,
    by_itself: bool = False,
) -> int:
    fitting.check(channel.adapter.traits, channel.config.name, draft, to)
    fitting.check_window(conn, home.customer_id, channel, draft, to)
    files = fitting.own_files(conn, actor, draft, channel)
    shown = [f for f in files if f.message_id is not None]  # they stay where they are, and go along as copies
    seen = list(dict.fromkeys(p.address for p in (*to, *draft.cc)))
    recipients = list(dict.fromkeys((*seen, *(p.address for p in draft.bcc))))
    fitting.check_consent(conn, channel.config.kind, channel.config.name, recipients)
    joining = [] if draft.how == "forward" else seen
    d = directory.current(conn)
    was = holds.before(conn, d, home, joining) if undo_seconds else None
    if not by_itself:
        presence.acted(conn, actor.id)  # before the counter of ids, as everywhere (see hub.store)
    number, *rest = allocate(conn, "ids", 2 + len(recipients) + len(shown))
    moment = now()
    kind = "email" if channel.adapter.traits.subject else "text"
    row = outgoing.message(number, actor, home, channel, draft, to, kind) | {"reply_to_id": answered}
    insert_rows(conn, messages, [row])
    uploads.give(conn, actor.id, number, files, rest[len(recipients) :])
    due = conn.execute(sa.select(db_now())).scalar_one() + int(undo_seconds * 1000)
    insert_rows(
        conn,
        deliveries,
        [
            outgoing.delivery(n, number, home, channel.id, a, due, moment)
            for n, a in zip(rest, recipients, strict=False)
        ],
    )
    conversations.add_participants(conn, [(home.id, address, channel.id) for address in joining])
    search.add(conn, [(number, search.of_message("out", row["subject"], "", row["text"]))])
    _moved_on(home, draft, number, moment, by_itself)
    conversations.save(conn, [home])
    late = sla.follow(conn, d, [home], answered=set() if draft.how == "forward" else {home.id})
    sent = NewEvent("message.sent", home.id, home.customer_id, number, channel.id, actor.id, id=rest[-1], at=moment)
    told = events.append(conn, [sent, *late])
    if was is not None:
        holds.keep(conn, holds.Hold(number, home.id, actor.id, _addressed(was, draft), told, due))
    hit("outbox.before_commit")
    return number


def _addressed(was: holds.Before, draft: Draft) -> holds.Before:
    """With how the message was addressed, for the case that it is taken back."""
    to, cc, bcc = (tuple(p.address for p in parties) for parties in (draft.to, draft.cc, draft.bcc))
    subject = clean_line(draft.subject)
    was = msgspec.structs.replace(was, to=to, cc=cc, bcc=bcc, via=draft.via, subject=subject, actions=draft.actions)
    return msgspec.structs.replace(was, how=draft.how, about=draft.about, sure=draft.sure)


def _moved_on(home: Current, draft: Draft, number: int, moment: int, by_itself: bool) -> None:
    """What a message of ours does to its conversation: whoever was answered waits no more."""
    home.touched, home.last_message_id, home.last_message_at = True, number, moment
    home.preview = preview(draft.text)
    if draft.how == "forward":
        return
    home.waiting_since, home.unread = None, 0
    if home.status in ("closed", "snoozed") and not by_itself:
        home.status, home.closed_at, home.snoozed_until = "open", None, None
