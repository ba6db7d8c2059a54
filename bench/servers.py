"""PostgreSQL and Redis for the measurements: those of the tests, but PostgreSQL keeps what it was told (fsync)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import Postgres, Redis


class DurablePostgres(Postgres):
    """fsync and synchronous_commit on, 512 MB of shared buffers, autovacuum as usual."""

    OTHER = {  # noqa: RUF012 - a constant
        "fsync=off": "fsync=on",
        "synchronous_commit=off": "synchronous_commit=on",
        "full_page_writes=off": "full_page_writes=on",
        "shared_buffers=32MB": "shared_buffers=512MB",
        "autovacuum=off": "max_wal_size=4GB",
    }

    def command(self) -> tuple[list[str], dict[str, Any]]:
        words, more = super().command()
        return [self.OTHER.get(word, word) for word in words], more


@contextmanager
def running(kind: type[Any]) -> Iterator[Any]:
    """A server in a folder of its own, stopped and removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    server = kind(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres(given: str = "") -> Iterator[DurablePostgres | str]:
    """A server of our own, or the address given."""
    if given:
        yield given
        return
    with running(DurablePostgres) as server:
        yield server


def redis() -> Any:
    """A Redis of our own, for a with statement."""
    return running(Redis)
