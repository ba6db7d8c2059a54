"""One file that holds everything: a copy of the running SQLite database, the blobs and the secret key; and putting it back.

The database is copied first and the blobs after it: a blob is on disk before a row names it, so the copy is whole.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from msgspec import Struct

_BLOB = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{62}")


class BackupFailed(Exception):
    """It cannot be done; one sentence says why and what to do. What was there is still there."""


class Counted(Struct, frozen=True):
    """What a backup holds."""

    blobs: int
    size: int


def backup(database: Path, blobs: Path, key_file: Path, target: Path) -> Counted:
    """Write the backup, readable by its owner alone. Blocking. Raises `BackupFailed`."""
    if target.exists():
        raise BackupFailed(f"{target} exists already; choose another name.")
    part = target.with_name(target.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            count = _write(file, database, blobs, key_file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise BackupFailed(f"The backup could not be written: {error}.") from error
    return Counted(count, target.stat().st_size)


def _write(file: object, database: Path, blobs: Path, key_file: Path) -> int:
    count = 0
    with tempfile.TemporaryDirectory(prefix="hub-backup-") as folder:
        copy = Path(folder) / "hub.db"
        _copy_database(database, copy)
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            tar.add(copy, "hub.db")
            tar.add(key_file, "secret.key")
            for path in sorted(blobs.glob("??/*")):
                name = f"blobs/{path.parent.name}/{path.name}"
                if _BLOB.fullmatch(name):
                    tar.add(path, name)
                    count += 1
    return count


def _copy_database(source: Path, copy: Path) -> None:
    """SQLite's own online copy: whole, whatever is being written meanwhile."""
    reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)
    writing = sqlite3.connect(copy)
    try:
        reading.backup(writing, pages=2000, sleep=0.01)
        writing.execute("PRAGMA journal_mode=DELETE").close()
    finally:
        writing.close()
        reading.close()


def restore(source: Path, database: Path, blobs: Path, key_file: Path) -> Counted:
    """Put a backup in place. Blocking. Raises `BackupFailed` when something is there already or the file is no backup."""
    for path in (database, key_file):
        if path.exists():
            raise BackupFailed(
                f"{path} exists already and is not overwritten; move it away first, or set another “data”."
            )
    database.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=database.parent) as folder:
            count = _unpack(source, Path(folder))
            _check(Path(folder) / "hub.db")
            _put(Path(folder), database, blobs, key_file)
    except (OSError, tarfile.TarError, sqlite3.Error, EOFError) as error:
        raise BackupFailed(f"{source} could not be restored: {error}.") from error
    return Counted(count, source.stat().st_size)


def _unpack(source: Path, folder: Path) -> int:
    """Only plain files with names of ours leave the archive."""
    names: set[str] = set()
    with tarfile.open(source, "r") as tar:
        for member in tar:
            known = member.name in ("hub.db", "secret.key") or _BLOB.fullmatch(member.name)
            if not member.isfile() or not known:
                raise BackupFailed(f"{source} is no backup of the hub: it holds “{member.name[:80]}”.")
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            with content, path.open("wb") as file:
                while chunk := content.read(1 << 20):
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            names.add(member.name)
    if not {"hub.db", "secret.key"} <= names:
        raise BackupFailed(f"{source} is no backup of the hub: database or secret key are missing.")
    return len(names) - 2


def _check(database: Path) -> None:
    connection = sqlite3.connect(database)
    try:
        said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    if said != "ok":
        raise BackupFailed(f"The database in the backup is damaged: {said}.")


def _put(folder: Path, database: Path, blobs: Path, key_file: Path) -> None:
    """The database last: while it is missing, nothing counts as restored."""
    for path in sorted((folder / "blobs").glob("??/*")):
        home = blobs / path.parent.name
        home.mkdir(parents=True, exist_ok=True)
        path.replace(home / path.name)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    (folder / "secret.key").chmod(0o600)
    (folder / "secret.key").replace(key_file)
    (folder / "hub.db").replace(database)
