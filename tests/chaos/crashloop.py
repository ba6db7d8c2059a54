"""Kills the hub at random times under load and counts what became of what it had acknowledged.

    python -m tests.chaos.crashloop --quick --db sqlite
    python -m tests.chaos.crashloop --db postgresql --mutant ack-early     (must fail)

On SQLite one process is killed, on PostgreSQL (with Redis) two in turn. Meanwhile customers write, 10 % of it twice at once, each
message is answered, and the provider has bad days. lost_in, dup_in, lost_out and dup_out must be 0.
"""

import argparse
import asyncio
import random
import sys
import time
from typing import Any

import msgspec
from msgspec import Struct

from config.twins.provider import Faults, ProviderTwin
from tests.chaos import mutants
from tests.chaos.forks import Forks
from tests.chaos.house import SECRET, Answers, Follower, Process, World, world
from tests.chaos.ledger import Count, count


class Plan(Struct, frozen=True):
    """How much to do: kills, acknowledged things (messages in, replies out) at least, customers, seconds for the end."""

    kills: int = 25
    messages: int = 5000
    customers: int = 24
    batch: int = 3
    drain: float = 45
    up: float = 0.5
    seed: int = 1


PLANS = {
    "quick": Plan(),
    "mutant": Plan(kills=4, messages=300, customers=12, drain=6),
    "night": Plan(kills=500, messages=100_000, drain=120),
    "release": Plan(kills=2000, messages=500_000, drain=300),
}


class Result(Struct):
    """The figures. ``restart``: seconds from the start of a process to the first webhook it acknowledges."""

    db: str
    mutant: str
    crashes: int
    acked: int
    replies: int
    count: Count
    lost_out: int
    dup_out: int
    disorder_out: int
    feed_missed: int
    drained: bool
    restart_p50: float
    restart_max: float
    ack_p50_ms: float
    ack_p99_ms: float
    wall: float
    log: str = ""

    @property
    def figures(self) -> dict[str, Any]:
        """What must be 0."""
        c = self.count
        return {
            "lost_in": c.lost_in,
            "dup_in": c.dup_in,
            "lost_out": self.lost_out,
            "dup_out": self.dup_out,
            "disorder_out": self.disorder_out,
            "disorder_views": c.disorder_views,
            "lost_receipts": c.lost_receipts,
            "feed_missed": self.feed_missed,
            "wrong_states": c.wrong_states,
        }

    @property
    def passed(self) -> bool:
        well = self.drained and self.count.integrity == "ok" and self.count.unread_journal == 0
        return well and not any(self.figures.values())

    def line(self) -> str:
        said = " ".join(f"{k}={v}" for k, v in self.figures.items())
        return (
            f"crashloop db={self.db} mutant={self.mutant or '-'} crashes={self.crashes} acked={self.acked}"
            f" replies={self.replies} {said} late_in={self.count.late_in} unread={self.count.unread_journal}"
            f" integrity={self.count.integrity} drained={self.drained} restart p50={self.restart_p50:.2f}s"
            f" max={self.restart_max:.2f}s ack p50={self.ack_p50_ms:.1f}ms p99={self.ack_p99_ms:.0f}ms"
            f" wall={self.wall:.0f}s {'PASS' if self.passed else 'FAIL'}"
        )

    def json(self) -> str:
        rest = {k: v for k, v in msgspec.to_builtins(self).items() if k not in ("count", "log")}
        more = msgspec.to_builtins(self.count)
        return msgspec.json.encode({"name": "crashloop", "pass": self.passed, **rest, **more}).decode()


async def run(kind: str, plan: Plan, mutant: str = "", forks: Forks | None = None) -> Result:
    """One crash loop. ``forks``: do not start processes in the ordinary way; then ``restart`` says nothing."""
    dice = random.Random(plan.seed)
    faults = Faults(receipts=0.3)
    async with (
        ProviderTwin(SECRET, faults, plan.seed) as provider,
        world(kind, provider, forks=forks, mutant=mutant, lease=4) as here,
    ):
        processes = [here.process(f"hub{n}") for n in range(2 if kind == "postgresql" else 1)]
        await asyncio.gather(*(p.start() for p in processes))
        if not all(await asyncio.gather(*(p.ready() for p in processes))):
            raise RuntimeError(f"the hub did not start:\n{processes[0].log()}")
        began, stop = time.monotonic(), asyncio.Event()
        answers, follower = Answers(here), Follower(here.url)
        customers = [
            asyncio.create_task(provider.customer(f"c{n}", stop, plan.batch, 0.01)) for n in range(plan.customers)
        ]
        restarts: list[float] = []
        for n in range(plan.kills):
            await asyncio.sleep(dice.uniform(0, plan.up))
            restarts.append(await _crash(here, processes[n % len(processes)], n))
        limit = time.monotonic() + plan.drain + plan.messages / 50
        while len(provider.acked) + len(answers.acked) < plan.messages and time.monotonic() < limit:
            if answers.queue.qsize() < 20:  # the colleagues keep up; else they would have minutes of work left
                provider.gate.set()
            await asyncio.sleep(0.02)
        stop.set()
        answers.let_go()
        await asyncio.gather(*customers)
        answered = await answers.finish(plan.drain)
        drained = await here.drained(plan.drain) and answered
        missed = await follower.finish()
        for process in processes:
            await process.kill()
        counted = await count(here.url, provider)
        effects = {name.partition(">")[0] for name in provider.effects}
        delays, restarts = sorted(provider.latencies), sorted(restarts)
        return Result(
            db=kind,
            mutant=mutant,
            crashes=plan.kills,
            acked=len(provider.acked) + len(answers.acked),
            replies=len(answers.acked),
            count=counted,
            lost_out=len(set(answers.acked.values()) - effects),
            dup_out=provider.duplicates,
            disorder_out=provider.disorder,
            feed_missed=missed,
            drained=drained,
            restart_p50=restarts[len(restarts) // 2],
            restart_max=restarts[-1],
            ack_p50_ms=delays[len(delays) // 2] * 1000,
            ack_p99_ms=delays[int(len(delays) * 0.99)] * 1000,
            wall=time.monotonic() - began,
            log="\n".join(p.log(1500) for p in processes),
        )


async def _crash(here: World, process: Process, number: int) -> float:
    """Kill, start again, and send messages to that process until it acknowledges one; the seconds this took."""
    await process.kill()
    await process.start()
    serving = asyncio.create_task(process.ready())
    target = f"{process.base}/webhooks/api/{here.key}"
    message = {"id": f"k{number}-1", "from": {"address": f"k{number}"}, "text": "Are you there?"}
    raw = msgspec.json.encode({"messages": [message]})
    here.provider.first_sent[message["id"]] = time.monotonic()  # type: ignore[index]
    while not 200 <= await here.provider.post(raw, target) < 300:
        if serving.done() and not serving.result():
            raise RuntimeError(f"the hub did not start again:\n{process.log()}")
        await asyncio.sleep(0.01)
    moment = time.monotonic()
    here.provider.acked[message["id"]] = moment  # type: ignore[index]
    await serving
    return moment - process.started


def main() -> int:
    """The command line: prints one line for people, one for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    for name in ("quick", "night", "release"):
        size.add_argument(f"--{name}", action="store_const", const=name, dest="size")
    parser.add_argument("--db", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--mutant", choices=sorted(mutants.EXPECTED), default="")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--messages", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="also the end of the hub's log")
    given = parser.parse_args()
    plan = PLANS[given.size or ("mutant" if given.mutant else "quick")]
    changes = {k: v for k in ("kills", "messages", "seed") if (v := getattr(given, k)) is not None}
    result = asyncio.run(run(given.db, msgspec.structs.replace(plan, **changes), given.mutant))
    if given.verbose:
        print(result.log, file=sys.stderr)
    print(result.line())
    print(result.json())
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
