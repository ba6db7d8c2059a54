"""Runs one real hub process for the chaos tests: prints its port, takes replies without a login, installs sabotage.

What it does beside `hub serve` is said by HUB_TEST_CHAOS (JSON): ``mutant`` (see `tests.chaos.mutants`), ``lease`` (seconds until
the work of a dead process is free), ``quick`` (seconds between attempts instead of minutes), ``roles``.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading

import msgspec
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from config import settings
from config.app import ROLES, Server, build
from config.logs import set_up
from hub import accounts, delivery, failpoints, outbox
from hub.database import Unavailable
from hub.failpoints import hit
from hub.tables import deliveries, journal, messages
from tests.chaos import mutants

SERVER: web.AppKey[Server] = web.AppKey("server", Server)


def conversation_of(conn: Connection, number: str) -> int:
    """The conversation of a customer's message by the provider's id, 0 while it is not stored."""
    found = sa.select(messages.c.conversation_id).where(messages.c.provider_id == number, messages.c.direction == "in")
    return conn.execute(found.order_by(messages.c.id)).scalars().first() or 0


async def reply(request: web.Request) -> web.Response:
    """Answer the customer's message ``in``; 404 while the hub has not stored it. Safe to repeat with one ``client_id``."""
    server = request.app[SERVER]
    hub = server.hub
    asked = await request.json()
    try:
        if "conversation" in asked:
            conversation = int(asked["conversation"])
        else:
            conversation = await hub.db.read(conversation_of, asked["in"])
            if not conversation:
                return web.json_response({}, status=404)
        actor = await hub.db.read(accounts.actor, int(asked["actor"]))
        assert actor is not None
        draft = outbox.Draft(asked["text"], asked["client_id"])
        number, fresh = await hub.db.write(outbox.reply, actor, hub.channels, 0, conversation, draft)
    except (Unavailable, OSError) as error:
        return web.json_response({"detail": str(error)}, status=503)
    try:
        hit("outbox.after_commit")
        hub.bus.publish()
    except OSError as error:
        return web.json_response({"detail": str(error)}, status=500)
    return web.json_response({"id": str(number), "conversation": str(conversation)}, status=201 if fresh else 200)


def count(conn: Connection) -> dict[str, int]:
    """What is not finished yet, and what was set aside."""
    j, d = journal.c, deliveries.c
    by_state = {row[0]: row[1] for row in conn.execute(sa.select(j.state, sa.func.count()).group_by(j.state))}
    sending = {row[0]: row[1] for row in conn.execute(sa.select(d.state, sa.func.count()).group_by(d.state))}
    return {
        "kept": by_state.get("kept", 0),
        "failed": by_state.get("failed", 0),
        "open": sending.get("queued", 0) + sending.get("sending", 0),
    }


async def state(request: web.Request) -> web.Response:
    """Counts, the position of this process's feed, and its dead loops."""
    server = request.app[SERVER]
    try:
        counts = await server.hub.db.read(count)
    except Unavailable as error:
        return web.json_response({"detail": str(error)}, status=503)
    return web.json_response({**counts, "feed": server.feed.last, "dead": server.hub.tasks.dead()})


async def feed(request: web.Request) -> web.Response:
    """How far this process has seen the spine; asks no database."""
    return web.json_response({"last": request.app[SERVER].feed.last})


async def failpoint(request: web.Request) -> web.Response:
    """Choose another failpoint while the process runs (``name``, ``action``), or see how often the chosen one was met."""
    asked = await request.json()
    if "name" in asked:
        failpoints._name, failpoints._action, failpoints._at = asked["name"], asked["action"], ""
        failpoints._seen[asked["name"]] = 0
    return web.json_response({"seen": failpoints._seen.get(failpoints._name, 0)})


def end_with_parent() -> None:
    """Whoever started us holds our standard input open; when that ends, so do we."""
    while os.read(0, 1 << 16):
        pass
    os._exit(9)


async def main() -> None:
    wanted = json.loads(os.environ.get("HUB_TEST_CHAOS", "{}"))
    given = settings.load()
    set_up(given.log_format, given.log_level)
    logging.getLogger("aiohttp.access").disabled = True
    if wanted.get("quick", True):
        delivery.STEPS = (0.003, 0.01, 0.02, 0.03, 0.05, 0.05, 0.05, 0.05)  # type: ignore[assignment]
    if "lease" in wanted:
        delivery.LEASE = wanted["lease"]
    server = await build(given, roles=wanted.get("roles", ROLES))
    if "lease" in wanted:
        server.hub.options = msgspec.structs.replace(server.hub.options, lease_seconds=wanted["lease"])
    server.app[SERVER] = server
    server.app.router.add_post("/chaos/reply", reply)
    server.app.router.add_get("/chaos/state", state)
    server.app.router.add_post("/chaos/failpoint", failpoint)
    server.app.router.add_get("/chaos/feed", feed)
    if wanted.get("poison"):
        mutants.poison()
    await mutants.install(wanted.get("mutant", ""), server)
    await server.start()
    print(f"PORT {server.port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(asyncio.run(main()))
