"""Simulations: what past traffic would have got with a changed table of questions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from sqlalchemy.engine import Connection

from hub import directory, reasons, rehearsal, simulation
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.routing import RoutingSettings
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import rfc3339
from hub.directory import Conditions, Directory, Question, Rule, Settings, Target
from hub.i18n import catalogue
from hub.outbox import NotFound
from hub.rehearsal import Example, Load, Place, Result, Share
from hub.rulechecks import MOST_RULES
from hub.sql import among
from hub.tables import conversations


class TriedRule(Struct, forbid_unknown_fields=True):
    """A line of the table that is tried."""

    kind: Question
    id: Id | None = None
    name: Line = ""
    enabled: bool = True
    conditions: Conditions = Conditions()
    target: Target = Target()


class NewSimulation(Struct, forbid_unknown_fields=True):
    """``rules`` is the whole changed table in its order; built-in questions that are left out count as switched off. ``settings``: other
    capacity and weights as well.
    """

    days: Annotated[int, Meta(ge=1, le=simulation.MOST_DAYS)]
    rules: Annotated[list[TriedRule], Meta(max_length=MOST_RULES + 10)]
    settings: RoutingSettings | None = None
    client_id: ClientId | None = None


class Recipient(Struct, frozen=True):
    """An employee, or else the queue of a team, or else, with both null, open to everybody."""

    employee: str | None
    employee_name: str | None
    team: str | None
    team_name: str | None


class SimulatedMove(Struct, frozen=True):
    """So many conversations would go elsewhere, with so many messages of customers in them."""

    before: Recipient
    after: Recipient
    conversations: int
    messages: int


class SimulatedLoad(Struct, frozen=True):
    """``peak``: the most of somebody's capacity that was taken at once; 0 for queues."""

    conversations: int
    messages: int
    peak: int


class SimulatedShare(Struct, frozen=True):
    """What a person or a queue would have got, with the present and with the changed table."""

    recipient: Recipient
    capacity: int | None
    before: SimulatedLoad
    after: SimulatedLoad


class SimulatedExample(Struct, frozen=True):
    """One conversation that would go elsewhere, and why."""

    conversation: str
    number: int
    subject: str
    created_at: str | None
    before: Recipient
    after: Recipient
    reason_before: str
    reason_after: str


class SimulationResult(Struct, frozen=True):
    """``moves``: who would have got it, who would get it, the most frequent first; ``moves_left_out`` more kinds of moves were found.
    ``waiting``: conversations that nobody would have got at once. ``assumed``: what the simulation takes for granted.
    """

    conversations: int
    messages: int
    changed: int
    changed_messages: int
    waiting_before: int
    waiting_after: int
    moves: list[SimulatedMove]
    moves_left_out: int
    loads: list[SimulatedShare]
    examples: list[SimulatedExample]
    assumed: list[str]


class Simulation(Struct, frozen=True):
    """``state``: queued, running, done, failed or cancelled; ``done`` of ``total`` conversations are through. ``result`` when done,
    ``error`` when failed.
    """

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int
    total: int
    actor: str | None
    created_at: str | None
    changed_at: str | None
    since: str | None
    until: str | None
    result: SimulationResult | None
    error: str | None


class SimulationLine(Struct, frozen=True):
    """A simulation in the list."""

    id: str
    state: str
    done: int
    total: int
    actor: str | None
    created_at: str | None
    changed_at: str | None


@route("GET", "/routing/simulations")
async def list_simulations(call: Call) -> Page[SimulationLine]:
    """The last simulations, the newest first."""
    require(call.actor, "routing")
    return Page([_line(row) for row in await call.read(simulation.latest)])


def _line(row: Any) -> SimulationLine:
    return SimulationLine(
        str(row.id),
        row.state,
        row.done,
        row.total,
        name(row.actor_id),
        rfc3339(row.created_at),
        rfc3339(row.changed_at),
    )


@route("POST", "/routing/simulations")
async def add_simulation(call: Call, body: NewSimulation) -> Made[Simulation]:
    """Try a changed table on the traffic of the last days. It runs in the background; ask for it again to see how far it is."""
    require(call.actor, "routing")
    rules = [Rule(int(r.id) if r.id else 0, r.kind, r.name, r.enabled, r.conditions, r.target) for r in body.rules]
    settings = Settings(body.settings.capacity, body.settings.weights) if body.settings else None
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, simulation.add, body.days, rules, settings, call.actor.id)
    return Made(await call.read(_one, number, call.actor.language), fresh)


@route("GET", "/routing/simulations/{id}")
async def get_simulation(call: Call, id: int) -> Simulation:
    """How far it is, and what was found."""
    require(call.actor, "routing")
    return await call.read(_one, id, call.actor.language)


@route("DELETE", "/routing/simulations/{id}")
async def cancel_simulation(call: Call, id: int) -> None:
    """Call it off; what has ended stays as it is."""
    require(call.actor, "routing")
    if not await call.write(simulation.cancel, id):
        raise NotFound


# ── in JSON ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _one(conn: Connection, number: int, language: str) -> Simulation:
    row = simulation.one(conn, number)
    if row is None:
        raise NotFound
    asked, found = simulation.asked_of(row), simulation.result_of(row)
    return Simulation(
        **msgspec.structs.asdict(_line(row)),
        since=rfc3339(asked.since),
        until=rfc3339(asked.until),
        result=_Shaper(conn, language).result(found) if found else None,
        error=row.result if row.state == "failed" else None,
    )


class _Shaper:
    """Puts names and words to what was found, in somebody's language."""

    def __init__(self, conn: Connection, language: str) -> None:
        self.conn, self.language = conn, language
        self.d: Directory = directory.current(conn)

    def result(self, found: Result) -> SimulationResult:
        words = catalogue(self.language)
        return SimulationResult(
            found.conversations,
            found.messages,
            found.changed,
            found.changed_messages,
            found.waiting_before,
            found.waiting_after,
            [
                SimulatedMove(self.recipient(m.before), self.recipient(m.after), m.conversations, m.messages)
                for m in found.moves
            ],
            found.moves_left_out,
            [self.share(share) for share in found.loads],
            self.examples(found.examples),
            [words.text(sentence) for sentence in rehearsal.ASSUMED],
        )

    def recipient(self, place: Place) -> Recipient:
        person, team = self.d.employees.get(place.employee_id or 0), self.d.teams.get(place.team_id or 0)
        return Recipient(
            name(place.employee_id), person.name if person else None, name(place.team_id), team.name if team else None
        )

    def share(self, share: Share) -> SimulatedShare:
        person = self.d.employees.get(share.place.employee_id or 0)
        return SimulatedShare(
            self.recipient(share.place), person.capacity if person else None, _load(share.before), _load(share.after)
        )

    def examples(self, found: tuple[Example, ...]) -> list[SimulatedExample]:
        """With the subjects of today: what was erased meanwhile does not come back here."""
        c = conversations.c
        named = sa.select(c.id, c.subject, c.created_at).where(among(c.id, [e.conversation_id for e in found]))
        rows = {row.id: row for row in self.conn.execute(named)} if found else {}
        return [self.example(e, rows[e.conversation_id]) for e in found if e.conversation_id in rows]

    def example(self, e: Example, row: Any) -> SimulatedExample:
        before, after = (
            reasons.in_words(msgspec.json.encode(steps).decode(), self.language)
            for steps in (e.steps_before, e.steps_after)
        )
        return SimulatedExample(
            str(row.id),
            row.id,
            row.subject,
            rfc3339(row.created_at),
            self.recipient(e.before),
            self.recipient(e.after),
            before,
            after,
        )


def _load(load: Load) -> SimulatedLoad:
    return SimulatedLoad(load.conversations, load.messages, load.peak)
