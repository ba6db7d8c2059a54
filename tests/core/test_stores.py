"""Memory and doorways: database, search, blobs, secrets, leases, the bus."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from sqlalchemy.engine import Connection

from hub import events, scheduler, search
from hub.blobs import Blobs
from hub.bus import Bus
from hub.database import Database, Unavailable, is_passing, open_database
from hub.redisbus import RedisBus
from hub.scheduler import acquire, holds, release
from hub.secretbox import SecretBox, load_keys, write_keys
from hub.sql import allocate, among
from hub.tables import counters
from hub.text import clean, clean_line, fold, words
from tests.fakes import until


def add_one(conn: Connection) -> None:
    """A read, then a write that depends on it: what a wrong isolation loses."""
    value = conn.execute(sa.select(counters.c.value).where(counters.c.name == "journal").with_for_update()).scalar_one()
    conn.execute(sa.update(counters).where(counters.c.name == "journal").values(value=value + 1))


async def test_no_concurrent_change_is_lost(db: Database, database_url: str) -> None:
    other = open_database(database_url)
    await asyncio.gather(*(d.write(add_one) for d in (db, other) for _ in range(40)))
    await other.close()

    assert (
        await db.read(lambda c: c.execute(sa.text("SELECT value FROM counters WHERE name = 'journal'")).scalar()) == 80
    )


async def test_a_failed_unit_of_work_leaves_nothing_behind(db: Database) -> None:
    def fails(conn: Connection) -> None:
        allocate(conn, "ids", 5)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await db.write(fails)
    assert list(await db.write(lambda c: allocate(c, "ids", 2))) == [1, 2]


async def test_ids_are_given_out_in_the_order_of_commits(db: Database, database_url: str) -> None:
    other = open_database(database_url)
    seen: list[int] = []

    async def write(d: Database) -> None:
        for _ in range(15):
            await d.write(lambda c: events.append(c, [events.NewEvent("test.happened")]))

    async def watch() -> None:
        last = 0
        while len(seen) < 30:
            found = await db.read(events.after, last)
            seen.extend(e.id for e in found)
            last = seen[-1] if seen else 0
            await asyncio.sleep(0)

    await asyncio.gather(write(db), write(other), watch())
    await other.close()

    assert seen == list(range(1, 31))


async def test_reading_cannot_write_on_sqlite(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(sa.exc.OperationalError):
        await db.read(lambda c: c.exec_driver_sql("CREATE TABLE t (a)"))
    await db.close()


async def test_a_list_of_any_length_is_one_parameter(db: Database) -> None:
    statement = sa.select(counters.c.name).where(among(counters.c.name, "names")).order_by(counters.c.name)
    many = [f"x{i}" for i in range(5000)] + ["ids", "journal"]

    found = await db.read(lambda c: list(c.execute(statement, {"names": many}).scalars()))
    assert found == ["ids", "journal"]
    assert await db.read(lambda c: list(c.execute(statement, {"names": []}).scalars())) == []


async def test_a_postgres_that_is_not_there_is_unavailable_soon() -> None:
    db = open_database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        async with asyncio.timeout(6):
            await db.read(lambda c: c.execute(sa.text("SELECT 1")).scalar())
    await db.close()


def test_which_errors_go_away_by_themselves() -> None:
    assert is_passing(Unavailable("x"))
    assert is_passing(ConnectionResetError())
    assert not is_passing(ValueError("x"))
    assert not is_passing(sa.exc.IntegrityError("x", {}, ValueError("unique")))


async def test_search_finds_the_same_on_both_databases(db: Database) -> None:
    texts = {
        1: "Die Anlage in München zeigt Fehler 302",
        2: "Munchen ist schön; Kontakt: info@firma.de",
        3: "Straße gesperrt",
        4: "nothing of that",
        5: "München, Straße 302",
    }
    await db.write(lambda c: search.add(c, [(n, search.indexed(t)) for n, t in texts.items()]))
    wanted = {
        "munchen": [5, 2, 1],
        "MÜNCHEN": [5, 2, 1],
        "münchen fehler": [1],
        "strasse": [5, 3],
        "firma": [2],
        "feh": [1],
        "302 münch": [5, 1],
        "absent": [],
        "": [],
        "'; DROP TABLE messages; --": [],
        '"': [],
        "a AND OR NOT (": [],
        "* ^ : -": [],
    }
    for query, ids in wanted.items():
        assert await db.read(search.find, query) == ids, query
    assert await db.read(lambda c: search.find(c, "munchen", before=5, most=1)) == [2]
    await db.write(lambda c: search.remove(c, [(2, search.indexed(texts[2]))]))
    assert await db.read(search.find, "munchen") == [5, 1]


def test_text_is_cleaned_at_the_border() -> None:
    assert clean("a\0b\ud800c\r\nd\te") == "abc\nd\te"
    assert clean_line("Hi\r\nBcc: x\u2028y\x1b") == "Hi Bcc: x y"
    assert fold("Größe ÄÖÜ é ß İ") == "grosse aou e ss i"
    assert words("Grüß Gott, a_b!") == ["gruss", "gott", "a", "b"]


def test_a_blob_is_named_by_what_it_holds_and_nothing_else(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    name = blobs.put(b"hello")

    assert name == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert blobs.put(b"hello") == name
    assert blobs.get(name) == b"hello"
    for bad in ("../../etc/passwd", "", "2CF2", name + "x", "\0" * 64):
        with pytest.raises(ValueError, match="64"):
            blobs.get(bad)


def test_a_half_written_blob_never_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = Blobs(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        blobs.put(b"data" * 100)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_secrets_survive_the_rotation_of_keys_and_wrong_keys_say_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    keys = load_keys(path)
    kept = SecretBox(keys).encrypt("hunter2")
    write_keys(path, [Fernet.generate_key(), *keys])
    box = SecretBox(load_keys(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"hunter2" not in kept
    assert box.decrypt(box.rotate(kept)) == "hunter2"
    with pytest.raises(ValueError, match="key"):
        SecretBox([Fernet.generate_key()]).decrypt(kept)


def test_two_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tuple(load_keys(path)), range(8)))

    assert len(set(found)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]


async def test_a_lease_has_one_holder_and_a_late_one_is_recognised(db: Database) -> None:
    first = await db.write(acquire, "pull:1", "a", 60)
    assert first is not None
    assert await db.write(acquire, "pull:1", "b", 60) is None
    assert await db.write(acquire, "pull:1", "a", 60) == first

    await db.write(release, "a")
    second = await db.write(acquire, "pull:1", "b", 60)
    assert second is not None
    assert second.fence == first.fence + 1
    assert not await db.read(holds, first)
    assert await db.read(holds, second)


async def test_of_many_at_once_one_gets_the_lease(db: Database) -> None:
    got = await asyncio.gather(*(db.write(acquire, "x", f"n{i}", 60) for i in range(20)))

    assert sum(lease is not None for lease in got) == 1


def test_a_bus_in_one_process_tells_at_once() -> None:
    bus, heard = Bus(), []
    bus.listen(lambda: heard.append(1))
    bus.publish()

    assert heard == [1]


async def test_a_hint_reaches_the_other_process_over_redis_also_after_it_was_away(own_redis: Any) -> None:
    one, two = RedisBus(own_redis.url()), RedisBus(own_redis.url())
    heard: list[int] = []
    two.listen(lambda: heard.append(1))
    loops = [asyncio.create_task(b.run(lambda: None)) for b in (one, two)]

    async def reaches() -> bool:
        before = len(heard)
        one.publish()
        for _ in range(50):
            if len(heard) > before:
                return True
            await asyncio.sleep(0.01)
        return False

    await until(reaches, 10)
    await asyncio.to_thread(own_redis.kill)
    one.publish()
    await until(lambda: two._up is False, 10)
    assert not any(loop.done() for loop in loops)
    await asyncio.to_thread(own_redis.start)

    await until(reaches, 15)
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await asyncio.gather(one.close(), two.close())


def test_jobs_are_named_once() -> None:
    from config.app import JOBS

    assert len({job.name for job in JOBS}) == len(JOBS)
    assert all(isinstance(job, scheduler.Job) and job.every >= 1 for job in JOBS)
