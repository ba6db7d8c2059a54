"""No statement behind a page or a loop gets slower as the house fills: every plan uses an index, on both databases."""

import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench.fill import Filled, facts, fill
from hub import finding, inbox, receipts, timeline
from hub.access import Actor, belongs, load_teams
from hub.core import Hub
from hub.inbox import Filter
from hub.messages import Receipt
from hub.tables import conversations as conversations_table
from hub.tables import employees, tags
from tests.bench.asked import Work, lists, loops, pages, simulated, stale
from tests.bench.plans import MOST_ROWS, Statement, complaints, in_words, statements_of, undone
from tests.servers import Postgres, apart

KINDS = os.environ.get("HUB_TEST_DATABASES", "sqlite,postgresql").split(",")
MESSAGES = 20_000
numbers = itertools.count(1)
#: One worker fills, not each of them.
pytestmark = [pytest.mark.rest, pytest.mark.xdist_group("plans")]
EMPTY = {"ids": 0, "people": 0, "conversations": 0, "journal": 0}
#: These want the next or the last rows of a table, whatever they are.
IN_ORDER = ("events after", "newest event", "journal list")
#: Searches without words that look at the newest messages, so many for a page; or that look up a day among the events.
NEWEST = ("from:person", "has:attachment", "before:", "after:")
T = TypeVar("T")


@pytest.fixture(scope="module")
def filled_file(template_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "filled.db"
    shutil.copyfile(template_file, path)
    apart(lambda: fill(f"sqlite:///{path}", MESSAGES))
    return path


@pytest.fixture(scope="module")
def filled_database(postgres: Postgres, template_database: str) -> Iterator[str]:
    name = f"filled_{id(postgres)}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    apart(lambda: fill(postgres.url(name), MESSAGES))
    yield name
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def file_without_statistics(filled_file: Path) -> Path:
    path = filled_file.with_name("plain.db")
    shutil.copyfile(filled_file, path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE sqlite_stat1")
    return path


@pytest.fixture(params=[*KINDS, *(["sqlite without statistics"] if "sqlite" in KINDS else [])])
def filled_url(request: pytest.FixtureRequest) -> str:
    """A filled database, to be left as it is. SQLite plans without statistics until somebody runs ANALYZE, so both count."""
    if request.param == "postgresql":
        server, name = request.getfixturevalue("postgres"), request.getfixturevalue("filled_database")
        return str(server.url(name))
    return f"sqlite:///{request.getfixturevalue('filled_file' if request.param == 'sqlite' else 'file_without_statistics')}"


@pytest.fixture
def own_filled_url(filled_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A copy of it for one test."""
    if filled_url.startswith("sqlite:///"):
        path = tmp_path / "filled.db"
        shutil.copyfile(filled_url.removeprefix("sqlite:///"), path)
        yield f"sqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("filled_database")
    name = f"{template}_{next(numbers)}"
    server.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def hub(filled_url: str, tmp_path: Path) -> AsyncIterator[Hub]:
    async with opened(filled_url, tmp_path) as found:
        yield found


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncIterator[Hub]:
    """A hub's core on this database."""
    from config.app import open_hub
    from config.settings import load

    found = open_hub(load(None, {"HUB_DATA": str(folder / "data"), "HUB_DATABASE": url}))
    yield found
    await found.db.close()
    await found.sandbox.close()


async def actor(hub: Hub, number: int) -> Actor:
    def find(conn: Connection) -> Actor:
        row = conn.execute(sa.select(employees).where(employees.c.id == number)).one()
        return Actor(row.id, row.name, row.email, row.role, load_teams(conn, number))

    return await hub.db.read(find)


async def wrong(hub: Hub, works: Iterator[tuple[str, Work]], together: int = 1) -> list[str]:
    """Everything there is to say against the plans of these; ``together``: so many in one transaction."""
    asked: dict[str, tuple[str, Statement]] = {}
    for some in batches(works, together):
        told = await statements_of(hub.db, [work for _, work in some])
        for name, statement in ((name, s) for (name, _), said in zip(some, told, strict=True) for s in said):
            if not set_up(statement):
                asked.setdefault(statement.sql + repr(statement.parameters), (name, statement))
    assert asked
    said = []
    for few in batches(iter(asked.values()), together):
        said += await undone(hub.db, lambda c, few=few: [explained(c, *one) for one in few])  # type: ignore[misc]
    return [
        in_words(name, statement, found) for (name, statement), found in zip(asked.values(), said, strict=True) if found
    ]


def batches(things: Iterator[T], size: int) -> Iterator[list[T]]:
    while some := list(itertools.islice(things, size)):
        yield some


def set_up(statement: Statement) -> bool:
    """What this file itself asks to make a situation."""
    return "/* set up */" in statement.sql


def explained(conn: Connection, name: str, statement: Statement) -> list[str]:
    backlog = "waiting" in name or name == "wake"
    most = MOST_ROWS
    if name.startswith("search"):
        most = finding.SEARCHED
    elif name == "running":  # of two thousand conversations, those of many customers are found by reading all
        most = 2500
    return complaints(
        conn, statement, backlog=backlog, in_order=name in IN_ORDER or any(q in name for q in NEWEST), most=most
    )


@pytest.fixture
def house() -> Filled:
    return facts(MESSAGES, EMPTY)


@pytest.mark.parametrize("role", ["admin", "agent", "loner"])
async def test_every_list_walks_an_index_and_sorts_no_more_than_its_page(hub: Hub, house: Filled, role: str) -> None:
    said = await wrong(hub, lists(house, await actor(hub, getattr(house, role))), 20)

    assert not said, "\n".join(said)


@pytest.mark.parametrize("role", ["admin", "agent", "loner"])
async def test_opening_anything_and_searching_reads_no_table_from_end_to_end(
    hub: Hub, house: Filled, role: str
) -> None:
    said = await wrong(hub, pages(house, await actor(hub, getattr(house, role))), 5)

    assert not said, "\n".join(said)


async def test_the_loops_read_no_table_from_end_to_end(hub: Hub, house: Filled) -> None:
    said = await wrong(hub, loops(house, hub))

    assert not said, "\n".join(said)


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("ix_messages_conversation_id_id", "stale"),
        ("ix_events_conversation", "timeline"),
        ("ix_conversations_status_last_message_id", "list"),
        ("ix_deliveries_provider", "receipts"),
        ("ix_conversations_created_at", "simulation"),
    ],
)
async def test_without_one_index_there_is_a_complaint(
    own_filled_url: str, tmp_path: Path, house: Filled, index: str, name: str
) -> None:
    async with opened(own_filled_url, tmp_path) as hub:
        await complains(hub, house, index, name)


async def complains(hub: Hub, house: Filled, index: str, name: str) -> None:
    who = await actor(hub, house.admin)
    works: dict[str, Work] = {
        "stale": lambda c: stale(c, house.conversation),
        "timeline": lambda c: timeline.of_conversation(c, house.conversation),
        "list": lambda c: inbox.listing(c, who, Filter(status="closed")),
        "receipts": lambda c: receipts.apply(c, [(house.channels[0], Receipt("f1", "read"))]),
        "simulation": simulated,
    }
    assert await wrong(hub, iter([(name, works[name])])) == []

    await hub.db.write(lambda c: c.execute(sa.text(f"DROP INDEX {index}")))

    assert await wrong(hub, iter([(name, works[name])]))


async def test_the_pages_of_a_common_tag_are_the_whole_list_in_order(
    hub: Hub, house: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with two teams, one of which never uses the tag: no conversation is missing, none comes twice."""
    monkeypatch.setattr("hub.filters.MOST_TAGGED", 10)
    who = await actor(hub, house.agent)

    def all_pages(conn: Connection) -> list[int]:
        found: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            page, cursor = inbox.listing(conn, who, Filter(tag="invoice"), cursor, limit=7)
            found += [row.id for row in page]
        return found

    def plainly(conn: Connection) -> list[int]:
        c, t = conversations_table.c, tags.c
        having = sa.select(t.conversation_id).where(t.tag == "invoice")
        order = (c.last_message_id.desc(), c.id.desc())
        return list(conn.execute(sa.select(c.id).where(c.id.in_(having), belongs(who)).order_by(*order)).scalars())

    expected = await hub.db.read(plainly)
    assert len(expected) > 100
    assert await hub.db.read(all_pages) == expected
