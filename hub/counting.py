"""How many conversations a list holds, as parts of one statement: nothing is looked up before, and nothing is counted past the cap."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import filters
from hub.access import Actor, belongs, visible
from hub.filters import MOST_COUNTED, Filter
from hub.tables import conversations, drafts, mentions, sla_clocks, tags

_c = conversations.c


#: The moment of counting (ms), a parameter of the statements made here.
MOMENT = sa.bindparam("moment", type_=sa.BigInteger)


def some(actor: Actor, wanted: Filter, rare: frozenset[str] = frozenset()) -> sa.Subquery:
    """The first `MOST_COUNTED` conversations of a filter without ``q`` and ``since``, in no order. ``rare`` tags are looked up
    first, others met on the way.
    """
    if wanted.drafted:
        mine = sa.select(drafts.c.conversation_id).where(drafts.c.employee_id == actor.id, drafts.c.ended_at.is_(None))
        return sa.select(_c.id).where(_c.id.in_(mine), visible(actor)).limit(MOST_COUNTED).subquery()
    if wanted.due:
        return _due(actor, wanted)
    by_wait = wanted.sort == "waiting" and not wanted.rest
    common = [*filters.conditions(actor, wanted), *filters.tagged(wanted)]
    if by_wait:
        common.append(_c.waiting_since.is_not(None))
    if first := next((tag for tag in filters.all_tags(wanted) if tag in rare), ""):
        few = sa.select(tags.c.conversation_id).where(tags.c.tag == first)
        found = [(_c.id.in_(few), belongs(actor), *filters.state(wanted, by_wait), *common)]
    else:
        found = filters.stretches(actor, wanted, common, by_wait)
    parts = [sa.select(_c.id).where(*conditions).limit(MOST_COUNTED) for conditions in found]
    return filters.union(parts) if len(parts) > 1 else parts[0].subquery()


def _due(actor: Actor, wanted: Filter) -> sa.Subquery:
    """As lists look for them: among those who wait longest."""
    common = [*filters.conditions(actor, wanted), *filters.tagged(wanted)]
    open_ones = Filter(status=wanted.status or "open", assignee=wanted.assignee, team=wanted.team)
    window = filters.page(
        filters.stretches(actor, open_ones, common, by_wait=True), True, None, MOST_COUNTED
    ).subquery()
    k = sla_clocks.c
    first, last = (MOMENT, MOMENT + filters.SOON) if wanted.due == "soon" else (sa.literal(0), MOMENT - 1)
    soonest = (
        sa.select(sa.func.min(k.due_at))
        .where(k.conversation_id == window.c.id, k.target != "resolution", k.met_at.is_(None), k.due_at.is_not(None))
        .scalar_subquery()
    )
    return sa.select(window.c.id).where(soonest.between(first, last)).subquery()


def asked(actor: Actor) -> sa.Subquery:
    """Conversations in which somebody mentioned the actor who has not looked since."""
    m = mentions.c
    unread = sa.select(m.conversation_id).where(m.employee_id == actor.id, m.read_at.is_(None))
    return unread.distinct().limit(MOST_COUNTED).subquery()


def rare(conn: Connection, wanted: Iterable[Filter]) -> frozenset[str]:
    """Those tags of the filters that few conversations have. One statement, none without tags."""
    parts = []
    for tag in sorted({tag for one in wanted for tag in filters.all_tags(one)}):
        some_ = sa.select(tags.c.conversation_id).where(tags.c.tag == tag).limit(filters.MOST_TAGGED + 1).subquery()
        parts.append(sa.select(sa.literal(tag), sa.func.count()).select_from(some_))
    found = conn.execute(sa.union_all(*parts)) if parts else ()
    return frozenset(tag for tag, count in found if count <= filters.MOST_TAGGED)
