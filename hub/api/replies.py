"""Saved replies: texts with places that fill themselves, and what is done when one is sent on the screen."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from hub import replies
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.replies import Reply, Visibility

Text = Annotated[str, Meta(max_length=20_000)]
Actions = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=20)]


class SavedReply(Struct, frozen=True):
    """A text written once. ``language`` and ``shortcut`` may be empty; ``actions`` are like ``tag:refund``, ``status:closed``,
    ``assign:me``, ``assign:e7`` (an employee), ``assign:t3`` (a team).
    """

    id: str
    name: str
    text: str
    language: str
    shortcut: str
    visibility: str
    team: str | None
    owner: str | None
    actions: list[str]
    changed_at: str | None


class FilledReply(SavedReply, frozen=True):
    """The same for one conversation: ``text`` is filled in, ``missing`` are the places nobody knows what to put into."""

    missing: list[str] = []


class NewReply(Struct, forbid_unknown_fields=True):
    """``text`` may hold {{customer.first_name}}, {{customer.name}}, {{agent.first_name}}, {{agent.name}},
    {{conversation.number}} and {{conversation.subject}}. ``team`` goes with the visibility ``team``.
    """

    name: Line
    text: Text
    language: Line = ""
    shortcut: Line = ""
    visibility: Visibility = "mine"
    team: Id | None = None
    actions: Actions = []
    client_id: ClientId | None = None


class ReplyChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes."""

    name: Line | UnsetType = UNSET
    text: Text | UnsetType = UNSET
    language: Line | UnsetType = UNSET
    shortcut: Line | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    team: Id | UnsetType | None = UNSET
    actions: Actions | UnsetType = UNSET


class ReplyQuery(Struct, forbid_unknown_fields=True):
    """Words of the name, the shortcut or the text."""

    q: Line = ""


def _fields(reply: Reply) -> dict[str, Any]:
    return {
        "id": str(reply.id),
        "name": reply.name,
        "text": reply.text,
        "language": reply.language,
        "shortcut": reply.shortcut,
        "visibility": reply.visibility,
        "team": name(reply.team_id),
        "owner": name(reply.owner_id),
        "actions": list(reply.actions),
        "changed_at": rfc3339(reply.changed_at),
    }


def _given(body: NewReply | ReplyChange) -> dict[str, Any]:
    given = {key: value for key, value in structs.asdict(body).items() if value is not UNSET and key != "client_id"}
    if "team" in given:
        team = given.pop("team")
        given["team_id"] = int(team) if team else None
    return given


async def _one(call: Call, number: int) -> SavedReply:
    return SavedReply(**_fields(await call.read(replies.one, call.actor, number)))


@route("GET", "/saved_replies")
async def list_replies(call: Call) -> Page[SavedReply]:
    """All you may use, by name: everybody's, your teams', your own."""
    return Page([SavedReply(**_fields(reply)) for reply in await call.read(replies.listing, call.actor)])


@route("GET", "/saved_replies/{id}")
async def get_reply(call: Call, id: int) -> SavedReply:
    """One saved reply."""
    return await _one(call, id)


@route("POST", "/saved_replies")
async def add_reply(call: Call, body: NewReply) -> Made[SavedReply]:
    """Save a reply."""
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, replies.add, call.actor, _given(body))
    return Made(await _one(call, number), fresh)


@route("PATCH", "/saved_replies/{id}")
async def change_reply(call: Call, id: int, body: ReplyChange) -> SavedReply:
    """Change one of your own; supervisors and administrators change what others use too."""
    await call.write(replies.change, call.actor, id, _given(body))
    return await _one(call, id)


@route("DELETE", "/saved_replies/{id}")
async def remove_reply(call: Call, id: int) -> None:
    """Remove one."""
    await call.write(replies.remove, call.actor, id)


@route("GET", "/conversations/{id}/saved_replies")
async def list_conversation_replies(call: Call, id: int, query: ReplyQuery) -> Page[FilledReply]:
    """Those that fit, filled in for this conversation; the customer's language first."""
    found = await call.read(replies.for_conversation, call.actor, id, query.q)
    return Page([FilledReply(**{**_fields(f.reply), "text": f.text}, missing=list(f.missing)) for f in found])
