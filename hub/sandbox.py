"""Strangers' bytes are read in worker processes that can be killed (`hub.sandbox_worker`).

    reading = await sandbox.read("email", envelope)

A mail that takes too long, needs too much memory or brings its reader down costs one worker process and becomes
`Unreadable`; the hub goes on. Workers are started when first needed and hold no secrets.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

import hub
from hub.messages import Envelope, Reading, Unreadable
from hub.sandbox_worker import MAX_FRAME, Answer, Question

#: Envelopes above this are read one at a time in the whole process, and their worker is replaced afterwards (bytes).
BIG = 10_000_000
#: How much longer than its processor time a reading may take on a busy machine before it counts as stuck.
PATIENCE = 4
#: Seconds that a process which closed its pipe gets to end before it is killed.
LAST_BREATH = 2.0
#: What a worker inherits of our environment: nothing that could be a secret.
_INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH")


class Sandbox:
    """A pool of worker processes. ``paths`` come before the hub's own folder on the worker's import path."""

    def __init__(self, size: int = 2, paths: Sequence[Path] = ()) -> None:
        self._paths = [*paths, Path(hub.__file__).resolve().parent.parent]
        self._room = asyncio.Semaphore(size)
        self._big = asyncio.Semaphore(1)
        self._idle: list[_Worker] = []
        self._closed = False

    async def read(self, kind: str, envelope: Envelope, deadline: float = 5) -> Reading:
        """What the envelope says, after at most ``deadline`` seconds of processor time.

        Raises `Unreadable` with a reason in words: the adapter's, or that it took too long or too much, or crashed.
        """
        (outcome,) = await self.read_many(kind, [envelope], deadline)
        if isinstance(outcome, Unreadable):
            raise outcome
        return outcome

    async def read_many(
        self, kind: str, envelopes: Sequence[Envelope], deadline: float = 5
    ) -> list[Reading | Unreadable]:
        """The same for many envelopes on one worker, in order, without waiting in between; big ones go by themselves.

        One bad envelope spoils only itself: the rest is read by the worker's successor.
        """
        outcomes: dict[int, Reading | Unreadable] = {}
        small = [number for number, envelope in enumerate(envelopes) if len(envelope.body) <= BIG]
        while small:
            async with self._worker() as worker:
                questions = [Question(kind, deadline, envelopes[number]) for number in small]
                answered = await worker.ask(questions)
            outcomes |= zip(small, answered, strict=False)
            small = small[len(answered) :]
        for number, envelope in enumerate(envelopes):
            if len(envelope.body) > BIG:
                async with self._big, self._worker() as worker:
                    outcomes[number] = (await worker.ask([Question(kind, deadline, envelope)]))[0]
                    await worker.stop()
        return [outcomes[number] for number in range(len(envelopes))]

    async def close(self) -> None:
        """End the workers."""
        self._closed = True
        idle, self._idle = self._idle, []
        for worker in idle:
            await worker.stop()

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        async with self._room:
            worker = self._idle.pop() if self._idle else await _Worker.start(self._environment())
            try:
                yield worker
            except BaseException:  # half a question may have been asked
                await worker.stop()
                raise
            if worker.alive and not self._closed:
                self._idle.append(worker)
            else:
                await worker.stop()

    def _environment(self) -> dict[str, str]:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in self._paths)
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        environment["MALLOC_ARENA_MAX"] = "2"
        environment["TZ"] = "UTC"
        return environment


class _Worker:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers = msgspec.msgpack.Decoder(Answer)
        self._finished = False

    @classmethod
    async def start(cls, environment: dict[str, str]) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "hub.sandbox_worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=1 << 20,
        )
        return cls(process)

    @property
    def alive(self) -> bool:
        return not self._finished and self._process.returncode is None

    async def ask(self, questions: Sequence[Question]) -> list[Reading | Unreadable]:
        """Ask in one go and collect the answers; fewer than questions when the worker did not survive the last one."""
        asking = asyncio.create_task(self._put(questions))
        outcomes: list[Reading | Unreadable] = []
        try:
            for question in questions:
                outcome = await self._outcome(question.seconds)
                outcomes.append(outcome)
                if not self.alive:
                    break
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return outcomes

    async def stop(self) -> None:
        """Kill the process and wait for its end."""
        self._finished = True
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    async def _bury(self) -> None:
        """It went silent: let it end by itself, so that its exit code tells why; killing a dead process would lose that."""
        try:
            async with asyncio.timeout(LAST_BREATH):
                await self._process.wait()
        except TimeoutError:
            pass
        await self.stop()

    async def _put(self, questions: Sequence[Question]) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            for question in questions:
                frame = msgspec.msgpack.encode(question)
                stdin.write(struct.pack(">I", len(frame)))
                stdin.write(frame)
                del frame
                await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # the missing answer tells

    async def _outcome(self, seconds: float) -> Reading | Unreadable:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            async with asyncio.timeout(seconds * PATIENCE):
                (size,) = struct.unpack(">I", await stdout.readexactly(4))
                if size > MAX_FRAME:
                    raise asyncio.IncompleteReadError(b"", size)
                said = self._answers.decode(await stdout.readexactly(size))
        except TimeoutError:
            await self.stop()
            return Unreadable("it takes too long to read")
        except (asyncio.IncompleteReadError, msgspec.MsgspecError):
            await self._bury()
            return Unreadable(self._epitaph())
        if said.trouble == "memory":
            await self.stop()
        return said.reading if said.reading is not None else Unreadable(said.reason)

    def _epitaph(self) -> str:
        code = self._process.returncode or 0
        if code == -signal.SIGXCPU:
            return "it takes too long to read"
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"code {code}"
        return f"reading it brought the reader down ({name})"
