"""Sending what stands in the composer: the message, what a saved reply wants done with it, and the end of its draft, at once."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import drafts, events, holds, modes, outbox, replies
from hub.access import Actor
from hub.channels import Channels
from hub.outbox import CannotSend, Draft
from hub.tables import conversations


def send(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    house_seconds: float,
    conversation_id: int,
    draft: Draft,
    version: int | None = None,
) -> int:
    """Answer the customer; the message's id. It waits as long as the channel, the house and the employee say (see `hub.holds`).

    ``version`` is the draft's that stood in the box. Raises as `outbox.reply`, and `CannotSend` for placeholders nobody filled.
    """
    if draft.template is None and (open_ones := replies.unfilled(draft.text)):
        raise CannotSend(f"Something has to be filled in before this can be sent: {', '.join(open_ones)}.")
    home = conversations.c
    usual = conn.execute(sa.select(home.channel_id).where(home.id == conversation_id)).scalar()
    ready = channels.by_id.get(draft.via or usual or 0)
    wait = holds.seconds(conn, actor.id, ready.config.kind if ready else "", house_seconds)
    number, fresh = outbox.reply(conn, actor, channels, wait, conversation_id, draft)
    if fresh and draft.actions:
        replies.act(conn, actor, conversation_id, draft.actions)
        holds.told(conn, number, events.latest(conn))
    if draft.template is None:  # beside a template, what was being written stays
        drafts.sent(conn, actor, conversation_id, "reply", draft.text, version)
    modes.choose(conn, actor, conversation_id, "reply")
    return number


def note(
    conn: Connection, actor: Actor, conversation_id: int, text: str, client_id: str, version: int | None = None
) -> int:
    """Write an internal note; its id. Raises as `outbox.note`."""
    number, _ = outbox.note(conn, actor, conversation_id, text, client_id)
    drafts.sent(conn, actor, conversation_id, "note", text, version)
    modes.choose(conn, actor, conversation_id, "note")
    return number
