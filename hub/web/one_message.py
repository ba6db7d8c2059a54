"""What the pages of one message need: itself, its source, its files."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from hub import timeline
from hub.access import Actor, access_envelope
from hub.outbox import NotFound
from hub.timeline import MessageView


def message(conn: Connection, actor: Actor, number: int) -> MessageView:
    """One message with its files. Raises `NotFound`."""
    found = timeline.message(conn, actor, number)
    if found is None:
        raise NotFound
    return found


def original(conn: Connection, actor: Actor, number: int) -> MessageView:
    """A message whose envelope is kept, when everything in that is for the actor's eyes. Raises `NotFound`.

    One envelope may hold messages of several conversations; an agent who may not see all of them gets none of it.
    """
    found = message(conn, actor, number)
    if found.journal_id is None or not access_envelope(conn, actor, found.journal_id):
        raise NotFound
    return found
