"""Fills a database with a house in the midst of its work: quickly, set by set, and the same at every run.

    python -m bench.fill sqlite:///path 1000000

Ten messages per conversation; the messages of a thousand conversations are interleaved, as they would arrive. Most
conversations are closed, a tenth is open. One customer has a hundredth of everything; one team has ten conversations.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from bench.words import RARE, texts
from hub.database import open_database
from hub.migrations import upgrade
from hub.tables import metadata
from hub.text import split

PER_CONVERSATION = 10
BLOCK = 1000  # conversations whose messages are interleaved
STRIDE = 6  # numbers of the counter of ids that one message and what belongs to it may use
BEGIN = 1_700_000_000_000
NEVER = 9_000_000_000_000  # in the year 2255
SPAN = 20_000_000_000  # milliseconds; all messages lie within 231 days
#: From this size on the indexes are made after the rows.
LARGE = 100_000
KINDS = ("in", "out", "in", "out", "in", "in", "out", "note", "in", "out")
TAGS = ("invoice", "warranty", "complaint", "new")
TABLES = [
    "conversations",
    "participants",
    "tags",
    "journal",
    "messages",
    "deliveries",
    "events",
    "watchers",
    "links",
    "todos",
    "consents",
    "orders",
    "plans",
]  # in an order that foreign keys like

Rows = dict[str, list[tuple[Any, ...]]]


class Filled(Struct, frozen=True):
    """What is in the database now, for those who ask it: ids of employees (the agent is in two teams, the loner in one
    that has next to nothing), of a team, a channel, of a customer with much and one with little, of a conversation."""

    messages: int
    conversations: int
    admin: int
    agent: int
    loner: int
    teams: tuple[int, ...]
    channels: tuple[int, ...]
    big_customer: int
    customer: int
    conversation: int


class House:
    """The numbers behind the rows: everything follows from the position of a message or a conversation."""

    def __init__(self, count: int, start: dict[str, int]) -> None:
        self.messages = count
        self.conversations = max(1, count // PER_CONVERSATION)
        self.customers = max(2, self.conversations * 2 // 5)
        self.ids = start["ids"]
        self.first_conversation = start["conversations"] + 1
        self.journal = start["journal"]
        people = start["people"]
        self.employees = range(people + 1, people + 21)
        self.teams = range(people + 21, people + 28)
        self.channels = range(people + 28, people + 33)
        self.first_customer = people + 33
        self.first_identity = self.first_customer + self.customers
        self.step = SPAN // max(1, count)  # milliseconds

    def counters(self) -> dict[str, int]:
        """Where the counters stand afterwards."""
        return {
            "ids": self.ids + self.messages * STRIDE,
            "conversations": self.first_conversation + self.conversations - 1,
            "journal": self.journal + self.messages,
            "people": self.first_identity + self.customers - 1,
        }

    def customer_of(self, c: int) -> int:
        """A position; the first customer has every hundredth conversation."""
        return 0 if c % 100 == 50 else (c * 7919 + 1) % self.customers

    def team_of(self, c: int) -> int | None:
        if c < 10:
            return self.teams[6]
        return None if c % 97 == 0 and c < self.conversations // 2 else self.teams[c * 31 % 6]

    def channel_of(self, c: int) -> int:
        return self.channels[c * 13 % 5]

    def status_of(self, c: int) -> str:
        """A tenth is open, spread over all time but denser among the newest."""
        if c > self.conversations * 0.95:
            return "open" if c % 5 else "waiting"
        return ("open", "waiting", "snoozed")[c % 3] if c % 17 == 0 else "closed"

    def waits(self, c: int) -> bool:
        """Its last message is the customer's."""
        return self.status_of(c) == "open" and c % 3 != 0

    def assignee_of(self, c: int) -> int | None:
        return None if c % 7 == 3 else self.employees[c * 11 % 20]

    def facts(self) -> Filled:
        """What a measurement needs to know."""
        return Filled(
            self.messages,
            self.conversations,
            self.employees[0],
            self.employees[1],
            self.employees[2],
            tuple(self.teams),
            tuple(self.channels),
            self.first_customer,
            self.first_customer + self.customers // 2,
            self.first_conversation + self.conversations // 2,
        )


def people(house: House) -> Rows:
    """Employees, teams, channels, customers and their addresses."""
    e, t = house.employees, house.teams
    members = {(t[6], e[2]), *((t[n % 6], e[n]) for n in range(3, 20)), (t[0], e[1]), (t[1], e[1])}
    rows: Rows = {
        "employees": [
            (
                n,
                f"person-{n}@example.org",
                f"Person {n}",
                "admin" if n == e[0] else "agent",
                "en",
                None,
                BEGIN,
                None,
                "",
                "",
                1000,
                None,
                None,
            )
            for n in e
        ],
        "teams": [(n, f"team-{n}", f"Team {n}", BEGIN, "", None, None, 0, 0) for n in t],
        "team_members": sorted(members),
        "channels": [
            (n, "api", f"Channel {n}", f"filled-{n}", t[i % 6], "", b"", "", None, BEGIN, None, None)
            for i, n in enumerate(house.channels)
        ],
        "customers": [
            (house.first_customer + i, f"Customer {n}", f"customer {n}", None, None, "", BEGIN, None)
            for i in range(house.customers)
            for n in (i * 7919 % 100_003,)
        ],
        "identities": [
            (house.first_identity + i, house.first_customer + i, *_address(i), f"Customer {i}", False, BEGIN)
            for i in range(house.customers)
        ],
    }
    return rows


def _address(i: int) -> tuple[str, str]:
    return f"api:filled-{i}", f"filled-{i}"


class Writer:
    """Turns positions into rows."""

    def __init__(self, house: House, words: Sequence[tuple[str, str]]) -> None:
        self.house, self.words = house, words

    def block(self, first: int, count: int) -> tuple[Rows, list[tuple[int, str]]]:
        """The rows of ``count`` conversations from position ``first`` on, and what is to be indexed."""
        rows: Rows = {name: [] for name in TABLES}
        index: list[tuple[int, str]] = []
        for nth in range(PER_CONVERSATION):
            for c in range(first, first + count):
                self._message(rows, index, first * PER_CONVERSATION + nth * count + c - first, c, nth)
        for c in range(first, first + count):
            self._conversation(rows, c, first * PER_CONVERSATION + (PER_CONVERSATION - 1) * count + c - first)
        return rows, index

    def _message(self, rows: Rows, index: list[tuple[int, str]], i: int, c: int, nth: int) -> None:
        h = self.house
        base, at = h.ids + i * STRIDE + 1, BEGIN + i * h.step
        number, conversation, position = base + 2, h.first_conversation + c, h.customer_of(c)
        customer, channel = h.first_customer + position, h.channel_of(c)
        kind = "in" if nth == PER_CONVERSATION - 1 and h.waits(c) else KINDS[nth]
        agent = h.assignee_of(c) or h.employees[1]
        said, folded = self.words[i * 4001 % len(self.words)]
        extra = f" {RARE}" if i % 10_000 == 4321 else ""
        text = f"{said} Nr{i}{extra}"
        author, name, journal, sent = agent, f"Person {agent}", None, kind == "out"
        if kind == "in":
            author, name, journal = None, f"Customer {position}", h.journal + i + 1
            rows["journal"].append(
                (journal, channel, "webhook", "read", at, 0, 0, "{}", b'{"messages":[]}', "", "0" * 64, 15, "")
            )
        rows["messages"].append(
            (
                number, conversation, customer, None if kind == "note" else channel, journal, author,
                "note" if kind == "note" else "text", {"in": "in", "out": "out", "note": "internal"}[kind],
                f"api:filled-{position}" if journal else "", name, "", text, "", "", "", at, at,
                None if kind == "note" else f"{channel}:f{i}", "" if kind == "note" else f"f{i}", f"x{i}" if sent else "",
                None if journal else f"{author}:f{i}", None,
            )
        )  # fmt: skip
        index.append((number, f"{name.lower()} {folded} nr{i}{extra}"))
        told = {"in": "message.received", "out": "message.sent", "note": "note.added"}[kind]
        add = rows["events"].append
        add((base + 3, at, told, conversation, customer, number, channel, author, True, ""))
        if nth == 0:
            add(
                (
                    base,
                    at,
                    "conversation.created",
                    conversation,
                    customer,
                    None,
                    channel,
                    None,
                    True,
                    '{"reason":"team"}',
                )
            )
        if nth == 1 and h.assignee_of(c):
            add(
                (
                    base + 1,
                    at,
                    "conversation.assigned",
                    conversation,
                    customer,
                    None,
                    None,
                    agent,
                    True,
                    f'{{"to":"{agent}"}}',
                )
            )
        if sent:
            state = "failed" if i % 1000 == 1 else "delivered"
            rows["deliveries"].append(
                (
                    base + 4,
                    number,
                    conversation,
                    channel,
                    f"api:filled-{position}",
                    state,
                    1,
                    0,
                    0,
                    1,
                    f"k{i}",
                    f"f{i}",
                    "",
                    at,
                    at,
                )
            )
            add((base + 5, at, f"delivery.{state}", conversation, None, number, channel, None, False, ""))

    def _conversation(self, rows: Rows, c: int, last: int) -> None:
        h = self.house
        number, status, position, waits = h.first_conversation + c, h.status_of(c), h.customer_of(c), h.waits(c)
        at = BEGIN + last * h.step
        rows["conversations"].append(
            (
                number, f"Case {c}", status, "", h.first_customer + position, h.channel_of(c), h.team_of(c), h.assignee_of(c),
                "team", self.words[last * 4001 % len(self.words)][0][:140], int(waits), h.ids + last * STRIDE + 3, at,
                at if waits else None, at + 86_400_000 if status == "snoozed" else None, at if status == "closed" else None, at,
                None, at if h.assignee_of(c) else None,
            )
        )  # fmt: skip
        rows["participants"].append((number, f"api:filled-{position}", h.channel_of(c)))
        if c % 3 == 0:
            rows["tags"].append((number, TAGS[c // 3 % 4]))
        if c % 5000 == 7:
            rows["tags"].append((number, "unusual"))
        rows["watchers"] += [(number, person, at) for person in {h.employees[0], h.employees[1], h.employees[c % 20]}]
        customer, person = h.first_customer + position, h.employees[c % 20]
        if c % 3 == 1:
            done = at if c % 2 else None
            rows["todos"].append(
                (number, customer, number, "Call", at, person, person, at, done, person if done else None)
            )
            rows["consents"].append((number, customer, "api", "in", "", person, at))
            rows["orders"].append((number, customer, f"A-{number}", at, 100, "EUR", "", "", at))
        if c % 4 == 1:
            rows["links"].append((number - 1, number, None, at))
        if c % 7 == 2:
            state, said = ("waiting" if c % 70 == 2 else "withdrawn"), f'{{"text":"later","client_id":"x{number}"}}'
            rows["plans"].append(
                (number, number, h.employees[c % 20], f"x:{number}", said, "UTC", NEVER, state, None, at, at)
            )


async def fill(url: str, count: int) -> Filled:
    """Fill the database at ``url`` with ``count`` messages; it may hold other things, but is filled only once."""
    db = open_database(url)
    try:
        await upgrade(db)
        house = House(count, await db.read(_counters))
        if db.kind == "sqlite":
            await asyncio.to_thread(_fill_sqlite, url.removeprefix("sqlite:///"), house)
        else:
            await _fill_postgres(url, house)
        await db.write(_set_counters, house.counters())
    finally:
        await db.close()
    return house.facts()


def facts(count: int, start: dict[str, int]) -> Filled:
    """What `fill` said, for a database filled before. ``start``: the counters as they were then."""
    return House(count, start).facts()


def _counters(conn: Connection) -> dict[str, int]:
    return {row[0]: row[1] for row in conn.execute(sa.text("SELECT name, value FROM counters"))}


def _set_counters(conn: Connection, values: dict[str, int]) -> None:
    conn.execute(
        sa.text("UPDATE counters SET value = :value WHERE name = :name"),
        [{"name": name, "value": value} for name, value in values.items()],
    )


def _columns(table: str, values: Sequence[tuple[Any, ...]]) -> list[str]:
    """The columns that are filled; those added to the table's end since keep their defaults."""
    return [c.name for c in metadata.tables[table].columns][: len(values[0]) if values else None]


def _blocks(house: House) -> Iterable[tuple[Rows, list[tuple[int, str]]]]:
    writer = Writer(house, texts())
    yield people(house), []
    for first in range(0, house.conversations, BLOCK):
        yield writer.block(first, min(BLOCK, house.conversations - first))


def _fill_sqlite(path: str, house: House) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in (
            "synchronous=OFF",
            "journal_mode=WAL",
            "cache_size=-400000",
            "temp_store=MEMORY",
            "foreign_keys=OFF",
        ):
            db.execute(f"PRAGMA {pragma}")
        made_later = []
        if house.messages >= LARGE:
            made_later = db.execute(
                "SELECT name, sql FROM sqlite_master WHERE type='index' AND sql IS NOT NULL"
            ).fetchall()
        for name, _ in made_later:
            db.execute(f"DROP INDEX {name}")
        for rows, index in _blocks(house):
            db.execute("BEGIN")
            for table, values in rows.items():
                columns = _columns(table, values)
                marks = ", ".join("?" * len(columns))
                db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
            db.executemany("INSERT INTO message_search (rowid, text) VALUES (?, ?)", index)
            db.execute("COMMIT")
        for _, sql in made_later:
            db.execute(sql)
        db.execute("ANALYZE")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


async def _fill_postgres(url: str, house: House) -> None:
    import asyncpg

    conn = await asyncpg.connect(url, command_timeout=600)
    try:
        # an owner who is no superuser may not switch the checks of foreign keys off; then filling takes longer
        if await conn.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            await conn.execute("SET session_replication_role = replica")
        await conn.execute(
            "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET statement_timeout = 0"
        )
        made_later = []
        if house.messages >= LARGE:
            made_later = await conn.fetch(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
                " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname) AND tablename <> 'alembic_version'"
            )
        for name, _ in made_later:
            await conn.execute(f"DROP INDEX {name}")
        await conn.execute("CREATE TEMP TABLE unindexed (id BIGINT, text TEXT)")
        for rows, index in _blocks(house):
            for table, values in rows.items():
                await conn.copy_records_to_table(table, records=values, columns=_columns(table, values))
            await conn.copy_records_to_table("unindexed", records=[(n, " ".join(split(text))) for n, text in index])
            await conn.execute(
                "INSERT INTO message_search SELECT id, strip(to_tsvector('simple', text)) FROM unindexed; TRUNCATE unindexed"
            )
        for _, definition in made_later:
            await conn.execute(definition)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()


if __name__ == "__main__":
    began = time.monotonic()
    print(asyncio.run(fill(sys.argv[1], int(sys.argv[2]))))
    print(f"{time.monotonic() - began:.1f} s")
