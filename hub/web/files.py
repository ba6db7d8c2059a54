"""What strangers sent, handed out so that it can do nothing: attachments, the HTML of mails, originals."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from aiohttp import web

from hub import journal, timeline
from hub.access import Actor, access_attachment
from hub.http import HOUSE
from hub.outbox import NotFound
from hub.timeline import FileView
from hub.web import reads
from hub.web.rendering import ASSETS
from hub.web.screens import number_in

#: What browsers may show by themselves; everything else is only ever downloaded.
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"})
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")
_CID = re.compile(r'src="cid:([^"]*)"')
_KEPT = "private, max-age=3600"
_NOTHING = "default-src 'none'; sandbox; frame-ancestors 'none'"


def disposition(how: str, name: str) -> str:
    """Content-Disposition with a name in any script (RFC 6266, RFC 8187)."""
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", name)[:100].strip() or "file"
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name[:200], safe='')}"


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
        "Content-Security-Policy": _NOTHING
        if kind != "application/pdf"
        else "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": _KEPT,
    }
    if kind not in SHOWN and kind.startswith(("text/html", "image/svg", "application/xhtml", "text/xml")):
        headers["Content-Type"] = "application/octet-stream"
    return web.FileResponse(house.hub.blobs.path(row.sha256), headers=headers)


async def message_html(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/html: the sanitised HTML for a frame. No script runs and nothing is fetched from elsewhere."""
    said = await request.app[HOUSE].hub.db.read(reads.message, actor, number_in(request))
    if not said.html:
        raise NotFound
    sheet = request.app[ASSETS]["frame.css"]
    text = (
        '<!doctype html><html><head><meta charset="utf-8"><base target="_blank">'
        f'<link rel="stylesheet" href="{sheet}"></head><body>{with_pictures(said.html, said.files)}</body></html>'
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


def with_pictures(html: str, files: tuple[FileView, ...]) -> str:
    """Pictures that came with the mail, by our own address."""
    known = {f.inline_id: f.id for f in files if f.inline_id}

    def address(found: re.Match[str]) -> str:
        number = known.get(found[1].replace("&amp;", "&"))
        return f'src="/attachments/{number}"' if number else 'alt=""'

    return _CID.sub(address, html)


async def message_text(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/text: the whole text of a very long message."""
    said = await request.app[HOUSE].hub.db.read(reads.message, actor, number_in(request))
    return web.Response(text=said.text, content_type="text/plain", headers={"Content-Security-Policy": _NOTHING})


async def message_raw(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/raw: what arrived, byte for byte, as a download."""
    house, number = request.app[HOUSE], number_in(request)
    entry = await house.hub.db.read(reads.original, actor, number)
    found = await house.hub.db.read(journal.body, entry)
    if found is None:
        raise NotFound
    data, blob = found
    if blob:
        data = await asyncio.to_thread(house.hub.blobs.get, blob)
    mail = (await house.hub.db.read(timeline.views, [number]))[number].kind == "email"
    headers = {
        "Content-Type": "message/rfc822" if mail else "application/octet-stream",
        "Content-Disposition": disposition("attachment", f"message-{number}{'.eml' if mail else '.bin'}"),
        "Content-Security-Policy": _NOTHING,
    }
    return web.Response(body=data, headers=headers)
