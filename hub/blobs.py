"""Bytes too large for a row: files named by the SHA-256 of what they hold, nothing else.

The sender's file name never touches the disk. A blob is on disk (fsync of file and folder) before `put` returns; putting the
same bytes again costs a look.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path

from hub.failpoints import hit

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
        if path.exists() and path.stat().st_size == len(data):
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


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
