"""By which channels a customer can be answered now, and why not by the others.

Some providers take free text only for some hours after the customer's own last message (`adapter.Traits.window_hours`), counted
from what they sent in, never from what we sent out.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.adapter import Traits
from hub.channels import Channels, Ready
from hub.clock import now
from hub.tables import channels as channels_table
from hub.tables import events, identities

HOUR = 3_600_000
#: A customer's newest messages that are looked at for when they last wrote on a channel.
LOOKED_AT = 300

#: Why a channel cannot be used now.
Why = Literal["", "no address", "closed", "never wrote", "receives only"]


class Way(Struct, frozen=True):
    """One channel towards one customer. ``last_at``: when they last wrote on it; ``until``: free text may be sent so long (ms);
    ``why`` it cannot be used now (empty: it can); ``trouble`` is what the channel itself suffers from, since ``trouble_since``.
    """

    id: int
    kind: str
    name: str
    address: str
    traits: Traits
    last_at: int = 0
    until: int | None = None
    why: Why = ""
    trouble: str = ""
    trouble_since: int | None = None


def wrote(conn: Connection, customer_id: int) -> dict[int, int]:
    """When the customer last wrote on each channel (ms), by its id."""
    e = events.c
    newest = (
        sa.select(e.channel_id, e.at)
        .where(e.customer_id == customer_id, e.kind == "message.received", e.shown)
        .order_by(e.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    statement = sa.select(newest.c.channel_id, sa.func.max(newest.c.at)).group_by(newest.c.channel_id)
    return {row[0]: row[1] for row in conn.execute(statement) if row[0] is not None}


def window(traits: Traits, last_at: int) -> int | None:
    """Until when free text may be sent (ms; 0: it never might), None: for ever."""
    return None if not traits.window_hours else last_at + traits.window_hours * HOUR if last_at else 0


def closed(conn: Connection, customer_id: int, ready: Ready) -> bool:
    """Is it too late for free text to this customer on this channel?"""
    traits = ready.adapter.traits
    if not traits.window_hours:
        return False
    until = window(traits, wrote(conn, customer_id).get(ready.id, 0))
    return until is not None and until < now()


def of(conn: Connection, known: Channels, customer_id: int, usual: int) -> list[Way]:
    """Every channel in use, in the order of preference: the one they wrote on last (``usual`` when they never did), those that can be
    used, the rest. Three statements.
    """
    written = wrote(conn, customer_id)
    i, c = identities.c, channels_table.c
    reach: dict[str, str] = {}
    by_use = (
        sa.select(i.address).where(i.customer_id == customer_id).order_by(i.verified.desc(), i.id.desc()).limit(200)
    )
    for address in conn.execute(by_use).scalars():
        reach.setdefault(address.partition(":")[0], address)
    ill = {
        row.id: (row.trouble, row.trouble_since)
        for row in conn.execute(
            sa.select(c.id, c.trouble, c.trouble_since).where(c.removed_at.is_(None), c.trouble != "")
        )
    }
    found = [_way(ready, reach, written, ill.get(ready.id, ("", None))) for ready in known.by_id.values()]
    last = max(written, key=lambda n: written[n]) if written else usual
    return sorted(found, key=lambda way: (bool(way.why), way.id != last, -way.last_at, way.name))


def _way(ready: Ready, reach: dict[str, str], written: dict[int, int], ill: tuple[str, int | None]) -> Way:
    traits, last_at = ready.adapter.traits, written.get(ready.id, 0)
    address, until, why = reach.get(traits.address_kind, ""), window(traits, last_at), ""
    if not traits.can_send:
        why = "receives only"
    elif not address:
        why = "no address"
    elif until is not None and until < now():
        why = "closed" if last_at else "never wrote"
    return Way(ready.id, ready.config.kind, ready.config.name, address, traits, last_at, until, why, *ill)  # type: ignore[arg-type]
