"""A batch costs one transaction and a fixed number of statements, however many messages are in it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from hub import accounts, administration, channels, directory, ingest, journal, tables
from hub.clock import now
from hub.core import Hub
from hub.entries import Item
from hub.journal import Kept
from hub.messages import Envelope, Message, Party, Reading
from tests.bench.plans import engines_of, listening

SIZES = (1, 10, 200)
#: How many open conversations somebody carries.
ROOM = directory.Settings().capacity
#: More would be noticed: this is what one message costs when it comes alone.
MOST_STORING, MOST_KEEPING = 25, 4


@pytest.fixture
async def hub(settings: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Hub]:
    from config.app import open_hub

    found = open_hub(settings())
    await found.db.write(lambda c: channels.add(c, found.box, "api", "Bench", {"secret": "x"}))
    await found.db.write(staffed)
    await found.load_channels()
    await found.db.write(directory.current)  # read whole after every change of it, not for every batch
    yield found
    await found.db.close()
    await found.sandbox.close()


def staffed(conn: Connection) -> None:
    """A team that is chosen from, with two who are here."""
    team = administration.add_team(conn, "Service")
    people = [accounts.add_employee(conn, f"{n}@example.org", n, "agent", None) for n in ("anna", "jonas")]
    administration.set_members(conn, team, people)
    conn.execute(sa.update(tables.channels).values(team_id=team))
    seen = [{"employee_id": n, "state": "available", "seen_at": now() + 3_600_000} for n in people]
    conn.execute(sa.insert(tables.presence), seen)


def envelopes(hub: Hub, first: int, count: int) -> list[Kept]:
    channel = next(iter(hub.channels.by_id))
    return [
        Kept(Envelope(channel, b'{"messages":[]}', "webhook", 1_700_000_000_000)) for _ in range(first, first + count)
    ]


def items(hub: Hub, ids: range, first: int) -> list[Item]:
    """Messages of which every second one comes from somebody new, on a running conversation or a new one."""
    channel = next(iter(hub.channels.by_id))
    found = []
    for n, number in enumerate(ids, first):
        message = Message(f"m{n}", Party(f"api:sender-{n - n % 2}", f"Sender {n}"), text=f"Guten Tag {n}")
        found.append(
            Item(
                number, channel, hub.channels.by_id[channel].row.team_id, False, 1_700_000_000_000, Reading((message,))
            )
        )
    return found


class Ledger:
    """What a piece of work sent to the database."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.statements, self.commits = hub, 0, 0
        self.texts: list[str] = []

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        commits: list[Connection] = []

        def committed(conn: Connection) -> None:
            commits.append(conn)

        engines = engines_of(self.hub.db)
        for engine in engines:
            event.listen(engine, "commit", committed)
        try:
            with listening(self.hub.db) as heard:
                found = await self.hub.db.write(work, *arguments)
        finally:
            for engine in engines:
                event.remove(engine, "commit", committed)
        self.texts = [s.sql for s, _ in heard if not s.sql.startswith("BEGIN")]
        self.statements, self.commits = len(self.texts), len(commits)
        return found


async def test_a_batch_is_kept_and_stored_with_the_same_few_statements_whatever_its_size(hub: Hub) -> None:
    kept, stored = {}, {}
    first = 0
    for size in SIZES:
        ledger = Ledger(hub)
        ids = await ledger.run(journal.write, envelopes(hub, first, size), 20_000)
        assert ledger.commits == 1
        kept[size] = ledger.statements
        await ledger.run(ingest._store, hub, items(hub, ids, first), {})
        assert ledger.commits == 1
        stored[size] = ledger.statements
        first += size + size % 2

    messages, unread = await hub.db.read(counted)
    print(f"{hub.db.kind}: keeping costs {kept[1]} statements, storing {stored[1]}")
    assert (messages, unread) == (sum(SIZES), 0)
    assert len(set(kept.values())) == 1, kept
    assert len(set(stored.values())) == 1, stored
    assert kept[1] <= MOST_KEEPING
    assert stored[1] <= MOST_STORING
    assert await hub.db.read(assigned) == 2 * ROOM


async def test_a_statement_per_message_would_be_noticed(hub: Hub) -> None:
    ledger = Ledger(hub)

    ids = await ledger.run(lambda c: [n for kept in envelopes(hub, 0, 10) for n in journal.write(c, [kept], 1000)])

    assert len(ids) == 10
    assert ledger.statements > MOST_KEEPING


def assigned(conn: Connection) -> int:
    return conn.exec_driver_sql("SELECT count(*) FROM conversations WHERE assignee_id IS NOT NULL").scalar_one()


def counted(conn: Connection) -> tuple[int, int]:
    messages = conn.exec_driver_sql("SELECT count(*) FROM messages").scalar_one()
    return messages, conn.exec_driver_sql("SELECT count(*) FROM journal WHERE state = 'kept'").scalar_one()
