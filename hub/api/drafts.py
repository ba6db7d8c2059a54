"""Drafts: what an employee is about to say, the same on every device; and taking back what has not left yet."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hub import drafts, undo
from hub.api import shapes
from hub.api.shapes import Attachment, Cursor, Id, Limit
from hub.api.wire import Call, Page, read_cursor, route, write_cursor
from hub.clock import rfc3339
from hub.drafts import Content, Kept, Mode
from hub.fitting import How
from hub.http import Problem

Line = Annotated[str, Meta(max_length=1000)]
Version = Annotated[int, Meta(ge=0, le=2**53)]


class Draft(Struct, frozen=True):
    """What somebody is about to say. Every change has a new ``version``; ``actions`` are done when it is sent on the screen."""

    conversation: str
    mode: str
    text: str
    via: str | None
    to: list[str]
    cc: list[str]
    subject: str
    attachments: list[Attachment]
    actions: list[str]
    version: int
    saved_at: str | None
    bcc: list[str]
    how: How
    about: str | None
    sure: bool


class NewDraft(Struct, forbid_unknown_fields=True):
    """All of a draft; without text and attachments there is none. ``version`` is the one it was made from: when another one has been
    saved since, the answer is 409. Without it whatever there is, is replaced. ``about`` is the message that is answered or forwarded
    (``how``); ``sure``: the screen showed ``to`` as the customer's, so it has to be theirs still when it is sent from there.
    """

    text: Annotated[str, Meta(max_length=drafts.LONGEST)] = ""
    via: Id | None = None
    to: Annotated[list[Line], Meta(max_length=50)] = []
    cc: Annotated[list[Line], Meta(max_length=50)] = []
    subject: Line = ""
    attachments: Annotated[list[Id], Meta(max_length=drafts.MOST_FILES)] = []
    actions: Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=drafts.MOST_ACTIONS)] = []
    version: Version | None = None
    bcc: Annotated[list[Line], Meta(max_length=50)] = []
    how: How = "reply"
    about: Id | None = None
    sure: bool = False


class DraftQuery(Struct, forbid_unknown_fields=True):
    """Those in the newest conversations first."""

    limit: Limit = 50
    cursor: Cursor = ""


def shown(kept: Kept) -> Draft:
    """A draft as JSON has it."""
    content = kept.content
    return Draft(
        str(kept.conversation_id),
        kept.mode,
        content.text,
        shapes.name(content.via or None),
        list(content.to),
        list(content.cc),
        content.subject,
        [shapes.attachment(file) for file in kept.files],
        list(content.actions),
        kept.version,
        rfc3339(kept.saved_at) if kept.saved_at else None,
        list(content.bcc),
        content.how,
        shapes.name(content.about or None),
        content.sure,
    )


@route("GET", "/drafts")
async def list_drafts(call: Call, query: DraftQuery) -> Page[Draft]:
    """Your drafts in conversations you may see."""
    before = None
    if query.cursor:
        word, number = read_cursor(query.cursor, "nr")
        before = (number, "note" if word == "n" else "reply")
    found = await call.read(drafts.listing, call.actor, before, query.limit + 1)
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    following = write_cursor(last.mode[0], last.conversation_id) if last else None
    return Page([shown(kept) for kept in page], following)


@route("GET", "/conversations/{id}/drafts/{mode}")
async def get_draft(call: Call, id: int, mode: Mode) -> Draft:
    """Your draft there; 404 when there is none."""
    return shown(await call.read(drafts.one, call.actor, id, mode))


@route("PUT", "/conversations/{id}/drafts/{mode}")
async def put_draft(call: Call, id: int, mode: Mode, body: NewDraft) -> Draft:
    """Keep what is in the box. 409 with ``draft`` when it has been changed elsewhere since ``version``."""
    content = Content(
        body.text,
        int(body.via or 0),
        tuple(body.to),
        tuple(body.cc),
        body.subject,
        tuple(map(int, body.attachments)),
        tuple(body.actions),
        tuple(body.bcc),
        body.how,
        int(body.about or 0),
        body.sure,
    )
    try:
        return shown(await call.hub.db.write(drafts.put, call.actor, id, mode, content, body.version))
    except drafts.Newer as error:
        raise Problem(
            409,
            "This draft has been changed elsewhere: read “draft” and save again with its version.",
            draft=shown(error.kept),
        ) from error


@route("DELETE", "/conversations/{id}/drafts/{mode}")
async def delete_draft(call: Call, id: int, mode: Mode) -> None:
    """Discard your draft; saving it again brings it back."""
    await call.write(drafts.discard, call.actor, id, mode)


@route("DELETE", "/messages/{id}")
async def take_back_message(call: Call, id: int) -> Draft:
    """Take back your message while it is held; its words are your draft again. 409 once it is on its way."""
    try:
        return shown(await call.write(undo.take_back, call.actor, id))
    except undo.TooLate as error:
        raise Problem(409, str(error)) from error
