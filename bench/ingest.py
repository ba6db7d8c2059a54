"""Ingest through the real HTTP door, beside bare handlers in the same run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.load import Load, paced, requests_file, wrk
from bench.process import cpu_seconds, process


def bare(store: str, folder: Path, seconds: int, count: int = 60000) -> Load:
    """The baseline's figures."""
    requests = folder / "bare.req"
    requests_file(requests, "/webhooks/api/x", count, 500)
    with process("bench.bare", store, "0") as (_, line):
        return wrk(int(line), requests, seconds)


def stored(database: str) -> tuple[int, int]:
    """(messages, envelopes still to read) in the database, asked from outside."""

    async def ask() -> tuple[int, int]:
        from hub.database import open_database

        db = open_database(database)
        try:
            return await db.read(_counts)
        finally:
            await db.close()

    return asyncio.run(ask())


def _counts(conn: sa.Connection) -> tuple[int, int]:
    # in this order: what is read between the two must not be missing from both
    waiting = conn.execute(sa.text("SELECT count(*) FROM journal WHERE state = 'kept'")).scalar_one()
    messages = conn.execute(sa.text("SELECT count(*) FROM messages")).scalar_one()
    return messages, waiting


def hub(database: str, folder: Path, seconds: int, senders: int = 500, prefix: int = 0) -> dict[str, Any]:
    """The hub's figures: rate, latencies, how long the last message took to be wholly stored, latency at half the rate."""
    env = {"HUB_DATA": str(folder), "HUB_DATABASE": database, "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "warning"}
    with process("bench.serve", env=env) as (child, line):
        facts = json.loads(line)
        requests = folder / "hub.req"
        path = f"/webhooks/api/{facts['key']}"
        requests_file(requests, path, 12000 * seconds, senders, prefix)
        before = stored(database)[0]
        spent = cpu_seconds(child.pid)
        load = wrk(facts["port"], requests, seconds)
        ended = time.monotonic()
        messages, waiting = stored(database)
        while waiting and time.monotonic() - ended < 20:
            time.sleep(0.05)
            messages, waiting = stored(database)
        drained = time.monotonic() - ended
        cpu = (cpu_seconds(child.pid) - spent) / max(1, load.count) * 1000
        requests_file(requests, path, int(load.rate / 2 * 5) + 10, senders, prefix + 10_000_000)
        half = asyncio.run(paced(facts["port"], requests, load.rate / 2, 5))
    return {
        "rate": load.rate,
        "p50_ms": load.p50,
        "p99_ms": load.p99,
        "bad": load.bad,
        "acknowledged": load.count,
        "stored": messages - before,
        "drained_s": round(drained, 2),
        "cpu_ms_per_message": round(cpu, 3),
        "half_rate_p50_ms": round(half.p50, 2),
        "half_rate_p99_ms": round(half.p99, 2),
        "half_rate_bad": half.bad,
    }


def run(database: str, seconds: int = 8, prefix: int = 0) -> dict[str, Any]:
    """Bare handler, bare handler with one durable insert, the hub: side by side. ``prefix``: messages sent before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = database or f"sqlite:///{folder / 'hub.db'}"
        durable = database if database.startswith("postgres") else f"sqlite:///{folder / 'bare.db'}"
        nothing = bare("nothing", folder, seconds // 2)
        base = bare(durable, folder, seconds // 2)
        figures = hub(own, folder, seconds, prefix=prefix)
        again = bare(durable, folder, seconds // 2)
    baseline = (base.rate + again.rate) / 2
    return {
        "bare_rate": nothing.rate,
        "bare_durable_rate": baseline,
        **figures,
        "share_of_durable": round(figures["rate"] / baseline, 3),
    }


if __name__ == "__main__":
    for key, value in run(
        sys.argv[1] if len(sys.argv) > 1 else "", int(os.environ.get("HUB_BENCH_SECONDS", "8"))
    ).items():
        print(f"{key:20} {value}")
