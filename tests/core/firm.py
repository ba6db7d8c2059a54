"""A small firm for the tests of who works on what: people by name, a clock that the test holds, jobs that run when it says so."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import absences, accounts, administration, claims, collaboration, directory, presence, reasons, staff
from hub.access import Actor
from tests.core.conftest import Rig, message, numbers

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: Monday, 2026-11-23 09:00 UTC.
MONDAY = 1_795_424_400_000
#: Modules that ask what time it is.
ASKING = (
    "hub.absences",
    "hub.assignment",
    "hub.claims",
    "hub.collaboration",
    "hub.ingest",
    "hub.outbox",
    "hub.presence",
    "hub.promised",
    "hub.sla",
    "hub.store",
    "hub.work",
    "tests.core.conftest",
)


class Firm:
    """People and teams by name, conversations by number."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.db = rig, rig.hub.db
        self.moment = MONDAY
        self.people: dict[str, Actor] = {}
        self.teams: dict[str, int] = {}
        self.channels: dict[str, int] = {}

    # ── setting up ───────────────────────────────────────────────────────────────────────────────────────────────────
    async def person(self, name: str, role: Any = "agent", *, here: bool = True, **given: Any) -> Actor:
        """Somebody new, who is here unless told."""

        def make(conn: Connection) -> Actor:
            number = accounts.add_employee(conn, f"{name.lower()}@firm.example", name, role, None)
            staff.set_up(conn, number, given)
            actor = accounts.actor(conn, number)
            assert actor is not None
            return actor

        self.people[name] = await self.db.write(make)
        if here:
            await self.is_doing(name, "available")
        return self.people[name]

    async def team(self, name: str, *members: str, **given: Any) -> int:
        """A team of these people, with a channel of the same name."""

        def make(conn: Connection) -> int:
            number = administration.add_team(conn, name)
            administration.set_members(conn, number, [self.people[m].id for m in members])
            staff.change_team(conn, number, given)
            return number

        self.teams[name] = await self.db.write(make)
        self.channels[name] = await self.rig.channel(url="http://127.0.0.1:1/")
        await self.sql("UPDATE channels SET team_id = :t WHERE id = :c", t=self.teams[name], c=self.channels[name])
        await self.db.write(directory.bump)
        await self.rig.hub.load_channels()
        for member in members:
            self.people[member] = await self.actor(member)
        return self.teams[name]

    async def actor(self, name: str) -> Actor:
        """Somebody as they are now."""
        actor = await self.db.read(accounts.actor, self.people[name].id)
        assert actor is not None
        return actor

    async def deputy(self, name: str, other: str | None) -> None:
        """``other`` stands in for somebody whenever they are away."""
        number = self.people[other].id if other else None
        await self.db.write(staff.set_up, self.people[name].id, {"deputy_id": number})

    async def is_doing(self, name: str, state: str) -> None:
        """Somebody says what they are doing."""
        await self.db.write(presence.choose, self.people[name].id, state)

    async def everybody_is_here(self) -> None:
        """All are seen once more: whatever they chose counts again."""
        await self.db.write(presence.seen, sorted(person.id for person in self.people.values()))

    async def sql(self, statement: str, **values: Any) -> int:
        """Straight into the database; how many rows."""
        return await self.db.write(lambda c: c.execute(sa.text(statement), values).rowcount)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────
    async def hear(self, team: str, who: str = "", text: str = "Hello", **more: Any) -> int:
        """Somebody writes to a team's channel; the conversation's number."""
        said = message(text, f"api:{who or f'customer{next(numbers)}'}", **more)
        await self.rig.hear(self.channels[team], said)
        query = "SELECT conversation_id FROM messages WHERE provider_id = :id"
        return int(await self.rig.scalar(query, id=said.provider_id))

    async def hear_all(self, team: str, many: int) -> list[int]:
        """So many people write at once."""
        before = await self.rig.scalar("SELECT coalesce(max(id), 0) FROM conversations")
        said = [message("Hello", f"api:customer{next(numbers)}") for _ in range(many)]
        await self.rig.hear(self.channels[team], *said)
        rows = await self.rig.rows("SELECT id FROM conversations WHERE id > :n ORDER BY id", n=before)
        return [row["id"] for row in rows]

    async def give(self, conversation: int, name: str | None, team: str | None = None, **more: Any) -> None:
        """The boss gives it to somebody by hand."""
        employee = self.people[name].id if name else None
        number = self.teams[team] if team else None
        await self.db.write(collaboration.assign, self.people["Boss"], conversation, employee, number, **more)

    async def away(self, name: str, hours: float | None = 24, *, after: float = 0, deputy: str | None = None) -> int:
        """Somebody plans to be away from ``after`` hours from now on for ``hours`` (None: until further notice)."""
        starts = self.moment + int(after * HOUR)
        ends = None if hours is None else starts + int(hours * HOUR)
        number = self.people[deputy].id if deputy else None
        person = self.people[name]
        return await self.db.write(absences.add, person, person.id, starts, ends, deputy_id=number)

    async def turn(self, hours: float = 0) -> int:
        """Time passes, then absences begin and end."""
        self.moment += int(hours * HOUR)
        return await self.db.write(absences.turn)

    async def serve(self) -> int:
        """The queues are served."""
        return await self.db.write(claims.serve)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def row(self, conversation: int) -> dict[str, Any]:
        """A conversation's row."""
        (found,) = await self.rig.rows("SELECT * FROM conversations WHERE id = :id", id=conversation)
        return found

    def named(self, number: int | None) -> str | None:
        """Somebody's name."""
        return next((name for name, person in self.people.items() if person.id == number), None)

    async def holder(self, conversation: int) -> str | None:
        """Whose it is, by name; with whom they cover: “Bea for Anna”. None: nobody's."""
        row = await self.row(conversation)
        name = self.named(row["assignee_id"])
        return f"{name} for {self.named(row['covering_id'])}" if row["covering_id"] is not None else name

    async def holders(self, conversations: list[int]) -> dict[str | None, int]:
        """How many of them everybody has."""
        found: dict[str | None, int] = {}
        for number in conversations:
            name = await self.holder(number)
            found[name] = found.get(name, 0) + 1
        return found

    async def why(self, conversation: int) -> list[str]:
        """Why it is theirs, step by step."""
        return reasons.each_in_words((await self.row(conversation))["reason"])

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """The data of all events of a kind."""
        rows = await self.rig.rows("SELECT data FROM events WHERE kind = :k ORDER BY id", k=kind)
        return [json.loads(row["data"]) for row in rows]

    async def offer(self, conversation: int) -> str | None:
        """At whom it rings."""
        rows = await self.rig.rows(
            "SELECT employee_id FROM offers WHERE conversation_id = :id AND expires_at > :at",
            id=conversation,
            at=self.moment,
        )
        return self.named(rows[0]["employee_id"]) if rows else None
