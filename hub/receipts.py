"""The provider's news about what we sent. News that comes before the provider's own answer is parked and joined later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import identity
from hub.clock import now
from hub.events import NewEvent
from hub.failpoints import hit
from hub.messages import Receipt
from hub.sql import among, lit
from hub.tables import deliveries, early_receipts

#: A delivery only climbs. ``failed`` is final for sending, but a later proof of arrival beats it.
RANK = {"queued": 0, "sending": 1, "unconfirmed": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}

_known = sa.select(
    deliveries.c.id,
    deliveries.c.channel_id,
    deliveries.c.provider_id,
    deliveries.c.state,
    deliveries.c.message_id,
    deliveries.c.conversation_id,
).where(deliveries.c.provider_id != lit(""))
_set = (
    sa.update(deliveries)
    .where(deliveries.c.id == sa.bindparam("number"))
    .values(
        state=sa.bindparam("new_state"),
        error=sa.bindparam("why"),
        changed_at=sa.bindparam("at"),
        not_before=sa.bindparam("due"),  # what has failed is due: see hub.failures
    )
)
_park = sa.text(
    "INSERT INTO early_receipts (channel_id, provider_id, state, at, error, kept_at)"
    " VALUES (:channel, :provider_id, :state, :at, :error, :kept_at) ON CONFLICT (channel_id, provider_id, state) DO NOTHING"
)


def apply(conn: Connection, news: Sequence[tuple[int, Receipt]]) -> list[NewEvent]:
    """Apply receipts (channel, receipt) of any order; the events that tell of real changes. A fixed number of statements."""
    if not news:
        return []
    hit("receipts.before_apply")
    hold(conn, [(channel, r.provider_id) for channel, r in news])
    rows = conn.execute(
        _known.where(
            among(deliveries.c.channel_id, list({c for c, _ in news})),
            among(deliveries.c.provider_id, list({r.provider_id for _, r in news})),
        )
    )
    found: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        found.setdefault((row.channel_id, row.provider_id), []).append(row)
    changes: dict[int, tuple[Any, Receipt]] = {}
    early = []
    for channel_id, receipt in news:
        known = found.get((channel_id, receipt.provider_id))
        if known is None:
            early.append((channel_id, receipt))
        for row in known or ():
            state = changes[row.id][1].state if row.id in changes else row.state
            if climbs(state, receipt.state):
                changes[row.id] = (row, receipt)
    _write(conn, changes)
    park(conn, early)
    return [event(row, receipt.state, receipt.error) for row, receipt in changes.values()]


def hold(conn: Connection, names: Sequence[tuple[int, str]]) -> None:
    """Hold these provider ids (channel, id) until the commit.

    News and the provider's own answer may be written by two processes at the same moment; without this neither would see the other.
    """
    if names:
        identity.lock(conn, [f"receipt {channel} {number}" for channel, number in names])


def climbs(before: str, after: str) -> bool:
    """Does this news change anything?"""
    return RANK[after] > RANK[before]


def _write(conn: Connection, changes: dict[int, tuple[Any, Receipt]]) -> None:
    if changes:
        moment = now()
        conn.execute(
            _set,
            [
                {
                    "number": n,
                    "new_state": r.state,
                    "why": r.error,
                    "at": moment,
                    "due": moment if r.state == "failed" else 0,
                }
                for n, (_, r) in changes.items()
            ],
        )


def park(conn: Connection, early: Sequence[tuple[int, Receipt]]) -> None:
    """Keep news about messages whose provider id is not known yet."""
    if early:
        moment = now()
        conn.execute(
            _park,
            [
                {
                    "channel": channel,
                    "provider_id": r.provider_id,
                    "state": r.state,
                    "at": r.at or moment,
                    "error": r.error,
                    "kept_at": moment,
                }
                for channel, r in early
            ],
        )


def unpark(conn: Connection, provider_ids: Sequence[str]) -> list[tuple[int, Receipt]]:
    """Take out the news parked for these provider ids."""
    e = early_receipts.c
    rows = conn.execute(
        sa.select(e.channel_id, e.provider_id, e.state, e.at, e.error).where(among(e.provider_id, provider_ids))
    ).all()
    if rows:
        conn.execute(sa.delete(early_receipts).where(among(e.provider_id, provider_ids)))
    return [(row.channel_id, Receipt(row.provider_id, row.state, row.at, row.error)) for row in rows]


#: How long news waits for the message it is about (milliseconds).
PATIENCE = 7 * 86_400_000


def prune(conn: Connection) -> int:
    """Forget news that nobody has come for; how many."""
    return conn.execute(sa.delete(early_receipts).where(early_receipts.c.kept_at < now() - PATIENCE)).rowcount


def event(row: Any, state: str, error: str = "") -> NewEvent:
    """The event that tells of a delivery's new state."""
    data = {"delivery": str(row.id), "state": state} | ({"error": error} if error else {})
    return NewEvent(
        f"delivery.{state}", row.conversation_id, message_id=row.message_id, channel_id=row.channel_id, data=data
    )
