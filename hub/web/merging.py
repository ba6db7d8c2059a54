"""“Is the same as …”: two customers side by side with what speaks for it, the merge, its undoing; and “this is somebody else”."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import acquaintances, addresses, customers, handing, inbox, likeness
from hub.access import Actor, require
from hub.acquaintances import Acquaintance
from hub.customers import CustomerRow, Impossible, Taken
from hub.http import HOUSE, read_form
from hub.inbox import Row
from hub.likeness import Evidence, MergeRow
from hub.outbox import NotFound
from hub.web import forms, panel, reads
from hub.web.customers import Found, done, find, q_of, there
from hub.web.forms import Trouble, Wrong
from hub.web.pages import title
from hub.web.places import beside
from hub.web.rendering import show, words_for
from hub.web.screens import is_part, number_in, positive

MOST = 8


class Pair(Struct, frozen=True):
    """A customer, perhaps another one who may be the same, what speaks for it, and the merges that made them."""

    row: CustomerRow
    about: Acquaintance
    other: CustomerRow | None
    about_other: Acquaintance | None
    evidence: tuple[Evidence, ...]
    merges: tuple[MergeRow, ...]
    found: Found
    around: reads.Around


def _pair(conn: Connection, actor: Actor, number: int, other: int, q: str) -> Pair:
    require(actor, "customers")
    row = customers.one(conn, actor, number)
    second = customers.one(conn, actor, other) if other else None
    if second is not None and second.id == row.id:
        second = None
    known = acquaintances.acquaintances(conn, actor, [row.id, *([second.id] if second else [])])
    hits = find(conn, actor, q, 2**62, MOST).people if q else []
    return Pair(
        row,
        known[0],
        second,
        known[1] if second else None,
        likeness.evidence(conn, actor, row, second) if second else (),
        tuple(likeness.merges_in(conn, row.id)),
        Found([hit for hit in hits if hit.id != row.id]),
        reads.around(conn, actor),
    )


async def same_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers/<id>/same?q=&other=: look for the other one, then both side by side."""
    return await _same(request, actor)


async def _same(request: web.Request, actor: Actor, trouble: str = "") -> web.Response:
    house, words = request.app[HOUSE], words_for(request, actor)
    other, q = positive(request.query.get("other", "")), q_of(request)
    pair = await house.hub.db.read(_pair, actor, number_in(request), other, q)
    values: dict[str, Any] = {"found": pair.found, "q": q, "to": f"/customers/{pair.row.id}/same?other="}
    if is_part(request):
        return show(request, "customers_found.j2", actor, **values)
    name = words.text("Is the same as …")
    troubles = (Trouble("", words.sentence(trouble)),) if trouble else ()
    return show(
        request, "customer_same.j2", actor, status=422 if trouble else 200, pair=pair, reasons=panel.reasons(pair.evidence, words),
        around=pair.around, place=None, screen_name="customers", heading=name, troubles=troubles, done=done(request, words),
        title=title(house.company, (), name, pair.row.name), tab="customers", **values,
    )  # fmt: skip


async def merge(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/same?other=: ``keep`` is the id of the one who stays, ``why`` what else speaks for it."""
    house, form = request.app[HOUSE], await read_form(request)
    number, other = number_in(request), positive(request.query.get("other", ""))
    words, why = words_for(request, actor), forms.word(form, "why", 300)

    def work(conn: Connection) -> int:
        one, two = customers.one(conn, actor, number), customers.one(conn, actor, other)
        said = panel.reasons(likeness.evidence(conn, actor, one, two), words)
        stays, goes = (two, one) if forms.chosen(form, "keep") == two.id else (one, two)
        customers.merge(conn, actor, stays.id, goes.id, "; ".join([*said, *([why] if why else [])]))
        return stays.id

    try:
        winner = await house.hub.db.write(work)
    except Impossible as error:
        return await _same(request, actor, str(error))
    house.hub.bus.publish()
    return there(f"/customers/{winner}/same", "merged")


async def unmerge(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/merges/<merge>/undo: to the customer who is one of their own again."""
    house = request.app[HOUSE]
    loser = await house.hub.db.write(customers.unmerge, actor, number_in(request), number_in(request, "merge"))
    house.hub.bus.publish()
    return there(f"/customers/{loser}/same", "unmerged")


# ── a conversation of somebody else ───────────────────────────────────────────────────────────────────────────────────
class Whose(Struct, frozen=True):
    """A conversation that shall be another customer's."""

    row: Row
    found: Found
    around: reads.Around


def _whose(conn: Connection, actor: Actor, number: int, q: str) -> Whose:
    require(actor, "customers")
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    hits = find(conn, actor, q, 2**62, MOST).people if q else []
    return Whose(row, Found([hit for hit in hits if hit.id != row.customer_id]), reads.around(conn, actor))


async def whose_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/customer?find=: who it is instead."""
    return await _whose_page(request, actor, ())


async def _whose_page(request: web.Request, actor: Actor, troubles: tuple[Trouble, ...], **typed: str) -> web.Response:
    house, words, q = request.app[HOUSE], words_for(request, actor), q_of(request, "find")
    whose = await house.hub.db.read(_whose, actor, number_in(request), q)
    values: dict[str, Any] = {"found": whose.found, "q": q, "to": "", "give": whose.row.id}
    place = beside(request.query)
    hidden = dict(parse_qsl(place.conversation(0).partition("?")[2]))
    if is_part(request):
        return show(request, "customers_found.j2", actor, beside=place, **values)
    name = words.text("This is somebody else")
    return show(
        request, "customer_whose.j2", actor, status=422 if troubles else 200, row=whose.row, around=whose.around, place=None,
        beside=place, hidden=hidden, heading=name, screen_name="customers", troubles=troubles, v={"name": "", "address": "", **typed},
        title=title(house.company, (), name, whose.row.subject or whose.row.customer), tab="inbox", done="", **values,
    )  # fmt: skip


async def give(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /c/<number>/customer: ``customer`` is the id of who it is; or ``name`` and ``address`` of somebody new."""
    house, form, number = request.app[HOUSE], await read_form(request), number_in(request)
    name, address = forms.word(form, "name"), forms.word(form, "address", 400)
    chosen = forms.chosen(form, "customer")
    try:
        if not chosen:
            chosen = await house.hub.db.write(_somebody, actor, number, name, address)
    except (Impossible, Taken, Wrong) as error:
        said = forms.trouble(words_for(request, actor), error, ("name", "address"))
        field = said.field or ("address" if isinstance(error, Taken) else "name")
        return await _whose_page(request, actor, (Trouble(field, said.words),), name=name, address=address)
    still_theirs = await house.hub.db.write(_give, actor, number, chosen)
    house.hub.bus.publish()
    place = beside(request.query)
    return there(place.conversation(number) if still_theirs else place.url())


def _somebody(conn: Connection, actor: Actor, number: int, name: str, address: str) -> int:
    """A new customer. In a transaction of its own: its event would come before the conversation's lock (see `hub.store`)."""
    if inbox.one(conn, actor, number) is None:
        raise NotFound
    try:
        given = [addresses.normal(address)] if address else []
    except ValueError as error:
        raise Wrong("address", str(error)) from error
    return customers.add(conn, actor, name, given, None, {})


def _give(conn: Connection, actor: Actor, number: int, customer_id: int) -> bool:
    handing.give(conn, actor, number, customer_id)
    return inbox.one(conn, actor, number) is not None
