"""What could not be delivered comes back to work: its conversation opens, as if somebody had knocked."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import assignment, conversations, directory, events, sla
from hub.clock import now
from hub.events import NewEvent
from hub.sql import among, is_postgres, lit
from hub.tables import deliveries


def reopen(conn: Connection, most: int = 200) -> int:
    """Open the conversations in which a delivery has failed since the last time; how many failed.

    A failed delivery with ``not_before`` has not been seen by this yet: so neither a crash nor a second process loses or doubles it.
    What was merged meanwhile opens where it goes on. A fixed number of statements.
    """
    d = deliveries.c
    new = sa.and_(d.state == lit("failed"), d.not_before > sa.literal_column("0"))
    statement = sa.select(d.id, d.conversation_id, d.message_id).where(new).order_by(d.not_before, d.id).limit(most)
    if is_postgres(conn):
        statement = statement.with_for_update(skip_locked=True)
    rows = conn.execute(statement).all()
    if not rows:
        return 0
    conn.execute(sa.update(deliveries).where(among(d.id, [row[0] for row in rows])).values(not_before=0))
    held = conversations.lock_for(conn, [row[1] for row in rows], [], [], now())
    living = conversations.follow_merged(conn, held)
    failed = {living[row[1]].id: row[2] for row in rows if row[1] in living}
    asleep = [home for home in held if home.id in failed and home.status != "open"]
    news = []
    for home in asleep:
        data = {"before": home.status, "status": "open", "failed": str(failed[home.id])}
        home.status, home.snoozed_until, home.closed_at, home.touched = "open", None, None, True
        news.append(NewEvent("conversation.status", home.id, home.customer_id, data=data))
    conversations.save(conn, asleep)
    known = directory.current(conn)
    lost = [assignment.Again(home) for home in asleep if assignment.lost(known, home, now())]
    events.append(conn, [*news, *assignment.reroute(conn, lost)])
    events.append(conn, sla.follow(conn, known, asleep))
    return len(rows)
