"""A changed table of questions on the traffic of months, while the hub goes on serving."""

from __future__ import annotations

import asyncio
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from bench.fill import BEGIN, PER_CONVERSATION, SPAN, Filled
from bench.load import Load, paced, requests_file
from bench.process import process
from bench.words import COMMON
from hub import directory, simulation
from hub.database import open_database
from hub.directory import Conditions, Rule, Target

#: Seconds that a simulation may take, and in what time /healthz answers 99 of 100 times meanwhile (milliseconds).
BAR, HEALTH_BAR = 60.0, 50.0
RULES = 100
#: Messages per second that arrive meanwhile, and for how long.
RATE, SECONDS = 200.0, 5.0
DAYS = SPAN // simulation.DAY + 1


def _ask(conn: Connection, house: Filled) -> int:
    """A table with a hundred rules for words and regions in front, of which few hold."""
    rules = [
        Rule(0, "rule", f"Rule {n}", True, _conditions(n), Target(team=str(house.teams[n % len(house.teams)])))
        for n in range(RULES)
    ]
    return simulation.add(conn, DAYS, [*rules, *directory.rules(conn)], until=BEGIN + SPAN + 1)


def _conditions(n: int) -> Conditions:
    return Conditions(keywords=(COMMON if n == RULES - 1 else f"keyword{n}",), subject=("case",) if n % 2 else ())


class Watch:
    """Asks /healthz again and again, and sees how far the simulation is."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.took: list[float] = []
        self.bad = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self._ended.wait(0.02):
            began = time.perf_counter()
            client.request("GET", "/healthz")
            answer = client.getresponse()
            answer.read()
            self.bad += answer.status != 200
            self.took.append((time.perf_counter() - began) * 1000)
        client.close()

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return sorted(self.took)[int(len(self.took) * 0.99)]


def run(url: str, house: Filled) -> dict[str, Any]:
    """How long it takes, and what everybody else noticed of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        requests = folder / "hub.req"
        env = {"HUB_DATA": name, "HUB_DATABASE": url, "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "warning"}
        with process("bench.serve", env=env) as (_, line):
            facts = json.loads(line)
            count = int(RATE * SECONDS) + 10
            requests_file(requests, f"/webhooks/api/{facts['key']}", count, 500, 20_000_000)
            with Watch(facts["port"], facts["token"]) as quiet:
                calm = asyncio.run(paced(facts["port"], requests, RATE, SECONDS))
            requests_file(requests, f"/webhooks/api/{facts['key']}", count, 500, 30_000_000)
            with Watch(facts["port"], facts["token"]) as busy:
                (row, seen), meanwhile = asyncio.run(_both(url, house, facts["port"], requests))
    found = simulation.result_of(row)
    if found is None:
        raise RuntimeError(f"the simulation is {row.state}: {row.result}")
    took = (row.changed_at - row.created_at) / 1000
    return {
        "messages": house.messages,
        "contacts": found.conversations,
        "changed": found.changed,
        "seconds": round(took, 1),
        "contacts_per_second": round(found.conversations / took),
        "bar_seconds": BAR,
        "progress_seen": seen,
        "healthz_p99_ms": round(busy.p99, 1),
        "healthz_p99_before_ms": round(quiet.p99, 1),
        "bar_healthz_ms": HEALTH_BAR,
        "ingest_p99_ms": round(meanwhile.p99, 1),
        "ingest_p99_before_ms": round(calm.p99, 1),
        "kept": took <= BAR
        and busy.p99 <= HEALTH_BAR
        and not busy.bad
        and not meanwhile.bad
        and found.conversations == house.messages // PER_CONVERSATION,
    }


async def _both(url: str, house: Filled, port: int, requests: Path) -> tuple[tuple[Any, int], Load]:
    """A simulation while messages arrive."""
    row, load = await asyncio.gather(_simulate(url, house), paced(port, requests, RATE, SECONDS))
    return row, load


async def _simulate(url: str, house: Filled) -> tuple[Any, int]:
    """The row when it is done, and how many different steps of the way were to be seen."""
    db = open_database(url)
    seen: set[int] = set()
    try:
        number = await db.write(_ask, house)
        while True:
            row: Any = await db.read(simulation.one, number)
            if row.state not in ("queued", "running"):
                return row, len(seen - {0})
            seen.add(row.done)
            await asyncio.sleep(0.2)
    finally:
        await db.close()
