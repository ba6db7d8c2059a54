"""Drafts: what an employee is about to say in a conversation, kept on the server until it is sent or discarded.

One per employee, conversation and mode. Every change has a new version; whoever saves says which one they began with, and is told
when there is a newer one. What ended stays for a day as an empty place, so that a late save from another tab cannot bring back what
was sent, and so that a discarded draft can be had again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import plans
from hub.access import Actor, access_conversation, access_message, require, visible
from hub.clock import now
from hub.conversations import was_deleted
from hub.fitting import How
from hub.outbox import CannotSend, Deleted, NotFound
from hub.sql import among, insert_rows, is_postgres, run
from hub.tables import attachments, conversations, draft_files, drafts
from hub.text import clean, clean_line, preview
from hub.timeline import FileView

Mode = Literal["reply", "note"]

#: A draft nobody touched for so long is forgotten; what ended, after `ENDED` (milliseconds).
KEPT, ENDED = 90 * 86_400_000, 86_400_000
#: Characters of a draft, files and actions of it.
LONGEST, MOST_FILES, MOST_ACTIONS = 200_000, 50, 20


class Content(Struct, frozen=True):
    """What is in the box. ``via`` is a channel's id (0: the conversation's own); ``to`` and ``cc`` are as somebody has typed them
    so far, as is ``bcc``; ``sure``: ``to`` was shown as the customer's and nobody typed it; ``files`` are own uploads, or files of the
    message that this is ``about`` (the one that is answered or forwarded, see `hub.fitting`); ``actions`` are what a saved reply wants
    done with it (see `hub.replies`).
    """

    text: str = ""
    via: int = 0
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str = ""
    files: tuple[int, ...] = ()
    actions: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    how: How = "reply"
    about: int = 0
    sure: bool = False

    @property
    def empty(self) -> bool:
        """Nothing that anybody would miss."""
        return not self.text.strip() and not self.files


class _Recipients(Struct, frozen=True):
    """What `drafts.details` holds."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    how: How = "reply"
    about: int = 0
    sure: bool = False


class Kept(Struct, frozen=True):
    """A draft as it is kept. ``version`` 0: there never was one; ``uploads``: which of the files are the writer's own."""

    conversation_id: int
    mode: Mode
    content: Content
    version: int = 0
    saved_at: int = 0
    ended_at: int | None = None
    files: tuple[FileView, ...] = ()
    uploads: frozenset[int] = frozenset()

    @property
    def alive(self) -> bool:
        """Is there something to go on with?"""
        return self.version > 0 and self.ended_at is None


class Newer(Exception):
    """Somebody (the same person in another tab) has saved since; ``kept`` is what there is."""

    def __init__(self, kept: Kept) -> None:
        super().__init__("a newer version of this draft has been saved")
        self.kept = kept


_d = drafts.c
_f = draft_files.c


def _mine(actor: Actor, conversation_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(_d.employee_id == actor.id, _d.conversation_id == conversation_id)


def allowed(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> None:
    """May they write in this mode there? Raises `NotFound`, `access.Forbidden`, `CannotSend`."""
    require(actor, mode)
    home = access_conversation(conn, actor, conversation_id)
    if home is None:
        raise NotFound
    if home.merged_into is not None:
        raise CannotSend(f"This conversation was merged into #{home.merged_into}; work there.")
    if was_deleted(conn, conversation_id):
        raise Deleted


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_beginnings = (
    sa.select(_d.conversation_id, sa.func.substr(_d.text, 1, 600))
    .where(_d.employee_id == sa.bindparam("employee"), _d.ended_at.is_(None), among(_d.conversation_id, "ids"))
    .order_by(_d.mode)
)


def _kept(conn: Connection, condition: sa.ColumnElement[bool], held: bool = False) -> list[Kept]:
    statement = sa.select(drafts).where(condition).order_by(_d.conversation_id, _d.mode)
    if held and is_postgres(conn):
        statement = statement.with_for_update()
    rows = conn.execute(statement).all()
    files: dict[tuple[int, int, str], list[FileView]] = {}
    own: set[int] = set()
    about = {(row.employee_id, row.conversation_id, row.mode): _recipients(row).about for row in rows}
    a = attachments.c
    if rows:
        found = (
            sa.select(
                _f.employee_id,
                _f.conversation_id,
                _f.mode,
                a.message_id,
                a.id,
                a.name,
                a.type,
                a.size,
                a.sha256,
                a.inline_id,
            )
            .join(attachments, a.id == _f.attachment_id)
            .where(
                _f.employee_id == rows[0].employee_id,
                among(_f.conversation_id, sorted({row.conversation_id for row in rows})),
            )
            .order_by(a.id)
        )
        for row in conn.execute(found):
            key = (row[0], row[1], row[2])
            if row.message_id in (None, about.get(key)):  # others were sent meanwhile
                files.setdefault(key, []).append(FileView(*list(row)[4:]))
                own |= {row.id} if row.message_id is None else set()
    return [_read(row, tuple(files.get((row.employee_id, row.conversation_id, row.mode), ())), own) for row in rows]


def _recipients(row: Any) -> _Recipients:
    return msgspec.json.decode(row.details, type=_Recipients) if row.details else _Recipients()


def _read(row: Any, files: tuple[FileView, ...], own: set[int]) -> Kept:
    said = _recipients(row)
    content = Content(
        row.text,
        row.via,
        said.to,
        said.cc,
        row.subject,
        tuple(f.id for f in files),
        tuple(msgspec.json.decode(row.actions, type=list[str])) if row.actions else (),
        said.bcc,
        said.how,
        said.about,
        said.sure,
    )
    uploads = frozenset(f.id for f in files if f.id in own)
    return Kept(row.conversation_id, row.mode, content, row.version, row.saved_at, row.ended_at, files, uploads)


def of_conversation(conn: Connection, actor: Actor, conversation_id: int) -> dict[Mode, Kept]:
    """The actor's drafts there by mode, also what has ended (its version counts on)."""
    return {kept.mode: kept for kept in _kept(conn, _mine(actor, conversation_id))}


def written_by(conn: Connection, employee_id: int, conversation_id: int, mode: Mode) -> Kept | None:
    """Somebody's draft there; whoever asks has seen to it that they may look."""
    theirs = sa.and_(_d.employee_id == employee_id, _d.conversation_id == conversation_id, _d.mode == mode)
    return next(iter(_kept(conn, theirs)), None)


def one(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> Kept:
    """The actor's draft. Raises `NotFound` when there is none, or none of a conversation they may see."""
    kept = of_conversation(conn, actor, conversation_id).get(mode)
    if kept is None or not kept.alive or access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    return kept


def _alive(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.and_(_d.employee_id == actor.id, _d.ended_at.is_(None))


def listing(conn: Connection, actor: Actor, before: tuple[int, str] | None, limit: int) -> list[Kept]:
    """The actor's drafts, those in the newest conversations first; ``before``: (conversation, mode) that ended the page before."""
    shown = sa.select(conversations.c.id).where(conversations.c.id == _d.conversation_id, visible(actor)).exists()
    conditions = [_alive(actor), shown]
    if before is not None:
        place = sa.tuple_(_d.conversation_id, _d.mode)
        conditions.append(place < sa.tuple_(sa.literal(before[0]), sa.literal(before[1])))
    wanted = sa.select(_d.conversation_id, _d.mode).where(*conditions)
    found = conn.execute(wanted.order_by(_d.conversation_id.desc(), _d.mode.desc()).limit(limit)).all()
    kept = _kept(conn, sa.and_(_alive(actor), among(_d.conversation_id, sorted({row[0] for row in found}))))
    by_key = {(k.conversation_id, str(k.mode)): k for k in kept}
    return [by_key[row[0], row[1]] for row in found if (row[0], row[1]) in by_key]


def previews(conn: Connection, actor: Actor, ids: Sequence[int]) -> dict[int, str]:
    """How the actor's drafts in these conversations begin; a reply before a note. One statement."""
    if not ids:
        return {}
    rows = run(conn, _beginnings, employee=actor.id, ids=list(ids)).all()
    return {row[0]: preview(row[1]) for row in rows}


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def put(
    conn: Connection, actor: Actor, conversation_id: int, mode: Mode, content: Content, version: int | None = None
) -> Kept:
    """Keep what is in the box; an empty box is no draft. ``version`` is what the writer began with (None: whatever there is).

    The same content again is the same version. Raises `Newer`, `NotFound`, `access.Forbidden`, `CannotSend`.
    """
    if is_postgres(conn):  # before the draft's own row, as those who send do (see `hub.store` for the order of locks)
        near = sa.select(conversations.c.id).where(conversations.c.id == conversation_id)
        conn.execute(near.with_for_update(read=True, key_share=True))
    allowed(conn, actor, conversation_id, mode)  # behind the lock: it may be deleted just now
    content = _clean(conn, actor, content)
    there = _hold(conn, actor, conversation_id, mode)
    if there.version and there.content == content and (there.alive or content.empty):
        return there
    if version is not None and there.version and version != there.version:
        raise Newer(there)
    if content.empty and not there.version:
        return there
    return _write(conn, actor, there, content, max(there.version, version or 0) + 1)


def _clean(conn: Connection, actor: Actor, content: Content) -> Content:
    """Without what no database keeps, and only with files that are still theirs to send."""
    a, files = attachments.c, ()
    if content.files:
        which = sa.and_(a.message_id.is_(None), a.uploader_id == actor.id)
        if content.about and access_message(conn, actor, content.about) is not None:
            which = sa.or_(which, a.message_id == content.about)
        own = sa.select(a.id).where(among(a.id, content.files), which)
        files = tuple(sorted(conn.execute(own).scalars()))[:MOST_FILES]
    return Content(
        clean(content.text, LONGEST).replace("\r\n", "\n"),
        content.via,
        tuple(clean_line(line) for line in content.to[:50]),
        tuple(clean_line(line) for line in content.cc[:50]),
        clean_line(content.subject),
        files,
        tuple(clean_line(action, 100) for action in content.actions[:MOST_ACTIONS]),
        tuple(clean_line(line) for line in content.bcc[:50]),
        content.how,
        content.about,
        content.sure,
    )


def _hold(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> Kept:
    """The draft's row as it is, held until the commit; an unsaved one when there is none."""
    found = _kept(conn, sa.and_(_mine(actor, conversation_id), _d.mode == mode), held=True)
    return found[0] if found else Kept(conversation_id, mode, Content())


_insert = sa.text(
    "INSERT INTO drafts (employee_id, conversation_id, mode, version, saved_at) VALUES (:employee, :conversation, :mode, 0, 0)"
    " ON CONFLICT (employee_id, conversation_id, mode) DO NOTHING"
)


def _write(conn: Connection, actor: Actor, there: Kept, content: Content, version: int, ended: bool = False) -> Kept:
    key = {"employee_id": actor.id, "conversation_id": there.conversation_id, "mode": there.mode}
    if not there.version:
        made = {"employee": actor.id, "conversation": there.conversation_id, "mode": there.mode}
        if not conn.execute(_insert, made).rowcount:  # another tab was faster by a blink
            raise Newer(_hold(conn, actor, there.conversation_id, there.mode))
    moment = now()
    said = _Recipients(content.to, content.cc, content.bcc, content.how, content.about, content.sure)
    row = {
        "text": content.text,
        "via": content.via,
        "subject": content.subject,
        "details": msgspec.json.encode(said).decode() if said != _Recipients() else "",
        "actions": msgspec.json.encode(content.actions).decode() if content.actions else "",
        "version": version,
        "saved_at": moment,
        "ended_at": moment if ended or content.empty else None,
    }
    own = sa.and_(_mine(actor, there.conversation_id), _d.mode == there.mode)
    conn.execute(sa.update(drafts).where(own).values(**row))
    if there.content.files != content.files:
        _forget_files(conn, actor, there)
        insert_rows(conn, draft_files, [{**key, "attachment_id": number} for number in content.files])
    return _hold(conn, actor, there.conversation_id, there.mode)


def _forget_files(conn: Connection, actor: Actor, there: Kept) -> None:
    own = (_f.employee_id == actor.id, _f.conversation_id == there.conversation_id, _f.mode == there.mode)
    conn.execute(sa.delete(draft_files).where(*own))


def discard(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> Kept:
    """End a draft; for `ENDED` it can be had again. Raises `NotFound` when there is none."""
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    there = _hold(conn, actor, conversation_id, mode)
    if not there.alive:
        raise NotFound
    return _write(conn, actor, there, there.content, there.version + 1, ended=True)


def restore(conn: Connection, actor: Actor, conversation_id: int, mode: Mode) -> Kept:
    """Have a discarded draft again. Raises `NotFound` when nothing is left of it, `access.Forbidden`."""
    allowed(conn, actor, conversation_id, mode)
    there = _hold(conn, actor, conversation_id, mode)
    if there.alive:
        return there
    if there.content.empty:
        raise NotFound
    return _write(conn, actor, there, there.content, there.version + 1)


def sent(
    conn: Connection, actor: Actor, conversation_id: int, mode: Mode, text: str, version: int | None = None
) -> None:
    """What was said is no draft any more. A newer one with other words, from another tab, stays."""
    there = _hold(conn, actor, conversation_id, mode)
    same = there.content.text.strip() == clean(text).replace("\r\n", "\n").strip()
    if there.alive and (version is None or version == there.version or same):
        # its files belong to the message now, so they are not among the content's any more
        _forget_files(conn, actor, there)
        _write(conn, actor, there, Content(), there.version + 1)


def bring_back(conn: Connection, actor: Actor, conversation_id: int, mode: Mode, content: Content) -> Kept:
    """Put what was taken back into the draft, before whatever has been written there meanwhile.

    An answer and a forward never become one text, for they go to different people: what stood there is set aside (`plans.set_aside`).
    """
    there = _hold(conn, actor, conversation_id, mode)
    now_there = there.content if there.alive else Content()
    if not now_there.empty and not _joinable(content, now_there):
        kept = _write(conn, actor, there, content, there.version + 1)
        plans.set_aside(conn, conversation_id, actor.id, msgspec.structs.asdict(now_there))
        return kept
    parts = [part for part in (content.text, now_there.text) if part.strip()]
    both = msgspec.structs.replace(
        content,
        text="\n\n".join(dict.fromkeys(parts)),
        files=tuple(sorted({*content.files, *now_there.files})),
        actions=tuple(dict.fromkeys((*content.actions, *now_there.actions))),
    )
    return _write(conn, actor, there, both, there.version + 1)


def _joinable(one: Content, other: Content) -> bool:
    """Do both go to the customer, or show the same message to somebody?"""
    return one.how == other.how and (one.how == "reply" or one.about == other.about)


def prune(conn: Connection) -> int:
    """Forget what nobody has touched for long, and what ended; how many."""
    moment = now()
    old = sa.or_(_d.saved_at < moment - KEPT, sa.and_(_d.ended_at.is_not(None), _d.ended_at < moment - ENDED))
    return forget(conn, old)


def forget(conn: Connection, which: sa.ColumnElement[bool]) -> int:
    """Remove drafts for good, with what they know of files; how many."""
    theirs = sa.and_(
        _d.employee_id == _f.employee_id, _d.conversation_id == _f.conversation_id, _d.mode == _f.mode, which
    )
    conn.execute(sa.delete(draft_files).where(sa.select(_d.version).where(theirs).exists()))
    return conn.execute(sa.delete(drafts).where(which)).rowcount
