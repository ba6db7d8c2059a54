"""What the chaos tests share: real hub processes that may be killed, their databases, and the counting afterwards."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import sqlalchemy as sa

from config.twins.provider import ProviderTwin
from hub import accounts, channels, events
from hub.database import Database, open_database
from hub.migrations import upgrade
from hub.secretbox import SecretBox, load_keys
from hub.tables import events as happened
from tests.chaos.forks import Fork, Forks
from tests.servers import Postgres, Redis, Server, free_port

ROOT = Path(__file__).parents[2]
#: Alembic knows one migration at a time in a process; a lock for every event loop.
_MIGRATING: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
SECRET = "the provider's and the hub's"


class DurablePostgres(Postgres):
    """One that keeps what it committed when it is killed (not when the power fails)."""

    def command(self) -> tuple[list[str], dict[str, Any]]:
        words, more = super().command()
        return [*words, "-c", "synchronous_commit=on"], more


class Process:
    """A hub process of the runner `_serve`, on the port it got at its first start."""

    def __init__(self, folder: Path, environment: dict[str, str], name: str, forks: Forks | None = None) -> None:
        self.folder, self.environment, self.name, self.forks = folder, environment, name, forks
        self.port = free_port()
        self.process: asyncio.subprocess.Process | Fork | None = None
        self.started = 0.0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, wrapper: tuple[str, ...] = (), **more: str) -> None:
        """Start it; `ready` waits until it serves. ``more``: further environment."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
        kept |= self.environment | {"HUB_LISTEN": f"127.0.0.1:{self.port}", "PYTHONWARNINGS": "ignore"} | more
        kept["PYTHONPATH"] = str(ROOT)
        self.started = time.monotonic()
        if self.forks is not None:
            self.process = await self.forks.start(kept, self.folder / f"{self.name}.log")
            return
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *wrapper,
                sys.executable,
                "-m",
                "tests.chaos._serve",
                stdin=asyncio.subprocess.PIPE,  # its end tells the process that we are gone
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=kept,
                cwd=ROOT,
                start_new_session=True,
            )

    async def ready(self, seconds: float = 30) -> bool:
        """True when it serves, False when it died before."""
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self.process.stdout.readline()
        return line.startswith(b"PORT")

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def kill(self, number: int = signal.SIGKILL, seconds: float = 15) -> None:
        """End it (and its wrapper) by a signal; by force when that takes too long."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    def log(self, most: int = 3000) -> str:
        """The end of what it wrote."""
        return (self.folder / f"{self.name}.log").read_text("utf-8", "replace")[-most:]


class World:
    """A database with a channel and an employee, the provider's side, and the hub processes in between."""

    def __init__(self, folder: Path, url: str, provider: ProviderTwin, redis: str = "") -> None:
        self.folder, self.url, self.redis, self.provider = folder, url, redis, provider
        self.chaos: dict[str, Any] = {}
        #: where processes come from that need not be started in the ordinary way
        self.forks: Forks | None = None
        self.actor = 0
        self.token = ""
        self.key = ""
        self.channel = 0
        self.processes: list[Process] = []
        #: those that take traffic
        self.busy: list[Process] = []
        #: PostgreSQL and Redis, where there are any
        self.servers: list[Server] = []
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False)

    async def prepare(self) -> None:
        """Schema, an administrator, an ``api`` channel to the provider."""
        async with _MIGRATING.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            await self._prepare()

    async def _prepare(self) -> None:
        database = open_database(self.url)
        box = SecretBox(load_keys(self.folder / "data" / "secret.key"))
        try:
            await upgrade(database)
            self.actor = await database.write(accounts.add_employee, "a@x.example", "Agent", "admin", None)
            _, self.token = await database.write(accounts.add_token, self.actor, "chaos")
            given = {"url": self.provider.url, "secret": SECRET}
            row = await database.write(channels.add, box, "api", "Provider", given)
            self.key, self.channel = row.config.key, row.config.id
        finally:
            await database.close()

    def process(self, name: str, *, quiet: bool = False, **environment: str) -> Process:
        """Another hub process on this world. A ``quiet`` one gets no traffic and does no work of its own but serve."""
        chaos = self.chaos | ({"roles": ["web"]} if quiet else {})
        words = {
            "HUB_DATA": str(self.folder / "data"),
            "HUB_DATABASE": self.url,
            "HUB_LOG_LEVEL": "warning",
            "HUB_TEST_CHAOS": json.dumps(chaos),
        }
        if self.redis:
            words["HUB_REDIS"] = self.redis
        made = Process(self.folder, words | environment, name, self.forks)
        self.processes.append(made)
        if quiet:
            return made
        self.busy.append(made)
        self.provider.targets.append(f"{made.base}/webhooks/api/{self.key}")
        return made

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(p.kill(signal.SIGTERM) for p in self.processes))
        await self.http.close()

    async def ask(self, process: Process, path: str, body: object = None, seconds: float = 6) -> tuple[int, Any]:
        """(status, JSON) of one request to a process; status 0 when there was no answer."""
        headers = {"Authorization": f"Bearer {self.token}"}
        method = "GET" if body is None else "POST"
        try:
            async with (
                asyncio.timeout(seconds),
                self.http.request(method, process.base + path, json=body, headers=headers) as answer,
            ):
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return 0, None

    async def drained(self, seconds: float) -> bool:
        """Wait until every process that lives has nothing left to do, and the provider nothing to tell."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status, state = await self.ask(next(p for p in self.processes if p.alive), "/chaos/state")
            if status == 200 and state["dead"]:
                return False
            if status == 200 and state["kept"] == state["open"] == 0 and self.provider.quiet:
                return True
            await asyncio.sleep(0.05)
        return False


@contextlib.asynccontextmanager
async def world(kind: str, provider: ProviderTwin, *, forks: Forks | None = None, **chaos: Any) -> AsyncIterator[World]:
    """A world on SQLite, or on a PostgreSQL (and Redis) of its own; everything is ended and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    folder.chmod(0o755)
    (folder / "data").mkdir()
    with contextlib.ExitStack() as servers:
        servers.callback(lambda: _remove(folder))
        url, redis = f"sqlite:///{folder / 'data' / 'hub.db'}", ""
        started: list[Server] = []
        if kind == "postgresql":
            url, redis, started = await asyncio.to_thread(_servers, folder, servers)
        made = World(folder, url, provider, redis)
        made.servers = started
        made.chaos, made.forks = chaos, forks
        try:
            await made.prepare()
            yield made
        finally:
            await made.close()


def _servers(folder: Path, stack: contextlib.ExitStack) -> tuple[str, str, list[Server]]:
    for name in ("postgres", "redis"):
        (folder / name).mkdir()
    postgres, redis = DurablePostgres(folder / "postgres"), Redis(folder / "redis")
    for server in (postgres, redis):
        server.start()
        stack.callback(server.stop)
    postgres.run("CREATE DATABASE hub")
    return postgres.url("hub"), redis.url(), [postgres, redis]


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


class Answers:
    """Colleagues who answer every customer's message once the hub has acknowledged it, and repeat until the hub agrees."""

    def __init__(self, world: World, workers: int = 8) -> None:
        self.world = world
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        #: the customer's message id → our message id, once acknowledged
        self.acked: dict[str, str] = {}
        self.asked = 0
        #: customers are not made to wait for us any more
        self.last_orders = False
        world.provider.on_ack = self._heard
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    def _heard(self, numbers: list[str]) -> None:
        for number in numbers:
            self.asked += 1
            self.queue.put_nowait(number)
        if self.queue.qsize() > 60 and not self.last_orders:
            self.world.provider.gate.clear()

    async def _work(self) -> None:
        while True:
            number = await self.queue.get()
            if self.queue.qsize() < 20:
                self.world.provider.gate.set()
            body = {"in": number, "actor": self.world.actor, "text": f"re {number}", "client_id": f"r-{number}"}
            pause, patience = 0.02, time.monotonic() + 1.5
            while True:
                process = self.world.provider.random.choice(self.world.busy)
                status, said = await self.world.ask(process, "/chaos/reply", body)
                if status in (200, 201):
                    self.acked[number] = said["id"]
                    break
                if time.monotonic() > patience:  # others first: this one may be lost for good
                    self.queue.put_nowait(number)
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.3)

    def let_go(self) -> None:
        """The customers shall end what they are at."""
        self.last_orders = True
        self.world.provider.gate.set()

    async def finish(self, seconds: float) -> bool:
        """Wait until everything asked was answered; False when that took too long (it is then given up)."""
        self.let_go()
        deadline = time.monotonic() + seconds
        while len(self.acked) < self.asked and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return len(self.acked) == self.asked


class Follower:
    """Reads the spine from the database as it grows, as every process's feed does: what it never met was shown to nobody."""

    def __init__(self, url: str) -> None:
        self.database: Database = open_database(url)
        self.seen = 0
        self.last = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                await self.look()
            await asyncio.sleep(0.05)

    async def look(self) -> None:
        """Read everything there is after the last event met."""
        while found := await self.database.read(events.after, self.last, 500):
            self.seen += len(found)
            self.last = found[-1].id

    async def finish(self) -> int:
        """The number of events it missed."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.look()
        total = await self.database.read(lambda c: c.execute(sa.select(sa.func.count()).select_from(happened)).scalar())
        await self.database.close()
        return int(total or 0) - self.seen
