"""/metrics in Prometheus' text format, when the package prometheus-client is installed; else the address does not exist."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec

import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from hub.events import Event
from hub.http import HOUSE, House, problem
from hub.sql import lit
from hub.tables import deliveries, journal
from hub.web.doors import LIVE
from hub.web.health import metrics_allowed

#: Queues are counted up to here, so that a look never costs more than a moment.
MOST = 100_000


class Watch:
    """What this process has seen pass by: events by kind as the feed tells them, and how late the event loop was."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.events: Counter[str] = Counter()
        self.lag = 0.0

    async def start(self, _app: web.Application) -> None:
        """Begin to count; called when the doors open."""
        self.house.feed.subscribe(self.take)
        self.house.hub.tasks.start("lag", self.run)

    def take(self, news: Sequence[Event]) -> None:
        """Reader of the feed."""
        self.events.update(event.kind for event in news)

    async def run(self) -> None:
        """Sleeps half a second again and again and notes by how much it overslept (the worst since the last look)."""
        loop = asyncio.get_running_loop()
        while True:
            self.house.hub.tasks.beat("lag")
            wanted = loop.time() + 0.5
            await asyncio.sleep(0.5)
            self.lag = max(self.lag, loop.time() - wanted)


_WATCH = web.AppKey("watch", Watch)


def add_routes(app: web.Application) -> None:
    """The address, and what it counts."""
    if find_spec("prometheus_client") is None:
        return
    app[_WATCH] = watch = Watch(app[HOUSE])
    app.on_startup.append(watch.start)
    app.router.add_get("/metrics", metrics)


def queues(conn: Connection) -> dict[str, int]:
    """How much waits: envelopes not yet read, those that failed, and deliveries that are not out yet. Capped at `MOST`."""
    j, d = journal.c, deliveries.c
    questions = {
        "journal_kept": sa.select(j.id).where(j.state == lit("kept")),
        "journal_failed": sa.select(j.id).where(j.state == "failed"),
        "deliveries_queued": sa.select(d.id).where(d.state == lit("queued")),
        "deliveries_sending": sa.select(d.id).where(d.state == lit("sending")),
    }
    return {
        name: conn.execute(sa.select(sa.func.count()).select_from(question.limit(MOST).subquery())).scalar_one()
        for name, question in questions.items()
    }


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: by token, or from this very machine when none is set."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily

    house, watch = request.app[HOUSE], request.app[_WATCH]
    if not metrics_allowed(request, house):
        return problem(
            403, "The metrics need the token of the setting metrics.token, or a request from this machine itself."
        )
    waiting = GaugeMetricFamily("hub_queue_length", "What waits in the database, by queue", labels=["queue"])
    for name, count in (await house.hub.db.read(queues)).items():
        waiting.add_metric([name], count)
    happened = CounterMetricFamily("hub_events", "Events seen by this process, by kind", labels=["kind"])
    for kind, count in watch.events.items():
        happened.add_metric([kind], count)
    streams = GaugeMetricFamily("hub_streams", "Open live streams", value=len(request.app[LIVE].readers))
    dead = GaugeMetricFamily("hub_dead_tasks", "Background tasks that died", value=len(house.hub.tasks.dead()))
    lag = GaugeMetricFamily("hub_loop_lag_seconds", "The event loop's worst delay since the last look", value=watch.lag)
    watch.lag = 0.0

    class Collector:
        """Hands the families over."""

        def collect(self) -> list[GaugeMetricFamily | CounterMetricFamily]:
            """All of them."""
            return [waiting, happened, streams, dead, lag]

    registry = CollectorRegistry()
    registry.register(Collector())
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
