"""What the screens ask beside the pages: pictures from elsewhere by our proxy, how high mails are, all files of a message at once."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import files, looking, sniffing
from hub.access import Actor, access_message
from hub.fetching import Fetcher, Unfetchable
from hub.files import disposition
from hub.http import HOUSE, Problem, read_form
from hub.outbox import NotFound
from hub.text import clean
from hub.timeline import FileView
from hub.web import mail_body, one_message
from hub.web.places import beside
from hub.web.rendering import words_for
from hub.web.screens import is_part, number_in, positive

FETCHER = web.AppKey("fetcher", Fetcher)
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
#: Bytes of all files together that are handed out in one.
MOST_BYTES = 300_000_000
_CHUNK = 262_144


def setup(app: web.Application) -> None:
    """Give the application what fetches from elsewhere."""
    app[FETCHER] = fetcher = Fetcher()

    async def close(_: web.Application) -> None:
        await fetcher.close()

    app.on_cleanup.append(close)


async def proxied(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /proxy/image?m=<message>&u=<address>&s=<signature>: a picture that a mail shows, fetched by us and never by the browser."""
    house, query = request.app[HOUSE], request.query
    number, url = positive(query.get("m", "")), query.get("u", "")
    if not mail_body.is_mark(house.hub.box, number, url, query.get("s", "")):
        raise NotFound
    if await house.hub.db.read(access_message, actor, number) is None:
        raise NotFound
    try:
        found = await request.app[FETCHER].fetch(url)
    except Unfetchable as error:
        raise Problem(404, f"The picture cannot be had: {error}.") from error
    kind = sniffing.kind_of(found.body[: sniffing.ENOUGH])
    if kind not in PICTURES:
        raise Problem(404, "There is no picture at that address.")
    headers = {
        "Content-Type": kind,
        "Content-Security-Policy": files.CAGE,
        "Content-Disposition": disposition("inline", "picture"),
        "Cache-Control": "private, max-age=604800, immutable",
    }
    return web.Response(body=found.body, headers=headers)


async def height(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /messages/<id>/height: ``height`` in pixels, as a browser has measured it."""
    form, house = await read_form(request), request.app[HOUSE]
    number, given = number_in(request), positive(str(form.get("height", "")))
    try:
        await house.hub.db.write(looking.remember_height, actor, number, given)
    except ValueError as error:
        raise Problem(400, str(error)) from error
    return web.Response(status=204)


async def pictures(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /messages/<id>/pictures: always show the remote pictures of whoever sent this."""
    house, number = request.app[HOUSE], number_in(request)

    def work(conn: Connection) -> int:
        looking.show_pictures_of(conn, actor, number)
        return int(one_message.message(conn, actor, number).conversation_id)

    try:
        conversation = await house.hub.db.write(work)
    except ValueError as error:
        raise Problem(422, str(error)) from error
    if is_part(request):
        return web.Response(status=204)
    return web.Response(status=303, headers={"Location": beside(request.query).conversation(conversation)})


async def all_files(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/files.zip: every file of a message, packed while it is sent."""
    house = request.app[HOUSE]
    said = await house.hub.db.read(one_message.message, actor, number_in(request))
    kept = [f for f in said.files if not f.inline_id or not said.html]
    if not kept:
        raise NotFound
    if sum(f.size for f in kept) > MOST_BYTES:
        raise Problem(413, "These files are too large to be packed together; download them one by one.")
    paths = [house.hub.blobs.path(f.sha256) for f in kept]
    if not await asyncio.to_thread(lambda: all(path.exists() for path in paths)):
        raise files.gone()
    word = words_for(request, actor).text("Files of message {number}", number=said.id)
    headers = {
        "Content-Type": "application/zip",
        "Content-Disposition": disposition("attachment", f"{word}.zip"),
        "Content-Security-Policy": files.CAGE,
        "Cache-Control": "private, no-store",
    }
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    pieces = packed(list(zip(_names(kept), paths, strict=True)))
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        await answer.write(piece)
    await answer.write_eof()
    return answer


def _names(kept: list[FileView]) -> list[str]:
    """Names for the files in the archive: of nobody's folder, each once."""
    used: set[str] = set()
    names = []
    for f in kept:
        plain = "".join("_" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in clean(f.name))[:120].strip(" .")
        stem, dot, ending = (plain or "file").rpartition(".")
        name, count = plain or "file", 1
        while name.lower() in used:
            count += 1
            name = f"{stem} ({count}).{ending}" if dot and stem else f"{plain or 'file'} ({count})"
        used.add(name.lower())
        names.append(name)
    return names


class _Pipe:
    """What a ZIP file is written to; it is taken away in between."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return None

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def packed(named: list[tuple[str, Path]]) -> Iterator[bytes]:
    """A ZIP file of these files, piece by piece, never more than one piece in memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # it needs no more of a file
        for name, path in named:
            with archive.open(zipfile.ZipInfo(name), "w") as into, path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    into.write(chunk)
                    yield pipe.take()
            yield pipe.take()
    yield pipe.take()
