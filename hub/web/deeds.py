"""What people do on the screens: answer, note, pass on, close, tag. Plain forms: POST, then back to the page."""

from __future__ import annotations

import sqlalchemy as sa
from aiohttp import web
from aiohttp.web import FileField
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import collaboration, collisions, composing, files, mentions, modes, undo, uploads
from hub.access import Actor, Forbidden, access_message
from hub.composing import Said
from hub.database import Unavailable
from hub.fitting import Gone
from hub.http import HOUSE, UPLOAD, Form, House, Problem, as_problem, read_form
from hub.i18n import LANGUAGES
from hub.messages import Filled
from hub.outbox import CannotSend, Draft, NotFound, Stale
from hub.repeats import OtherWords
from hub.sessions import forget
from hub.sql import among
from hub.tables import attachments, employees
from hub.text import clean, clean_line
from hub.timeline import FileView
from hub.web import later, onwards, templating
from hub.web.answering import recipients, written
from hub.web.pages import Composer, beside, show_conversation
from hub.web.rendering import when_for, words_for
from hub.web.screens import is_part, number_in, positive
from hub.web.working import there

#: Files of one answer.
MOST_FILES = 20


def _text(form: Form, name: str) -> str:
    value = form.get(name)
    return clean(value, 200_000) if isinstance(value, str) else ""


def _word(form: Form, name: str, most: int) -> str:
    return clean_line(_text(form, name), most)


def back(request: web.Request, number: int) -> web.Response:
    """To the conversation, with the same list beside it."""
    return web.Response(status=303, headers={"Location": beside(request.query).conversation(number)})


async def reply(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/reply: what cannot be sent comes back with the text kept; 409 when somebody was faster."""
    number, house, form = number_in(request), request.app[HOUSE], await read_form(request, UPLOAD)
    composer = Composer(
        _word(form, "client_id", 100),
        "reply",
        _text(form, "text"),
        _text(form, "note"),
        written(form),
        actions=_acts(form),
        back="template" not in form,  # a template stands beside what was being written
    )
    seen = positive(_word(form, "seen", 20))
    trouble, kept = "", _ids(form)
    try:
        kept += await _stored(request, actor, form)
        prepared = await templating.filled(house, form, composer.said)
        draft = _drafted(house, composer, kept, seen, prepared)
        if not draft.client_id:
            raise CannotSend("The form is too old. Send it again.")
        at = later.due(request, actor, form)
        if at is not None:
            return await _planned(request, actor, draft, at, _version(form))
        said, onward = await house.hub.db.write(_say, request, actor, number, draft, _version(form))
    except Stale:
        return await _faster(request, actor, composer, kept, seen)
    except (CannotSend, Forbidden, OtherWords, Unavailable) as error:
        trouble, status = _said(request, actor, error)
        composer = _mended(composer, error)
        seen = 0
    if not trouble:
        house.hub.bus.publish()
        return there(beside(request.query), onward, 0 if said.held else said.action)
    shown = await house.hub.db.read(_kept, actor, kept, composer.said.about)
    filled = structs.replace(composer, trouble=trouble, kept=shown)
    return await show_conversation(request, actor, number, filled, status, seen)


async def _planned(
    request: web.Request, actor: Actor, draft: Draft, at: int, version: int | None
) -> web.StreamResponse:
    """It leaves later; back to the conversation, where it stands."""
    number, hub = number_in(request), request.app[HOUSE].hub
    zone = later.zone_of(request, actor)
    plan = await hub.db.write(composing.plan, actor, hub.channels, number, draft, at, zone, version)
    hub.bus.publish()
    url = f"{beside(request.query).conversation(number)}&did=plan.{plan}"
    return web.Response(status=303, headers={"Location": url})


def _say(
    conn: Connection, request: web.Request, actor: Actor, number: int, draft: Draft, version: int | None
) -> tuple[Said, int]:
    """Send it; where to go on when the conversation has left the list beside it by what was done with it."""
    hub, place = request.app[HOUSE].hub, beside(request.query)
    spot = onwards.spot(conn, actor, place, number) if draft.actions else None
    zone = when_for(request, words_for(request, actor)).place
    said = composing.send(conn, actor, hub.channels, hub.options.undo_seconds, number, draft, version, zone)
    return said, onwards.onward(conn, actor, place, number, spot) if draft.actions else number


def _acts(form: Form) -> tuple[str, ...]:
    """What shall be done when it is sent: check boxes, the button that was pressed, a snooze in words."""
    found = [clean_line(v, 100) for v in form.getall("act", [])[:20] if isinstance(v, str)]
    said = _word(form, "snooze", 60)
    if said or "snooze:" in found:  # in words, also when Enter sent the form from the field they stand in
        found = [*(act for act in found if act != "snooze:"), f"snooze:{said or '?'}"]
    return tuple(found)


async def _faster(
    request: web.Request, actor: Actor, composer: Composer, files: list[int], seen: int
) -> web.StreamResponse:
    """409: what colleagues have said since, above the box with the text in it."""
    number, db = number_in(request), request.app[HOUSE].hub.db
    newer, shown = await db.read(
        lambda conn: (collisions.newer(conn, actor, number, seen), _kept(conn, actor, files, composer.said.about))
    )
    filled = structs.replace(composer, newer=tuple(newer), kept=shown)
    return await show_conversation(request, actor, number, filled, 409, seen)


def _drafted(
    house: House, composer: Composer, files: list[int], seen: int, prepared: tuple[Filled, str] | None
) -> Draft:
    """What shall be sent, to exactly those whom the form names. Raises `CannotSend`."""
    said, whom = composer.said, recipients(house.hub.channels, composer.said)
    return Draft(
        prepared[1] if prepared else composer.text,
        composer.client_id,
        via=said.via,
        to=whom.to,
        cc=whom.cc,
        bcc=whom.bcc,
        subject=said.subject,
        files=tuple(files),
        seen=seen,
        actions=composer.actions,
        minds="colleagues",
        sure=whom.sure,
        how=said.how,
        about=said.about,
        template=prepared[0] if prepared else None,
    )


def _version(form: Form) -> int | None:
    """The version of the draft that stood in the box; None when the form does not say."""
    given = _word(form, "draft", 20)
    return positive(given) if given else None


def _said(request: web.Request, actor: Actor, error: Exception) -> tuple[str, int]:
    known = as_problem(error)
    assert known is not None
    return words_for(request, actor).sentence(known.detail), known.status


def _mended(composer: Composer, error: Exception) -> Composer:
    """What was not sent because its id stands for something else gets another one; who is not the customer any more is no recipient."""
    if isinstance(error, Gone):
        return structs.replace(composer, said=structs.replace(composer.said, to="", theirs=""))
    return structs.replace(composer, client_id="") if isinstance(error, OtherWords) else composer


def _ids(form: Form) -> list[int]:
    return [n for value in form.getall("file", []) if isinstance(value, str) and (n := positive(value))][:MOST_FILES]


async def _stored(request: web.Request, actor: Actor, form: Form) -> list[int]:
    """Keep what was uploaded with the form; the ids of those files. Raises `DiskFull`."""
    house = request.app[HOUSE]
    sent = [f for f in form.getall("upload", []) if isinstance(f, FileField) and f.filename][:MOST_FILES]
    found = [await files.store(house, f.filename, f.content_type or "", f.file) for f in sent]
    kept = [upload for upload in found if upload.size]
    return await house.hub.db.write(uploads.keep, actor.id, kept) if kept else []


def _kept(conn: Connection, actor: Actor, ids: list[int], about: int = 0) -> tuple[FileView, ...]:
    """Own uploads, and files of the message that this is about."""
    a = attachments.c
    which = sa.and_(a.message_id.is_(None), a.uploader_id == actor.id)
    if about and access_message(conn, actor, about) is not None:
        which = sa.or_(which, a.message_id == about)
    statement = sa.select(a.id, a.name, a.type, a.size, a.sha256, a.inline_id).where(among(a.id, ids), which)
    return tuple(FileView(*row) for row in conn.execute(statement)) if ids else ()


async def note(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/note"""
    number, house, form = number_in(request), request.app[HOUSE], await read_form(request)
    composer = Composer(_word(form, "client_id", 100), "note", _text(form, "text"), _text(form, "note"), back=True)
    try:
        if not composer.client_id:
            raise CannotSend("The form is too old. Send it again.")
        await house.hub.db.write(composing.note, actor, number, composer.note, composer.client_id, _version(form))
    except (CannotSend, Forbidden, OtherWords, Unavailable) as error:
        trouble, status = _said(request, actor, error)
        composer = structs.replace(_mended(composer, error), trouble=trouble)
        return await show_conversation(request, actor, number, composer, status)
    house.hub.bus.publish()
    return web.Response(status=303, headers={"Location": f"{beside(request.query).conversation(number)}&mode=note"})


async def seen(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/seen: somebody looks at it."""
    number, house = number_in(request), request.app[HOUSE]
    if await house.hub.db.write(_looked, actor, number):
        house.hub.bus.publish()
    return web.Response(status=204) if is_part(request) else back(request, number)


def _looked(conn: Connection, actor: Actor, number: int) -> bool:
    """Who was mentioned goes on in a note after they have looked."""
    if mentions.unread(conn, actor.id, [number]):
        modes.choose(conn, actor, number, "note")
    return collaboration.mark_seen(conn, actor, number)


async def retry(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /messages/<id>/retry: send again what failed or stayed unconfirmed."""
    number, house = number_in(request), request.app[HOUSE]

    def work(conn: Connection) -> int:
        undo.retry(conn, actor, number)
        row = access_message(conn, actor, number)
        if row is None:
            raise NotFound
        return int(row.conversation_id)

    conversation = await house.hub.db.write(work)
    house.hub.bus.publish()
    return back(request, conversation)


async def set_language(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/language"""
    house, form = request.app[HOUSE], await read_form(request)
    language = _word(form, "language", 5)
    if language not in LANGUAGES:
        raise Problem(400, "There is no such language.")

    def work(conn: Connection) -> None:
        conn.execute(sa.update(employees).where(employees.c.id == actor.id).values(language=language))

    await house.hub.db.write(work)
    forget(request)
    return web.Response(status=303, headers={"Location": "/me"})
