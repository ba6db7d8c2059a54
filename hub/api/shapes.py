"""What API answers look like: the contract's words, ids as strings, times as RFC 3339 UTC."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from hub import inbox, promised, reasons
from hub.access import Actor
from hub.clock import rfc3339
from hub.events import Event
from hub.timeline import DeliveryView, FileView, Item, MessageView

#: An id in a body or query: digits.
Id = Annotated[str, Meta(pattern="^[0-9]{1,18}$")]
Limit = Annotated[int, Meta(ge=1, le=100)]
#: A cursor is ours alone; whoever makes one up is told.
Cursor = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{0,80}$")]


def name(number: int | None) -> str | None:
    """An id as JSON has it."""
    return None if number is None else str(number)


class Address(Struct, frozen=True):
    """Somebody at an address (kind in front); the name is what they call themselves."""

    address: str
    name: str = ""


class Attachment(Struct, frozen=True):
    """A file. ``inline``: a picture that the HTML body shows in its place. ``url`` downloads it."""

    id: str
    name: str
    type: str
    size: int
    sha256: str
    inline: bool
    url: str


class Delivery(Struct, frozen=True):
    """How one recipient's copy fares: queued, sending, sent, delivered, read, failed, unconfirmed."""

    id: str
    recipient: str
    state: str
    attempts: int
    error: str | None
    provider_id: str | None
    at: str | None


class DeliveryState(Struct, frozen=True):
    """The delivery that matters most to an onlooker: what failed comes before what waits."""

    state: str
    attempts: int
    error: str | None
    at: str | None


class Mention(Struct, frozen=True):
    """Somebody, or everybody of a team, who was asked to look; ``text`` is what was written, from ``begin`` to ``end``."""

    employee: str | None
    team: str | None
    text: str
    begin: int
    end: int


class Message(Struct, frozen=True, kw_only=True):
    """One entry said by someone. ``visible_text`` is the newly written part; ``at`` the sender's time, ``received_at`` ours.

    A call also has waited_seconds, talked_seconds, outcome and recording; a visit arrived_at, left_at, host (an employee) and location.
    """

    id: str
    conversation: str
    customer: str
    channel: str | None
    kind: str
    direction: str
    author: str | None
    sender: Address
    to: list[Address]
    cc: list[Address]
    at: str | None
    received_at: str | None
    subject: str
    text: str
    visible_text: str
    html_url: str | None
    raw_url: str | None
    attachments: list[Attachment]
    provider_id: str | None
    reply_to: str | None
    flags: list[str]
    failed_checks: list[str]
    delivery: DeliveryState | None
    deliveries: list[Delivery]
    waited_seconds: int | UnsetType = UNSET
    talked_seconds: int | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    recording: Attachment | UnsetType | None = UNSET
    arrived_at: str | UnsetType | None = UNSET
    left_at: str | UnsetType | None = UNSET
    host: str | UnsetType | None = UNSET
    location: str | UnsetType = UNSET
    mentions: list[Mention]
    bcc: list[Address]


class MessageItem(Message, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A message in a timeline. ``seq`` is its place in the order of record."""

    seq: str


class EventItem(Struct, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """Something that happened, in a timeline. ``text`` tells it in a few words, ``data`` in detail."""

    id: str
    seq: str
    kind: str
    direction: str
    conversation: str | None
    customer: str | None
    channel: str | None
    author: str | None
    at: str | None
    text: str
    data: dict[str, Any]


TimelineItem = MessageItem | EventItem


class SlaClock(Struct, frozen=True):
    """One target: running, paused, met or breached. ``left_seconds`` is business time, null when there is nothing left."""

    state: str
    due_at: str | None
    left_seconds: int | None


class Sla(Struct, frozen=True):
    """The service level that holds: the first answer, the next one, the resolution; null where nothing is promised."""

    policy: str
    policy_name: str
    first: SlaClock | None
    next: SlaClock | None
    resolution: SlaClock | None


class Conversation(Struct, frozen=True):
    """One matter with a customer. ``reason`` says in words why it came to this employee or team. ``closed_as`` says how it was closed
    if not as usual (spam, merged), ``merged_into`` where it goes on.
    """

    id: str
    number: int
    subject: str
    status: str
    assignee: str | None
    assignee_name: str | None
    team: str | None
    team_name: str | None
    customer: str
    customer_name: str
    channel: str
    channels: list[str]
    tags: list[str]
    priority: str
    waiting_since: str | None
    snoozed_until: str | None
    last_message: str | None
    last_message_at: str | None
    created_at: str | None
    unread: int
    sla: Sla | None
    reason: str
    preview: str
    closed_as: str | None
    merged_into: str | None


class Happened(Struct, frozen=True):
    """One event of the feed."""

    id: str
    at: str | None
    kind: str
    conversation: str | None
    customer: str | None
    message: str | None
    channel: str | None
    actor: str | None
    data: dict[str, Any]


def conversation(row: inbox.Row, actor: Actor) -> Conversation:
    """A conversation's row as JSON has it; the reason in the actor's language."""
    return Conversation(
        id=str(row.id),
        number=row.id,
        subject=row.subject,
        status=row.status,
        assignee=name(row.assignee_id),
        assignee_name=row.assignee or None,
        team=name(row.team_id),
        team_name=row.team or None,
        customer=str(row.customer_id),
        customer_name=row.customer,
        channel=str(row.channel_id),
        channels=[str(n) for n in row.channels],
        tags=list(row.tags),
        priority=row.priority or "normal",
        waiting_since=rfc3339(row.waiting_since),
        snoozed_until=rfc3339(row.snoozed_until),
        last_message=name(row.last_message_id or None),
        last_message_at=rfc3339(row.last_message_at),
        created_at=rfc3339(row.created_at),
        unread=row.unread,
        sla=_sla(row.level),
        reason=reasons.in_words(row.reason, actor.language),
        preview=row.preview,
        closed_as=row.closed_as or None if row.status == "closed" else None,
        merged_into=name(row.merged_into),
    )


def _sla(view: promised.View | None) -> Sla | None:
    if view is None:
        return None
    clocks = {
        c.target: SlaClock(c.state, rfc3339(c.due_at), None if c.left_ms is None else c.left_ms // 1000)
        for c in view.clocks
    }
    return Sla(str(view.policy_id), view.policy, clocks.get("first"), clocks.get("next"), clocks.get("resolution"))


def attachment(view: FileView) -> Attachment:
    """An attachment as JSON has it."""
    return Attachment(
        str(view.id),
        view.name,
        view.type or "application/octet-stream",
        view.size,
        view.sha256,
        bool(view.inline_id),
        f"/api/v1/attachments/{view.id}",
    )


def delivery(view: DeliveryView) -> Delivery:
    """A delivery as JSON has it."""
    return Delivery(
        str(view.id),
        view.recipient,
        view.state,
        view.attempts,
        view.error or None,
        view.provider_id or None,
        rfc3339(view.at),
    )


def _fields(view: MessageView) -> dict[str, Any]:
    worst = view.delivery
    url = f"/api/v1/messages/{view.id}"
    return {
        "id": str(view.id),
        "conversation": str(view.conversation_id),
        "customer": str(view.customer_id),
        "channel": name(view.channel_id),
        "kind": view.kind,
        "direction": view.direction,
        "author": name(view.author_id),
        "sender": Address(view.sender, view.sender_name),
        **{at: [Address(a, n) for a, n in getattr(view.details, at)] for at in ("to", "cc", "bcc")},
        "at": rfc3339(view.at),
        "received_at": rfc3339(view.received_at),
        "subject": view.subject,
        "text": view.text,
        "visible_text": view.visible_text or view.text,
        "html_url": f"{url}/html" if view.html else None,
        "raw_url": f"{url}/raw" if view.journal_id else None,
        "attachments": [attachment(f) for f in view.files],
        "provider_id": view.provider_id or None,
        "reply_to": name(view.reply_to_id),
        "flags": list(view.details.flags),
        "failed_checks": list(view.details.failed_checks),
        "delivery": worst and DeliveryState(worst.state, worst.attempts, worst.error or None, rfc3339(worst.at)),
        "deliveries": [delivery(d) for d in view.deliveries],
        "mentions": [
            Mention(who[1:] if who[0] == "e" else None, who[1:] if who[0] == "t" else None, view.text[b:e], b, e)
            for b, e, who in view.details.mentions
        ],
        **_contact(view),
    }


def _contact(view: MessageView) -> dict[str, Any]:
    """What a call or a visit has besides."""
    call, visit = view.details.call, view.details.visit
    if call is not None:
        sound = next((f for f in view.files if f.type.startswith("audio/")), None)
        return {
            "waited_seconds": call.waited_seconds,
            "talked_seconds": call.talked_seconds,
            "outcome": call.outcome,
            "recording": attachment(sound) if sound else None,
        }
    if visit is not None:
        return {
            "arrived_at": rfc3339(visit.arrived_at),
            "left_at": rfc3339(visit.left_at),
            "host": name(visit.host_id or None),
            "location": visit.location,
        }
    return {}


def message(view: MessageView) -> Message:
    """A message as JSON has it."""
    return Message(**_fields(view))


def item(entry: Item) -> TimelineItem:
    """An entry of a timeline as JSON has it."""
    if entry.message is not None:
        return MessageItem(seq=str(entry.id), **_fields(entry.message))
    e = entry.event
    return EventItem(
        id=str(e.id),
        seq=str(e.id),
        kind=e.kind,
        direction="internal",
        conversation=name(e.conversation_id),
        customer=name(e.customer_id),
        channel=name(e.channel_id),
        author=name(e.actor_id),
        at=rfc3339(e.at),
        text=told(e),
        data=e.data,
    )


def told(e: Event) -> str:
    """An event in a few words."""
    data = e.data
    match e.kind:
        case "conversation.created":
            return f"Conversation begun: {reasons.in_words(str(data.get('reason', '')))}".rstrip(": ")
        case "conversation.assigned":
            whom = "nobody" if not (data.get("assignee") or data.get("team")) else ""
            whom = whom or (f"employee {data['assignee']}" if data.get("assignee") else f"team {data['team']}")
            return f"Assigned to {whom}: {reasons.in_words(str(data.get('reason', '')))}"
        case "conversation.status":
            return f"Status: {data.get('before', '')} → {data.get('status', '')}"
        case "conversation.tagged":
            return f"Tags: {', '.join(map(str, data.get('tags', []))) or 'none'}"
        case "conversation.priority":
            return f"Priority: {data.get('before', '')} → {data.get('priority', '')}"
        case "conversation.rated":
            return f"Rated {data.get('score', '')} of 5"
        case "sla.warned":
            return f"Service level “{data.get('policy_name', '')}”: {data.get('target', '')} due soon"
        case "sla.breached":
            return f"Service level “{data.get('policy_name', '')}”: {data.get('target', '')} overdue"
        case "conversation.customer":
            return f"Given from customer {data.get('from', '')} to customer {data.get('to', '')}"
        case "customer.merged":
            return f"Customer {data.get('loser', '')} merged into this one"
        case "customer.unmerged":
            return f"Customer {data.get('loser', '')} is a customer of their own again"
        case _:
            return e.kind.replace(".", " ").capitalize()


def happened(e: Event) -> Happened:
    """An event of the feed as JSON has it."""
    return Happened(
        str(e.id),
        rfc3339(e.at),
        e.kind,
        name(e.conversation_id),
        name(e.customer_id),
        name(e.message_id),
        name(e.channel_id),
        name(e.actor_id),
        e.data,
    )
