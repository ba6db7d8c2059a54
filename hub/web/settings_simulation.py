"""/settings/routing/simulations: the draft on the traffic of the last days, how far that is, and who would have got what."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, draft, reasons, rehearsal, simulation
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.directory import Directory
from hub.http import HOUSE, read_form
from hub.i18n import Catalogue
from hub.outbox import NotFound
from hub.rehearsal import Asked, Place, Result
from hub.routing import Step
from hub.sql import among
from hub.tables import conversations
from hub.web import forms, settings
from hub.web.forms import Trouble, Wrong
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import number_in
from hub.web.settings_routing import DRAFT, table
from hub.web.when import When

PATH = "/settings/routing/simulations"
#: Examples on the page.
EXAMPLES = 50


class Moved(Struct, frozen=True):
    """One conversation that would go elsewhere."""

    number: int
    subject: str
    before: str
    after: str
    why_before: tuple[str, ...]
    why_after: tuple[str, ...]


class Seen(Struct, frozen=True):
    """A simulation as the page shows it; names are put to everything that was found."""

    row: Any
    asked: Asked
    result: Result | None
    d: Directory
    examples: tuple[Moved, ...]
    assumed: tuple[str, ...]

    @property
    def percent(self) -> int:
        """How far it is."""
        return min(100, self.row.done * 100 // self.row.total) if self.row.total else 0

    @property
    def running(self) -> bool:
        """Is it still to end?"""
        return self.row.state in ("queued", "running")


def called(d: Directory, place: Place, words: Catalogue) -> str:
    """Who or what that is."""
    if place.employee_id is not None:
        person = d.employees.get(place.employee_id)
        return person.name if person else f"#{place.employee_id}"
    team = d.teams.get(place.team_id or 0)
    return words.text("queue of {team}", team=team.name) if team else words.text("open to everybody")


def _see(conn: Connection, number: int, words: Catalogue, when: When) -> Seen:
    row = simulation.one(conn, number)
    if row is None:
        raise NotFound
    d, found = directory.current(conn), simulation.result_of(row)
    examples = _examples(conn, d, found, words, when) if found else ()
    assumed = tuple(words.text(sentence) for sentence in rehearsal.ASSUMED)
    return Seen(row, simulation.asked_of(row), found, d, examples, assumed)


def _examples(conn: Connection, d: Directory, found: Result, words: Catalogue, when: When) -> tuple[Moved, ...]:
    some, c = found.examples[:EXAMPLES], conversations.c
    named = sa.select(c.id, c.subject, c.preview).where(among(c.id, [e.conversation_id for e in some]))
    known = {row.id: row.subject or row.preview for row in conn.execute(named)}

    def said(steps: tuple[Step, ...]) -> tuple[str, ...]:
        return tuple(reasons.each_in_words(msgspec.json.encode(steps).decode(), words.language, when.until))

    return tuple(
        Moved(
            e.conversation_id,
            known[e.conversation_id],
            called(d, e.before, words),
            called(d, e.after, words),
            said(e.steps_before),
            said(e.steps_after),
        )
        for e in some
        if e.conversation_id in known
    )


async def start(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/draft/simulate: ``days``"""
    require(actor, "routing")
    form = await read_form(request)

    def work(conn: Connection) -> int:
        known = draft.one(conn)
        if known is None:
            raise Invalid("There is no draft any more.")
        return simulation.add(conn, forms.number(form, "days"), known.rules, actor_id=actor.id)

    try:
        number = await request.app[HOUSE].hub.db.write(work)
    except (Invalid, Wrong) as error:
        wrong = forms.trouble(words_for(request, actor), error, ("days",))
        return await table(request, actor, troubles=(wrong if wrong.field else Trouble("days", wrong.words),))
    return settings.there(f"{PATH}/{number}")


async def simulation_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/routing/simulations/<id>, and as a part …/progress"""
    require(actor, "routing")
    words = words_for(request, actor)
    when = when_for(request, words)
    seen = await request.app[HOUSE].hub.db.read(_see, number_in(request), words, when)
    values: dict[str, Any] = {"seen": seen, "called": lambda place: called(seen.d, place, words), "draft_path": DRAFT}
    if request.path.endswith("/progress"):
        return show(request, "progress.j2", actor, **values)
    return await settings.page(request, actor, "simulation.j2", "routing", words.text("Simulation"), **values)


async def cancel(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/simulations/<id>/cancel"""
    require(actor, "routing")
    number = number_in(request)
    if not await request.app[HOUSE].hub.db.write(simulation.cancel, number):
        raise NotFound
    return settings.there(f"{PATH}/{number}", "cancelled")
