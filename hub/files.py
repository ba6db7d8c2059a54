"""Files and originals as the API and the screens share them: kept on the way in, handed out so that they can do nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from html import unescape
from typing import IO
from urllib.parse import quote

from aiohttp import web

from hub import journal
from hub.database import DiskFull
from hub.http import House, Problem
from hub.outbox import NotFound
from hub.text import clean, clean_line
from hub.timeline import FileView
from hub.uploads import Upload

#: Nothing that came from outside runs, loads or submits anything when a browser opens it.
CAGE = "sandbox; default-src 'none'; frame-ancestors 'none'"
_CID = re.compile(r'src="cid:([^"]{0,500})"', re.IGNORECASE)


def disposition(how: str, name: str) -> str:
    """Content-Disposition ("inline", "attachment") with a name in any script (RFC 6266, RFC 8187)."""
    name = clean(name)[:200] or "file"
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", name)[:100].strip() or "file"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def with_pictures(html: str, files: Sequence[FileView], folder: str) -> str:
    """Pictures that came with the mail (``cid:``, RFC 2392) by our address under ``folder``; unknown ones show nothing."""
    known = {f.inline_id: f.id for f in files if f.inline_id}

    def address(found: re.Match[str]) -> str:
        number = known.get(unescape(found[1]))
        return f'src="{folder}/{number}"' if number else 'alt=""'

    return _CID.sub(address, html)


async def original(house: House, journal_id: int, name: str, mail: bool, *, view: bool = False) -> web.Response:
    """What arrived, byte for byte, as a download, or as plain text to ``view``. Raises `NotFound`, and `Problem` 404 when the bytes
    are gone.
    """
    kept = await house.hub.db.read(journal.body, journal_id)
    if kept is None:
        raise NotFound
    body, blob = kept
    if blob:
        try:
            body = await asyncio.to_thread(house.hub.blobs.get, blob)
        except OSError as error:
            raise gone() from error
    kind, how = "message/rfc822" if mail else "application/octet-stream", "attachment"
    if view:
        kind, how = "text/plain; charset=utf-8", "inline"
    headers = {
        "Content-Type": kind,
        "Content-Disposition": disposition(how, f"{name}.{'eml' if mail else 'bin'}"),
        "Content-Security-Policy": CAGE,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return web.Response(body=body, headers=headers)


def gone() -> Problem:
    """What is said when the database knows a file that the disk has lost."""
    return Problem(404, "The bytes are gone from the blob store; restore them from the backup.")


async def store(house: House, name: str, kind: str, file: IO[bytes]) -> Upload:
    """Bring an uploaded file into the blob store, a few at a time. ``size`` is 0 for an empty one. Raises `DiskFull`."""
    async with house.storing:
        try:
            file.seek(0)
            data = await asyncio.to_thread(file.read)
            digest = await asyncio.to_thread(house.hub.blobs.put, data)
        except OSError as error:
            raise DiskFull(str(error)) from error
    kind = clean_line(kind, 100).lower() or "application/octet-stream"
    return Upload(clean_line(name, 200) or "file", kind, len(data), digest)
