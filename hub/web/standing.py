"""How somebody stands to a conversation: do they watch it, are those blocked whose conversation it is, what shall be sent there later?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import blocking, plans, watching
from hub.access import Actor
from hub.inbox import Row
from hub.plans import Plan


class Standing(Struct, frozen=True):
    """``senders`` are the customer's addresses in the conversation, ``blocked`` those of them nobody is told of; ``linked``: see
    `linking`; ``plans`` are what leaves later.
    """

    watching: bool = False
    senders: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    linked: tuple[Row, ...] = ()
    plans: tuple[Plan, ...] = ()


def standing(conn: Connection, actor: Actor, row: Row, linked: Sequence[Row]) -> Standing:
    """Three small statements. ``linked``: the conversations that it is linked with."""
    senders = blocking.senders(conn, row.id, row.customer_id)
    unheard = tuple(address for address, blocked in senders.items() if blocked)
    later = tuple(plans.of_conversation(conn, row.id, actor.id))
    return Standing(watching.is_watching(conn, actor, row.id), tuple(senders), unheard, tuple(linked), later)
