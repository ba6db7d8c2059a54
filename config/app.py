"""The composition root: settings in, running server out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import IO, TYPE_CHECKING

from aiohttp import web

from config.jobs import JOBS
from config.life import Life
from config.settings import Settings, SettingsError, split_address
from hub import delivery, journal, migrations
from hub.blobs import Blobs
from hub.bus import Bus
from hub.channels import Channels
from hub.core import Hub, Options
from hub.courier import Courier
from hub.database import (
    Database,
    DiskFull,
    InUse,
    PostgresDatabase,
    SqliteDatabase,
    Unavailable,
    only_process,
    open_database,
)
from hub.delivery import Delivery
from hub.events import Event
from hub.feed import Feed
from hub.http import HOUSE, House, guard
from hub.ingest import Ingest
from hub.jobs import Jobs
from hub.pulling import Pulling
from hub.sandbox import Sandbox
from hub.scheduler import release, run_jobs
from hub.secretbox import SecretBox, load_keys
from hub.simulation import Simulations
from hub.tasks import Backoff, Supervisor
from webhooks.door import Door

if TYPE_CHECKING:
    from webhooks.smtp import Door as SmtpDoor

log = logging.getLogger(__name__)

ROLES = ("web", "worker")
#: Seconds after the doors opened until everything that stays in memory is there.
SETTLED = 3.0


class Server:
    """One process of the hub: made by `build`, then `start`, later `stop`."""

    def __init__(self, settings: Settings, hub: Hub, roles: Sequence[str]) -> None:
        self.settings, self.hub, self.roles = settings, hub, roles
        self.ingest = Ingest(hub)
        self.feed = Feed(hub)
        self.delivery = Delivery(hub) if "worker" in roles else None
        self.life = Life(hub)
        self.app = _application(self)
        self.port = 0
        self.smtp_port = 0
        self._runner: web.AppRunner | None = None
        self._smtp: SmtpDoor | None = None
        self._lock: IO[str] | None = None
        self._settling: asyncio.TimerHandle | None = None
        self._channels_changed = asyncio.Event()

    async def start(self) -> None:
        """Start the loops, then open the doors."""
        if isinstance(self.hub.db, SqliteDatabase):
            self._lock = _take_over(self.hub.db)
            await self.hub.db.write(journal.free_leases)
            await self.hub.db.write(delivery.free_leases)
        await self.feed.start()  # before the channels are read: what changes from here on is heard
        await self.hub.load_channels()
        self.feed.subscribe(self._watch_channels)
        if self.delivery is not None:
            self.feed.subscribe(self.delivery.watch)
        self._start_loops()
        await self.ingest.catch_up()
        sys.setswitchinterval(
            0.0005
        )  # by default a writer that comes back from the disk waits 5 ms for the interpreter
        if "web" in self.roles:
            await self._open_doors()
        if self.port and self.delivery is not None:
            self.life.at = _own_address(self.settings.listen, self.port)
            self.feed.subscribe(self.life.watch)
            self.hub.tasks.start("sample", self.life.run)
        self._settling = asyncio.get_running_loop().call_later(SETTLED, _settle)

    def _start_loops(self) -> None:
        tasks, hub = self.hub.tasks, self.hub
        tasks.start("bus", lambda: hub.bus.run(lambda: tasks.beat("bus")))
        tasks.start("channels", self._follow_channels)
        tasks.start("journal", self.ingest.run_journal)
        tasks.start("patience", self.ingest.run_patience)
        tasks.start("read", self.ingest.run_read)
        tasks.start("store", self.ingest.run_store)
        tasks.start("feed", self.feed.run)
        if self.delivery is not None:
            tasks.start("sweep", self.ingest.run_sweep)
            tasks.start("delivery", self.delivery.run)
            tasks.start("pulling", Pulling(hub, self.ingest).run)
            tasks.start("scheduler", lambda: run_jobs(hub, JOBS))
            tasks.start("simulations", Simulations(hub).run)
            tasks.start("push", Courier(hub, anywhere=self.settings.push.anywhere).run)
            tasks.start("jobs", Jobs(hub).run)

    async def _open_doors(self) -> None:
        self._runner = web.AppRunner(
            self.app, access_log=None, shutdown_timeout=self.settings.web.shutdown_seconds, keepalive_timeout=15
        )
        await self._runner.setup()
        host, port = split_address(self.settings.listen, "listen")
        site = web.TCPSite(self._runner, host, port, backlog=1024, reuse_port=None)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(
                f"The setting “listen”: {self.settings.listen} cannot be opened: {error.strerror}."
            ) from error
        self.port = self._runner.addresses[0][1]
        if self.settings.smtp_in.listen:
            await self._open_smtp()

    async def _open_smtp(self) -> None:
        from webhooks.smtp import open_door

        host, port = split_address(self.settings.smtp_in.listen, "smtp_in.listen")
        self._smtp = await open_door(
            host,
            port,
            route=self.hub.channels.by_mail_address,
            keep=self.ingest.keep,
            max_size=self.settings.smtp_in.max_size,
            full=DiskFull,
            look_again=self.hub.look_again,
        )
        self.smtp_port = self._smtp.sockets[0].getsockname()[1]

    def _watch_channels(self, news: Iterable[Event]) -> None:
        if any(e.kind in ("channel.added", "channel.changed", "channel.removed") for e in news):
            self._channels_changed.set()

    async def _follow_channels(self) -> None:
        """Bring the channels in memory up to date whenever somebody changed one, however often the database is away."""
        backoff = Backoff(most=2.0)
        while True:
            self.hub.tasks.beat("channels")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await self._channels_changed.wait()
            if not self._channels_changed.is_set():
                continue
            self._channels_changed.clear()
            try:
                await self.hub.load_channels()
                backoff.reset()
            except Unavailable:
                self._channels_changed.set()
                await backoff.wait()

    async def stop(self) -> None:
        """Close the doors, let what runs finish, write down what is known, let go of everything."""
        if self._settling is not None:
            self._settling.cancel()
        if self._smtp is not None:
            self._smtp.close()
            await self._smtp.wait_closed()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.hub.tasks.stop()
        with contextlib.suppress(Exception):
            await self.hub.db.write(release, self.hub.node)
        await self.hub.channels.close()
        await self.hub.sandbox.close()
        await self.hub.bus.close()
        await self.hub.db.close()
        if self._lock is not None:
            self._lock.close()


def _own_address(listen: str, port: int) -> str:
    """Where this process reaches itself."""
    host = split_address(listen, "listen")[0]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - that is what was asked for, here it is only compared
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _settle() -> None:
    """Long-lived objects are out of the collector's sight; the command line had switched it off while they were loaded.

    Measured under load: full collections made the slowest answers wait 120 ms instead of 40. What is garbage by now (some MB) stays
    for ever: to look for it once would hold up everybody for a tenth of a second.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def _take_over(database: SqliteDatabase) -> IO[str]:
    """SQLite serves one process: the second one is told so instead of fighting over the file."""
    try:
        return only_process(database.path)
    except InUse as error:
        raise SettingsError(
            f"Another hub already runs on {error}. Stop it first, or set “database” to PostgreSQL to run several."
        ) from error


def open_hub(settings: Settings) -> Hub:
    """The collaborators, without running anything. Raises `SettingsError`."""
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        keys = load_keys(settings.key_file)
    except (OSError, ValueError) as error:
        raise SettingsError(f"The setting “data” or “secret_key_file”: {error}") from error
    try:
        database: Database = open_database(settings.database_url)
    except (ValueError, OSError) as error:
        raise SettingsError(f"The setting “database”: {error}") from error
    options = Options(
        public_url=settings.public_url.rstrip("/"),
        reopen_days=settings.conversations.reopen_days,
        show_drafts=settings.conversations.show_drafts,
        undo_seconds=settings.sending.undo_seconds,
        send_at_once=settings.sending.at_once,
        give_up_hours=settings.sending.give_up_hours,
    )
    bus = _redis_bus(settings.redis) if settings.redis else _bus(database)
    blobs = Blobs(settings.folder / "blobs")
    return Hub(database, bus, blobs, SecretBox(keys), Channels(), Supervisor(), Sandbox(), options)


def _bus(database: Database) -> Bus:
    """Without Redis the processes on one PostgreSQL tell each other by it; on SQLite there is only one."""
    if not isinstance(database, PostgresDatabase):
        return Bus()
    from hub.pgbus import PostgresBus

    return PostgresBus(database.url)


def _redis_bus(url: str) -> Bus:
    from hub.redisbus import RedisBus

    return RedisBus(url)


async def build(settings: Settings, *, migrate: bool = False, roles: Sequence[str] = ROLES) -> Server:
    """A server ready to `start`. ``migrate``: bring PostgreSQL to the current schema too (SQLite always is)."""
    hub = open_hub(settings)
    if hub.db.kind == "sqlite" or migrate:
        await migrations.upgrade(hub.db)
    elif await migrations.needed(hub.db):
        raise migrations.NeedsMigration("The database needs a new schema: run “hub migrate”, or start with --migrate.")
    return Server(settings, hub, roles)


def _application(server: Server) -> web.Application:
    settings, hub = server.settings, server.hub
    app = web.Application(middlewares=[guard], client_max_size=settings.web.max_body)
    app[HOUSE] = House(
        hub,
        server.ingest,
        server.delivery,
        server.feed,
        settings.public_url.rstrip("/"),
        settings.company,
        settings.language,
        settings.metrics.token,
        settings.trusted_proxies,
        version("omnichannel-hub"),
        settings.web.dev,
        push_anywhere=settings.push.anywhere,
    )
    door = Door(lambda: hub.channels.by_key, server.ingest.keep, settings.public_url, hub.look_again)
    app.router.add_post("/webhooks/{provider}/{key}", door.post)
    from hub import api
    from hub import web as pages
    from hub.web import health

    health.add_routes(app)
    api.add_routes(app)
    pages.add_routes(app)
    return app
