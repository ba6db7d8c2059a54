"""The alarm of the service levels: a word before a time is up, a word when it is, each exactly once.

A clock that is due is claimed by writing down when it was told of, in the transaction that tells it and while its conversation is held.
Two processes that look at the same moment wait for each other there, and the second one finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import conversations, directory, events, sla
from hub.clock import now
from hub.conversations import Current
from hub.core import Hub
from hub.directory import Directory
from hub.hours import MINUTE
from hub.sla import Clock
from hub.sql import among, hold
from hub.tables import sla_clocks, sla_policies

#: The warning comes so long before the end (milliseconds), but not before half of a short time is over.
AHEAD = 15 * MINUTE
#: Conversations looked at in one transaction, and transactions in one turn.
MOST, TURNS = 200, 20

_k, _p = sla_clocks.c, sla_policies.c
_promised = sa.case(
    (_k.target == "first", _p.first_minutes), (_k.target == "next", _p.next_minutes), else_=_p.resolution_minutes
)
_half = _promised * (MINUTE // 2)
_moment = sa.bindparam("moment", type_=sa.BigInteger)
_unwarned = (_k.met_at.is_(None), _k.warned_at.is_(None), _k.due_at.is_not(None))
_unbreached = (_k.met_at.is_(None), _k.breached_at.is_(None), _k.due_at.is_not(None))
_up = (*_unbreached, _k.due_at < _moment)
_nearly = (
    *_unwarned,
    _k.due_at <= _moment + AHEAD,
    _k.due_at <= _moment + sa.case((_half < AHEAD, _half), else_=AHEAD),
)
_due_first = sa.select(_k.conversation_id, _k.due_at).where(*_up).order_by(_k.due_at).limit(MOST)
_warn_first = (
    sa.select(_k.conversation_id, _k.due_at)
    .join(sla_policies, _p.id == _k.policy_id)
    .where(*_nearly)
    .order_by(_k.due_at)
    .limit(MOST)
)
_columns = [_k[name] for name in Clock.__struct_fields__]
_claim_due = (
    sa.update(sla_clocks)
    .where(among(_k.conversation_id, "ids"), *_up)
    .values(breached_at=_moment, warned_at=sa.func.coalesce(_k.warned_at, _moment))
    .returning(*_columns)
)
_claim_warnings = (
    sa.update(sla_clocks)
    .where(among(_k.conversation_id, "ids"), _p.id == _k.policy_id, *_nearly)
    .values(warned_at=_moment)
    .returning(*_columns)
)


async def ring(hub: Hub) -> int:
    """Tell of everything that is due, or nearly; how many events. Only looks while there is nothing to tell."""
    told = 0
    for _ in range(TURNS):
        ids = await hub.db.read(due, now())
        if not ids:
            break
        told += await hub.db.write(tell, ids)
    if told:
        hub.bus.publish()
    return told


def due(conn: Connection, moment: int) -> list[int]:
    """Conversations with a clock to tell of, the most urgent `MOST`."""
    found = [row for s in (_due_first, _warn_first) for row in conn.execute(s, {"moment": moment})]
    return list(dict.fromkeys(row.conversation_id for row in sorted(found, key=lambda row: row.due_at)))[:MOST]


def tell(conn: Connection, ids: Sequence[int]) -> int:
    """Write the events of those clocks that nobody has told of yet; how many. A fixed number of statements."""
    d, moment = directory.current(conn), now()
    homes = {c.id: c for c in conversations.lock_for(conn, ids, [], [], moment)}
    hold(conn, "ids")
    values = {"ids": sorted(homes), "moment": moment}
    late = [Clock(*row) for row in conn.execute(_claim_due, values)]
    soon = [Clock(*row) for row in conn.execute(_claim_warnings, values)]
    news, idle = [], []
    for kind, clocks in (("sla.breached", late), ("sla.warned", soon)):
        for clock in sorted(clocks, key=lambda c: (c.due_at or 0, c.conversation_id)):
            home = homes[clock.conversation_id]
            if _counts(d, clock, home):
                news.append(sla.told(d, kind, clock, home))
            else:
                idle.append(clock)
    sla.drop(conn, idle)
    events.append(conn, news)
    return len(news)


def _counts(d: Directory, clock: Clock, home: Current) -> bool:
    """Is it still promised, and still what the clock measures? While no policy was enabled, nobody looked after the clocks."""
    return sla.runs(home, clock.target) and any(p.id == clock.policy_id for p in d.policies)
