"""hub serve, hub demo, hub migrate."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

from hub import accounts, migrations
from hub.cli import Failed
from hub.cli.house import settings_of

ROLES = ("web", "worker")


async def serve(front: Any, args: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    roles = [word.strip() for word in args.role.split(",") if word.strip()]
    if not roles or any(role not in ROLES for role in roles):
        raise Failed(f"There is no role “{args.role}”; roles are {', '.join(ROLES)}, separated by commas.")
    settings = settings_of(front, args)
    front.set_up_logs(settings)
    asked = _asked_to_stop()
    server = await front.build(settings, args.migrate, roles)
    await front.start(server)
    try:
        await _say_hello(server, settings)
        await asked.wait()
        print("stopping", flush=True)
    finally:
        await server.stop()


def _asked_to_stop() -> asyncio.Event:
    """Set by the first signal; a second one ends the process at once."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        asked.set()
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return asked


async def _say_hello(server: Any, settings: Any) -> None:
    if server.port:
        host = settings.listen.rpartition(":")[0]
        print(f"hub listens on http://{host}:{server.port}", flush=True)
        if await server.hub.db.read(accounts.setup_needed):
            token = await server.hub.db.write(accounts.make_setup_link)
            public_url = settings.public_url.rstrip("/")
            print(
                f"Make the first administrator (works once, for 24 hours): {public_url}/welcome?token={token}",
                flush=True,
            )
    else:
        print("hub works without a web server", flush=True)


async def demo(front: Any, args: argparse.Namespace) -> None:
    """The sample house, until it is stopped."""
    settings = settings_of(front, args)
    front.set_up_logs(settings)
    await front.demo(settings, args.seed)


async def migrate(front: Any, args: argparse.Namespace) -> None:
    """Bring the database to the current schema; nothing to do is fine."""
    hub = front.open_hub(settings_of(front, args))
    try:
        needed = await migrations.needed(hub.db)
        if needed:
            await migrations.upgrade(hub.db)
        print(f"schema {migrations.HEAD}: {'migrated' if needed else 'nothing to do'}")
    finally:
        await hub.db.close()
