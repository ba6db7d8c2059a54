"""Sending what stands in the composer: the message, what a saved reply wants done with it, and the end of its draft, at once."""

from __future__ import annotations

from datetime import UTC, tzinfo

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import drafts, events, holds, modes, outbox, planning, replies
from hub.access import Actor
from hub.channels import Channels
from hub.outbox import CannotSend, Draft
from hub.tables import conversations


class Said(Struct, frozen=True):
    """What sending came to: the message's id, whether it can still be taken back, the action that changed the status (0: none)."""

    message: int
    held: bool
    action: int


def send(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    house_seconds: float,
    conversation_id: int,
    draft: Draft,
    version: int | None = None,
    place: tzinfo = UTC,
) -> Said:
    """Answer the customer. It waits as long as the channel, the house and the employee say (see `hub.holds`).

    ``version`` is the draft's that stood in the box; ``place`` the zone in which words of a snooze are meant.
    Raises as `outbox.reply`, and `CannotSend` for placeholders nobody filled.
    """
    filled(draft)
    home = conversations.c
    usual = conn.execute(sa.select(home.channel_id).where(home.id == conversation_id)).scalar()
    ready = channels.by_id.get(draft.via or usual or 0)
    wait = holds.seconds(conn, actor.id, ready.config.kind if ready else "", house_seconds)
    number, fresh = outbox.reply(conn, actor, channels, wait, conversation_id, draft)
    action = 0
    if fresh and draft.actions:
        action = replies.act(conn, actor, conversation_id, draft.actions, place)
        holds.told(conn, number, events.latest(conn))
    if draft.template is None:  # beside a template, what was being written stays
        drafts.sent(conn, actor, conversation_id, "reply", draft.text, version)
    modes.choose(conn, actor, conversation_id, "reply")
    return Said(number, bool(wait), action)


def plan(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    conversation_id: int,
    draft: Draft,
    due_at: int,
    place: str,
    version: int | None = None,
) -> int:
    """Let it leave later; the plan's id. Its draft ends with it. Raises as `planning.plan`, and as `send` for placeholders."""
    number, _ = planning.plan(conn, actor, channels, conversation_id, filled(draft), due_at, place)
    if draft.template is None:
        drafts.sent(conn, actor, conversation_id, "reply", draft.text, version)
    modes.choose(conn, actor, conversation_id, "reply")
    return number


def filled(draft: Draft) -> Draft:
    """The same. Raises `CannotSend` for placeholders nobody filled."""
    if draft.template is None and (open_ones := replies.unfilled(draft.text)):
        raise CannotSend(f"Something has to be filled in before this can be sent: {', '.join(open_ones)}.")
    return draft


def note(
    conn: Connection, actor: Actor, conversation_id: int, text: str, client_id: str, version: int | None = None
) -> int:
    """Write an internal note; its id. Raises as `outbox.note`."""
    number, _ = outbox.note(conn, actor, conversation_id, text, client_id)
    drafts.sent(conn, actor, conversation_id, "note", text, version)
    modes.choose(conn, actor, conversation_id, "note")
    return number
