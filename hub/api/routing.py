"""The table of questions: who gets what, and who would."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.engine import Connection

from hub import directory, reasons, rulebook, rulewords, trial
from hub.access import require
from hub.api.conversations import ClientId, Line
from hub.api.once import client_id, made_once
from hub.api.shapes import Id, name
from hub.api.wire import Call, Made, Page, route
from hub.clock import parse_time
from hub.directory import Conditions, Directory, Rule, Settings, Target
from hub.http import Problem
from hub.outbox import NotFound

Position = Annotated[int, Meta(ge=1, le=100_000)]
Weights = Annotated[dict[str, int], Meta(max_length=100)]
Fields = Annotated[dict[str, Line], Meta(max_length=100)]


class Question(Struct, frozen=True):
    """A line of the table, tried in the order of ``position``; ``words`` says it as a sentence. Only the kind ``rule`` has conditions
    and can be removed; the others are built in.
    """

    id: str
    kind: str
    name: str
    enabled: bool
    conditions: Conditions
    target: Target
    position: int
    words: str


class NewRule(Struct, forbid_unknown_fields=True):
    """When all ``conditions`` hold, ``target`` gets it. Without ``position`` it is put before the question “last”."""

    name: Line
    target: Target
    conditions: Conditions = Conditions()
    enabled: bool = True
    position: Position | None = None
    client_id: ClientId | None = None


class RuleChange(Struct, forbid_unknown_fields=True):
    """Only what is given changes, conditions and target as a whole; ``position`` moves it there and the others aside."""

    name: Line | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    conditions: Conditions | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    position: Position | UnsetType = UNSET


class RuleOrder(Struct, forbid_unknown_fields=True):
    """Every line of the table exactly once."""

    ids: Annotated[list[Id], Meta(max_length=1000)]


class RoutingSettings(Struct, forbid_unknown_fields=True):
    """``capacity`` of employees who have none of their own; ``weights``: what an open conversation takes of it, by kind of channel (1
    for kinds not named).
    """

    capacity: int
    weights: Weights


class Imagined(Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A contact that nobody has made. ``from`` is an address; ``customer`` counts more. ``fields``: what the customer chose."""

    channel: Id
    from_: Annotated[str, Meta(max_length=500)] = ""
    subject: Line = ""
    text: Annotated[str, Meta(max_length=100_000)] = ""
    customer: Id | None = None
    language: Annotated[str, Meta(max_length=40)] = ""
    fields: Fields = {}
    priority: Annotated[str, Meta(max_length=40)] = ""
    at: Annotated[str, Meta(max_length=40)] | None = None


class Verdict(Struct, frozen=True):
    """Who would get it. ``assignee`` null: it waits in the queue of ``team``, or is open to everybody. ``covering``: for whose absence
    the assignee stands in; ``others``: who else could, in order; ``reason`` tells the ``steps`` in one line.
    """

    assignee: str | None
    assignee_name: str | None
    team: str | None
    team_name: str | None
    covering: str | None
    others: list[str]
    reason: str
    steps: list[str]


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _all(conn: Connection, language: str) -> list[Question]:
    d = directory.current(conn)
    return [_shape(d, rule, place, language) for place, rule in enumerate(d.rules, 1)]


def _shape(d: Directory, rule: Rule, place: int, language: str) -> Question:
    said = rulewords.in_words(d, rule, language)
    return Question(str(rule.id), rule.kind, rule.name, rule.enabled, rule.conditions, rule.target, place, said)


async def _one(call: Call, number: int) -> Question:
    found = next((q for q in await call.read(_all, call.actor.language) if q.id == str(number)), None)
    if found is None:
        raise NotFound
    return found


@route("GET", "/routing/rules")
async def list_rules(call: Call) -> Page[Question]:
    """The whole table of questions in its order, those switched off too."""
    return Page(await call.read(_all, call.actor.language))


@route("GET", "/routing/rules/{id}")
async def get_rule(call: Call, id: int) -> Question:
    """One line of the table."""
    return await _one(call, id)


@route("POST", "/routing/rules")
async def add_rule(call: Call, body: NewRule) -> Made[Question]:
    """Make a rule; it counts for what arrives from now on."""
    require(call.actor, "routing")
    act = client_id(call, body.client_id)
    number, fresh = await made_once(call, act, _add, body, call.actor.id)
    return Made(await _one(call, number), fresh)


def _add(conn: Connection, body: NewRule, actor_id: int) -> int:
    return rulebook.add(
        conn,
        body.name,
        body.conditions,
        body.target,
        enabled=body.enabled,
        position=body.position,
        actor_id=actor_id,
    )


@route("PATCH", "/routing/rules/{id}")
async def change_rule(call: Call, id: int, body: RuleChange) -> Question:
    """Change, move, switch on or off a line of the table."""
    require(call.actor, "routing")
    given = {
        key: value for key in ("name", "enabled", "conditions", "target") if (value := getattr(body, key)) is not UNSET
    }
    position = None if body.position is UNSET else body.position
    if not await call.write(rulebook.change, id, given, position, call.actor.id):
        raise NotFound
    return await _one(call, id)


@route("DELETE", "/routing/rules/{id}")
async def remove_rule(call: Call, id: int) -> None:
    """Remove a rule; what is built in stays."""
    require(call.actor, "routing")
    if not await call.write(rulebook.remove, id, call.actor.id):
        raise NotFound


@route("PUT", "/routing/rules/order")
async def order_rules(call: Call, body: RuleOrder) -> Page[Question]:
    """Put the whole table into another order."""
    require(call.actor, "routing")
    await call.write(rulebook.arrange, [int(number) for number in body.ids], call.actor.id)
    return Page(await call.read(_all, call.actor.language))


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@route("GET", "/routing/settings")
async def get_routing_settings(call: Call) -> RoutingSettings:
    """How much people carry, and what weighs how much."""
    found = await call.read(rulebook.settings)
    return RoutingSettings(found.capacity, found.weights)


@route("PUT", "/routing/settings")
async def set_routing_settings(call: Call, body: RoutingSettings) -> RoutingSettings:
    """Replace the settings; they count from the next contact on."""
    require(call.actor, "routing")
    await call.write(rulebook.set_settings, Settings(body.capacity, body.weights), call.actor.id)
    return body


# ── who would get it ──────────────────────────────────────────────────────────────────────────────────────────────────
@route("POST", "/routing/decisions")
async def decide_routing(call: Call, body: Imagined) -> Verdict:
    """Who would get this new conversation, and why? Nothing is written. Hours and absences are those at ``at``, what people are doing is
    what they are doing now.
    """
    require(call.actor, "routing")
    at = None if body.at is None else parse_time(body.at)
    if body.at is not None and (at is None or not 0 <= at < 1 << 43):
        raise Problem(422, "“at” is no time; write it like 2026-11-24T08:00:00Z.", field="at")
    contact = trial.Contact(
        int(body.channel),
        body.from_,
        body.subject,
        body.text,
        int(body.customer) if body.customer else None,
        body.language,
        body.fields,
        body.priority,
        at,
    )
    decision, d = await call.read(trial.ask, contact)
    person, team = d.employees.get(decision.assignee_id or 0), d.teams.get(decision.team_id or 0)
    return Verdict(
        name(decision.assignee_id),
        person.name if person else None,
        name(decision.team_id),
        team.name if team else None,
        name(decision.covering_id),
        [str(number) for number in decision.others],
        reasons.in_words(decision.reason, call.actor.language),
        reasons.each_in_words(decision.reason, call.actor.language),
    )
