"""No statement behind a page or a loop gets slower as the house fills: every plan uses an index, on both databases."""

import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench.fill import BEGIN, SPAN, Filled, facts, fill
from bench.words import COMMON, MISSING, PAIR, RARE
from hub import (
    board,
    chapters,
    conversations,
    customers,
    delivery,
    directory,
    events,
    finding,
    identity,
    inbox,
    journal,
    looking,
    outbox,
    receipts,
    timeline,
)
from hub.access import Actor, access_attachment, access_customer, access_message, load_teams
from hub.collaboration import wake_snoozed
from hub.core import Hub
from hub.inbox import Filter
from hub.messages import Receipt
from hub.outbox import Draft, Stale
from hub.tables import employees
from hub.traffic import Traffic
from hub.web import reads, searching
from hub.web.places import Place
from hub.web.stretches import Look
from tests.bench.plans import MOST_ROWS, Statement, complaints, in_words, statements_of, undone
from tests.servers import Postgres, apart

KINDS = os.environ.get("HUB_TEST_DATABASES", "sqlite,postgresql").split(",")
MESSAGES = 20_000
numbers = itertools.count(1)
#: One worker fills, not each of them.
pytestmark = pytest.mark.xdist_group("plans")
EMPTY = {"ids": 0, "people": 0, "conversations": 0, "journal": 0}
#: These want the next or the last rows of a table, whatever they are.
IN_ORDER = ("events after", "newest event", "journal list")
#: Searches without words that look at the newest messages, so many for a page; or that look up a day among the events.
NEWEST = ("from:person", "has:attachment", "before:", "after:")
T = TypeVar("T")
Work = Callable[[Connection], Any]


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


def filters(house: Filled) -> Iterator[Filter]:
    """Every field alone and in the pairs that the screens offer, for both sorts."""
    for sort in ("newest", "waiting"):
        for status in ("", "open", "waiting", "snoozed", "closed"):
            yield Filter(status=status, sort=sort)
            for assignee in ("me", "none", house.agent):
                yield Filter(status=status, assignee=assignee, sort=sort)
            for team in house.teams[:1] + house.teams[-1:]:
                yield Filter(status=status, team=team, sort=sort)
                yield Filter(status=status, team=team, assignee="none", sort=sort)
            yield Filter(status=status, channel=house.channels[0], sort=sort)
            yield Filter(status=status, customer=house.big_customer, sort=sort)
            for tag in ("invoice", "unusual"):
                yield Filter(status=status, tag=tag, sort=sort)
            yield Filter(status=status, unread=True, sort=sort)
            yield Filter(status=status, team=house.teams[0], unread=True, sort=sort)
    yield Filter(status="open", sort="waiting", rest=True)
    yield Filter(status="open", sort="priority")
    yield Filter(mentioned=True)


def lists(house: Filled, who: Actor) -> Iterator[tuple[str, Work]]:
    for wanted in filters(house):
        for page in (1, 2):
            yield f"list {who.role} {wanted} page {page}", list_page(who, wanted, page)


def list_page(who: Actor, wanted: Filter, page: int) -> Work:
    def work(conn: Connection) -> None:
        _, cursor = inbox.listing(conn, who, wanted, limit=20)
        if page == 2 and cursor:
            inbox.listing(conn, who, wanted, cursor, limit=20)

    return work


def pages(house: Filled, who: Actor) -> Iterator[tuple[str, Work]]:
    """What opening things asks."""
    yield "counts", lambda c: inbox.counts(c, who)
    yield "counts of views, waiting and due", lambda c: inbox.counts(c, who, saved(house))
    yield "list, waiting and due", lambda c: inbox.listing(c, who, Filter(status="open", sort="due", rest=True))
    yield "list, waiting long", lambda c: inbox.listing(c, who, Filter(status="open", waited=7_200_000))
    for q in OPERATORS:
        yield f"search {q}", lambda c, q=q: inbox.listing(c, who, Filter(q=q))
        yield f"search page {q}", lambda c, q=q: searching.find(c, who, q, "", "")
    yield "live board: waiting, queues, channels", lambda c: board.look(c, who, BEGIN + SPAN - SPAN // 50)
    for due in ("soon", "late"):
        yield f"waiting, due {due}", lambda c, d=due: inbox.listing(c, who, Filter(status="open", due=d))
    yield (
        "begun since",
        lambda c: inbox.listing(c, who, Filter(since=BEGIN + SPAN - SPAN // 50, channel=house.channels[0])),
    )
    yield "page of a list", lambda c: reads.listed(c, who, Place("all"))
    for history in ("one", "all"):
        look = Look(history=history)
        yield f"page of a conversation, {history}", lambda c, k=look: reads.opened(c, who, newest(c, who).id, k)
    yield "news of a conversation", lambda c: reads.news(c, who, newest(c, who).id, Look(after=10), [1, 2, 3])
    yield "page of a customer", lambda c: reads.person(c, who, newest(c, who).customer_id)
    yield "conversation", lambda c: inbox.one(c, who, house.conversation)
    yield "timeline", lambda c: timeline.of_conversation(c, house.conversation)
    yield "timeline, before", lambda c: timeline.of_conversation(c, house.conversation, before=100_000)
    yield "timeline, after", lambda c: timeline.of_conversation(c, house.conversation, after=10)
    yield "heights", lambda c: looking.heights_of(c, [1, 2, 3])
    yield "senders", lambda c: looking.shown_senders(c, who, ["email:a@b.example"])
    yield "heads", lambda c: chapters.heads(c, [1, 2, 3])
    for customer in (house.big_customer, house.customer):
        yield "customer timeline", lambda c, n=customer: timeline.of_customer(c, who, n)
        yield "customer", lambda c, n=customer: access_customer(c, who, n)
        yield "earlier chapters", lambda c, n=customer: chapters.earlier(c, who, n, 0, 2**62)
    yield "message", lambda c: access_message(c, who, 3)
    yield "attachment", lambda c: access_attachment(c, who, 3)
    for begin in ("filled-77", "api:filled-77", "nobody"):
        yield f"customers {begin}", lambda c, q=begin: customers.listing(c, who, q, 2**62, 50)
    for words in (RARE, COMMON, MISSING, PAIR):
        yield f"search {words}", lambda c, q=words: inbox.listing(c, who, Filter(q=q))


def newest(conn: Connection, who: Actor) -> inbox.Row:
    """A conversation the employee may see."""
    return inbox.listing(conn, who, Filter(), limit=1)[0][0]


#: Searches that do not stand on words alone.
OPERATORS = (
    "is:unread",
    "is:open channel:api",
    "tag:invoice is:open",
    f"tag:invoice {COMMON}",
    "from:person",
    "from:customer",
    "has:attachment",
    "before:2024-01-01",
    f"{COMMON} after:2024-03-01",
    f'"{PAIR}"',
    "+49 151 22648810",
    "#7",
    "is:mentioned",
)


def saved(house: Filled) -> dict[str, Filter]:
    """Ten views such as people save."""
    return {
        "view:1": Filter(status="open", team=house.teams[0], sort="waiting", rest=True),
        "view:2": Filter(status="open", channel=house.channels[0]),
        "view:3": Filter(status="open", tag="invoice"),
        "view:4": Filter(status="open", tag="unusual"),
        "view:5": Filter(status="open", unread=True),
        "view:6": Filter(status="open", waited=7_200_000),
        "view:7": Filter(status="open", due="late"),
        "view:8": Filter(status="open", due="soon"),
        "view:9": Filter(status="waiting", assignee="me"),
        "view:10": Filter(assignee="none", channel=house.channels[1], unread=True),
    }


def loops(house: Filled, hub: Hub) -> Iterator[tuple[str, Work]]:
    """What the loops ask, batch after batch."""
    many = [f"api:filled-{n}" for n in range(50)]
    channels = list(house.channels)
    yield "events after", lambda c: events.after(c, 100, 500)
    yield "newest event", events.latest
    yield "identities", lambda c: identity.find(c, many)
    yield "erased", lambda c: identity.erased(c, many)
    yield "dedupe", lambda c: conversations.referred(c, [f"{channels[0]}:f{n}" for n in range(50)], [])
    yield "references", lambda c: conversations.referred(c, [], [f"x{n}" for n in range(50)])
    yield "running", lambda c: conversations.lock_for(c, [1, 2], list(range(40, 90)), channels, 10**12)
    yield "participants", lambda c: conversations.participants_of(c, [1, 2, 3])
    yield "own", lambda c: journal.own(c, [1, 2, 3])
    yield "mark read", lambda c: journal.mark_read(c, [1, 2, 3])
    yield "orphans", orphaned
    yield "journal list", lambda c: journal.listing(c, None)
    yield "journal list failed", lambda c: journal.listing(c, "failed")
    yield "claim", lambda c: claimed(c, hub)
    yield "receipts", lambda c: receipts.apply(c, [(channels[n % 5], Receipt(f"f{n}", "read")) for n in range(50)])
    yield "wake", wake_snoozed
    yield "free journal", journal.free_leases
    yield "free deliveries", delivery.free_leases
    yield "simulation", simulated


def orphaned(conn: Connection) -> None:
    conn.execute(sa.text("UPDATE journal /* set up */ SET state = 'kept' WHERE id < 20"))
    assert journal.claim_orphans(conn, 1000, 200)


def simulated(conn: Connection) -> None:
    middle = BEGIN + SPAN // 2
    past = Traffic(directory.current(conn), middle, middle + SPAN)
    assert past.run_up(conn, 20) is not None
    assert len(past.page(conn, 20)[1]) == 20


def claimed(conn: Connection, hub: Hub) -> None:
    conn.execute(sa.text("UPDATE deliveries /* set up */ SET state = 'queued' WHERE id < 6200"))
    assert delivery.claim(conn, hub, 5)


NOBODY = Actor(0, "Nobody", "nobody@firm.example", "admin")


def stale(conn: Connection, conversation: int) -> None:
    home = conversations.lock_one(conn, conversation)
    assert home is not None
    with pytest.raises(Stale):
        outbox._refuse_stale(conn, NOBODY, home, Draft("x", "x", seen=1))
    with pytest.raises(Stale):
        outbox._refuse_stale(conn, NOBODY, home, Draft("x", "x", seen=1, minds="colleagues"))


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
