"""hub backup, hub restore, hub move, hub key rotate."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from hub import backup as archive
from hub import channels, migrations, moving, pushing
from hub.cli import Failed
from hub.cli.house import opened, settings_of
from hub.database import InUse, PostgresDatabase, SqliteDatabase, only_process, open_database
from hub.secretbox import SecretBox, load_keys, write_keys


async def backup(front: Any, args: argparse.Namespace) -> None:
    """Copy everything into one file; the server may go on."""
    settings = settings_of(front, args)
    async with opened(front, args) as hub:
        if not isinstance(hub.db, SqliteDatabase):
            raise Failed("For PostgreSQL use pg_dump, and keep the data folder (blobs, secret.key) with it.")
        made = await asyncio.to_thread(archive.backup, hub.db.path, hub.blobs.folder, settings.key_file, args.file)
    print(
        f"{args.file}: database, secret key and {made.blobs} files, {made.size} bytes. Keep it secret: it can be read by whoever has it."
    )


async def restore(front: Any, args: argparse.Namespace) -> None:
    """Put a backup where the settings say; never over something."""
    settings = settings_of(front, args)
    database = _sqlite_file(settings)
    blobs = settings.folder / "blobs"
    made = await asyncio.to_thread(archive.restore, args.file, database, blobs, settings.key_file)
    async with opened(front, args) as hub:  # also brings an older backup to the current schema
        rows = await hub.db.read(channels.all_rows, hub.box)
    print(f"restored {database} with {made.blobs} files and {len(rows)} channels; start it with “hub serve”")


def _sqlite_file(settings: Any) -> Path:
    if not settings.database_url.startswith("sqlite:///"):
        raise Failed("A backup is restored into SQLite; leave the setting “database” empty, then use “hub move”.")
    return Path(settings.database_url.removeprefix("sqlite:///"))


async def move(front: Any, args: argparse.Namespace) -> None:
    """Copy everything to PostgreSQL; the server must be stopped."""
    if not args.database_url.startswith(("postgresql://", "postgres://")):
        raise Failed("Say where to: postgresql://user:password@host/name.")
    async with opened(front, args) as hub:
        source = hub.db
        if not isinstance(source, SqliteDatabase):
            raise Failed("This hub is on PostgreSQL already.")
        try:
            target = open_database(args.database_url)
        except ValueError as error:
            raise Failed(str(error)) from error
        assert isinstance(target, PostgresDatabase)
        try:
            with _stopped(source.path):
                await _move(source, target)
        except (OSError, TimeoutError) as error:
            raise Failed(f"The target cannot be reached: {error}.") from error
        finally:
            await target.close()
    print(
        "Everything is there. Set HUB_DATABASE to the new address, keep HUB_DATA (blobs, secret key), and start the hub."
    )


async def _move(source: SqliteDatabase, target: PostgresDatabase) -> None:
    await migrations.upgrade(target)
    with source.sync_engine().connect() as reading:
        await target.run_sync(lambda conn: moving.copy(reading, conn, lambda name, count: print(f"{name}: {count}")))


@contextmanager
def _stopped(path: Path) -> Iterator[None]:
    """Nobody writes meanwhile: the lock that `hub serve` holds on SQLite."""
    try:
        with only_process(path):
            yield
    except InUse as error:
        raise Failed(f"The hub runs on {path}; stop it first, so that nothing is written meanwhile.") from error


async def rotate_key(front: Any, args: argparse.Namespace) -> None:
    """A new key in front of the old ones; what is stored is encrypted with it. Old links and reply addresses stay valid."""
    settings = settings_of(front, args)
    async with opened(front, args) as hub:
        keys = [Fernet.generate_key(), *load_keys(settings.key_file)]
        write_keys(settings.key_file, keys)
        count = await hub.db.write(channels.rotate_secrets, SecretBox(keys))
        await hub.db.write(pushing.rotate, SecretBox(keys))
    print(f"new key in {settings.key_file}; {count} channels encrypted with it. Restart every hub process now.")
