"""The process in which a simulation is computed, so that nobody who serves customers waits for it: ``python -P -m hub.simulation_worker``.

It takes one `Task` as a line of JSON on stdin and says `Said`, one JSON line after the other, on stdout: how far it is, in the end
the result. It only reads the database, and gives way to whoever else wants the processor. It ends when nobody listens any more.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from typing import Concatenate, ParamSpec, TypeVar

import msgspec
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import traffic
from hub.database import Database, Unavailable, open_database
from hub.rehearsal import Asked, Rehearsal, Result
from hub.tasks import Backoff
from hub.traffic import Traffic

P = ParamSpec("P")
T = TypeVar("T")

#: A page that the database could not give is asked for again so often.
ATTEMPTS = 12
#: How much this process steps back behind others (see nice(2)).
NICE = 10


class Task(Struct, frozen=True):
    """What to simulate, on which database, so many conversations at a time."""

    database: str
    asked: Asked
    batch: int


class Said(Struct, frozen=True, omit_defaults=True):
    """How far it is (conversations), and in the end the result or why there is none."""

    done: int = 0
    total: int = 0
    result: Result | None = None
    failed: str = ""


async def simulate(db: Database, asked: Asked, batch: int, tell: Callable[[int, int], None]) -> Result:
    """The whole simulation; ``tell(done, total)`` hears how far it is. Raises `Unavailable`."""
    before, after, total = await _patiently(db, traffic.prepare, asked)
    tell(0, total)
    rehearsal, past = Rehearsal(before, after), Traffic(before, asked.since, asked.until)
    while (held := await _patiently(db, past.run_up, batch)) is not None:
        for one in held:
            rehearsal.hold(one)
        tell(0, total)
    done = 0
    while (page := await _patiently(db, past.page, batch))[0]:
        for contact in page[1]:
            rehearsal.play(contact)
        done += page[0]
        tell(done, max(done, total))
    return rehearsal.result()


async def _patiently(
    db: Database, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Read, and again for a while when the database does not answer."""
    backoff = Backoff(most=5)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await db.read(work, *args, **kwargs)
        except Unavailable:
            if attempt == ATTEMPTS:
                raise
            await backoff.wait()
    raise AssertionError("unreachable")


def _lines(said: Said) -> Iterator[bytes]:
    yield msgspec.json.encode(said)
    yield b"\n"


def _say(said: Said) -> None:
    sys.stdout.buffer.writelines(_lines(said))
    sys.stdout.buffer.flush()


async def _work(task: Task) -> Said:
    db = open_database(task.database)
    reached = Said()

    def tell(done: int, total: int) -> None:
        nonlocal reached
        reached = Said(done, total)
        _say(reached)

    try:
        result = await simulate(db, task.asked, task.batch, tell)
        return structs.replace(reached, result=result)
    except Unavailable as error:
        return Said(failed=f"The database did not answer: {error}")
    finally:
        await db.close()


def main() -> None:
    """Do the one task."""
    os.nice(NICE)
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    try:
        _say(asyncio.run(_work(task)))
    except BrokenPipeError:
        os._exit(1)  # whoever asked has gone; there is nobody to tell


if __name__ == "__main__":
    main()
