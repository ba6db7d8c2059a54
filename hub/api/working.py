"""Working on one or many conversations: tags one by one, priority, read and unread; jobs; what was done, and undoing it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hub import actions, inbox, work
from hub.actions import Action
from hub.api.conversations import ClientId, ConversationQuery, Line, moment_of, shown, wanted_of
from hub.api.once import client_id, made_once
from hub.api.shapes import Conversation, Cursor, Id, Limit, name
from hub.api.wire import Call, Made, Page, read_cursor, route, write_cursor
from hub.clock import rfc3339
from hub.http import Problem
from hub.messages import Status
from hub.shifting import Move
from hub.work import Deed

Tag = Annotated[str, Meta(max_length=200)]
#: Rows of a filter that are read at once.
PAGE = 500


class ChangedTags(Struct, forbid_unknown_fields=True):
    """Tags that come and tags that go; the others stay."""

    add: Annotated[list[Tag], Meta(max_length=100)] = []
    remove: Annotated[list[Tag], Meta(max_length=100)] = []


class NewPriority(Struct, forbid_unknown_fields=True):
    """``priority`` is low, normal, high or urgent."""

    priority: work.Priority


class NewReading(Struct, forbid_unknown_fields=True):
    """``unread`` false: as if somebody had looked at it."""

    unread: bool


class Filter(Struct, forbid_unknown_fields=True):
    """Which conversations, as in GET /conversations."""

    status: Status | None = None
    assignee: Annotated[str, Meta(pattern="^([0-9]{1,18}|me|none)$")] | None = None
    team: Id | None = None
    channel: Id | None = None
    customer: Id | None = None
    tag: Line = ""
    q: Line = ""


class NewBulk(Struct, forbid_unknown_fields=True):
    """``do`` it to ``conversations`` or to all that a ``filter`` finds, at most 10,000.

    With ``status``: ``until`` or ``until_words`` (see PUT …/status) and ``closed_as``. With ``assign``: ``employee``, ``team`` (neither:
    nobody), ``anyway``. With ``tags``: ``add``, ``remove``. With ``priority``: ``priority``.
    """

    do: work.Kind
    conversations: Annotated[list[Id], Meta(max_length=actions.MOST)] = []
    filter: Filter | None = None
    status: Status = "open"
    until: Line | None = None
    until_words: Line | None = None
    zone: Line = ""
    closed_as: Literal["", "spam"] = ""
    employee: Id | None = None
    team: Id | None = None
    anyway: bool = False
    add: Annotated[list[Tag], Meta(max_length=100)] = []
    remove: Annotated[list[Tag], Meta(max_length=100)] = []
    priority: work.Priority = "normal"
    client_id: ClientId | None = None


class Done(Struct, frozen=True):
    """Something somebody did. ``state``: queued, running, done, cancelled or failed; ``done`` of ``total`` conversations were changed,
    ``skipped`` stayed as they were. ``undo_of`` names the action that this one undid; ``undoable``: POST …/undo would do it.
    """

    id: str
    kind: str
    state: str
    total: int
    done: int
    skipped: int
    conversation: str | None
    undo_of: str | None
    undoable: bool
    created_at: str | None
    changed_at: str | None
    undone_at: str | None


class ActionQuery(Struct, forbid_unknown_fields=True):
    """Pages of a list."""

    limit: Limit = 50
    cursor: Cursor = ""


def _done(action: Action) -> Done:
    return Done(
        str(action.id),
        action.kind,
        action.state,
        action.total,
        action.done,
        action.skipped,
        name(action.conversation),
        name(action.undo_of or None),
        action.undoable,
        rfc3339(action.created_at),
        rfc3339(action.changed_at),
        rfc3339(action.undone_at),
    )


# ── one conversation ──────────────────────────────────────────────────────────────────────────────────────────────────
@route("POST", "/conversations/{id}/tags")
async def change_tags(call: Call, id: int, body: ChangedTags) -> Conversation:
    """Add and remove single tags."""
    await call.write(actions.one, call.actor, Deed("tags", add=tuple(body.add), remove=tuple(body.remove)), id)
    return await shown(call, id)


@route("PUT", "/conversations/{id}/priority")
async def set_priority(call: Call, id: int, body: NewPriority) -> Conversation:
    """How important it is; service levels may depend on it."""
    await call.write(actions.one, call.actor, Deed("priority", priority=body.priority), id)
    return await shown(call, id)


@route("PUT", "/conversations/{id}/unread")
async def set_unread(call: Call, id: int, body: NewReading) -> Conversation:
    """Mark it as unread, or as read."""
    await call.write(actions.one, call.actor, Deed("unread" if body.unread else "read"), id)
    return await shown(call, id)


class NewMerge(Struct, forbid_unknown_fields=True):
    """``into``: the conversation that it becomes a part of; ``across``: also when that is another customer's, whose history it is then."""

    into: Id
    across: bool = False


class NewSplit(Struct, forbid_unknown_fields=True):
    """``message``: it and all that came after it become a conversation of their own."""

    message: Id


@route("POST", "/conversations/{id}/merges")
async def merge_conversation(call: Call, id: int, body: NewMerge) -> Conversation:
    """Merge it into another one, which is the answer. POST /actions/{id}/undo takes them apart again."""
    await call.write(actions.merge, call.actor, id, int(body.into), body.across)
    return await shown(call, int(body.into))


@route("POST", "/conversations/{id}/splits")
async def split_conversation(call: Call, id: int, body: NewSplit) -> Conversation:
    """Begin a conversation of its own from a message on, which is the answer. POST /actions/{id}/undo puts it back."""
    action = await call.write(actions.split, call.actor, id, int(body.message))
    return await shown(call, (await call.read(actions.view, call.actor, action)).deed.other)


class NewMove(Struct, forbid_unknown_fields=True):
    """``message`` goes ``into`` another conversation, or begins one of its own; with ``rest`` all that came after it goes too.

    ``across``: also into another customer's.
    """

    message: Id
    into: Id | None = None
    rest: bool = False
    across: bool = False


@route("POST", "/conversations/{id}/moves")
async def move_messages(call: Call, id: int, body: NewMove) -> Conversation:
    """Move messages; the answer is the conversation they are in now. POST /actions/{id}/undo puts them back."""
    wanted = Move(int(body.message), int(body.into or 0), body.rest, body.across)
    action = await call.write(actions.move, call.actor, id, wanted)
    return await shown(call, (await call.read(actions.view, call.actor, action)).deed.other)


# ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("POST", "/bulk")
async def start_bulk(call: Call, body: NewBulk) -> Made[Done]:
    """Do something to many conversations. Few are done at once, many by a job: GET /bulk/{id} says how far it is.

    What the employee may not change, or where nothing changes, counts as ``skipped``. POST /actions/{id}/undo undoes all of it.
    """
    if bool(body.conversations) == (body.filter is not None):
        raise Problem(422, "Say “conversations” or “filter”, not both.", field="conversations")
    deed = _deed(body)
    ids = [int(n) for n in body.conversations] or await _everything(call, body.filter or Filter())
    number, fresh = await made_once(call, client_id(call, body.client_id), actions.many, call.actor, deed, ids)
    return Made(_done(await call.read(actions.view, call.actor, number)), fresh)


def _deed(body: NewBulk) -> Deed:
    until, _ = moment_of(body.status if body.do == "status" else "open", body.until, body.until_words, body.zone)
    return Deed(
        body.do,
        body.status,
        until,
        body.closed_as if body.status == "closed" else "",
        int(body.employee) if body.employee else None,
        int(body.team) if body.team else None,
        anyway=body.anyway,
        add=tuple(body.add),
        remove=tuple(body.remove),
        priority=body.priority,
    )


async def _everything(call: Call, wanted: Filter) -> list[int]:
    """Every conversation that fits, page by page so that nobody waits for the database."""
    query = ConversationQuery(
        wanted.status, wanted.assignee, wanted.team, wanted.channel, wanted.customer, wanted.tag, wanted.q
    )
    ids, cursor = list[int](), ""
    while len(ids) < actions.MOST:
        rows, following = await call.read(inbox.listing, call.actor, wanted_of(query), cursor, PAGE)
        ids += [row.id for row in rows]
        if following is None:
            break
        cursor = following
    return ids[: actions.MOST]


@route("GET", "/bulk/{id}")
async def get_bulk(call: Call, id: int) -> Done:
    """How far it is."""
    return _done(await call.read(actions.view, call.actor, id))


# ── what was done ─────────────────────────────────────────────────────────────────────────────────────────────────────
@route("GET", "/actions")
async def list_actions(call: Call, query: ActionQuery) -> Page[Done]:
    """What the employee did in the last day, the newest first."""
    before = read_cursor(query.cursor, "a")[1] if query.cursor else 2**62
    found = await call.read(actions.latest, call.actor, before, query.limit + 1)
    following = write_cursor("a", found[query.limit - 1].id) if len(found) > query.limit else None
    return Page([_done(action) for action in found[: query.limit]], following)


@route("GET", "/actions/{id}")
async def get_action(call: Call, id: int) -> Done:
    """One of them."""
    return _done(await call.read(actions.view, call.actor, id))


@route("POST", "/actions/{id}/undo")
async def undo_action(call: Call, id: int) -> Done:
    """Put back what nobody has changed since; the answer says for how many (``done``) and how many not (``skipped``). 409: it was."""
    try:
        number = await call.write(actions.undo, call.actor, id)
    except actions.Undone as error:
        raise Problem(409, str(error)) from error
    return _done(await call.read(actions.view, call.actor, number))


@route("DELETE", "/actions/{id}")
async def stop_action(call: Call, id: int) -> None:
    """Do no more of it; what was done stays done."""
    await call.write(actions.cancel, call.actor, id)
