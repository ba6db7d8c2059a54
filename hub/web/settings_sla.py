"""/settings/sla: what is promised to customers who wait, which promise comes first, and by which hours it is measured."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, levels, rulewords
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.directory import Conditions, Directory, Rule
from hub.http import HOUSE, Form, read_form
from hub.outbox import NotFound
from hub.web import conditions, forms, settings
from hub.web.forms import Trouble, Wrong
from hub.web.rendering import words_for
from hub.web.screens import number_in

PATH = "/settings/sla"
FIELDS = (
    "name", "first_minutes", "next_minutes", "resolution_minutes", "hours",
    "kinds", "channels", "teams", "priorities", "attributes",
)  # fmt: skip


class Line(Struct, frozen=True):
    """A service level in the list; ``when`` says for whom, empty: for everybody."""

    row: Any
    when: str
    hours: str


def _all(conn: Connection, language: str) -> list[Line]:
    d = directory.current(conn)
    return [_line(d, row, language) for row in levels.all_policies(conn)]


def _line(d: Directory, row: Any, language: str) -> Line:
    asked = _conditions(row)
    said = rulewords.in_words(d, Rule(0, "rule", conditions=asked), language).partition(" → ")[0]
    opened = d.hours_of(row.hours_id)
    return Line(row, "" if asked == Conditions() else said, opened.name if opened else "")


def _conditions(row: Any) -> Conditions:
    return msgspec.json.decode(row.conditions, type=Conditions) if row.conditions else Conditions()


async def policies_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/sla"""
    require(actor, "routing")
    words = words_for(request, actor)
    lines = await request.app[HOUSE].hub.db.read(_all, words.language)
    return await settings.page(request, actor, "sla.j2", "sla", words.text("Service levels"), lines=lines)


def _one(conn: Connection, number: int) -> Any:
    found = next((row for row in levels.all_policies(conn) if row.id == number), None)
    if found is None:
        raise NotFound
    return found


async def policy_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/sla/<id> and /settings/sla/new"""
    require(actor, "routing")
    return await _form(request, actor)


async def _form(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    db, words = request.app[HOUSE].hub.db, words_for(request, actor)
    d, row = await db.read(directory.current), None
    plain: dict[str, Any] = conditions.as_fields(Conditions()) | dict.fromkeys(FIELDS[:5], "")
    if "number" in request.match_info:
        row = await db.read(_one, number_in(request))
        plain = conditions.as_fields(_conditions(row)) | {"name": row.name, "hours": row.hours_id or ""}
        plain |= {name: getattr(row, name) or "" for name in FIELDS[1:4]}
    return await settings.page(
        request, actor, "policy.j2", "sla", row.name if row else words.text("New service level"),
        status=422 if troubles else 200, troubles=troubles, row=row, priorities=conditions.PRIORITIES,
        v=settings.given(form, plain, conditions.typed(form) if form else {}), choices=conditions.choices(d, words),
    )  # fmt: skip


async def save(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/sla/<id> and /settings/sla/new"""
    require(actor, "routing")
    form = await read_form(request)
    fresh = "number" not in request.match_info

    def work(conn: Connection) -> None:
        given: dict[str, Any] = {name: forms.number(form, name) for name in FIELDS[1:4]}
        given |= {"name": forms.word(form, "name", 120), "hours_id": forms.chosen(form, "hours")}
        given["conditions"] = Conditions(
            kinds=forms.words(form, "kinds"),
            channels=forms.words(form, "channels"),
            teams=forms.words(form, "teams"),
            priorities=forms.words(form, "priorities"),
            attributes=forms.pairs(form, "attributes"),
        )
        if fresh:
            levels.add_policy(conn, {**given, "enabled": True}, None, actor.id)
        elif not levels.change_policy(conn, number_in(request), given, None, actor.id):
            raise NotFound

    try:
        await request.app[HOUSE].hub.db.write(work)
    except (Invalid, Wrong) as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS)
        field = wrong.field or ("first_minutes" if "promises" in str(error) else "")
        return await _form(request, actor, form, (Trouble(field, wrong.words),))
    return await settings.changed(request, PATH, "added" if fresh else "saved")


async def move(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/sla/<id>/move: ``to`` up or down."""
    require(actor, "routing")
    form, number = await read_form(request), number_in(request)
    to = forms.word(form, "to", 10)

    def work(conn: Connection) -> None:
        order = [row.id for row in levels.all_policies(conn)]
        if number not in order:
            raise NotFound
        at = order.index(number) + 1
        position = max(1, min({"up": at - 1, "down": at + 1}.get(to, at), len(order)))
        if position != at:
            levels.change_policy(conn, number, {}, position, actor.id)

    await request.app[HOUSE].hub.db.write(work)
    return await settings.changed(request, PATH, "moved")


async def switch(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/sla/<id>/switch: ``on`` "yes" or nothing."""
    require(actor, "routing")
    form, number = await read_form(request), number_in(request)
    enabled = forms.word(form, "on", 5) == "yes"

    def work(conn: Connection) -> bool:
        return levels.change_policy(conn, number, {"enabled": enabled}, None, actor.id)

    if not await request.app[HOUSE].hub.db.write(work):
        raise NotFound
    return await settings.changed(request, PATH, "on" if enabled else "off")


async def remove(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/sla/<id>/remove: with all its clocks, a part of them at a time."""
    require(actor, "routing")
    db, number = request.app[HOUSE].hub.db, number_in(request)
    if not await db.write(levels.change_policy, number, {"enabled": False}, None, actor.id):
        raise NotFound
    while await db.write(levels.withdraw, number):
        continue
    await db.write(levels.remove_policy, number, actor.id)
    return await settings.changed(request, PATH, "removed")
