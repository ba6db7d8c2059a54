"""Messages: with deliveries, byte for byte, as sanitised HTML, and sending again."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from hub import timeline, undo
from hub.access import Forbidden, access_envelope, access_message
from hub.api.conversations import message_shown
from hub.api.shapes import Message
from hub.api.wire import Call, route
from hub.files import original, with_pictures
from hub.http import Problem
from hub.outbox import NotFound

#: What the body of a mail may do in a browser: show its text and the pictures it brought.
PAGE_CAGE = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


class Retried(Struct):
    """How many deliveries were queued again."""

    retried: int
    message: Message


@route("GET", "/messages/{id}")
async def get_message(call: Call, id: int) -> Message:
    """One message with its deliveries."""
    if await call.read(access_message, call.actor, id) is None:
        raise NotFound
    return await message_shown(call, id)


@route("GET", "/messages/{id}/raw", media="application/octet-stream")
async def get_message_raw(call: Call, id: int) -> web.StreamResponse:
    """The envelope it came in, byte for byte."""
    row = await call.read(access_message, call.actor, id)
    if row is None or row.journal_id is None:
        raise NotFound
    if not await call.read(access_envelope, call.actor, row.journal_id):
        raise Forbidden("The envelope also holds messages of conversations you may not see; ask a supervisor.")
    return await original(call.house, row.journal_id, f"envelope-{row.journal_id}", row.kind == "email")


@route("GET", "/messages/{id}/html", media="text/html")
async def get_message_html(call: Call, id: int) -> web.StreamResponse:
    """The sanitised HTML body; pictures of the mail itself point to their attachments."""
    view = await call.read(timeline.message, call.actor, id)
    if view is None:
        raise NotFound
    if not view.html:
        raise Problem(404, "This message has no HTML; its text is in “text”.")
    text = with_pictures(view.html, view.files, "/api/v1/attachments")
    headers = {
        "Content-Security-Policy": PAGE_CAGE,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
    }
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)


@route("POST", "/messages/{id}/retry")
async def retry_message(call: Call, id: int) -> Retried:
    """Send again what failed or stayed unconfirmed; 422 when there is nothing to send again."""
    count = await call.write(undo.retry, call.actor, id)
    if not count:
        raise Problem(422, "Nothing of this message failed or is unconfirmed; there is nothing to send again.")
    return Retried(count, await message_shown(call, id))
