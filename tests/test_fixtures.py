"""The fixtures themselves: what every other test leans on has to hold."""

import asyncio
import imaplib
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import redis.asyncio
from redis.exceptions import RedisError

from tests.databases import Stock
from tests.fakes import until
from tests.guard import Guard, Outside
from tests.servers import Dovecot, Postgres, Redis, apart


async def tables(url: str) -> set[str]:
    if url.startswith("sqlite:///"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as file:
            found = {row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        file.close()
        return found
    connection = await asyncpg.connect(url, timeout=5)
    try:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        return {row[0] for row in await connection.fetch(query)}
    finally:
        await connection.close()


async def test_an_empty_database_has_no_tables_and_is_not_shared(empty_database_url: str) -> None:
    assert await tables(empty_database_url) == set()


async def test_a_database_comes_with_the_schema(database_url: str) -> None:
    assert {"messages", "conversations", "events"} <= await tables(database_url)


@pytest.fixture
def small_stock(postgres: Postgres, template_database: str) -> Iterator[Stock]:
    """A stock of the test's own with nothing in it yet."""
    with Stock(postgres, template_database, os.environ.get("PYTEST_XDIST_WORKER", "main")) as made:
        yield made


def value(stock: Stock, name: str, query: str) -> Any:
    """What a database says."""

    async def work() -> Any:
        async with stock.server.connected(name) as db:
            return await db.fetchval(query)

    return apart(work)


def test_what_a_test_left_in_a_database_is_gone_when_the_next_one_gets_it(small_stock: Stock) -> None:
    number = "SELECT value FROM counters WHERE name = 'ids'"
    with small_stock.lend() as first:
        before = value(small_stock, first, number)
        team = "INSERT INTO teams (slug, name, created_at, id) VALUES ('a', 'A', 0, 1)"
        small_stock.server.run(team, "UPDATE counters SET value = 77", "DELETE FROM alembic_version", database=first)
        assert value(small_stock, first, number) == 77
    with small_stock.lend() as second:
        left = value(small_stock, second, "SELECT count(*) FROM teams")
        versions = value(small_stock, second, "SELECT count(*) FROM alembic_version")
        after = value(small_stock, second, number)

    assert first == second
    assert (left, versions, after) == (0, 1, before)


DEEDS = (
    "DROP INDEX ix_events_customer",
    "ANALYZE",
    "INSERT INTO teams SELECT n, n::text, repeat('x', 900), 0 FROM generate_series(1, 10000) n",
)


@pytest.mark.rest
def test_a_database_in_which_more_than_rows_has_changed_or_which_has_grown_is_thrown_away(small_stock: Stock) -> None:
    lent = []
    for deed in (*DEEDS, "DELETE FROM teams"):
        with small_stock.lend() as name:
            lent.append(name)
            small_stock.server.run(deed, database=name)
    with small_stock.lend() as last:
        pass

    assert len(set(lent)) == len(lent)
    assert last == lent[-1]


async def test_redis_is_empty_at_the_start_of_a_test(redis_url: str) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.set("left", "over")
        assert await client.dbsize() == 1


async def test_redis_is_empty_again_in_the_next_test(redis_url: str) -> None:
    async with redis.asyncio.from_url(redis_url) as client:
        assert await client.dbsize() == 0


async def test_a_frozen_redis_is_silent_a_killed_one_refuses_and_both_come_back_on_their_port(own_redis: Redis) -> None:
    async def answers() -> bool:
        async with redis.asyncio.from_url(own_redis.url(), socket_timeout=0.3, retry=None) as client:
            try:
                return bool(await client.ping())
            except (RedisError, OSError):
                return False

    assert await answers()
    own_redis.freeze()
    assert not await answers()
    own_redis.thaw()
    assert await answers()
    own_redis.kill()
    assert not await answers()
    own_redis.start()
    assert await answers()


@pytest.mark.rest
async def test_a_killed_postgres_comes_back_with_what_it_had(own_postgres: Postgres) -> None:
    await asyncio.to_thread(own_postgres.run, "CREATE TABLE kept (n int)", "CHECKPOINT")
    own_postgres.kill()
    with pytest.raises(OSError):
        await asyncpg.connect(own_postgres.url(), timeout=2)
    await asyncio.to_thread(own_postgres.start)

    assert await tables(own_postgres.url()) == {"kept"}


def test_dovecot_takes_a_mail_and_gives_it_back(dovecot: Dovecot) -> None:
    with imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=10) as link:
        link.login("desk@example.org", dovecot.password)
        link.append("INBOX", "", "", b"Subject: hello\r\n\r\nbody\r\n")
        assert link.select("INBOX")[0] == "OK"
        body = link.fetch("1", "(BODY.PEEK[TEXT])")[1][0]

    assert isinstance(body, tuple)
    assert body[1] == b"body\r\n"


def test_a_connection_to_the_outside_is_refused_and_remembered(guard: Guard) -> None:
    with socket.socket() as sock, pytest.raises(Outside):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(Outside):
        socket.getaddrinfo("provider.example", 443)

    said = guard.complaint()
    guard.forget()
    assert said == "left the machine: connect to 192.0.2.1:80\nleft the machine: look-up of provider.example"


def busy(seconds: float) -> None:
    """Work for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_a_step_that_only_waits_for_a_processor_holds_up_nobody(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.guard.BLOCKING", 0.02)
    monkeypatch.setattr("tests.guard._queued", time.perf_counter)  # as if it had waited all the time
    done = asyncio.Event()

    def step() -> None:
        busy(0.3)
        done.set()

    asyncio.get_running_loop().call_soon(step)
    await done.wait()
    monkeypatch.undo()

    assert guard.complaint() == ""


async def test_a_step_that_holds_up_the_loop_is_remembered(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.guard.BLOCKING", 0.02)
    asyncio.get_running_loop().call_soon(busy, 0.3)
    await until(lambda: guard.slow)

    assert "busy" in guard.complaint()
    assert guard.complaint(may_block=True) == ""
    monkeypatch.undo()
    guard.forget()


async def test_waiting_for_what_never_comes_fails_with_the_condition_in_words() -> None:
    with pytest.raises(pytest.fail.Exception, match="2 \\+ 2 == 5"):
        await until(lambda: 2 + 2 == 5, seconds=0.01)
