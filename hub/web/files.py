"""What strangers sent, handed out so that it can do nothing: attachments, the HTML of mails, originals."""

from __future__ import annotations

import re

from aiohttp import web

from hub import files
from hub.access import Actor, access_attachment
from hub.files import disposition, with_pictures
from hub.http import HOUSE
from hub.outbox import NotFound
from hub.web import reads
from hub.web.rendering import ASSETS
from hub.web.screens import number_in

#: What browsers may show by themselves; everything else is only ever downloaded.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_KEPT = "private, max-age=3600"


async def attachment(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /attachments/<id>"""
    house = request.app[HOUSE]
    row = await house.hub.db.read(access_attachment, actor, number_in(request))
    if row is None:
        raise NotFound
    kind = row.type.partition(";")[0].strip().lower()
    shown = kind in SHOWN and "download" not in request.query
    headers = {
        "Content-Type": kind if _TYPE.fullmatch(kind) else "application/octet-stream",
        "Content-Disposition": disposition("inline" if shown else "attachment", row.name),
        "Content-Security-Policy": files.CAGE
        if kind != "application/pdf"
        else "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": _KEPT,
    }
    if kind not in SHOWN and kind.startswith(("text/html", "image/svg", "application/xhtml", "text/xml")):
        headers["Content-Type"] = "application/octet-stream"
    path = house.hub.blobs.path(row.sha256)
    if not path.exists():
        raise files.gone()
    return web.FileResponse(path, headers=headers)


async def message_html(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/html: the sanitised HTML for a frame. No script runs and nothing is fetched from elsewhere."""
    said = await request.app[HOUSE].hub.db.read(reads.message, actor, number_in(request))
    if not said.html:
        raise NotFound
    sheet = request.app[ASSETS]["frame.css"]
    body = with_pictures(said.html, said.files, "/attachments")
    text = (
        '<!doctype html><html><head><meta charset="utf-8"><base target="_blank">'
        f'<link rel="stylesheet" href="{sheet}"></head><body>{body}</body></html>'
    )
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; form-action 'none'; base-uri 'self';"
            " frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
        ),
        "X-Frame-Options": "SAMEORIGIN",
        "Cache-Control": "private, max-age=3600",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


async def message_text(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/text: the whole text of a very long message."""
    said = await request.app[HOUSE].hub.db.read(reads.message, actor, number_in(request))
    return web.Response(text=said.text, content_type="text/plain", headers={"Content-Security-Policy": files.CAGE})


async def message_raw(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/raw: what arrived, byte for byte, as a download."""
    house, number = request.app[HOUSE], number_in(request)
    said = await house.hub.db.read(reads.original, actor, number)
    assert said.journal_id is not None
    return await files.original(house, said.journal_id, f"message-{number}", said.kind == "email")
