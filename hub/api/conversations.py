"""Conversations: lists, what was said, answering, notes, who has it, its status and tags."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from secrets import token_hex
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy.engine import Connection

from hub import collaboration, inbox, outbox, snoozing, timeline
from hub.access import Actor, access_conversation
from hub.api import shapes
from hub.api.drafting import Prepared, draft
from hub.api.once import client_id
from hub.api.shapes import Conversation, Cursor, Id, Limit, Message, TimelineItem
from hub.api.wire import Call, Made, Page, bad_cursor, check_cursor, read_cursor, route, write_cursor
from hub.clock import now, parse_time, rfc3339
from hub.failpoints import hit
from hub.filters import Sort
from hub.http import Problem
from hub.messages import Status
from hub.outbox import NotFound
from hub.tables import events
from hub.views import Due

Text = Annotated[str, Meta(max_length=1_000_000)]
Html = Annotated[str, Meta(max_length=200_000)]
Line = Annotated[str, Meta(max_length=1000)]
ClientId = Annotated[str, Meta(min_length=1, max_length=200)]
Wait = Annotated[int, Meta(ge=0, le=600)]
AddressText = Annotated[str, Meta(min_length=1, max_length=500)]


class ConversationQuery(Struct, forbid_unknown_fields=True):
    """Which conversations; empty fields do not filter. ``assignee`` is an id, ``me`` or ``none``; ``q`` knows the operators of the
    search field (``from:``, ``is:unread``, ``#4821`` …); ``waited``: minutes that the customer waits already; ``mentioned``: where a
    colleague mentioned you, the newest question first.
    """

    status: Status | None = None
    assignee: Annotated[str, Meta(pattern="^([0-9]{1,18}|me|none)$")] | None = None
    team: Id | None = None
    channel: Id | None = None
    customer: Id | None = None
    tag: Line = ""
    q: Line = ""
    due: Due = ""
    unread: bool = False
    waited: Annotated[int, Meta(ge=0, le=525_600)] = 0
    mentioned: bool = False
    sort: Sort = "newest"
    limit: Limit = 50
    cursor: Cursor = ""


class NewConversation(Struct, forbid_unknown_fields=True):
    """``to`` (addresses as people write them) or ``customer``; ``channel`` says by which way. ``undo_seconds``: wait so long before
    it leaves, so that it can be taken back (DELETE /messages/{id}); else as the house is set up, which is not at all.
    """

    channel: Id
    text: Text = ""
    html: Html = ""
    to: Annotated[list[AddressText], Meta(max_length=50)] | AddressText | None = None
    cc: Annotated[list[AddressText], Meta(max_length=50)] = []
    customer: Id | None = None
    subject: Line = ""
    attachments: Annotated[list[Id], Meta(max_length=50)] = []
    client_id: ClientId | None = None
    undo_seconds: Wait | None = None


class NewMessage(Struct, forbid_unknown_fields=True):
    """A reply. ``seen`` is the newest message (or ``seq``) the writer has seen: when more was said since, the answer is 409.
    ``undo_seconds`` as when a conversation is begun. ``bcc`` show to colleagues only. ``forward``: this message is shown to ``to``,
    which answers nobody; its attachments may go along. ``template`` goes instead of ``text`` (GET /channels/{id}/templates).
    """

    text: Text = ""
    html: Html = ""
    subject: Line = ""
    via: Id | None = None
    to: Annotated[list[AddressText], Meta(max_length=50)] = []
    cc: Annotated[list[AddressText], Meta(max_length=50)] = []
    attachments: Annotated[list[Id], Meta(max_length=50)] = []
    client_id: ClientId | None = None
    seen: Id | None = None
    undo_seconds: Wait | None = None
    bcc: Annotated[list[AddressText], Meta(max_length=50)] = []
    forward: Id | None = None
    template: Prepared | None = None


class NewNote(Struct, forbid_unknown_fields=True):
    """An internal note; customers never see it."""

    text: Text
    client_id: ClientId | None = None


class Assignment(Struct, forbid_unknown_fields=True):
    """An employee, a team, or both; ``{"employee": null}`` gives it to nobody. ``anyway``: also to somebody who is absent."""

    employee: Id | UnsetType | None = UNSET
    team: Id | UnsetType | None = UNSET
    why: Line = ""
    anyway: bool = False


class NewStatus(Struct, forbid_unknown_fields=True):
    """``until`` (RFC 3339) or ``until_words`` go with ``snoozed``: words like “tomorrow 9”, „in 2 Wochen“ or “until the customer
    replies”, in the time zone ``zone`` (IANA; UTC when left out). ``closed_as`` “spam” goes with ``closed``.
    """

    status: Status
    until: Line | None = None
    until_words: Line | None = None
    zone: Line = ""
    closed_as: Literal["", "spam"] = ""


class NewTags(Struct, forbid_unknown_fields=True):
    """All tags the conversation shall have."""

    tags: Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=100)]


class TimelineQuery(Struct, forbid_unknown_fields=True):
    """Without ``after``: the newest page, then older ones by ``cursor``. ``after`` (an id or seq): what came later."""

    limit: Limit = 50
    cursor: Cursor = ""
    after: Id | None = None


class Started(Conversation, frozen=True):
    """A conversation with its first message."""

    message: Message


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("GET", "/conversations")
async def list_conversations(call: Call, query: ConversationQuery) -> Page[Conversation]:
    """Conversations the employee may see, newest message or longest waiting first."""
    found, following = await call.read(_listing, call.actor, query)
    return Page([shapes.conversation(row, call.actor) for row in found], following)


def _listing(conn: Connection, actor: Actor, query: ConversationQuery) -> tuple[list[inbox.Row], str | None]:
    cursor = check_cursor(query.cursor) if query.cursor else ""
    try:
        return inbox.listing(conn, actor, wanted_of(query), cursor, query.limit)
    except ValueError as error:
        raise bad_cursor() from error


def wanted_of(query: ConversationQuery) -> inbox.Filter:
    """What a query asks of the inbox."""
    return inbox.Filter(
        status=query.status or "",
        assignee=query.assignee if query.assignee in ("me", "none") else _id(query.assignee),  # type: ignore[arg-type]
        team=_id(query.team),
        channel=_id(query.channel),
        customer=_id(query.customer),
        tag=query.tag,
        q=query.q,
        due=query.due,
        unread=query.unread,
        waited=query.waited * 60_000,
        mentioned=query.mentioned,
        sort=query.sort,
    )


@route("GET", "/conversations/{id}")
async def get_conversation(call: Call, id: int) -> Conversation:
    """One conversation."""
    return await shown(call, id)


async def shown(call: Call, number: int) -> Conversation:
    """The conversation as it is now. Raises `NotFound`."""
    row = await call.read(inbox.one, call.actor, number)
    if row is None:
        raise NotFound
    return shapes.conversation(row, call.actor)


@route("GET", "/conversations/{id}/timeline")
async def get_conversation_timeline(call: Call, id: int, query: TimelineQuery) -> Page[TimelineItem]:
    """What was said and what happened, oldest first within a page; ``next`` leads to older entries (with after: to later ones)."""
    return await call.read(_timeline, call.actor, id, query)


def _timeline(conn: Connection, actor: Actor, number: int, query: TimelineQuery) -> Page[TimelineItem]:
    if access_conversation(conn, actor, number) is None:
        raise NotFound
    before, after = place(conn, query)
    found = timeline.of_conversation(conn, number, before=before, after=after, most=query.limit + 1)
    found, following = cut(found, query.limit, after)
    return Page([shapes.item(entry) for entry in found], following)


def place(conn: Connection, query: TimelineQuery) -> tuple[int, int]:
    """(before, after) in the order of record. A message's id stands for the entry that tells of it."""
    if query.cursor:
        word, number = read_cursor(query.cursor, "ba")
        return (number, 0) if word == "b" else (2**62, number)
    if query.after is None:
        return 2**62, 0
    after, e = int(query.after), events.c
    # a message has its id just before its event: the first event after it that tells of it is its place
    near = events.select().with_only_columns(e.id, e.message_id).where(e.id > after).order_by(e.id).limit(60)
    own = next((row.id for row in conn.execute(near) if row.message_id == after), after)
    return 2**62, own or -1


def cut(found: Sequence[timeline.Item], limit: int, after: int) -> tuple[list[timeline.Item], str | None]:
    """One page of ``limit`` out of one entry more, and the cursor when there was one more."""
    if len(found) <= limit:
        return list(found), None
    if after:
        return list(found[:limit]), write_cursor("a", found[limit - 1].id)
    page = list(found[-limit:])
    return page, write_cursor("b", page[0].id)


# ── saying ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("POST", "/conversations")
async def start_conversation(call: Call, body: NewConversation) -> Made[Started]:
    """Begin a conversation with a customer; a repeat with the same client_id or Idempotency-Key returns the first one."""
    channel = int(body.channel)
    to = [body.to] if isinstance(body.to, str) else body.to or []
    if to and body.customer:
        raise Problem(422, "Say “to” or “customer”, not both.", field="to")
    wanted = await draft(
        call,
        text=body.text,
        html=body.html,
        channel=channel,
        to=to,
        cc=body.cc,
        subject=body.subject,
        attachments=body.attachments,
        act=body.client_id,
    )
    undo = call.hub.options.undo_seconds if body.undo_seconds is None else body.undo_seconds
    conversation, message, fresh = await call.write(
        outbox.start, call.actor, call.hub.channels, undo, wanted, _id(body.customer)
    )
    fields = structs.asdict(await shown(call, conversation))
    return Made(Started(**fields, message=await message_shown(call, message)), fresh)


@route("POST", "/conversations/{id}/messages")
async def reply(call: Call, id: int, body: NewMessage) -> Made[Message]:
    """Answer the customer. 200 for a repeat; 409 with ``newer`` when more was said since ``seen``; 422 when the channel cannot."""
    home = await call.read(access_conversation, call.actor, id)
    if home is None:
        raise NotFound
    channel = int(body.via) if body.via else home.channel_id
    wanted = await draft(
        call,
        text=body.text,
        html=body.html,
        channel=channel,
        to=body.to,
        cc=body.cc,
        subject=body.subject,
        attachments=body.attachments,
        act=body.client_id,
        seen=body.seen,
        bcc=body.bcc,
        forward=body.forward,
        template=body.template,
    )
    undo = call.hub.options.undo_seconds if body.undo_seconds is None else body.undo_seconds
    try:
        number, fresh = await call.write(outbox.reply, call.actor, call.hub.channels, undo, id, wanted)
        hit("outbox.after_commit")
    except outbox.Stale as error:
        raise await newer_first(call, error) from error
    return Made(await message_shown(call, number), fresh)


async def newer_first(call: Call, error: outbox.Stale) -> Problem:
    """409 with what was said since."""
    newer = await call.read(timeline.views, error.newer)
    return Problem(
        409,
        "More was said since you last looked: read “newer” and send again with the newest id as “seen”.",
        newer=[shapes.message(newer[n]) for n in error.newer if n in newer],
    )


@route("POST", "/conversations/{id}/notes")
async def add_note(call: Call, id: int, body: NewNote) -> Made[Message]:
    """Write an internal note."""
    act = client_id(call, body.client_id) or token_hex(16)
    number, fresh = await call.write(outbox.note, call.actor, id, body.text, act)
    return Made(await message_shown(call, number), fresh)


async def message_shown(call: Call, number: int) -> Message:
    """The message as it is now."""
    return shapes.message((await call.read(timeline.views, [number]))[number])


# ── deciding ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("PUT", "/conversations/{id}/assignee")
async def set_assignee(call: Call, id: int, body: Assignment | None) -> Conversation:
    """Give it to an employee, a team, or (null) to nobody. 409 with ``deputy`` and ``deputy_name`` when the employee is absent."""
    wanted = body or Assignment(employee=None)
    if wanted.employee is UNSET and wanted.team is UNSET:
        raise Problem(422, "Say “employee” or “team”; null means nobody.", field="employee")
    employee, team = _id(wanted.employee or None), _id(wanted.team or None)
    try:
        await call.write(collaboration.assign, call.actor, id, employee, team, wanted.why, anyway=wanted.anyway)
    except collaboration.Absent as error:
        raise Problem(
            409,
            str(error),
            absent_until=rfc3339(error.until),
            deputy=shapes.name(error.deputy_id),
            deputy_name=error.deputy or None,
        ) from error
    return await shown(call, id)


@route("PUT", "/conversations/{id}/status")
async def set_status(call: Call, id: int, body: NewStatus) -> Conversation:
    """Open, waiting, snoozed (until a time) or closed."""
    until, reply = moment_of(body.status, body.until, body.until_words, body.zone)
    if body.closed_as and body.status != "closed":
        raise Problem(422, "“closed_as” goes with the status “closed” only.", field="closed_as")
    await call.write(
        collaboration.set_status,
        call.actor,
        id,
        body.status,
        until,
        until_reply=reply,
        closed_as=body.closed_as,
    )
    return await shown(call, id)


def place_of(zone: str) -> tzinfo:
    """The time zone of that name, UTC without one. Raises `Problem` 422."""
    try:
        return ZoneInfo(zone) if zone else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Problem(422, "“zone”: there is no such time zone; write it like Europe/Berlin.", field="zone") from error


def moment_of(status: str, until: str | None, words: str | None, zone: str) -> tuple[int | None, bool]:
    """(the moment, or until the customer replies) a snooze says by ``until`` or ``until_words``. Raises `Problem` 422."""
    if (until is not None or words is not None) and status != "snoozed":
        raise Problem(422, "“until” goes with the status “snoozed” only.", field="until")
    if words is not None:
        try:
            found = snoozing.understand(words, now(), place_of(zone))
        except snoozing.Unclear as error:
            raise Problem(422, str(error), field="until_words") from error
        return found.until, found.until is None
    at = parse_time(until) if until is not None else None
    if until is not None and (at is None or not 0 < at < 2**52):
        raise Problem(422, "“until” must be a time like 2026-11-23T14:00:00Z.", field="until")
    if status == "snoozed" and at is None:
        raise Problem(422, "To snooze, say until when: a time in the future.", field="until")
    return at, False


@route("PUT", "/conversations/{id}/tags")
async def set_tags(call: Call, id: int, body: NewTags) -> Conversation:
    """Replace the tags."""
    await call.write(collaboration.set_tags, call.actor, id, body.tags)
    return await shown(call, id)


def _id(text: str | UnsetType | None) -> int | None:
    return int(text) if isinstance(text, str) else None
