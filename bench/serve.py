"""A hub in a process of its own for measurements, with one `api` channel whose secret is known.

python -m bench.serve      settings by HUB_… variables; prints one JSON line {"port", "channel", "key", "pid", …} when it serves
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from contextlib import suppress

from sqlalchemy.engine import Connection

from config.app import Server, build
from config.settings import load
from hub import accounts, channels, events
from hub.core import Hub

SECRET = "bench"


def add_channel(conn: Connection, hub: Hub, url: str) -> tuple[int, str]:
    """The channel's id and key; made at the first start."""
    for row in channels.all_rows(conn, hub.box):
        if row.config.name == "bench":
            return row.config.id, row.config.key
    settings = {"secret": SECRET} | ({"url": url} if url else {})
    row = channels.add(conn, hub.box, "api", "bench", settings)
    events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])
    return row.config.id, row.config.key


def add_mail(conn: Connection, hub: Hub, address: str) -> None:
    """A mail channel; made at the first start."""
    if not any(row.config.name == "bench mail" for row in channels.all_rows(conn, hub.box)):
        row = channels.add(conn, hub.box, "email", "bench mail", {"address": address})
        events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])


def add_token(conn: Connection) -> str:
    """An administrator's API token."""
    found = accounts.by_email(conn, "bench@example.org")
    number = found.id if found else accounts.add_employee(conn, "bench@example.org", "Bench", "admin", None)
    return accounts.add_token(conn, number, "bench")[1]


async def start() -> tuple[Server, dict[str, object]]:
    """A running server and how to reach it."""
    server = await build(load(), migrate=True)
    channel, key = await server.hub.db.write(add_channel, server.hub, os.environ.get("HUB_BENCH_URL", ""))
    if address := os.environ.get("HUB_BENCH_MAIL"):
        await server.hub.db.write(add_mail, server.hub, address)
    token = await server.hub.db.write(add_token)
    await server.start()
    facts = {"port": server.port, "channel": channel, "key": key, "token": token}
    return server, {**facts, "pid": os.getpid(), "smtp_port": server.smtp_port}


async def main() -> None:
    """Serve until SIGTERM."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    server, facts = await start()
    print(json.dumps(facts), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        try:
            import uvloop

            uvloop.run(main())
        except ImportError:
            asyncio.run(main())
