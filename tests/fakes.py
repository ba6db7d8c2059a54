"""Helpers that several tests share: waiting for something with a deadline, and programs that may be missing."""

import asyncio
import inspect
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

T = TypeVar("T")

#: What only several writers can do: SQLite serves one process with one writer.
ON_POSTGRES = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

#: Where a program may stand although it is not on the path of an ordinary user.
ELSEWHERE = ("/usr/sbin", "/sbin", "/usr/local/sbin")


async def until(condition: Callable[[], T | Awaitable[T]], seconds: float = 20) -> T:
    """Ask again and again until ``condition`` (plain or async) says something true; give that back.

    Fails the test after ``seconds`` with the condition's own source, so that one sees what never came true.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    pause = 0.002
    while True:
        said = condition()
        value: T = await said if inspect.isawaitable(said) else said
        if value:
            return value
        if loop.time() >= deadline:
            pytest.fail(f"not within {seconds} s: {_words(condition)} (last said {value!r})")
        await asyncio.sleep(pause)  # the one place where a test may wait by the clock
        pause = min(pause * 1.5, 0.1)


def _words(condition: Callable[..., object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)


def lacking(sentence: str) -> NoReturn:
    """Skip with a plain line, or fail where everything has to be there (HUB_TEST_REQUIRE=all)."""
    if os.environ.get("HUB_TEST_REQUIRE") == "all":
        pytest.fail(f"{sentence} (HUB_TEST_REQUIRE=all)", pytrace=False)
    pytest.skip(sentence)


def need(program: str, *others: str) -> str:
    """The path of a program, or of the first of the ``others`` that is here; see `lacking`."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *ELSEWHERE])
    for name in (program, *others):
        if found := shutil.which(name, path=places):
            return found
    lacking(f"{program} is not installed here")


def corpora_folder() -> Path:
    """The folder of real test material; see `lacking`."""
    beside = Path(__file__).parent.parent.parent / "shared" / "corpora"
    folder = Path(os.environ.get("HUB_CORPORA", beside))
    if not folder.is_dir():
        lacking("the test corpora are not here: HUB_CORPORA=/path/to/corpora")
    return folder
