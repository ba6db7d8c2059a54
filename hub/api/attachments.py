"""Files: uploaded before they are sent, and downloaded without ever being trusted."""

from __future__ import annotations

import asyncio
from urllib.parse import quote, unquote

import sqlalchemy as sa
from aiohttp import BodyPartReader, web
from sqlalchemy.engine import Connection

from hub.access import access_attachment, require
from hub.api.messages import CAGE
from hub.api.once import client_id, made_once
from hub.api.shapes import Attachment
from hub.api.wire import Call, Made, route
from hub.clock import now
from hub.database import DiskFull
from hub.http import Problem
from hub.outbox import NotFound
from hub.sql import allocate
from hub.tables import attachments
from hub.text import clean_line

#: Largest file (bytes).
MOST = 25_000_000
#: The upload must be complete after so many seconds.
SLOWEST = 300
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


def disposition(kind: str, name: str) -> str:
    """Content-Disposition (RFC 6266): pictures are shown, everything else is saved."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/' else "_" for c in name)[:150]
    way = "inline" if kind.startswith("image/") else "attachment"
    return f"{way}; filename=\"{plain or 'file'}\"; filename*=UTF-8''{quote(name or 'file', safe='')}"


@route("POST", "/attachments")
async def upload_attachment(call: Call) -> Made[Attachment]:
    """One file as multipart/form-data; name its id in ``attachments`` of a message."""
    require(call.actor, "reply")
    name, kind, data = await _upload(call.request)
    try:
        digest = await asyncio.to_thread(call.hub.blobs.put, bytes(data))
    except OSError as error:
        raise DiskFull(str(error)) from error
    act = client_id(call, None)
    number, fresh = await made_once(call, act, _keep, call.actor.id, name, kind, len(data), digest)
    row = await call.read(access_attachment, call.actor, number)
    if row is None:
        raise NotFound
    url = f"/api/v1/attachments/{number}"
    return Made(Attachment(str(number), row.name, row.type, row.size, row.sha256, False, url), fresh)


async def _upload(request: web.Request) -> tuple[str, str, bytearray]:
    if request.content_type != "multipart/form-data":
        raise Problem(415, "Send the file as multipart/form-data, as a form with <input type=file> does.")
    try:
        async with asyncio.timeout(SLOWEST):
            return await _first_file(request)
    except TimeoutError as error:
        raise Problem(408, f"The file did not arrive within {SLOWEST} seconds; send it again.") from error
    except (ValueError, RuntimeError, LookupError, web.RequestPayloadError, AssertionError) as error:
        raise Problem(400, "The body is no multipart form: its parts cannot be told apart.") from error


async def _first_file(request: web.Request) -> tuple[str, str, bytearray]:
    found: tuple[str, str, bytearray] | None = None
    parts = await request.multipart()
    for _ in range(20):
        part = await parts.next()
        if part is None:
            break
        if not isinstance(part, BodyPartReader):
            raise Problem(400, "A part inside a part makes no sense here; send one file.")
        data = await _bytes(part)
        if part.filename is None:
            continue
        if found is not None:
            raise Problem(422, "Send one file per request.", field="file")
        declared = clean_line(part.headers.get("Content-Type", ""), 100)
        found = clean_line(_decoded(part.filename), 255) or "file", declared or "application/octet-stream", data
    if found is None:
        raise Problem(422, "There is no file in the form; give a part a filename.", field="file")
    return found


def _decoded(name: str) -> str:
    """A file's name; many clients percent-encode it (RFC 7578 4.2)."""
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name


async def _bytes(part: BodyPartReader) -> bytearray:
    """The application's limit for bodies does not cover parts: count here."""
    data = bytearray()
    while chunk := await part.read_chunk(65536):
        data += chunk
        if len(data) > MOST:
            raise Problem(413, f"A file may have {MOST // 1_000_000} MB at most.")
    return data


def _keep(conn: Connection, actor_id: int, name: str, kind: str, size: int, digest: str) -> int:
    number = allocate(conn, "ids", 1)[0]
    values = {"id": number, "uploader_id": actor_id, "name": name, "type": kind, "size": size, "sha256": digest}
    conn.execute(sa.insert(attachments).values(**values, created_at=now()))
    return number


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
        raise Problem(404, "The bytes are gone from the blob store; restore them from the backup.") from error
    kind = sniffed(head)
    headers = {
        "Content-Type": kind,
        "Content-Disposition": disposition(kind, row.name),
        "Content-Security-Policy": CAGE,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }
    return web.FileResponse(path, headers=headers)


def _head(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read(12)
