"""Ingest through LMTP: small mails over several connections, beside a bare aiosmtpd listener with one durable row each.

python -m bench.mail sqlite:///path      the bare listener; prints its port
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.bare import Bare, PostgresGroup, SqliteThread
from bench.ingest import stored
from bench.load import Load
from bench.process import cpu_seconds, process

ADDRESS = "service@bench.example"
#: Mails per second.
BAR = 200.0
TEXT = """\
Return-Path: <customer-{who}@customers.example>\r
From: Customer {who} <customer-{who}@customers.example>\r
To: Service <{address}>\r
Subject: Anlage meldet Fehler {n}\r
Message-ID: <bench-{n}@customers.example>\r
Date: Mon, 02 Nov 2026 10:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
Guten Tag,\r
\r
unsere Anlage zeigt seit heute Morgen den Fehler 302 und der Wechselrichter schaltet sich alle paar Minuten aus.\r
Wir haben bereits die Sicherung geprüft und die Anlage neu gestartet, leider ohne Erfolg.\r
\r
Mit freundlichen Grüßen\r
Customer {who}\r
.\r
"""


async def send(port: int, greeting: bytes, mails: int, connections: int, start: int = 0) -> Load:
    """Deliver the mails, each connection one after the other; the latency is that of DATA up to its last answer."""
    turn = iter(range(start, start + mails))
    latencies: list[float] = []
    bad = 0

    async def one() -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def said() -> bytes:
            while True:
                line = await reader.readline()
                if line[3:4] != b"-":
                    return line

        async def ask(line: bytes) -> bytes:
            writer.write(line)
            return await said()

        await said()
        await ask(greeting + b" bench\r\n")
        for n in turn:
            began = time.perf_counter()
            await ask(b"MAIL FROM:<customer-%d@customers.example>\r\n" % (n % 500))
            await ask(b"RCPT TO:<%b>\r\n" % ADDRESS.encode())
            await ask(b"DATA\r\n")
            answer = await ask(TEXT.format(n=n, who=n % 500, address=ADDRESS).encode())
            latencies.append((time.perf_counter() - began) * 1000)
            bad += not answer.startswith(b"250")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    took = time.perf_counter() - began
    latencies.sort()
    return Load(mails / took, latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)], bad, mails)


def run(database: str, quick: bool) -> dict[str, Any]:
    """The figures."""
    mails, connections = (400 if quick else 3000), 16
    with tempfile.TemporaryDirectory() as folder:
        with process("bench.mail", database or f"sqlite:///{Path(folder) / 'bare.db'}") as (_, line):
            base = asyncio.run(send(int(line), b"EHLO", mails, connections))
        own = database or f"sqlite:///{Path(folder) / 'hub.db'}"
        env = {
            "HUB_DATA": folder,
            "HUB_DATABASE": own,
            "HUB_LISTEN": "127.0.0.1:0",
            "HUB_SMTP_IN__LISTEN": "127.0.0.1:0",
            "HUB_LOG_LEVEL": "warning",
            "HUB_BENCH_MAIL": ADDRESS,
        }
        with process("bench.serve", env=env) as (child, line):
            port = int(json.loads(line)["smtp_port"])
            before, _ = stored(own)
            spent = cpu_seconds(child.pid)
            load = asyncio.run(send(port, b"LHLO", mails, connections))
            ended = time.monotonic()
            after, waiting = stored(own)
            while waiting and time.monotonic() - ended < 60:
                time.sleep(0.1)
                after, waiting = stored(own)
            drained = time.monotonic() - ended
            cpu = (cpu_seconds(child.pid) - spent) / mails * 1000
    whole = mails / (mails / load.rate + drained)
    return {
        "mails": mails,
        "rate": round(load.rate, 1),
        "rate_until_stored": round(whole, 1),
        "bar_rate": BAR,
        "bare_rate": round(base.rate, 1),
        "share_of_bare": round(load.rate / base.rate, 3),
        "p50_ms": round(load.p50, 1),
        "p99_ms": round(load.p99, 1),
        "refused": load.bad,
        "stored": after - before,
        "cpu_ms_per_mail": round(cpu, 2),
        "kept": load.rate >= BAR and not load.bad and after - before == mails,
    }


async def serve(store: str) -> None:
    """The bare listener: aiosmtpd, one row per mail, committed in groups."""
    from aiosmtpd.smtp import SMTP

    if store.startswith("sqlite:///"):
        commit: Any = SqliteThread(store.removeprefix("sqlite:///"))
    else:
        import asyncpg

        pool = await asyncpg.create_pool(store, min_size=4, max_size=8)
        await pool.execute("DROP TABLE IF EXISTS bare")
        await pool.execute("CREATE TABLE bare (id BIGSERIAL PRIMARY KEY, key TEXT UNIQUE, body BYTEA)")
        commit = PostgresGroup(pool)
    bare = Bare(commit)
    numbers = iter(range(10**9))

    class Keeper:
        """aiosmtpd asks here."""

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            bare.waiting.append((f"mail-{next(numbers)}", envelope.content, done))
            bare.some.set()
            await done
            return "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Keeper(), loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await bare.run()


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(serve(sys.argv[1]))
    except ImportError:
        asyncio.run(serve(sys.argv[1]))
