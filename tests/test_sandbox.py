"""Whatever a stranger's bytes do to their reader, the hub goes on and says why."""

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.messages import Envelope, Reading, Unreadable
from hub.sandbox import BIG, Sandbox
from tests.fakes import until

#: An adapter that does what the envelope says.
NASTY = """
import os, sys, time
from hub.adapter import Adapter, Traits
from hub.messages import Message, Party, Reading, Unreadable

class Channel(Adapter):
    kind = "nasty"
    traits = Traits(address_kind="x", heavy=True)

    @staticmethod
    def read(envelope):
        word = envelope.body.decode()[:1000]
        if word == "loop":
            while True:
                pass
        if word == "sleep":
            time.sleep(100)
        if word == "memory":
            hold = [bytearray(200_000_000) for _ in range(100)]
        if word == "recursion":
            def deeper(n): return deeper(n + 1)
            deeper(0)
        if word == "exit":
            os._exit(3)
        if word == "segfault":
            os.kill(os.getpid(), 11)
        if word == "unreadable":
            raise Unreadable("Nothing here.")
        if word == "bug":
            raise KeyError("secret")
        if word == "surrogate":
            return Reading(messages=(Message("1", Party("x:1"), text="a\\ud800"),))
        if word == "print":
            print("hello"); sys.stdout.flush(); os.write(1, b"garbage")
        if word == "environment":
            word = repr(sorted(os.environ.items()))
        if word == "modules":
            word = " ".join(sys.modules)
        if word == "stdin":
            word = repr(os.read(0, 10))
        if word == "write":
            with open(os.path.join(os.environ["PYTHONPATH"].split(":")[0], "file"), "wb", buffering=0) as file:
                file.write(b"x")
        return Reading(messages=(Message(str(os.getpid()), Party("x:1"), text=word),))
"""


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "__init__.py").touch()
    (tmp_path / "adapters" / "nasty.py").write_text(NASTY)
    found = Sandbox(size=1, paths=[tmp_path])
    yield found
    await found.close()


def envelope(word: str | bytes) -> Envelope:
    return Envelope(1, word if isinstance(word, bytes) else word.encode(), "imap", 0)


async def read(sandbox: Sandbox, word: str | bytes, deadline: float = 5) -> Any:
    (message,) = (await sandbox.read("nasty", envelope(word), deadline)).messages
    return message


TROUBLES = [
    ("loop", "it takes too long to read"),
    ("sleep", "it takes too long to read"),
    ("memory", "it needs too much memory"),
    ("recursion", "it confuses the program: RecursionError"),
    ("exit", "reading it brought the reader down (code 3)"),
    ("segfault", "reading it brought the reader down (SIGSEGV)"),
    ("unreadable", "Nothing here."),
    ("bug", "it confuses the program: KeyError"),
    ("surrogate", "it holds text that is none"),
    ("write", "it confuses the program: OSError"),
]


@pytest.mark.rest
@pytest.mark.parametrize(("word", "reason"), TROUBLES)
async def test_what_goes_wrong_is_said_and_the_next_is_read(sandbox: Sandbox, word: str, reason: str) -> None:
    await read(sandbox, "ready")
    begun = time.perf_counter()
    with pytest.raises(Unreadable) as caught:
        await read(sandbox, word, deadline=0.2 if word in ("loop", "sleep") else 5)
    assert str(caught.value) == reason
    assert time.perf_counter() - begun < 10
    assert (await read(sandbox, "fine")).text == "fine"


@pytest.mark.rest
async def test_one_bad_envelope_in_a_batch_spoils_only_itself(sandbox: Sandbox) -> None:
    words = ["a", "exit", "b", "loop", "unreadable", "c", "memory", "d"]
    outcomes = await sandbox.read_many("nasty", [envelope(word) for word in words], 0.5)
    said = [one.messages[0].text if isinstance(one, Reading) else "-" for one in outcomes]
    assert said == ["a", "-", "b", "-", "-", "c", "-", "d"]


async def test_a_large_batch_does_not_choke(sandbox: Sandbox) -> None:
    outcomes = await sandbox.read_many("nasty", [envelope(b"x" * 300_000)] * 60)
    assert len(outcomes) == 60 and all(isinstance(one, Reading) for one in outcomes)
    assert await sandbox.read_many("nasty", []) == []


async def test_a_worker_is_used_again_and_replaced_after_a_big_envelope(sandbox: Sandbox) -> None:
    first = (await read(sandbox, "a")).provider_id
    assert (await read(sandbox, "b")).provider_id == first
    await read(sandbox, b"x" * (BIG + 1))
    assert (await read(sandbox, "c")).provider_id != first


async def test_workers_start_only_when_needed_and_end_with_the_sandbox() -> None:
    before = children()
    sandbox = Sandbox()
    assert children() == before
    await sandbox.read("email", envelope("From: a@x.example\r\n\r\nhi"))
    assert len(children() - before) == 1
    await sandbox.close()
    await until(lambda: children() == before)


def children() -> set[str]:
    """The worker processes of this process."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"hub.sandbox_worker" in command and parent == str(os.getpid()):
            found.add(entry.name)
    return found


async def test_a_worker_ends_when_the_hub_is_gone() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "hub.sandbox_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=Sandbox()._environment(),
    )
    assert process.stdin
    process.stdin.close()
    async with asyncio.timeout(10):
        assert await process.wait() == 0


async def test_a_worker_knows_no_secrets(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET_KEY", "canary-1")
    monkeypatch.setenv("DATABASE_PASSWORD", "canary-2")
    assert "canary" not in (await read(sandbox, "environment")).text


async def test_a_worker_loads_neither_the_database_nor_the_network(sandbox: Sandbox) -> None:
    mail = Sandbox(size=1)
    try:
        await mail.read("email", envelope("From: a@x.example\r\n\r\nhi"))
    finally:
        await mail.close()
    modules = (await read(sandbox, "modules")).text.split()
    assert not {"sqlalchemy", "aiohttp", "aiosmtplib", "aioimaplib", "aiosmtpd"} & set(modules)
    code = "import hub.sandbox_worker, adapters.email, sys; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", code),
        stdout=asyncio.subprocess.PIPE,
        env=mail._environment(),
    )
    said, _ = await process.communicate()
    assert b"adapters.email" in said
    assert not {b"sqlalchemy", b"aiohttp", b"aiosmtplib", b"aioimaplib", b"aiosmtpd"} & set(said.split())


async def test_what_a_reader_prints_does_not_disturb_the_answers(sandbox: Sandbox) -> None:
    assert (await read(sandbox, "print")).text == "print"
    assert (await read(sandbox, "stdin")).text == "b''"


async def test_a_reading_that_is_given_up_does_not_answer_the_next_question(sandbox: Sandbox) -> None:
    await read(sandbox, "ready")
    task = asyncio.create_task(read(sandbox, "sleep"))
    await asyncio.wait({task}, timeout=0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await read(sandbox, "after")).text == "after"


async def test_eight_hundred_small_mails_a_second_go_through_one_worker() -> None:
    """Measured in the worker's own processor time, so that a busy machine does not spoil it."""
    sandbox = Sandbox(size=1)
    raw = (Path(__file__).parent / "samples" / "email" / "reply_in_thread.eml").read_bytes()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        outcomes = await sandbox.read_many("email", [envelope(raw)] * 1000)
    finally:
        await sandbox.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len({one.messages[0].provider_id for one in outcomes if isinstance(one, Reading)}) == 1
    rate = 1000 / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert rate > 800, f"{rate:.0f} mails a second"
