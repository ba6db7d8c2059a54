"""Messages that leave later: planned, listed, put off, sent at once, taken back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hub import composing, planning, snoozing
from hub.access import access_conversation
from hub.api import shapes
from hub.api.conversations import AddressText, ClientId, Html, Line, Text, message_shown, newer_first, place_of
from hub.api.drafting import Prepared, draft
from hub.api.drafts import Draft
from hub.api.drafts import shown as draft_shown
from hub.api.shapes import Attachment, Id, Message
from hub.api.wire import Call, Made, Page, route
from hub.clock import now, parse_time, rfc3339
from hub.drafts import MOST_ACTIONS
from hub.http import Problem
from hub.messages import Party
from hub.outbox import NotFound, Stale
from hub.plans import Plan
from hub.undo import TooLate


class Planned(Struct, frozen=True):
    """A message that leaves at ``send_at``. ``state``: waiting, sent, withdrawn, given up where it could not leave, or aside: a draft of
    one's own that made room for another one and has no time. ``message`` is what has become of it; from then on its words are there.
    """

    id: str
    conversation: str
    author: str
    author_name: str
    state: str
    send_at: str | None
    text: str
    subject: str
    via: str | None
    to: list[str]
    cc: list[str]
    bcc: list[str]
    attachments: list[Attachment]
    actions: list[str]
    message: str | None


class NewPlanned(Struct, forbid_unknown_fields=True):
    """A reply as in POST …/messages, and when it shall leave: ``send_at`` (RFC 3339) or ``send_words`` like “tomorrow 9” in the time
    zone ``zone`` (IANA; UTC when left out). ``actions`` are done when it leaves, as those of a saved reply.
    """

    send_at: Line | None = None
    send_words: Line | None = None
    zone: Line = ""
    text: Text = ""
    html: Html = ""
    subject: Line = ""
    via: Id | None = None
    to: Annotated[list[AddressText], Meta(max_length=50)] = []
    cc: Annotated[list[AddressText], Meta(max_length=50)] = []
    bcc: Annotated[list[AddressText], Meta(max_length=50)] = []
    attachments: Annotated[list[Id], Meta(max_length=50)] = []
    actions: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=MOST_ACTIONS)] = []
    client_id: ClientId | None = None
    seen: Id | None = None
    forward: Id | None = None
    template: Prepared | None = None


class NewTime(Struct, forbid_unknown_fields=True):
    """When it shall leave instead."""

    send_at: Line | None = None
    send_words: Line | None = None
    zone: Line = ""


def _shown(plan: Plan) -> Planned:
    said = plan.draft

    def plain(some: tuple[Party, ...]) -> list[str]:
        return [party.address for party in some]

    return Planned(
        str(plan.id),
        str(plan.conversation_id),
        str(plan.author_id),
        plan.author,
        plan.state,
        rfc3339(plan.due_at),
        said.text,
        said.subject,
        shapes.name(said.via or None),
        plain(said.to),
        plain(said.cc),
        plain(said.bcc),
        [shapes.attachment(file) for file in plan.files],
        list(said.actions),
        shapes.name(plan.message_id),
    )


def _moment(at: str | None, words: str | None, zone: str) -> int:
    """When somebody wants it sent (ms). Raises `Problem` 422."""
    if (at is None) == (words is None):
        raise Problem(422, "Say when by “send_at” or by “send_words”.", field="send_at")
    if words is not None:
        try:
            until = snoozing.understand(words, now(), place_of(zone)).until
        except snoozing.Unclear as error:
            raise Problem(422, str(error), field="send_words") from error
        if until is None:
            raise Problem(422, snoozing.EXPECTED, field="send_words")
        return until
    found = parse_time(at or "")
    if found is None or not 0 < found < 2**52:
        raise Problem(422, "“send_at” must be a time like 2026-11-23T14:00:00Z.", field="send_at")
    return found


@route("POST", "/conversations/{id}/planned")
async def plan_message(call: Call, id: int, body: NewPlanned) -> Made[Planned]:
    """Answer the customer later. Refused at once where it could not leave now either; what cannot leave at its time any more fails as a
    message that could not be delivered, which opens the conversation.
    """
    home = await call.read(access_conversation, call.actor, id)
    if home is None:
        raise NotFound
    due = _moment(body.send_at, body.send_words, body.zone)
    place_of(body.zone)
    wanted = await draft(
        call,
        text=body.text,
        html=body.html,
        channel=int(body.via) if body.via else home.channel_id,
        to=body.to,
        cc=body.cc,
        subject=body.subject,
        attachments=body.attachments,
        act=body.client_id,
        seen=body.seen,
        bcc=body.bcc,
        forward=body.forward,
        template=body.template,
        actions=body.actions,
    )
    args = (call.actor, call.hub.channels, id, composing.filled(wanted), due, body.zone or "UTC")
    try:
        number, fresh = await call.write(planning.plan, *args)
    except Stale as error:
        raise await newer_first(call, error) from error
    return Made(_shown(await call.read(planning.view, call.actor, number)), fresh)


@route("GET", "/conversations/{id}/planned")
async def list_planned(call: Call, id: int) -> Page[Planned]:
    """What leaves later in a conversation, the next one first."""
    return Page([_shown(plan) for plan in await call.read(planning.listing, call.actor, id)], None)


@route("GET", "/planned/{id}")
async def get_planned(call: Call, id: int) -> Planned:
    """One of them, also when it does not wait any more."""
    return _shown(await call.read(planning.view, call.actor, id))


@route("PATCH", "/planned/{id}")
async def change_planned(call: Call, id: int, body: NewTime) -> Planned:
    """Let it leave at another time. 409 once it does not wait any more."""
    due = _moment(body.send_at, body.send_words, body.zone)
    try:
        await call.write(planning.put_off, call.actor, id, due)
    except TooLate as error:
        raise Problem(409, str(error)) from error
    return _shown(await call.read(planning.view, call.actor, id))


@route("POST", "/planned/{id}/now")
async def send_planned(call: Call, id: int) -> Message:
    """Do not wait any longer. 409 once it does not wait any more."""
    try:
        message = await call.write(planning.send_now, call.actor, call.hub.channels, id)
    except TooLate as error:
        raise Problem(409, str(error)) from error
    return await message_shown(call, message)


@route("DELETE", "/planned/{id}")
async def take_back_planned(call: Call, id: int) -> Draft:
    """It does not leave; its words are your draft. 409 once it does not wait any more."""
    try:
        return draft_shown(await call.write(planning.take_back, call.actor, id))
    except TooLate as error:
        raise Problem(409, str(error)) from error
