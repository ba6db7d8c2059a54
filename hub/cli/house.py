"""What the commands share: an open hub, tables on the screen, JSON."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub import migrations
from hub.clock import rfc3339
from hub.core import Hub
from hub.database import Unavailable
from hub.messages import Refused


def is_expected(error: BaseException) -> bool:
    """Is this failure an answer, not an accident?"""
    from hub import backup, moving, outbox  # here, for a server that starts has no time for them

    answers = (
        ValueError,
        OSError,
        SQLAlchemyError,
        migrations.NeedsMigration,
        backup.BackupFailed,
        moving.MoveFailed,
        outbox.NotFound,
        Unavailable,
        Refused,
    )
    return isinstance(error, answers)


def in_words(error: BaseException) -> str:
    """A failure in one line; what a database said without the statement."""
    if isinstance(error, DBAPIError):
        return f"The database says: {_one_line(error.orig)[:300]}. “hub doctor” looks closer."
    if isinstance(error, ConnectionError):
        return f"The database does not answer: {_one_line(error)}. Is it running, and is HUB_DATABASE right?"
    return _one_line(error) or f"It failed with {type(error).__name__}."


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error).split())


def settings_of(front: Any, args: argparse.Namespace) -> Any:
    """The settings this command runs with."""
    return front.load_settings(getattr(args, "config", None))


@contextlib.asynccontextmanager
async def opened(front: Any, args: argparse.Namespace) -> AsyncIterator[Hub]:
    """The hub on its database, with the current schema (SQLite is brought to it). Closed afterwards."""
    hub: Hub = front.open_hub(settings_of(front, args))
    try:
        if hub.db.kind == "sqlite":
            await migrations.upgrade(hub.db)
        elif await migrations.needed(hub.db):
            raise migrations.NeedsMigration("The database has no current schema: run “hub migrate” first.")
        yield hub
    finally:
        await hub.channels.close()
        await hub.db.close()


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as needed; nothing when there are no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        print("none")
        return
    widths = [max(len(row[n]) for row in [list(heads), *cells]) for n in range(len(heads))]
    for row in [list(heads), *cells]:
        print("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.split())[:60]


def when(ms: int | None) -> str:
    """A time for people: 2026-11-23 14:05:06Z; empty for none."""
    text = rfc3339(ms)
    return text[:19].replace("T", " ") + "Z" if text else ""
