"""Bytes too large for a row: files named by the SHA-256 of what they hold, nothing else.

The sender's file name never touches the disk. A blob is on disk (fsync of file and folder) before `put` returns; putting the
same bytes again costs a look. Nobody removes a blob that was put within the last `GRACE` seconds: who put it may not have told
the database yet.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

from hub.failpoints import hit

#: How long a blob is safe after it was put (seconds).
GRACE = 3600
_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """A folder of content-addressed files: ``ab/cdef…`` (two levels)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Keep ``data`` durably; its SHA-256 in hex. Blocking: call it in a thread. Raises OSError (disk full …)."""
        name = hashlib.sha256(data).hexdigest()
        path = self.path(name)
        if _touched(path, len(data)):
            return name
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            _sync_folder(self.folder)
        part = path.with_name(f".{secrets.token_hex(8)}")
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            hit("blobs.before_rename")
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        hit("blobs.after_rename")
        _sync_folder(path.parent)
        return name

    def get(self, name: str) -> bytes:
        """The bytes. Raises FileNotFoundError, ValueError for a name that is none."""
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        """Where the blob lies. Raises ValueError for anything but 64 hex digits."""
        if not _NAME.fullmatch(name):
            raise ValueError("a blob's name is 64 hexadecimal digits")
        return self.folder / name[:2] / name[2:]

    def small(self, name: str) -> Path:
        """Where a small picture of the blob lies, if one was made; it goes with the blob. Raises ValueError like `path`."""
        return self.path(name).with_suffix(".small")

    def old(self) -> list[set[str]]:
        """The names of blobs older than `GRACE`, folder by folder. Blocking."""
        found = []
        for folder in sorted(self.folder.iterdir()):
            names = {folder.name + path.name for path in folder.iterdir() if not _young(path)}
            found.append({name for name in names if _NAME.fullmatch(name)})
        return [names for names in found if names]

    def tidy(self) -> int:
        """Remove what a crash left: parts that were never finished, and small pictures of blobs that are gone; how many. Blocking."""
        return sum(_tidied(path) for folder in sorted(self.folder.iterdir()) for path in folder.iterdir())

    def remove(self, names: Iterable[str]) -> list[str]:
        """Remove blobs that nobody needs, but for those younger than `GRACE`; which are gone now. Blocking."""
        return [name for name in sorted(names) if _removed(self.path(name))]


def _touched(path: Path, size: int) -> bool:
    """Is it there? Then it counts as put just now."""
    try:
        os.utime(path)
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _young(path: Path) -> bool:
    try:
        return path.stat().st_mtime > time.time() - GRACE
    except FileNotFoundError:
        return True


def _removed(path: Path) -> bool:
    if _young(path):
        return False
    aside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.replace(aside)
    except FileNotFoundError:
        return False
    if _young(aside):  # put again between the look and the grasp
        aside.replace(path)
        return False
    path.with_suffix(".small").unlink(
        missing_ok=True
    )  # before the blob: a crash between leaves nothing that nobody looks for
    aside.unlink()
    return True


def _tidied(path: Path) -> bool:
    lost = path.suffix == ".small" and not path.with_suffix("").exists()
    if not (lost or path.name.startswith(".")) or _young(path):
        return False
    path.unlink(missing_ok=True)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
