"""Messages: with deliveries, byte for byte, as sanitised HTML, and sending again."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import journal, outbox, timeline
from hub.access import Actor, Forbidden, access_message, visible
from hub.api.conversations import message_shown
from hub.api.shapes import Message
from hub.api.wire import Call, route
from hub.http import Problem
from hub.outbox import NotFound
from hub.tables import conversations, messages

#: Nothing that came from outside runs, loads or submits anything when a browser opens it.
CAGE = "sandbox; default-src 'none'"
PAGE_CAGE = f"{CAGE}; img-src 'self' data:; style-src 'unsafe-inline'"
_CID = re.compile(r'(?<==")cid:([^"\s<>]{1,500})', re.IGNORECASE)


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
    await call.read(_alone, call.actor, row.journal_id)
    mail = row.kind == "email"
    return await raw(call, row.journal_id, "message/rfc822" if mail else "application/octet-stream", mail)


def _alone(conn: Connection, actor: Actor, journal_id: int) -> None:
    """An envelope may hold several messages: whoever may not see all of them does not get it."""
    known = sa.func.coalesce(
        visible(actor), sa.false()
    )  # nobody's conversation makes it NULL, and NOT NULL is not true
    hidden = (
        sa.select(messages.c.id)
        .join(conversations, conversations.c.id == messages.c.conversation_id)
        .where(messages.c.journal_id == journal_id, messages.c.journal_id.is_not(None), ~known)
        .limit(1)
    )
    if conn.execute(hidden).first() is not None:
        raise Forbidden("The envelope also holds messages of conversations you may not see; ask a supervisor.")


async def raw(call: Call, journal_id: int, media: str, mail: bool) -> web.StreamResponse:
    """An envelope's bytes as a download."""
    kept = await call.read(journal.body, journal_id)
    if kept is None:
        raise NotFound
    body, blob = kept
    if blob:
        try:
            body = await asyncio.to_thread(call.hub.blobs.get, blob)
        except OSError as error:
            raise Problem(404, "The bytes are gone from the blob store; restore them from the backup.") from error
    headers = {
        "Content-Type": media,
        "Content-Disposition": f'attachment; filename="envelope-{journal_id}.{"eml" if mail else "bin"}"',
        "Content-Security-Policy": CAGE,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return web.Response(body=body, headers=headers)


@route("GET", "/messages/{id}/html", media="text/html")
async def get_message_html(call: Call, id: int) -> web.StreamResponse:
    """The sanitised HTML body; pictures of the mail itself point to their attachments."""
    if await call.read(access_message, call.actor, id) is None:
        raise NotFound
    view: Any = (await call.read(timeline.views, [id]))[id]
    if not view.html:
        raise Problem(404, "This message has no HTML; its text is in “text”.")
    headers = {
        "Content-Security-Policy": PAGE_CAGE,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
    }
    return web.Response(text=with_pictures(view), content_type="text/html", charset="utf-8", headers=headers)


def with_pictures(view: timeline.MessageView) -> str:
    """The HTML with ``cid:`` addresses replaced by those of the attachments; unknown ones show nothing."""
    known = {f.inline_id: f"/api/v1/attachments/{f.id}" for f in view.files if f.inline_id}
    return _CID.sub(lambda found: known.get(found[1], "about:blank"), view.html)


@route("POST", "/messages/{id}/retry")
async def retry_message(call: Call, id: int) -> Retried:
    """Send again what failed or stayed unconfirmed; 422 when there is nothing to send again."""
    count = await call.write(outbox.retry, call.actor, id)
    if not count:
        raise Problem(422, "Nothing of this message failed or is unconfirmed; there is nothing to send again.")
    return Retried(count, await message_shown(call, id))
