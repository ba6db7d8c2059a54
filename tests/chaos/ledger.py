"""The counting afterwards: what the database says, compared with what the provider knows was acknowledged."""

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from config.twins.provider import ProviderTwin
from hub import timeline
from hub.database import open_database
from hub.receipts import RANK
from hub.tables import deliveries, journal, messages
from hub.tables import events as happened


class Count(Struct):
    """What the database says at the end, compared with what was acknowledged. Everything but ``stored`` must be 0."""

    stored: int = 0
    lost_in: int = 0
    dup_in: int = 0
    lost_receipts: int = 0
    disorder_views: int = 0
    unread_journal: int = 0
    wrong_states: int = 0
    late_in: int = 0
    integrity: str = "ok"


async def count(url: str, provider: ProviderTwin) -> Count:
    """Count in the database itself, past the hub."""
    database = open_database(url)
    try:
        return await database.read(_count, provider)
    finally:
        await database.close()


def _count(conn: Connection, provider: ProviderTwin) -> Count:
    m, d = messages.c, deliveries.c
    rows = conn.execute(sa.select(m.provider_id, m.id).where(m.direction == "in").order_by(m.id)).all()
    stored = [row.provider_id for row in rows]
    states = {row[0]: row[1] for row in conn.execute(sa.select(d.provider_id, d.state).where(d.provider_id != ""))}
    wanted = {number: state for number, state in provider.told.items() if state}
    kept = conn.execute(sa.select(sa.func.count()).where(journal.c.state != "read")).scalar() or 0
    odd = conn.execute(sa.select(sa.func.count()).where(d.state.in_(("failed", "unconfirmed", "sending")))).scalar()
    integrity = "ok"
    if conn.dialect.name == "sqlite":
        integrity = str(conn.exec_driver_sql("PRAGMA integrity_check").scalar())
    return Count(
        stored=len(set(stored)),
        lost_in=len(set(provider.acked) - set(stored)),
        dup_in=len(stored) - len(set(stored)),
        lost_receipts=sum(RANK[states.get(n, "queued")] < RANK[state] for n, state in wanted.items()),
        disorder_views=_disorder(conn),
        unread_journal=kept,
        wrong_states=odd or 0,
        late_in=_late(stored, provider),
        integrity=integrity,
    )


def _disorder(conn: Connection) -> int:
    """Conversations whose timeline, read in pages from either end, is not the order of the spine; messages told not once."""
    e = happened.c
    told = conn.execute(
        sa.select(e.message_id, sa.func.count())
        .where(e.kind.in_(("message.received", "message.sent")))
        .group_by(e.message_id)
    ).all()
    total = conn.execute(sa.select(sa.func.count()).select_from(messages)).scalar() or 0
    bad: int = sum(n != 1 for _, n in told) + abs(len(told) - total)
    some = conn.execute(sa.select(e.conversation_id).where(e.shown).distinct().order_by(e.conversation_id).limit(12))
    for number in some.scalars().all():
        truth = list(conn.execute(sa.select(e.id).where(e.conversation_id == number, e.shown).order_by(e.id)).scalars())
        bad += truth != _pages(conn, number, forwards=True) or truth != _pages(conn, number, forwards=False)
    return bad


def _pages(conn: Connection, number: int, *, forwards: bool) -> list[int]:
    found: list[int] = []
    while True:
        if forwards:
            page = timeline.of_conversation(conn, number, after=found[-1] if found else 1, most=37)
        else:
            page = timeline.of_conversation(conn, number, before=found[0] if found else 2**62, most=37)
        if not page:
            return found
        ids = [item.id for item in page]
        found = found + ids if forwards else ids + found


def _late(stored: list[str], provider: ProviderTwin) -> int:
    """Messages stored after one of the same customer that was only sent once they had been acknowledged."""
    newest: dict[str, float] = {}
    late = 0
    for number in stored:
        customer = number.partition("-")[0]
        if provider.acked.get(number, 2**62) < newest.get(customer, 0.0):
            late += 1
        newest[customer] = max(newest.get(customer, 0.0), provider.first_sent.get(number, 0.0))
    return late
