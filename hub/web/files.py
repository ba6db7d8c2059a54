"""What strangers sent, handed out so that it can do nothing: attachments, the HTML of mails, originals."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from hub import files, sniffing
from hub.access import Actor, access_attachment
from hub.files import disposition, with_pictures
from hub.http import HOUSE, House
from hub.i18n import Catalogue
from hub.outbox import NotFound
from hub.timeline import MessageView
from hub.web import drawn, mail_body, one_message
from hub.web.rendering import ASSETS, words_for
from hub.web.screens import number_in

#: What browsers may show by themselves, if the bytes are that; everything else is only ever downloaded.
SHOWN = frozenset(
    {
        *("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"),
        *("audio/mpeg", "audio/ogg", "audio/webm", "audio/wav", "audio/mp4", "audio/amr"),
    }
)
#: Characters of HTML that are better looked at beside the event loop.
_LARGE = 50_000
_KEPT = "private, max-age=3600"


async def attachment(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /attachments/<id>, to keep: …?download, a picture as a small one: …?small (as it is, where that cannot be had)"""
    house = request.app[HOUSE]
    row = await house.hub.db.read(access_attachment, actor, number_in(request))
    if row is None:
        raise NotFound
    path = house.hub.blobs.path(row.sha256)
    try:
        kind = sniffing.kind_of(await asyncio.to_thread(_beginning, path))
    except OSError as error:
        raise files.gone() from error
    shown = kind in SHOWN and "download" not in request.query
    if "small" in request.query and kind in drawn.PICTURES:
        small = await house.hub.thumbnails.of(house.hub.blobs, row.sha256)
        path, kind = (small, "image/webp") if small else (path, kind)
    headers = {
        "Content-Type": kind if kind in SHOWN else "application/octet-stream",
        "Content-Disposition": disposition("inline" if shown else "attachment", row.name),
        "Content-Security-Policy": files.CAGE
        if kind != "application/pdf"
        else "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": _KEPT,
    }
    return web.FileResponse(path, headers=headers)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(sniffing.ENOUGH)


async def message_html(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/html: the sanitised HTML for a frame. No script runs and nothing is fetched from elsewhere.

    ``?cut``: only the newly written part; ``?images=1``: remote pictures too, by our proxy.
    """
    house = request.app[HOUSE]
    said = await house.hub.db.read(one_message.message, actor, number_in(request))
    if not said.html:
        raise NotFound
    words = words_for(request, actor)
    how = (said, house, words, "cut" in request.query, "images" in request.query)
    body, kind = await asyncio.to_thread(_body, *how) if len(said.html) > _LARGE else _body(*how)
    text = (
        f'<!doctype html><html lang="{words.language}" class="{kind}"><head><meta charset="utf-8"><base target="_blank">'
        f"<title>{words.text('Message')}</title>"
        f'<link rel="stylesheet" href="{request.app[ASSETS]["frame.css"]}"></head><body>{body}</body></html>'
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


def _body(said: MessageView, house: House, words: Catalogue, cut: bool, images: bool) -> tuple[str, str]:
    """The HTML of the frame, and the classes of its page."""
    body = said.html
    kind = "paper" if drawn.is_coloured(body) else "plain"
    if cut and (end := mail_body.cut(body, said.visible_text)):
        body, kind = body[:end], f"{kind} cut"
    body = with_pictures(body, said.files, "/attachments")
    body = mail_body.with_hosts(body, lambda host: words.text("leads to {host}", host=host))
    return (mail_body.with_remote_pictures(body, house.hub.box, said.id) if images else body), kind


async def message_text(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/text: the whole text of a very long message."""
    said = await request.app[HOUSE].hub.db.read(one_message.message, actor, number_in(request))
    return web.Response(text=said.text, content_type="text/plain", headers={"Content-Security-Policy": files.CAGE})


async def message_raw(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /messages/<id>/raw: what arrived, byte for byte, as a download; to look at: …?view"""
    house, number = request.app[HOUSE], number_in(request)
    said = await house.hub.db.read(one_message.original, actor, number)
    assert said.journal_id is not None
    view = "view" in request.query
    return await files.original(house, said.journal_id, f"message-{number}", said.kind == "email", view=view)
