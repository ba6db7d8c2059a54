"""How somebody stands to a conversation: do they watch it, and are those blocked whose conversation it is?"""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import blocking, linking, watching
from hub.access import Actor
from hub.inbox import Row


class Standing(Struct, frozen=True):
    """``senders`` are the customer's addresses in the conversation, ``blocked`` those of them nobody is told of; ``linked``: see
    `linking`.
    """

    watching: bool = False
    senders: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    linked: tuple[Row, ...] = ()


def standing(conn: Connection, actor: Actor, row: Row) -> Standing:
    """A few small statements."""
    senders = blocking.senders(conn, row.id, row.customer_id)
    unheard = blocking.among_senders(conn, senders)
    mine = watching.is_watching(conn, actor, row.id)
    return Standing(
        mine, tuple(senders), tuple(a for a in senders if a in unheard), tuple(linking.linked(conn, actor, row.id))
    )
