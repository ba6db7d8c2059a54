"""Compiled templates, kept beside the templates as Python keeps its own bytecode: compiling all of them takes a second and a half.

Where the folder may not be written to (an installation by root, an image), what was put there when it was built is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

#: Why nothing can be kept: no room, no right, or the folder was cleared away while the hub runs.
_EXPECTED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)


class Kept(jinja2.FileSystemBytecodeCache):
    """What was compiled of one language. ``made_of``: all that goes into the code besides a template's own source."""

    def __init__(self, templates: Path, language: str, made_of: bytes) -> None:
        folder = templates / "__pycache__"
        if os.access(templates, os.W_OK):
            folder.mkdir(exist_ok=True)
        self._writable = os.access(folder, os.W_OK)
        self._made_of = hashlib.sha256(made_of)
        super().__init__(str(folder), f"{language}-%s.j2c")

    def get_source_checksum(self, source: str) -> str:
        """Of the source and all else that the code is made of: what was compiled of anything older is compiled anew."""
        digest = self._made_of.copy()
        digest.update(source.encode())
        return digest.hexdigest()

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """By the name alone: the folder is the template's own."""
        return super().get_cache_key(name)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read it; what cannot be read is compiled anew."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # half a file after a power cut raises whatever unpickling meets
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, where there is room: a page does not depend on it."""
        if not self._writable:
            return
        try:
            super().dump_bytecode(bucket)
        except OSError as error:
            if error.errno not in _EXPECTED:
                raise
            self._writable = False
