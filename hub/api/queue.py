"""Taking work: claiming a conversation, the next one of the queue, offers that ring."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import claims, inbox
from hub.access import Actor
from hub.api.conversations import shown
from hub.api.once import client_id
from hub.api.shapes import Conversation
from hub.api.wire import Call, Page, route
from hub.clock import rfc3339
from hub.http import Problem
from hub.once import once


class Offer(Struct, frozen=True):
    """A live contact that rings until ``until``; accept it by PUT …/conversations/{id}/offer, decline it by DELETE."""

    conversation: str
    subject: str
    customer: str
    customer_name: str
    channel: str
    offered_at: str | None
    until: str | None


def _taken(error: claims.Taken) -> Problem:
    return Problem(409, str(error), assignee=str(error.holder), assignee_name=error.name)


@route("PUT", "/conversations/{id}/claim")
async def claim_conversation(call: Call, id: int) -> Conversation:
    """Take what nobody has; 409 with ``assignee`` and ``assignee_name`` when somebody was faster."""
    try:
        await call.write(claims.claim, call.actor, id)
    except claims.Taken as error:
        raise _taken(error) from error
    return await shown(call, id)


@route("POST", "/queue/next")
async def take_next(call: Call) -> Conversation | None:
    """Take the waiting conversation whose turn it is: what is due soonest, then what has waited longest. 204 when nothing waits."""
    number, _ = await call.write(
        once, call.actor.id, call.request.path, client_id(call, None), lambda conn: _next(conn, call.actor)
    )
    return await shown(call, number) if number else None


def _next(conn: Connection, actor: Actor) -> int:
    return claims.next_one(conn, actor) or 0


# ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _mine(conn: Connection, actor: Actor) -> list[Offer]:
    rows = claims.offered_to(conn, actor.id)
    known = {row.id: row for row in inbox.rows(conn, [offer.conversation_id for offer in rows])}
    return [_shape(offer, known[offer.conversation_id]) for offer in rows if offer.conversation_id in known]


def _shape(offer: claims.OfferRow, row: inbox.Row) -> Offer:
    return Offer(
        str(row.id),
        row.subject,
        str(row.customer_id),
        row.customer,
        str(row.channel_id),
        rfc3339(offer.offered_at),
        rfc3339(offer.expires_at),
    )


@route("GET", "/offers")
async def list_offers(call: Call) -> Page[Offer]:
    """What is being offered to me."""
    return Page(await call.read(_mine, call.actor))


@route("PUT", "/conversations/{id}/offer")
async def accept_offer(call: Call, id: int) -> Conversation:
    """Take what is offered to me; 404 when it is not (any more), 409 when somebody has it."""
    try:
        await call.write(claims.accept, call.actor, id)
    except claims.Taken as error:
        raise _taken(error) from error
    return await shown(call, id)


@route("DELETE", "/conversations/{id}/offer")
async def decline_offer(call: Call, id: int) -> None:
    """Not now: the next one is asked."""
    await call.write(claims.decline, call.actor, id)
