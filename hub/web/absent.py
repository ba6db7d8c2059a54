"""Visitors of a web chat who are not there now, and are written to by e-mail when they do not come back soon."""

from __future__ import annotations

from aiohttp import web

from hub import continuity
from hub.http import HOUSE
from hub.web.reads import Opened
from hub.web.widget_doors import VISITORS


async def away(request: web.Request, opened: Opened) -> frozenset[str]:
    """Keys of the ways to visitors without an open chat, in any process, where what they do not read goes by e-mail."""
    hub, attendance, row = request.app[HOUSE].hub, request.app[VISITORS].attendance, opened.row
    chats = {r.id for r in hub.channels.by_id.values() if r.adapter.widget}
    gone = frozenset(
        w.key
        for w in opened.ways
        if w.id in chats and w.address and not w.why and not attendance.here((w.id, w.address))
    )
    if not gone:
        return gone
    reached = await hub.db.read(continuity.reaches, hub.channels, row.id, row.customer_id, row.team_id)
    return gone if reached else frozenset()
