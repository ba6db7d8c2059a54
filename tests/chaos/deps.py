"""Takes PostgreSQL and Redis away from two running hubs, in every way there is, and counts.

    python -m tests.chaos.deps --quick
    python -m tests.chaos.deps --mutant deaf --only "redis killed"     (must fail)

PostgreSQL is killed, frozen, cut off by silence and by resets; Redis is killed and frozen. Meanwhile customers write and are answered.
Nothing acknowledged may be lost or doubled, no request may take longer than 5 s (1 s while only Redis is away), the hub must take
messages again within 5 s after PostgreSQL is back, and what one process stores the other must show within 3 s without Redis.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from config.twins.provider import Faults, ProviderTwin
from hub.database import open_database
from tests.chaos.house import SECRET, Answers, Follower, Process, World, world
from tests.chaos.ledger import count
from tests.chaos.proxy import ChaosProxy

#: The twin's own bad days would only hide what is measured here.
FAULTS = Faults(0, 0, 0.02, 0, 0, 0.1, 0.02, 0.2, 0.3)


class Phase(Struct):
    """One fault. Times in seconds: ``longest_request``; ``recovery`` from the end of the fault to the first acknowledgement;
    ``lag``: the longest from a message's acknowledgement by one process to its being known to the other's live feed."""

    name: str
    longest_request: float = 0
    recovery: float = 0
    lag: float = 0
    statuses: dict[str, int] = {}


class Result(Struct):
    """Everything but the phases must be 0, empty or true."""

    phases: list[Phase]
    acked: int
    replies: int
    lost: int
    dup: int
    detail: dict[str, int]
    feed_missed: int
    odd_statuses: dict[str, int]
    no_retry_after: int
    dead: list[str]
    healthy: bool
    drained: bool
    wall: float
    log: str = ""

    @property
    def longest_request_s(self) -> float:
        return max(p.longest_request for p in self.phases)

    @property
    def recovery_s(self) -> float:
        return max(p.recovery for p in self.phases)

    @property
    def redis_request_s(self) -> float:
        return max((p.longest_request for p in self.phases if p.name.startswith("redis")), default=0)

    @property
    def lag_s(self) -> float:
        return max((p.lag for p in self.phases if p.name.startswith("redis")), default=0)

    @property
    def passed(self) -> bool:
        counted = self.lost or self.dup or self.feed_missed or self.odd_statuses or self.dead or self.no_retry_after
        slow = self.longest_request_s > 5 or self.recovery_s > 5 or self.redis_request_s > 1 or self.lag_s > 3
        return self.drained and self.healthy and not counted and not slow

    def line(self) -> str:
        parts = "; ".join(
            f"{p.name}: longest {p.longest_request:.1f}s recovery {p.recovery:.1f}s lag {p.lag:.1f}s"
            for p in self.phases
        )
        return (
            f"deps acked={self.acked} replies={self.replies} lost={self.lost} dup={self.dup} {self.detail}"
            f" feed_missed={self.feed_missed} longest_request={self.longest_request_s:.2f}s"
            f" recovery={self.recovery_s:.2f}s redis_request={self.redis_request_s:.2f}s lag={self.lag_s:.2f}s"
            f" odd={self.odd_statuses} no_retry_after={self.no_retry_after} dead={self.dead} healthy={self.healthy}"
            f" drained={self.drained} wall={self.wall:.0f}s [{parts}] {'PASS' if self.passed else 'FAIL'}"
        )

    def json(self) -> str:
        named = ("longest_request_s", "recovery_s", "redis_request_s", "lag_s")
        more = {n: round(getattr(self, n), 3) for n in named}
        rest = {k: v for k, v in msgspec.to_builtins(self).items() if k != "log"}
        return msgspec.json.encode({"name": "deps", "pass": self.passed, **more, **rest}).decode()


class Watch:
    """Knocks at two processes all the time, and measures when the live feed of a third, quiet one knows a message."""

    def __init__(self, here: World, provider: ProviderTwin) -> None:
        self.here, self.provider = here, provider
        self.phase = Phase("calm")
        self.ack = asyncio.Event()
        #: held while a message is on its way to the quiet one: a phase begins and ends between two of them
        self.measuring = asyncio.Lock()
        self.odd: dict[str, int] = {}
        self.no_retry_after = 0
        self._tasks = [asyncio.create_task(self._knock(n)) for n in range(2)] + [asyncio.create_task(self._lag())]

    async def stop(self) -> None:
        """End the watch."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _knock(self, number: int) -> None:
        process, count = self.here.processes[number], 0
        while True:
            count += 1
            name = f"w{number}-{count}"
            status = await self._webhook(process, name)
            if status == 200:
                self.ack.set()
            await self._timed("GET", f"{process.base}/api/v1/events?after=0&limit=1")
            await asyncio.sleep(0.05)

    async def _webhook(self, process: Process, name: str) -> int:
        raw = msgspec.json.encode(
            {"messages": [{"id": name, "from": {"address": name.partition("-")[0]}, "text": "?"}]}
        )
        url = f"{process.base}/webhooks/api/{self.here.key}"
        self.provider.first_sent.setdefault(name, time.monotonic())
        status = await self._timed("POST", url, raw)
        if status == 200:
            self.provider.acked.setdefault(name, time.monotonic())
        return status

    async def _timed(self, method: str, url: str, raw: bytes | None = None) -> int:
        from config.twins.provider import sign

        headers = {"Authorization": f"Bearer {self.here.token}"}
        if raw is not None:
            headers = {"X-Hub-Signature-256": sign(SECRET, raw)}
        phase, began = self.phase, time.monotonic()
        try:
            async with asyncio.timeout(12), self.here.http.request(method, url, data=raw, headers=headers) as answer:
                await answer.read()
                status, patience = answer.status, "Retry-After" in answer.headers
        except (OSError, TimeoutError) as error:
            status, patience = 0, False
            self.odd[type(error).__name__] = self.odd.get(type(error).__name__, 0) + 1
        phase.longest_request = max(phase.longest_request, time.monotonic() - began)
        phase.statuses[str(status)] = phase.statuses.get(str(status), 0) + 1
        if status == 503 and not patience:
            self.no_retry_after += 1
        if status not in (0, 200, 503, 429, 404):
            self.odd[str(status)] = self.odd.get(str(status), 0) + 1
        return status

    async def _lag(self) -> None:
        """A message by the first process; how long until the quiet one's feed has it."""
        database = open_database(self.here.url)
        count = 0
        try:
            while True:
                count += 1
                async with self.measuring:
                    name, phase = f"lag-{count}", self.phase
                    if await self._webhook(self.here.processes[0], name) == 200:
                        await self._seen(database, name, phase)
                await asyncio.sleep(0.2)
        finally:
            await database.close()

    async def _seen(self, database: Any, name: str, phase: Phase) -> None:
        from hub.tables import events, messages

        wanted = (
            sa.select(events.c.id)
            .join(messages, messages.c.id == events.c.message_id)
            .where(messages.c.provider_id == name, events.c.kind == "message.received")
        )
        began = time.monotonic()
        number = None
        try:
            while time.monotonic() - began < 8:
                number = number or await database.read(lambda c: c.execute(wanted).scalar())
                if number:
                    status, said = await self.here.ask(self.here.processes[2], "/chaos/feed")
                    if status == 200 and said["last"] >= number:
                        break
                await asyncio.sleep(0.02)
        except Exception:
            return  # the database is away: no measure of lag
        finally:
            phase.lag = max(phase.lag, time.monotonic() - began)


async def run(hold: float = 2.5, mutant: str = "", only: Sequence[str] = ()) -> Result:
    """Every fault once (or ``only`` some); ``hold``: how long one lasts (seconds)."""
    began = time.monotonic()
    async with ProviderTwin(SECRET, FAULTS) as provider, world("postgresql", provider, lease=4, mutant=mutant) as here:
        postgres, redis = here.servers
        proxies = [ChaosProxy(postgres.port), ChaosProxy(redis.port)]
        for proxy in proxies:
            await proxy.start()
        try:
            return await _faults(here, provider, proxies, hold, only, began)
        finally:
            for process in here.processes:
                await process.kill()
            for proxy in proxies:
                await proxy.stop()


async def _faults(
    here: World, provider: ProviderTwin, proxies: list[ChaosProxy], hold: float, only: Sequence[str], began: float
) -> Result:
    postgres, redis = here.servers
    near = {
        "HUB_DATABASE": here.url.replace(str(postgres.port), str(proxies[0].port)),
        "HUB_REDIS": here.redis.replace(str(redis.port), str(proxies[1].port)),
    }
    processes = [here.process(f"hub{n}", quiet=n == 2, **near) for n in range(3)]
    await asyncio.gather(*(p.start() for p in processes))
    if not all(await asyncio.gather(*(p.ready() for p in processes))):
        raise RuntimeError(f"the hub did not start:\n{processes[0].log()}")
    stop, answers, watch, follower = asyncio.Event(), Answers(here, 3), Watch(here, provider), Follower(here.url)
    customers = [asyncio.create_task(_customer(provider, f"c{n}", stop)) for n in range(4)]
    await asyncio.sleep(1)
    phases = [watch.phase]

    async def fault(name: str, break_it: Callable[[], Any], mend: Callable[[], Any], last: float) -> None:
        if only and name not in only:
            return
        async with watch.measuring:
            watch.phase = Phase(name)
            phases.append(watch.phase)
        await asyncio.sleep(0.3)  # what began before ends before
        await _do(break_it)
        await asyncio.sleep(last)
        await _do(mend)
        ended = time.monotonic()
        watch.ack.clear()
        async with asyncio.timeout(90):
            await watch.ack.wait()
        watch.phase.recovery = time.monotonic() - ended
        await asyncio.sleep(0.5)

    await fault("postgres killed", lambda: _in_thread(postgres.kill), lambda: _in_thread(postgres.start), 0.3)
    await fault("postgres frozen", postgres.freeze, postgres.thaw, 2 * hold)
    await fault("postgres silent", proxies[0].silence, proxies[0].speak, 2 * hold)
    await fault("postgres reset", proxies[0].reset, proxies[0].reset, 0.3)
    await fault("redis killed", lambda: _in_thread(redis.kill), lambda: _in_thread(redis.start), 1.6 * hold)
    await fault("redis frozen", redis.freeze, redis.thaw, 1.6 * hold)
    await fault("redis silent", proxies[1].silence, proxies[1].speak, hold)
    await fault("redis reset", proxies[1].reset, proxies[1].reset, 0.3)
    stop.set()
    answers.let_go()
    await asyncio.gather(*customers)
    await watch.stop()
    drained = await answers.finish(30) and await here.drained(30)
    return await _figures(here, provider, answers, watch, await follower.finish(), phases, drained, began)


async def _figures(
    here: World,
    provider: ProviderTwin,
    answers: Answers,
    watch: Watch,
    feed_missed: int,
    phases: list[Phase],
    drained: bool,
    began: float,
) -> Result:
    states = [await here.ask(p, "/chaos/state") for p in here.processes]
    health = [await here.ask(p, "/healthz") for p in here.processes]
    counted = await count(here.url, provider)
    effects = {name.partition(">")[0] for name in provider.effects}
    return Result(
        phases=phases,
        acked=len(provider.acked),
        replies=len(answers.acked),
        lost=counted.lost_in + counted.lost_receipts + len(set(answers.acked.values()) - effects),
        dup=counted.dup_in + provider.duplicates + counted.disorder_views + provider.disorder,
        detail={
            "lost_in": counted.lost_in,
            "lost_receipts": counted.lost_receipts,
            "lost_out": len(set(answers.acked.values()) - effects),
            "unanswered": answers.asked - len(answers.acked),
            "unread": counted.unread_journal,
            "unsent": counted.wrong_states,
        },
        feed_missed=feed_missed,
        odd_statuses=watch.odd,
        no_retry_after=watch.no_retry_after,
        dead=sorted({name for status, said in states if status == 200 for name in said["dead"]}),
        healthy=all(status == 200 for status, _ in health),
        drained=drained,
        wall=time.monotonic() - began,
        log="\n".join([*(p.log(20_000) for p in here.processes), "" if drained else await _stuck(here.url)]),
    )


async def _stuck(url: str) -> str:
    """What PostgreSQL says of those that are still at something, and of what is left."""
    questions = (
        "SELECT pid, state, wait_event, now() - xact_start AS since, pg_blocking_pids(pid), left(query, 200)"
        " FROM pg_stat_activity WHERE datname = 'hub' AND xact_start IS NOT NULL",
        "SELECT id, conversation_id, state, attempts, fence, lease_until - extract(epoch from now()) * 1000 AS lease,"
        " not_before - extract(epoch from now()) * 1000 AS due, error FROM deliveries WHERE state IN ('queued', 'sending')"
        " ORDER BY id LIMIT 12",
        "SELECT id, attempts, lease_until - extract(epoch from now()) * 1000 AS lease, body FROM journal"
        " WHERE state = 'kept' LIMIT 5",
    )
    database = open_database(url)
    try:
        parts = [await database.read(lambda c, q=q: c.execute(sa.text(q)).all()) for q in questions]  # type: ignore[misc]
        return "\n".join(str(row) for rows in parts for row in rows)
    finally:
        await database.close()


async def _customer(provider: ProviderTwin, name: str, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        await provider.gate.wait()
        number += 1
        await provider.say(name, "Hello", f"{name}-{number}")
        await asyncio.sleep(0.1)


async def _do(work: Callable[[], Any]) -> None:
    result = work()
    if isinstance(result, Awaitable):
        await result


def _in_thread(work: Callable[[], None]) -> Awaitable[None]:
    return asyncio.to_thread(work)


def main() -> int:
    """The command line: prints one line for people, one for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const=2.5, dest="hold", default=2.5)
    size.add_argument("--night", action="store_const", const=20.0, dest="hold")
    size.add_argument("--release", action="store_const", const=120.0, dest="hold")
    parser.add_argument("--mutant", choices=["no-deadline", "deaf"], default="")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults, like “redis killed”")
    parser.add_argument("--verbose", action="store_true", help="also the end of the hubs' logs")
    given = parser.parse_args()
    result = asyncio.run(run(given.hold, given.mutant, given.only))
    if given.verbose:
        print(result.log, file=sys.stderr)
    print(result.line())
    print(result.json())
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
