"""/settings/routing: the table of questions, line by line as sentences, in force and as a draft; and who would get what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import directory, draft, reasons, rulebook, rulewords, simulation, trial
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.directory import Directory, Rule
from hub.draft import Draft
from hub.http import HOUSE, Form, read_form
from hub.outbox import NotFound
from hub.web import conditions, forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import when_for, words_for
from hub.web.screens import positive

PATH, DRAFT = "/settings/routing", "/settings/routing/draft"
TRIED = ("channel", "from", "subject", "text", "language", "at")


class Line(Struct, frozen=True):
    """A line of the table as a sentence: what is asked, and to whom it goes. ``mark``: new or changed in the draft."""

    rule: Rule
    asked: str
    to: str
    mark: str = ""


class Table(Struct, frozen=True):
    """The table in force or the draft."""

    lines: tuple[Line, ...]
    d: Directory
    draft: Draft | None
    simulations: tuple[Any, ...]


def _is_draft(request: web.Request) -> bool:
    return request.path.startswith(DRAFT)


def _here(request: web.Request) -> str:
    return DRAFT if _is_draft(request) else PATH


def _read(conn: Connection, drafted: bool, language: str) -> Table:
    d, known = directory.current(conn), draft.one(conn)
    if drafted and known is None:
        raise NotFound
    rules = known.rules if drafted and known else d.rules
    before = {rule.id: rule for rule in known.base} if drafted and known else {rule.id: rule for rule in rules}
    return Table(
        tuple(_line(d, rule, before.get(rule.id), language) for rule in rules), d, known,
        tuple(simulation.latest(conn)[:5]),
    )  # fmt: skip


def _line(d: Directory, rule: Rule, before: Rule | None, language: str) -> Line:
    asked, _, to = rulewords.in_words(d, rule, language).partition(" → ")
    return Line(rule, asked, to, "" if rule == before else "changed" if before else "new")


async def table_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/routing and /settings/routing/draft"""
    require(actor, "routing")
    return await table(request, actor)


async def table(
    request: web.Request,
    actor: Actor,
    *,
    troubles: tuple[Trouble, ...] = (),
    tried: dict[str, Any] | None = None,
    verdict: Any = None,
) -> web.Response:
    """The page with the table, what is wrong, and what was tried."""
    words, drafted = words_for(request, actor), _is_draft(request)
    try:
        found = await request.app[HOUSE].hub.db.read(_read, drafted, words.language)
    except NotFound:
        raise web.HTTPSeeOther(PATH) from None
    name = words.text("Draft of the table") if drafted else words.text("Routing")
    usual: dict[str, Any] = dict.fromkeys(TRIED, "")
    return await settings.page(
        request, actor, "routing.j2", "routing", name, status=422 if troubles else 200, troubles=troubles, table=found,
        here=_here(request), drafted=drafted, tried=tried or usual, verdict=verdict, days=30,
        most_days=simulation.MOST_DAYS, choices=conditions.choices(found.d, words),
    )  # fmt: skip


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _number(request: web.Request) -> int:
    text = request.match_info["number"]
    found = positive(text.removeprefix("-"))
    return -found if text.startswith("-") else found


def _rules(conn: Connection, drafted: bool) -> tuple[Rule, ...]:
    known = draft.one(conn) if drafted else None
    return known.rules if known else rulebook.questions(conn)


def _rule(conn: Connection, drafted: bool, number: int) -> Rule:
    found = next((rule for rule in _rules(conn, drafted) if rule.id == number), None)
    if found is None:
        raise NotFound
    return found


async def rule_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET …/<id> and …/new"""
    require(actor, "routing")
    return await _form(request, actor)


async def _form(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    db, words = request.app[HOUSE].hub.db, words_for(request, actor)
    d, rule = await db.read(directory.current), Rule(0, "rule")
    if "number" in request.match_info:
        rule = await db.read(_rule, _is_draft(request), _number(request))
    if rule.kind not in ("rule", "fallback"):
        raise NotFound
    plain = {"name": rule.name, **conditions.as_fields(rule.conditions, rule.target)}
    name = words.text("New rule") if not rule.id else rule.name or words.text("Otherwise")
    return await settings.page(
        request, actor, "rule.j2", "routing", name, status=422 if troubles else 200, troubles=troubles, rule=rule,
        here=_here(request), v=settings.given(form, plain, conditions.typed(form) if form else {}),
        choices=conditions.choices(d, words), drafted=_is_draft(request), priorities=conditions.PRIORITIES,
    )  # fmt: skip


async def save_rule(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST …/<id> and …/new"""
    require(actor, "routing")
    form, drafted = await read_form(request), _is_draft(request)
    fresh = "number" not in request.match_info

    def work(conn: Connection) -> None:
        old = Rule(0, "rule") if fresh else _rule(conn, drafted, _number(request))
        given: dict[str, Any] = {"target": conditions.read_target(form)}
        if old.kind == "rule":
            given |= {"name": forms.word(form, "name", 120), "conditions": conditions.read_conditions(form)}
        if drafted:
            draft.put(conn, structs.replace(old, **given), actor.id)
        elif fresh:
            rulebook.add(conn, given["name"], given["conditions"], given["target"], actor_id=actor.id)
        elif not rulebook.change(conn, old.id, given, None, actor.id):
            raise NotFound

    try:
        await request.app[HOUSE].hub.db.write(work)
    except (Invalid, forms.Wrong) as error:
        wrong = forms.trouble(words_for(request, actor), error, conditions.FIELDS, conditions.OTHER)
        return await _form(request, actor, form, (wrong,))
    return await settings.changed(request, _here(request), "added" if fresh else "saved")


async def _do(request: web.Request, actor: Actor, work: Callable[[Connection], None], done: str) -> web.Response:
    """Change something on the table; what is refused is said above it."""
    try:
        await request.app[HOUSE].hub.db.write(work)
    except Invalid as error:
        wrong = forms.trouble(words_for(request, actor), error, ())
        return await table(request, actor, troubles=(Trouble("", wrong.words),))
    return await settings.changed(request, _here(request), done)


async def move_rule(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST …/<id>/move: ``to`` is up, down, or a position from 1."""
    require(actor, "routing")
    form, drafted, number = await read_form(request), _is_draft(request), _number(request)
    to = forms.word(form, "to", 10)

    def work(conn: Connection) -> None:
        order = [rule.id for rule in _rules(conn, drafted)]
        if number not in order:
            raise NotFound
        at = order.index(number) + 1
        position = {"up": at - 1, "down": at + 1}.get(to) or positive(to) or at
        position = max(1, min(position, len(order)))
        if drafted:
            draft.move(conn, number, position, actor.id)
        elif position != at:
            rulebook.change(conn, number, {}, position, actor.id)

    answer = await _do(request, actor, work, "moved")
    if answer.status == 303:
        answer.headers["Location"] += f"#r{number}"
    return answer


async def switch_rule(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST …/<id>/switch: ``on`` "yes" or nothing."""
    require(actor, "routing")
    form, drafted, number = await read_form(request), _is_draft(request), _number(request)
    enabled = forms.word(form, "on", 5) == "yes"

    def work(conn: Connection) -> None:
        old = _rule(conn, drafted, number)
        if drafted:
            draft.put(conn, structs.replace(old, enabled=enabled), actor.id)
        else:
            rulebook.change(conn, number, {"enabled": enabled}, None, actor.id)

    return await _do(request, actor, work, "on" if enabled else "off")


async def remove_rule(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST …/<id>/remove"""
    require(actor, "routing")
    drafted, number = _is_draft(request), _number(request)

    def work(conn: Connection) -> None:
        _rule(conn, drafted, number)
        if drafted:
            draft.remove(conn, number, actor.id)
        else:
            rulebook.remove(conn, number, actor.id)

    return await _do(request, actor, work, "removed")


# ── the draft ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def begin_draft(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/draft"""
    require(actor, "routing")
    await request.app[HOUSE].hub.db.write(draft.begin, actor.id)
    return settings.there(DRAFT, "draft")


async def discard_draft(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/draft/discard"""
    require(actor, "routing")
    await request.app[HOUSE].hub.db.write(draft.discard)
    return settings.there(PATH, "discarded")


async def publish_draft(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/draft/publish"""
    require(actor, "routing")
    answer = await _do(request, actor, lambda conn: draft.publish(conn, actor.id), "published")
    return settings.there(PATH, "published") if answer.status == 303 else answer


# ── who would get this? ───────────────────────────────────────────────────────────────────────────────────────────────
class Verdict(Struct, frozen=True):
    """Who would get it, and the steps that led there."""

    who: str
    team: str
    steps: tuple[str, ...]


async def try_out(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/routing/try: the table in force on a contact nobody has made; nothing is written."""
    require(actor, "routing")
    form, words = await read_form(request), words_for(request, actor)
    when = when_for(request, words)
    tried = {name: forms.text(form, name, 20_000) for name in TRIED}
    contact = trial.Contact(
        positive(forms.word(form, "channel", 20)),
        forms.word(form, "from", 320),
        forms.word(form, "subject", 300),
        forms.text(form, "text"),
        language=forms.word(form, "language", 20),
        at=when.read_local(forms.word(form, "at", 40)),
    )
    try:
        decision, d = await request.app[HOUSE].hub.db.read(trial.ask, contact)
    except Invalid as error:
        wrong = forms.trouble(words, error, TRIED)
        return await table(request, actor, troubles=(wrong,), tried=tried)
    person, team = d.employees.get(decision.assignee_id or 0), d.teams.get(decision.team_id or 0)
    steps = tuple(reasons.each_in_words(decision.reason, words.language, when.until))
    verdict = Verdict(person.name if person else "", team.name if team else "", steps)
    return await table(request, actor, tried=tried, verdict=verdict)
