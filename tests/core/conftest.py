"""A hub without doors: the real core on a real database, spoken to directly."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.app import Server, build
from hub import accounts, channels, events
from hub.access import Actor
from hub.clock import now
from hub.messages import Envelope, Message, Party, Reading
from tests.fakes import until

numbers = itertools.count(1)


class Rig:
    """The server and short ways to do to it what the world does."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.hub = server.hub

    async def channel(self, kind: str = "api", **settings: Any) -> int:
        """A new channel's id, ready to use."""
        given = {"secret": "s"} if kind == "api" else {"address": f"box{next(numbers)}@firm.example"}

        def make(conn: Connection) -> int:
            row = channels.add(conn, self.hub.box, kind, f"{kind} {next(numbers)}", {**given, **settings})
            events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])
            return row.config.id

        made = await self.hub.db.write(make)
        await self.hub.load_channels()
        return made

    async def employee(self, role: str = "agent", teams: Sequence[int] = ()) -> Actor:
        """A new employee."""
        number = next(numbers)

        def make(conn: Connection) -> Actor:
            made = accounts.add_employee(conn, f"{role}{number}@firm.example", f"{role} {number}", role, None)
            for team in teams:
                conn.execute(sa.text("INSERT INTO team_members VALUES (:t, :e)"), {"t": team, "e": made})
            actor = accounts.actor(conn, made)
            assert actor is not None
            return actor

        return await self.hub.db.write(make)

    async def hear(self, channel: int, *said: Message, body: bytes = b"{}") -> None:
        """An envelope with these messages arrives and is stored."""
        await self.server.ingest.keep(Envelope(channel, body, "test", now()), Reading(said))
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until everything kept is read."""
        await until(lambda: self.count("journal", "state = 'kept'", wanted=0))

    async def count(self, table: str, where: str = "true", wanted: int | None = None) -> Any:
        """How many rows; with ``wanted`` whether it is so many."""
        where = where.replace("true", "1 = 1")
        found = await self.scalar(f"SELECT count(*) FROM {table} WHERE {where}")
        return found if wanted is None else found == wanted

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """A query's rows."""
        return await self.hub.db.read(lambda c: [dict(r._mapping) for r in c.execute(sa.text(query), values)])

    async def scalar(self, query: str, **values: Any) -> Any:
        """A query's first value."""
        return await self.hub.db.read(lambda c: c.execute(sa.text(query), values).scalar())


def message(text: str = "Hello", who: str = "api:kim", **more: Any) -> Message:
    """A message with an id of its own."""
    more.setdefault("provider_id", f"m{next(numbers)}")
    return Message(sender=Party(who, more.pop("name", "Kim")), text=text, **more)


@pytest.fixture
async def rig(settings: Callable[..., Any]) -> AsyncIterator[Rig]:
    """The hub with all its loops running and no door open."""
    server = await build(settings(), migrate=True, roles=("worker",))
    await server.start()
    yield Rig(server)
    dead = server.hub.tasks.dead()
    await server.stop()
    assert not dead


@pytest.fixture
def no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job runs beside the test."""
    monkeypatch.setattr("config.app.JOBS", [])


@pytest.fixture
async def firm(no_jobs: None, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A firm with nobody in it but the boss, a supervisor who is not here; see `tests.core.firm`."""
    from tests.core.firm import ASKING, Firm

    made = Firm(rig)
    for module in ASKING:
        monkeypatch.setattr(f"{module}.now", lambda: made.moment)
    await made.person("Boss", "supervisor", here=False)
    return made
