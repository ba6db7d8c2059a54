"""Whether somebody answers or takes notes in a conversation: it stays as they chose, also when nothing is written yet."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.access import Actor, access_conversation
from hub.clock import now
from hub.drafts import Mode
from hub.outbox import NotFound
from hub.sql import run
from hub.tables import modes

#: So long after it was chosen it is forgotten, like a draft nobody touched (milliseconds).
KEPT = 90 * 86_400_000

_m = modes.c
_choose = sa.text(
    "INSERT INTO modes (employee_id, conversation_id, mode, chosen_at) VALUES (:employee, :conversation, :mode, :at)"
    " ON CONFLICT (employee_id, conversation_id) DO UPDATE SET mode = excluded.mode, chosen_at = excluded.chosen_at"
)


def choose(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> None:
    """From now on this one there. Raises `NotFound`."""
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    said = {"employee": actor.id, "conversation": conversation_id, "mode": mode, "at": now()}
    conn.execute(_choose, said)


_chosen = sa.select(_m.mode).where(
    _m.employee_id == sa.bindparam("employee"), _m.conversation_id == sa.bindparam("conversation")
)


def chosen(conn: Connection, actor: Actor, conversation_id: int) -> Mode | None:
    """What they chose there; None: nothing yet."""
    said = run(conn, _chosen, employee=actor.id, conversation=conversation_id).scalar()
    return ("note" if said == "note" else "reply") if said else None


def prune(conn: Connection) -> int:
    """Forget old choices; how many."""
    return conn.execute(sa.delete(modes).where(_m.chosen_at < now() - KEPT)).rowcount
