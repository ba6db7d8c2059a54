"""Small pictures of large ones, for the timeline: made once by a process that can be killed, kept beside the blob, gone with it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import hub
from hub.blobs import Blobs

log = logging.getLogger(__name__)

#: Pictures below this (bytes) are shown as they are, and how long making one may take (seconds).
SMALL_ENOUGH, DEADLINE = 30_000, 20.0


@cache
def possible() -> bool:
    """Is Pillow here? It is an extra: without it every picture is shown as it is."""
    return find_spec("PIL") is not None


class Thumbnails:
    """Makes them, one after the other: a timeline full of photographs must not take the machine."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)

    async def of(self, blobs: Blobs, name: str) -> Path | None:
        """The file with the small picture (WebP) of this blob; None where the picture itself is to be shown."""
        if not possible():
            return None
        source, made = blobs.path(name), blobs.small(name)
        if (known := await asyncio.to_thread(_known, source, made)) is None:
            async with self._one:
                known = await asyncio.to_thread(_known, source, made)
                if known is None:
                    await _make(source, made)
                    known = await asyncio.to_thread(_known, source, made)
        return made if known else None


def _known(source: Path, made: Path) -> bool | None:
    """Is there one? None: nobody has tried yet. An empty file says that it could not be made."""
    try:
        if source.stat().st_size < SMALL_ENOUGH:
            return False
        return made.stat().st_size > 0
    except FileNotFoundError:
        return None if source.exists() else False


@cache
def _environment() -> dict[str, str]:
    """Nothing that could be a secret."""
    return {"PYTHONPATH": str(Path(hub.__file__).resolve().parent.parent), "PATH": os.environ.get("PATH", "")}


async def _make(source: Path, made: Path) -> None:
    """Try it. A machine that is too slow or too full now may do it another time; what the worker refuses is never tried again."""
    part = made.with_name(f".{secrets.token_hex(8)}")
    try:
        async with asyncio.timeout(DEADLINE):
            done = await _work(source, part)
        await asyncio.to_thread(_keep, source, part if done else None, made)
    except OSError as error:  # TimeoutError is one
        log.warning("no small picture could be made of %s: %s", source, error or "it took too long")
    finally:
        part.unlink(missing_ok=True)  # at once: who is cancelled waits for nothing


async def _work(source: Path, part: Path) -> bool:
    """Did the process make it? Raises OSError; the process never outlives the call."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "hub.thumbnail_worker", str(source), str(part)),
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
    )
    try:
        return await worker.wait() == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await asyncio.shield(worker.wait())


def _keep(source: Path, part: Path | None, made: Path) -> None:
    if part is None:
        made.touch()
    else:
        part.replace(made)
    if not source.exists():  # erased meanwhile: nothing of it stays
        made.unlink(missing_ok=True)
