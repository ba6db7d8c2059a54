"""/search: messages with the words marked, by conversation, each opening at its place; and what an operator could do here."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import excerpts, finding, inbox
from hub.access import Actor
from hub.excerpts import Pieces
from hub.finding import Sought
from hub.http import HOUSE, Problem
from hub.i18n import Catalogue
from hub.inbox import Filter, Row
from hub.query import Query, parse
from hub.sql import among
from hub.tables import events, messages
from hub.text import clean_line
from hub.web import reads
from hub.web.choices import choices
from hub.web.pages import title
from hub.web.reads import Around
from hub.web.rendering import show, words_for
from hub.web.screens import positive
from hub.web.stretches import ENTRIES
from hub.web.views import Names

#: Messages of one page, and those of one conversation that are shown.
HITS, OF_ONE = 40, 4


class Hit(Struct, frozen=True):
    """A message that was found. ``entry`` is its place in the timeline; ``past``: so many entries came after it that the page of
    the conversation has to begin there.
    """

    id: int
    entry: int
    past: bool
    kind: str
    out: bool
    who: str
    channel_id: int | None
    at: int
    pieces: Pieces


class Group(Struct, frozen=True):
    """A conversation with what was found in it; ``more`` hits are not shown."""

    row: Row
    hits: tuple[Hit, ...] = ()
    more: int = 0


class Found(Struct, frozen=True):
    """What a search found. ``next`` is the cursor of the following page."""

    groups: tuple[Group, ...]
    next: str | None
    sought: Sought | None
    around: Around
    names: Names
    tags: tuple[str, ...] = ()


def find(conn: Connection, actor: Actor, q: str, zone: str, cursor: str) -> Found:
    """One page of results. Raises ValueError for a cursor that is none."""
    around, names = reads.around(conn, actor), reads.names(conn)[0]
    wanted = Filter(q=q, zone=zone)
    tags = choices(conn, actor).tags
    if not parse(q).terms:
        return Found((), None, finding.resolve(conn, actor, wanted) if q else None, around, names, tags)
    sought = finding.resolve(conn, actor, wanted)
    if not sought.in_messages:
        rows, following = inbox.listing(conn, actor, wanted, cursor, reads.ROWS)
        return Found(tuple(Group(row) for row in rows), following, sought, around, names, tags)
    before = positive(cursor) or 2**62
    hits, last = finding.found(conn, actor, sought, before, HITS)
    return Found(_groups(conn, hits, sought), str(last) if last else None, sought, around, names, tags)


def _groups(conn: Connection, hits: Sequence[tuple[int, int]], sought: Sought) -> tuple[Group, ...]:
    """The hits by conversation, the newest first."""
    by_home: dict[int, list[int]] = {}
    for message, conversation in hits:
        by_home.setdefault(conversation, []).append(message)
    shown = {home: found[:OF_ONE] for home, found in by_home.items()}
    views = _shown(conn, [number for some in shown.values() for number in some], sought.words)
    return tuple(
        Group(row, tuple(views[n] for n in shown[row.id] if n in views), len(by_home[row.id]) - len(shown[row.id]))
        for row in inbox.rows(conn, list(by_home))
    )


def _shown(conn: Connection, ids: Sequence[int], words: Sequence[str]) -> dict[int, Hit]:
    m, e = messages.c, events.alias().c
    of_it = sa.and_(e.conversation_id == m.conversation_id, e.id > m.id, e.shown)
    entry = sa.select(e.id).where(of_it, e.message_id == m.id).order_by(e.id).limit(1).scalar_subquery()
    later = sa.select(e.id).where(of_it).order_by(e.id).limit(1).offset(ENTRIES // 2).scalar_subquery()
    statement = sa.select(
        m.id, entry, later, m.kind, m.direction, m.sender_name, m.channel_id, m.received_at, m.subject, m.text
    ).where(among(m.id, ids))
    return {
        row[0]: Hit(
            row[0],
            row[1] or 0,
            row[2] is not None,
            row[3],
            row[4] == "out",
            row[5],
            row[6],
            row[7],
            excerpts.excerpt(" · ".join(part for part in (row[8], row[9]) if part), words),
        )
        for row in (conn.execute(statement) if ids else ())
    }


class Operator(Struct, frozen=True):
    """Something to narrow a search by: what is written, and what it does."""

    text: str
    about: str


def operators(words: Catalogue, tags: Sequence[str], channels: Sequence[str]) -> list[Operator]:
    """The operators with an example each, in the reader's language."""
    _ = words.text
    tag, channel = next(iter(tags), _("invoice")), next(iter(channels), "email")
    return [
        Operator(
            _("is:open"), _("open, waiting, snoozed or closed; also is:unread, is:mine, is:unassigned, is:mentioned")
        ),
        Operator(_("has:attachment"), _("with a file")),
        Operator(_("from:{name}", name=_("vogel")), _("who wrote it: a name, an address or a phone number")),
        Operator(_("channel:{name}", name=_spelled(channel)), _("by which channel: its kind or its name")),
        Operator(_("tag:{name}", name=_spelled(tag)), _("conversations with this tag")),
        Operator(_("assignee:me"), _("who has it: a name, me or none")),
        Operator(_("team:{name}", name=_("service")), _("whose work it is")),
        Operator(_("before:2026-03-01"), _("said before that day")),
        Operator(_("after:2026-03-01"), _("said after that day")),
        Operator(_('"two words"'), _("words that stand together")),
        Operator("#4821", _("a conversation by its number")),
        Operator("+49 151 2264 8810", _("a phone number, however it is written")),
    ]


def _spelled(name: str) -> str:
    """With quotation marks where it needs them."""
    return f'"{name}"' if " " in name else name


def widened(query: Query) -> str | None:
    """The search without a status, if it asks for one but closed: then closed conversations are searched too."""
    places = [n for n, t in enumerate(query.terms) if t.kind == "is" and t.value in ("open", "waiting", "snoozed")]
    if not places:
        return None
    return " ".join(term.text for n, term in enumerate(query.terms) if n not in places)


async def search_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /search?q="""
    house, q = request.app[HOUSE], clean_line(request.query.get("q", ""), 200)
    zone = request.cookies.get("tz", "").replace("%2F", "/")[:60]
    try:
        found = await house.hub.db.read(find, actor, q, zone, request.query.get("cursor", "")[:100])
    except ValueError as error:
        raise Problem(400, str(error)) from error
    words = words_for(request, actor)
    query = found.sought.query if found.sought else Query()
    channels = [name for _, name in found.names.channels.values() if name]
    return show(
        request, "search.j2", actor, q=q, found=found, around=found.around, place=None,
        query=query, hints=found.sought.hints if found.sought else (), wider=widened(query),
        operators=operators(words, found.tags, channels), title=title(house.company, (), q, words.text("Search")),
    )  # fmt: skip
