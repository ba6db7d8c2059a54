"""Further parts of a timeline: what stands above or below what a screen has, the place around one entry, a folded chapter opened."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import looking
from hub.access import Actor
from hub.http import HOUSE
from hub.web import reads
from hub.web.entry import Entry
from hub.web.places import beside
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import number_in, positive
from hub.web.stretches import Look, Timeline
from hub.web.views import Names, entries
from hub.web.when import When


def look_in(query: Mapping[str, str]) -> Look:
    """Which part of a timeline an address asks for."""
    history = query.get("history", "")
    return Look(
        positive(query.get("before", "")),
        positive(query.get("newer", "")),
        positive(query.get("item", "")),
        history if history in ("all", "one") else "",
    )


def drawn_entries(
    found: Timeline, names: Names, when: When, *, subject: str = "", new_after: int = 0, chapters: bool = False
) -> list[Entry]:
    """The entries of a stretch."""
    return entries(
        found.items, names, when, subject=subject, before=found.before, new_after=new_after, extras=found.extras,
        chapters=chapters,
    )  # fmt: skip


async def remember_history(request: web.Request, actor: Actor) -> None:
    """Somebody chose on our own page how much they want to see: so it stays."""
    chosen = request.query.get("history", "")
    if chosen not in ("all", "one") or request.headers.get("Sec-Fetch-Site") != "same-origin":
        return

    def work(conn: Connection) -> None:
        looking.set_history(conn, actor, "all" if chosen == "all" else "one")

    house = request.app[HOUSE]
    if await house.hub.db.read(looking.history, actor) != chosen:
        await house.hub.db.write(work)


async def more_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/more?before=<entry> or ?newer=<entry> or ?item=<entry>"""
    house, when = request.app[HOUSE], when_for(request, words_for(request, actor))
    part = await house.hub.db.read(reads.part, actor, number_in(request), look_in(request.query))
    said = drawn_entries(part.timeline, part.names, when, subject=part.row.subject, chapters=part.history == "all")
    found = part.timeline
    return show(
        request, "older.j2", actor, entries=said, older=found.older, newer=found.newer, row=part.row,
        place=beside(request.query), history=part.history, channel_names=part.names.channels,
    )  # fmt: skip


async def chapter_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/chapter: the newest entries of a conversation, to be put under its folded line."""
    house, when = request.app[HOUSE], when_for(request, words_for(request, actor))
    part = await house.hub.db.read(reads.part, actor, number_in(request), Look(history="one"))
    said = drawn_entries(part.timeline, part.names, when, subject=part.row.subject)
    return show(
        request, "chapter.j2", actor, entries=said, older=part.timeline.older, row=part.row, place=beside(request.query),
        channel_names=part.names.channels,
    )  # fmt: skip


async def customer_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers/<id>/more?before=<entry> or ?newer=<entry>"""
    house, when = request.app[HOUSE], when_for(request, words_for(request, actor))
    person = await house.hub.db.read(reads.person, actor, number_in(request), look_in(request.query))
    said = drawn_entries(person.timeline, person.names, when, chapters=True)
    found = person.timeline
    return show(
        request, "older.j2", actor, entries=said, older=found.older, newer=found.newer, row=None, place=None,
        customer=person.customer, history="all", channel_names=person.names.channels,
    )  # fmt: skip
