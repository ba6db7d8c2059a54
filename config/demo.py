"""`hub demo`: the hub on a throw-away database with the sample firm in it (see hub/sample), and the life of that firm.

Everything stays on this machine: the mail server and the messenger are the stand-ins of config/twins, on the loopback.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile

import msgspec

from config.app import Server, build
from config.settings import Settings
from hub import accounts
from hub.sample.loading import load
from hub.sample.words import FIRM, STAFF

PASSWORD = "demo-demo-demo"  # noqa: S105 - shown on the screen; the database lives in a temporary folder


async def run(settings: Settings, seed: int = 1) -> None:
    """Serve the demo until SIGINT or SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        own = msgspec.structs.replace(settings, data=folder, database="", redis="", secret_key_file="", company=FIRM)
        server = await build(own)
        hub = server.hub
        password = await asyncio.to_thread(accounts.hash_password, PASSWORD)
        await hub.db.write(lambda conn: load(conn, hub.box, seed=seed, language=own.language, password_hash=password))
        server.life.seed = seed
        await server.start()
        try:
            _greet(server)
            await _until_stopped()
        finally:
            await server.stop()


def _greet(server: Server) -> None:
    lines = [
        f"hub demo listens on http://localhost:{server.port}",
        f"  sign in as  {STAFF[0].email}  (administrator), {STAFF[1].email} or {STAFF[2].email}",
        f"  password    {PASSWORD}",
        "Customers write every few seconds and answer what you send them. Nothing leaves this machine.",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - this is what the command says


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
