"""Files: uploaded before they are sent, and downloaded without ever being trusted."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import unquote

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from sqlalchemy.engine import Connection

from hub.access import access_attachment, require
from hub.api.once import client_id, made_once
from hub.api.shapes import Attachment
from hub.api.wire import Call, Made, route
from hub.database import DiskFull
from hub.files import CAGE, disposition, gone, store
from hub.http import UPLOAD, Problem, in_time
from hub.outbox import NotFound
from hub.text import clean_line
from hub.uploads import Upload, keep

#: Largest file (bytes).
MOST = 25_000_000
#: So many bytes of an upload wait in memory, more on disk.
MEMORY = 1_000_000
#: What a file is goes by its first bytes; the sender's word counts for nothing.
MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def sniffed(head: bytes) -> str:
    """The type of a file by its first 12 bytes: png, jpeg, gif, webp, pdf, or application/octet-stream."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in MAGIC if head.startswith(magic)), "application/octet-stream")


@route("POST", "/attachments")
async def upload_attachment(call: Call) -> Made[Attachment]:
    """One file as multipart/form-data; name its id in ``attachments`` of a message."""
    require(call.actor, "reply")
    async with AsyncExitStack() as stack:
        upload = await _received(call, stack)
    number, fresh = await made_once(call, client_id(call, None), _keep, call.actor.id, upload)
    row = await call.read(access_attachment, call.actor, number)
    if row is None:
        raise NotFound
    url = f"/api/v1/attachments/{number}"
    return Made(Attachment(str(number), row.name, row.type, row.size, row.sha256, False, url), fresh)


async def _received(call: Call, stack: AsyncExitStack) -> Upload:
    """The one file of the form, in the blob store. ``stack`` holds what waits on the disk until then."""
    if call.request.content_type != "multipart/form-data":
        raise Problem(415, "Send the file as multipart/form-data, as a form with <input type=file> does.")
    try:
        name, kind, file = await in_time(_first_file(call.request, stack), UPLOAD)
    except web.RequestPayloadError as error:
        raise Problem(400, "The body ended before it was complete. Send it again.") from error
    except (ValueError, RuntimeError, LookupError, AssertionError, HttpProcessingError) as error:
        raise Problem(400, "The body is no multipart form: its parts cannot be told apart.") from error
    return await store(call.house, name, kind, file)


async def _first_file(request: web.Request, stack: AsyncExitStack) -> tuple[str, str, IO[bytes]]:
    found: tuple[str, str, IO[bytes]] | None = None
    parts = await request.multipart()
    for _ in range(20):
        part = await parts.next()
        if part is None:
            break
        if not isinstance(part, BodyPartReader):
            raise Problem(400, "A part inside a part makes no sense here; send one file.")
        file = await _bytes(part, stack)
        if part.filename is None:
            continue
        if found is not None:
            raise Problem(422, "Send one file per request.", field="file")
        found = clean_line(_decoded(part.filename), 255), part.headers.get("Content-Type", ""), file
    if found is None:
        raise Problem(422, "There is no file in the form; give a part a filename.", field="file")
    return found


def _decoded(name: str) -> str:
    """A file's name; many clients percent-encode it (RFC 7578 4.2)."""
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name


async def _bytes(part: BodyPartReader, stack: AsyncExitStack) -> IO[bytes]:
    """The part's bytes, beyond a few in a temporary file. The application's limit for bodies does not cover parts: count here."""
    file = stack.enter_context(SpooledTemporaryFile(MEMORY))  # noqa: SIM115 - the stack closes it
    size = 0
    while chunk := await part.read_chunk(65536):
        size += len(chunk)
        if size > MOST:
            raise Problem(413, f"A file may have {MOST // 1_000_000} MB at most.")
        try:
            if size > MEMORY:
                await asyncio.to_thread(file.write, chunk)
            else:
                file.write(chunk)
        except OSError as error:
            raise DiskFull(str(error)) from error
    return file


def _keep(conn: Connection, actor_id: int, upload: Upload) -> int:
    return keep(conn, actor_id, [upload])[0]


@route("GET", "/attachments/{id}", media="application/octet-stream")
async def get_attachment(call: Call, id: int) -> web.StreamResponse:
    """A file's bytes. Only pictures and PDF are called what they are, by their first bytes; the rest is octets to save."""
    row = await call.read(access_attachment, call.actor, id)
    if row is None:
        raise NotFound
    path = call.hub.blobs.path(row.sha256)
    try:
        head = await asyncio.to_thread(_head, str(path))
    except OSError as error:
        raise gone() from error
    kind = sniffed(head)
    headers = {
        "Content-Type": kind,
        "Content-Disposition": disposition("inline" if kind.startswith("image/") else "attachment", row.name),
        "Content-Security-Policy": CAGE,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }
    return web.FileResponse(path, headers=headers)


def _head(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(12)
