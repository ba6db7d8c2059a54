"""What must be true of the database whatever happened; the numbers are those of the README's promises."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import timeline
from hub.receipts import RANK
from hub.tables import conversations, deliveries, events, messages
from hub.tables import journal as journal_table


class Promises:
    """The checks; the machine that inherits them knows what was acknowledged, sent and told."""

    acked: set[str]
    poison: set[str]
    replies: dict[str, int]
    sent: set[str]
    told: dict[str, str]
    seen_states: dict[int, str]
    #: conversation → what its pages showed
    paged: dict[int, list[int]]

    def _check(self, conn: Connection) -> None:
        m = messages.c
        rows = conn.execute(sa.select(m.id, m.conversation_id, m.customer_id, m.direction, m.provider_id)).all()
        said = [row.provider_id for row in rows if row.direction == "in"]
        assert len(said) == len(set(said)), "P2: a message is there twice"
        homes = {row.id: row for row in conn.execute(sa.select(conversations))}
        assert all(homes[r.conversation_id].customer_id == r.customer_id for r in rows), "a message is somebody else's"
        for home in homes.values():
            self._check_conversation(conn, home, [r for r in rows if r.conversation_id == home.id])
        for number, state in conn.execute(sa.select(deliveries.c.id, deliveries.c.state)):
            before = self.seen_states.get(number, "queued")
            fell = RANK[before] >= RANK["sent"] and RANK[state] < RANK[before]
            assert not fell, f"a delivery fell from {before} to {state}"
            self.seen_states[number] = state

    def _check_conversation(self, conn: Connection, home: Any, rows: list[Any]) -> None:
        e = events.c
        told = conn.execute(
            sa.select(e.id, e.kind, e.message_id, e.shown, e.data).where(e.conversation_id == home.id).order_by(e.id)
        ).all()
        spoken = [t.message_id for t in told if t.kind in ("message.received", "message.sent")]
        assert sorted(spoken) == sorted(r.id for r in rows), "P1: a message was not told exactly once"
        assert spoken == sorted(spoken), "P4: told in another order than stored"
        shown = [t.id for t in told if t.shown]
        if self.paged.get(home.id) != shown:  # what has not grown since was right a step ago
            assert shown == self._pages(conn, home.id), "P4: the pages of the timeline are not the spine"
            self.paged[home.id] = shown
        closed = [
            t.id for t in told if t.kind == "conversation.status" and msgspec.json.decode(t.data)["status"] == "closed"
        ]
        ours = [r.id for r in rows if r.direction == "out"]
        seen = [t.id for t in told if t.kind == "conversation.seen"]
        theirs = [r.id for r in rows if r.direction == "in"]
        unread = sum(n > max(ours + seen + closed, default=0) for n in theirs)
        assert home.unread == unread, f"unread is {home.unread}, not {unread}"
        waits = any(n > max(ours + closed, default=0) for n in theirs)
        assert (home.waiting_since is not None) == waits, (
            "waits although nobody does, or does not although somebody does"
        )
        assert home.last_message_id == max(theirs + ours), "the newest message is another one"

    def _pages(self, conn: Connection, number: int) -> list[int]:
        found: list[int] = []
        while page := timeline.of_conversation(conn, number, before=found[0] if found else 2**62, most=3):
            found = [item.id for item in page] + found
        return found

    def _check_end(self, conn: Connection) -> None:
        m, d, j = messages.c, deliveries.c, journal_table.c
        stored = set(conn.execute(sa.select(m.provider_id).where(m.direction == "in")).scalars())
        assert stored == self.acked, "P1: acknowledged and not stored"
        failed = conn.execute(sa.select(j.body).where(j.state == "failed")).scalars().all()
        assert all(any(name.encode() in body for body in failed) for name in self.poison), "P6: poison was thrown away"
        assert not conn.execute(sa.select(j.id).where(j.state == "kept")).all()
        rows = conn.execute(sa.select(d.message_id, d.state, d.provider_id, d.idempotency_key)).all()
        assert {row.message_id for row in rows} == set(self.replies.values()), "P3: a reply without its delivery"
        for row in rows:
            assert row.state not in ("queued", "sending"), "P3: never sent"
            assert row.idempotency_key in self.sent, "P3: settled without having been sent"
            if row.state not in ("failed", "unconfirmed"):
                told = self.told.get(row.provider_id, "sent")
                wanted = max(RANK[told], RANK["sent"])
                assert RANK[row.state] >= wanted, f"a receipt was lost: {row.state} instead of {told}"
