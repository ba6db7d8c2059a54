"""Fails at every commit, answer and send on purpose, and counts what became of what had been acknowledged.

    python -m tests.chaos.failpoints --quick
    python -m tests.chaos.failpoints --mutant no-patience     (must fail)

Every point of `hub.failpoints.POINTS` is met by a kill (the process dies there, the next one picks up) and by a raise (OSError for a
while; no loop may end of it). Traffic: messages with files, replies, receipts, repeated webhooks, orphaned envelopes, poison.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from config.twins.provider import Faults, ProviderTwin, attachment
from hub.database import open_database
from hub.failpoints import POINTS
from hub.tables import journal
from tests.chaos.house import SECRET, Answers, Process, World, world
from tests.chaos.ledger import Count, count

#: Met without any traffic, some seconds after a start: the process is started with them.
BY_ITSELF = ("scheduler.before_run", "sweep.before_claim")
#: A good day but for repeats, and receipts for everything, also before the answer.
FAULTS = Faults(0, 0, 0.05, 0, 0.02, 0.2, 0, 0.3, 1)


class Result(Struct):
    """``missed``: points that nothing met, by action. ``dead``: loops that ended. Everything must be 0 or empty."""

    db: str
    mutant: str
    points: int
    hits: int
    missed: list[str]
    dead: list[str]
    crashes: int
    acked: int
    replies: int
    lost: int
    dup: int
    poison_lost: int
    counts: list[Count]
    drained: bool
    wall: float

    @property
    def passed(self) -> bool:
        return self.drained and not (self.missed or self.dead or self.lost or self.dup or self.poison_lost)

    def line(self) -> str:
        return (
            f"failpoints db={self.db} mutant={self.mutant or '-'} hit={self.hits} of {self.points} missed={self.missed}"
            f" crashes={self.crashes} acked={self.acked} replies={self.replies} lost={self.lost} dup={self.dup}"
            f" poison_lost={self.poison_lost} dead={self.dead} drained={self.drained} wall={self.wall:.0f}s"
            f" {'PASS' if self.passed else 'FAIL'}"
        )

    def json(self) -> str:
        more = {k: v for k, v in msgspec.to_builtins(self).items() if k != "counts"}
        return msgspec.json.encode({"name": "failpoints", "pass": self.passed, **more}).decode()


class Traffic:
    """Everything that meets the points, repeated until the hub has taken it."""

    def __init__(self, here: World) -> None:
        self.here, self.provider = here, here.provider
        self.answers = Answers(here, 4)
        self.poison: set[str] = set()
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[Any]] = []

    def more(self, poison: bool) -> None:
        """Some more of everything: two customers with a file, one repeated webhook, on request poison among the good."""
        for customer in ("a", "b"):
            number = f"{customer}-{next(self._numbers)}"
            file = attachment(f"{self.here.folder}{number}")
            self._tasks.append(asyncio.create_task(self.provider.say(customer, "Hello", number, attachments=[file])))
        if poison:
            number = f"p-{next(self._numbers)}"
            self.poison.add(number)
            self._tasks.append(asyncio.create_task(self._poison(number)))

    async def _poison(self, number: str) -> None:
        body = {"messages": [{"id": number, "from": {"address": "p"}, "text": "POISON"}]}
        raw = json.dumps(body).encode()
        while not 200 <= await self.provider.post(raw, self.provider.targets[0]) < 300:
            await asyncio.sleep(0.05)

    async def finish(self, seconds: float) -> bool:
        """Wait until the hub has taken everything."""
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        return await self.answers.finish(seconds) and not late


async def kills(kind: str, points: Sequence[str], mutant: str, log: str) -> tuple[list[Count], dict[str, Any]]:
    """One process after the other dies at its point; each picks up what the last one left."""
    missed = []
    async with (
        ProviderTwin(SECRET, FAULTS) as provider,
        world(kind, provider, mutant=mutant, lease=3, poison=True) as here,
    ):
        process = here.process("hub", HUB_FAILPOINT_LOG=log)
        traffic = Traffic(here)
        for point in points:
            if not await _dies(process, traffic, point):
                missed.append(f"{point}:kill")
                await process.kill()
        await process.start(HUB_FAILPOINT="")
        await process.ready()
        return await _end(here, traffic, process, missed, len(points))


async def _dies(process: Process, traffic: Traffic, point: str, seconds: float = 20) -> bool:
    await process.start(HUB_FAILPOINT=f"{point}:kill")
    deadline = time.monotonic() + seconds
    await process.ready()
    while process.alive and time.monotonic() < deadline:
        traffic.more(point == "ingest.alone")
        assert process.process is not None
        await asyncio.wait([asyncio.ensure_future(process.process.wait())], timeout=0.4)
    return not process.alive


async def raises(kind: str, points: Sequence[str], mutant: str, log: str) -> tuple[list[Count], dict[str, Any]]:
    """One process; at each point in turn everything fails for a while."""
    missed = []
    async with (
        ProviderTwin(SECRET, FAULTS) as provider,
        world(kind, provider, mutant=mutant, lease=3, poison=True) as here,
    ):
        process = here.process("hub", HUB_FAILPOINT_LOG=log)
        await process.start()
        await process.ready()
        traffic = Traffic(here)
        for point in points:
            if not await _raises(here, process, traffic, point):
                missed.append(f"{point}:raise")
        return await _end(here, traffic, process, missed, 0)


async def _raises(here: World, process: Process, traffic: Traffic, point: str) -> bool:
    await here.ask(process, "/chaos/failpoint", {"name": point, "action": "raise"})
    deadline = time.monotonic() + (20 if point in BY_ITSELF else 8)
    seen = 0
    while time.monotonic() < deadline and seen < (1 if point in BY_ITSELF else 2):
        traffic.more(point == "ingest.alone")
        await asyncio.sleep(0.25)
        _, said = await here.ask(process, "/chaos/failpoint", {})
        seen = (said or {}).get("seen", 0)
    await here.ask(process, "/chaos/failpoint", {"name": "", "action": ""})
    return seen > 0


async def _end(
    here: World, traffic: Traffic, process: Process, missed: list[str], crashes: int
) -> tuple[list[Count], dict[str, Any]]:
    drained = await traffic.finish(20) and await here.drained(20)
    status, state = await here.ask(process, "/chaos/state")
    health, _ = await here.ask(process, "/healthz")
    await process.kill()
    counted = await count(here.url, here.provider)
    bodies = await _set_aside(here.url)
    effects = {name.partition(">")[0] for name in here.provider.effects}
    dead = sorted(state["dead"]) if status == 200 else ["the process"]
    return [counted], {
        "missed": missed,
        "dead": dead or ([] if health == 200 else ["healthz"]),
        "crashes": crashes,
        "acked": len(here.provider.acked) + len(traffic.poison),
        "replies": len(traffic.answers.acked),
        "lost": counted.lost_in + counted.lost_receipts + len(set(traffic.answers.acked.values()) - effects),
        "dup": counted.dup_in + here.provider.duplicates + counted.disorder_views,
        "poison_lost": sum(not any(number in body for body in bodies) for number in traffic.poison),
        "drained": drained,
    }


async def _set_aside(url: str) -> list[str]:
    database = open_database(url)
    failed = sa.select(journal.c.body).where(journal.c.state == "failed")
    try:
        return [bytes(b).decode() for b in await database.read(lambda c: c.execute(failed).scalars().all())]
    finally:
        await database.close()


async def run(kind: str = "sqlite", mutant: str = "", points: Sequence[str] = POINTS, chains: int = 2) -> Result:
    """All points, killed in ``chains`` worlds at the same time and raised in another one."""
    began = time.monotonic()
    import tempfile

    handle, log = tempfile.mkstemp(prefix="hub-failpoints-")
    os.close(handle)
    try:
        # those met by themselves last: they may meet while others are waited for
        ordered = sorted(points, key=lambda p: p in BY_ITSELF)
        works = [kills(kind, ordered[n::chains], mutant, log) for n in range(chains)]
        works.append(raises(kind, ordered, mutant, log))
        parts = await asyncio.gather(*works)
        reached = set((await asyncio.to_thread(_text, log)).split())
    finally:
        os.unlink(log)
    total = {
        k: sum(more[k] for _, more in parts) for k in ("crashes", "acked", "replies", "lost", "dup", "poison_lost")
    }
    return Result(
        db=kind,
        mutant=mutant,
        points=len(points),
        hits=len(reached & set(points)),
        missed=[m for _, more in parts for m in more["missed"]],
        dead=[d for _, more in parts for d in more["dead"]],
        counts=[c for counts, _ in parts for c in counts],
        drained=all(more["drained"] for _, more in parts),
        wall=time.monotonic() - began,
        **total,
    )


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def main() -> int:
    """The command line: prints one line for people, one for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the only size there is")
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--mutant", choices=["ack-early", "no-patience"], default="")
    parser.add_argument("--points", nargs="*", default=list(POINTS), choices=POINTS)
    given = parser.parse_args()
    result = asyncio.run(run(given.db, given.mutant, given.points))
    print(result.line())
    print(result.json())
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
