"""hub customer export, hub customer erase."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from hub import privacy, takeaway
from hub.cli import Failed
from hub.cli.house import opened
from hub.core import Hub
from hub.database import PostgresDatabase, SqliteDatabase

T = TypeVar("T")


async def export(front: Any, args: argparse.Namespace) -> None:
    """Everything known about a customer into a ZIP file."""
    if args.file.exists():
        raise Failed(f"{args.file} exists already; choose another name.")
    async with opened(front, args) as hub:
        try:
            made = await _patiently(hub, lambda conn: takeaway.export(conn, hub.blobs, args.id, args.file))
        except OSError as error:
            raise Failed(f"{args.file} cannot be written: {error.strerror or error}.") from error
    print(f"{args.file}: {made.messages} messages, {made.files} files, {made.envelopes} envelopes")


async def erase(front: Any, args: argparse.Namespace) -> None:
    """Erase a customer for good."""
    async with opened(front, args) as hub:
        gone = await _patiently(hub, lambda conn: privacy.erase(conn, args.id))
        removed = await asyncio.to_thread(hub.blobs.remove, gone.blobs)
        await _patiently(hub, privacy.scrub_file)
        if isinstance(hub.db, SqliteDatabase):
            await asyncio.to_thread(_empty_log, str(hub.db.path))
    print(
        f"erased customer {args.id}: {gone.messages} messages, {gone.addresses} addresses, {gone.envelopes} envelopes,"
        f" {len(removed)} files. Backups made before still hold them."
    )
    if later := len(gone.blobs) - len(removed):
        print(f"{later} files came within the last hour and are removed by the running hub once they are older.")


async def _patiently(hub: Hub, work: Callable[[Connection], T]) -> T:
    """A unit of work that may take minutes: without the patience that requests have."""
    if isinstance(hub.db, PostgresDatabase):
        return await hub.db.run_sync(work)
    return await hub.db.write(work)


def _empty_log(path: str) -> None:
    """Move everything out of SQLite's write-ahead log, where the erased pages' older versions lie."""
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
