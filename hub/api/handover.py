"""“Continue on …”: codes by which customers go on with a conversation on another channel."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import handover
from hub.access import Actor, access_conversation, require
from hub.api.wire import Call, Made, route
from hub.clock import rfc3339
from hub.outbox import NotFound


class Handover(Struct, frozen=True):
    """A code that takes a conversation to another channel."""

    code: str
    expires_at: str | None


@route("POST", "/conversations/{id}/handover")
async def hand_over(call: Call, id: int) -> Made[Handover]:
    """A code for the customer: whoever writes it on another channel goes on with this conversation there. Good once, for an hour."""
    code, until = await call.write(_make, call.actor, id)
    return Made(Handover(code, rfc3339(until)), True)


def _make(conn: Connection, actor: Actor, number: int) -> tuple[str, int]:
    require(actor, "reply")
    if access_conversation(conn, actor, number) is None:
        raise NotFound
    return handover.make(conn, number)
