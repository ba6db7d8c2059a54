"""Proves by the kernel's own record that the database is on disk before a webhook is answered with 200.

    python -m tests.chaos.fsync_order --quick
    python -m tests.chaos.fsync_order --mutant sync-off     (must fail)

strace watches a hub on SQLite: between the read of every request and the write of its 200 there must be an fsync or fdatasync
of the database or its log. Killing the process alone cannot show this; only a power failure would.
"""

import argparse
import asyncio
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from config.twins.provider import NONE, ProviderTwin
from tests.chaos.house import SECRET, world

CALLS = "fdatasync,fsync,recvfrom,read,recvmsg,sendto,write,writev,sendmsg"
_SYNCED = re.compile(r"(?:fdatasync|fsync)\(\d+<[^>]*hub\.db(?:-wal)?>\)\s+= 0")
_BEGUN = re.compile(r"^(\d+) .*(?:fdatasync|fsync)\(\d+<[^>]*hub\.db(?:-wal)?> <unfinished")
_ENDED = re.compile(r"^(\d+) .*<\.\.\. (?:fdatasync|fsync) resumed>\)\s+= 0")


class Result(Struct):
    """``acks``: answers with 200 seen; ``not_preceded``: those without a sync of the database after their request."""

    acks: int
    not_preceded: int
    wanted: int
    mutant: str = ""

    @property
    def passed(self) -> bool:
        return self.acks >= self.wanted and self.not_preceded == 0

    def line(self) -> str:
        said = f"fsync_order mutant={self.mutant or '-'} acks={self.acks} of {self.wanted} not_preceded={self.not_preceded}"
        return f"{said} {'PASS' if self.passed else 'FAIL'}"

    def json(self) -> str:
        more = msgspec.to_builtins(self)
        return msgspec.json.encode({"name": "fsync_order", "pass": self.passed, **more}).decode()


def missing() -> str:
    """Why it cannot be tried here; empty when it can."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed here"
    tried = subprocess.run([program, "-f", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"strace may not watch processes here: {tried.stderr.strip()[:200]}"


def judge(lines: list[str], mark: str) -> tuple[int, int]:
    """(acknowledgements, those not preceded by a sync) of requests with ``mark`` in their body, in an strace log."""
    acks = bad = 0
    waiting = synced = False
    begun: set[str] = set()
    for line in lines:
        if not waiting:
            if mark in line and "write" not in line and "send" not in line:
                waiting, synced = True, False
                begun.clear()
            continue
        if _SYNCED.search(line):
            synced = True
        elif found := _BEGUN.match(line):
            begun.add(found[1])
        elif (found := _ENDED.match(line)) and found[1] in begun:
            synced = True
        elif "HTTP/1.1 200" in line:
            acks, bad, waiting = acks + 1, bad + (not synced), False
    return acks, bad


async def run(requests: int, mutant: str = "") -> Result:
    """Send so many webhooks one after the other under strace."""
    program = shutil.which("strace")
    assert program is not None
    async with ProviderTwin(SECRET, NONE) as provider, world("sqlite", provider, mutant=mutant) as here:
        process = here.process("hub")
        trace = here.folder / "trace"
        watch = (program, "-f", "-y", "-s", "700", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace))
        await process.start(watch)
        if not await process.ready(60):
            raise RuntimeError(f"the hub did not start:\n{process.log()}")
        for number in range(requests):
            await provider.say("customer", "is it on disk?", f"traced-{number}")
        await process.kill(signal.SIGTERM)
        lines = await asyncio.to_thread(_lines, trace)
    acks, bad = judge(lines, "traced-")
    return Result(acks, bad, requests, mutant)


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines()


def main() -> int:
    """The command line: prints one line for people, one for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const=100, dest="requests", default=100)
    size.add_argument("--night", action="store_const", const=1000, dest="requests")
    size.add_argument("--requests", type=int, dest="requests")
    parser.add_argument("--mutant", choices=["sync-off", "ack-early"], default="")
    given = parser.parse_args()
    if words := missing():
        print(f"fsync_order skipped: {words}")
        return 0
    result = asyncio.run(run(given.requests, given.mutant))
    print(result.line())
    print(result.json())
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
