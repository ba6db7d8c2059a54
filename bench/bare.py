"""The baselines: aiohttp handlers that check a signature and do nothing else, or one durable insert in group commit.

python -m bench.bare nothing|sqlite:///path|postgresql://… port
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
import sys
import threading
from typing import Any

import msgspec
from aiohttp import web

SECRET = b"bench"


class Bare:
    """The handler. ``commit`` takes a list of rows and returns when they are durable."""

    def __init__(self, commit: Any) -> None:
        self.commit = commit
        self.waiting: list[tuple[str, bytes, asyncio.Future[None]]] = []
        self.some = asyncio.Event()

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        wanted = "sha256=" + hmac.digest(SECRET, body, hashlib.sha256).hex()
        if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), wanted):
            return web.Response(status=403)
        if self.commit is not None:
            message = msgspec.json.decode(body)["messages"][0]
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append((message["id"], body, done))
            self.some.set()
            await done
        return web.Response(body=b'{"kept":1}', content_type="application/json")

    async def run(self) -> None:
        while True:
            await self.some.wait()
            self.some.clear()
            while self.waiting:
                batch, self.waiting = self.waiting[:256], self.waiting[256:]
                await self.commit([(key, body) for key, body, _ in batch])
                for _, _, done in batch:
                    if not done.done():
                        done.set_result(None)


class SqliteThread:
    """One writer thread, WAL, synchronous=FULL."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.execute("DROP TABLE IF EXISTS bare")
        self.db.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")
        self.lock = threading.Lock()

    def write(self, rows: list[tuple[str, bytes]]) -> None:
        with self.lock:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany("INSERT OR IGNORE INTO bare (key, body) VALUES (?, ?)", rows)
            self.db.execute("COMMIT")

    async def __call__(self, rows: list[tuple[str, bytes]]) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.write, rows)


class PostgresGroup:
    """One statement a batch: unnest."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    async def __call__(self, rows: list[tuple[str, bytes]]) -> None:
        await self.pool.execute(
            "INSERT INTO bare (key, body) SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING",
            [key for key, _ in rows],
            [body for _, body in rows],
        )


async def serve(store: str, port: int) -> None:
    """Serve until killed."""
    commit: Any = None
    if store.startswith("sqlite:///"):
        commit = SqliteThread(store.removeprefix("sqlite:///"))
    elif store.startswith("postgresql"):
        import asyncpg

        pool = await asyncpg.create_pool(store, min_size=4, max_size=8)
        await pool.execute("DROP TABLE IF EXISTS bare")
        await pool.execute("CREATE TABLE bare (id BIGSERIAL PRIMARY KEY, key TEXT UNIQUE, body BYTEA)")
        commit = PostgresGroup(pool)
    bare = Bare(commit)
    app = web.Application()
    app.router.add_post("/webhooks/api/{key}", bare.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(runner.addresses[0][1], flush=True)
    await bare.run() if commit is not None else await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
    except ImportError:
        asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
