"""Hub processes without the second that a new Python needs for its imports: forked from one that has them already.

What is forked is as real as what is started: a process of its own that opens its files itself, and that kill -9 ends. Only
how long a start takes is not what users see; the harnesses that measure it start their processes in the ordinary way.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Fork:
    """One of them, as far as it looks like asyncio's Process: ``pid``, ``stdout``, ``returncode``, `wait`."""

    def __init__(self, pid: int, lifeline: int) -> None:
        self.pid = pid
        self.stdout = asyncio.StreamReader()
        self.returncode: int | None = None
        self._lifeline = lifeline
        self._gone = asyncio.Event()

    async def listen(self, pipe: Any) -> None:
        """Hear what it prints; the end of that is its own end."""
        fork, loop = self, asyncio.get_running_loop()

        class Ear(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                fork.stdout.feed_data(data)

            def connection_lost(self, _: Exception | None) -> None:
                fork._end()

        await loop.connect_read_pipe(Ear, pipe)

    def _end(self) -> None:
        self.returncode = -signal.SIGKILL
        self.stdout.feed_eof()
        os.close(self._lifeline)
        self._gone.set()

    async def wait(self) -> int:
        """Until it has gone."""
        await self._gone.wait()
        return self.returncode or 0


class Forks:
    """A process that has imported the hub and forks. Use it with ``with``."""

    def __enter__(self) -> Forks:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-W", "ignore", "-m", "tests.chaos.forks"]
        with theirs:
            kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")} | {"PYTHONPATH": str(ROOT)}
            self._server = subprocess.Popen(words, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, cwd=ROOT, env=kept)
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close()
        self._server.wait(10)

    async def start(self, environment: Mapping[str, str], log: Path) -> Fork:
        """Another hub of the runner `_serve`. What it prints is ``stdout``, its log goes to the file."""
        life, lifeline = os.pipe()
        heard, said = os.pipe()
        with log.open("ab") as errors:
            asked = json.dumps(dict(environment)).encode()
            await asyncio.to_thread(socket.send_fds, self._link, [asked], [life, said, errors.fileno()])
        os.close(life)
        os.close(said)
        async with asyncio.timeout(30):
            pid = int(await asyncio.to_thread(self._link.recv, 32))
        fork = Fork(pid, lifeline)
        await fork.listen(os.fdopen(heard, "rb"))
        return fork


def main() -> None:
    """Fork for whoever holds the other end of the socket that is standard input, until that is closed."""
    from tests.chaos import _serve

    asyncio.run(_rehearse())
    assert threading.active_count() == 1, "a fork would lose the other threads"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here asks how they ended
    link = socket.socket(fileno=os.dup(0))
    while True:
        asked, files, _, _ = socket.recv_fds(link, 1 << 16, 3)
        if not asked:
            return
        pid = os.fork()
        if pid == 0:
            link.close()
            _become(_serve, json.loads(asked), files)
        for file in files:
            os.close(file)
        link.send(str(pid).encode())


async def _rehearse() -> None:
    """Start a hub and end it, so that everything a start imports and prepares is there."""
    from config.app import build
    from config.settings import load

    with tempfile.TemporaryDirectory() as folder:
        given = {"HUB_DATA": folder, "HUB_DATABASE": f"sqlite:///{folder}/hub.db", "HUB_LISTEN": "127.0.0.1:0"}
        server = await build(load(None, given), migrate=True)
        await server.start()
        await server.stop()


def _become(serve: Any, environment: dict[str, str], files: list[int]) -> None:
    """The child: its own session, environment and standard streams, then the hub."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=serve.end_with_parent, daemon=True).start()
    asyncio.run(serve.main())
    os._exit(0)


if __name__ == "__main__":
    main()
