"""/customers: finding a customer; and what is known of one, to be changed: name, company, who is responsible, attributes, addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import acquaintances, addresses, customers
from hub.access import Actor, access_customer, require
from hub.acquaintances import Acquaintance
from hub.customers import CustomerRow, Impossible, Taken
from hub.http import HOUSE, Form, read_form
from hub.i18n import Catalogue
from hub.tables import customers as table
from hub.tables import employees
from hub.text import by_name, clean_line
from hub.web import forms, panel, reads
from hub.web.forms import Trouble, Wrong
from hub.web.pages import title
from hub.web.panel import Panel, spelled
from hub.web.places import beside
from hub.web.rendering import show, words_for
from hub.web.screens import is_part, number_in, positive

#: Customers on one page, people who can be responsible, attributes a form takes.
MOST, PEOPLE, ATTRIBUTES = 50, 500, 200
FIELDS = ("name", "company", "owner", "address")
#: What was done, by the word in ``?done=``.
DONE = {
    "saved": "Saved.",
    "added": "Added.",
    "removed": "Removed.",
    "merged": "The two are one now.",
    "unmerged": "The merge is undone: this customer is one of their own again.",
}


class Found(Struct, frozen=True):
    """One page of customers; ``next`` is where the next one begins (0: this was the last)."""

    people: list[Acquaintance]
    next: int = 0


def find(conn: Connection, actor: Actor, q: str, before: int, most: int = MOST) -> Found:
    """A page of the search."""
    ids = acquaintances.search(conn, actor, q, before, most + 1)
    people = acquaintances.acquaintances(conn, actor, ids[:most])
    return Found(people, ids[most - 1] if len(ids) > most else 0)


def q_of(request: web.Request, name: str = "q") -> str:
    """What is searched for."""
    return clean_line(request.query.get(name, ""), 200)


async def list_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers?q=&before=; our own script takes only the list out of it."""
    house, q = request.app[HOUSE], q_of(request)
    before = positive(request.query.get("before", "")) or 2**62

    def work(conn: Connection) -> tuple[Found, reads.Around | None]:
        return find(conn, actor, q, before), None if is_part(request) else reads.around(conn, actor)

    found, around = await house.hub.db.read(work)
    name = words_for(request, actor).text("Customers")
    template = "customers_found.j2" if is_part(request) else "customers.j2"
    return show(
        request, template, actor, found=found, around=around, q=q, place=None, screen_name="customers", to="/customers/",
        heading=name, done="", troubles=(), tab="customers", title=title(house.company, (), q, name),
    )  # fmt: skip


# ── one customer's form ───────────────────────────────────────────────────────────────────────────────────────────────
class Sheet(Struct, frozen=True):
    """Everything about a customer that can be changed, and who could be responsible for them."""

    row: CustomerRow
    panel: Panel
    people: tuple[tuple[int, str], ...]
    around: reads.Around


def _people(conn: Connection) -> tuple[tuple[int, str], ...]:
    """Who could be responsible, by name."""
    e = employees.c
    found = conn.execute(sa.select(e.id, e.name).where(e.disabled_at.is_(None)).order_by(e.name).limit(PEOPLE))
    return tuple(sorted(((p.id, p.name) for p in found), key=lambda p: by_name(p[1])))


def sheet(conn: Connection, actor: Actor, number: int) -> Sheet:
    """The customer's form. Raises `NotFound`, `access.Forbidden`."""
    require(actor, "customers")
    row = customers.one(conn, actor, number)
    return Sheet(
        row,
        panel.of(conn, actor, row),
        _people(conn),
        reads.around(conn, actor),
    )


def done(request: web.Request, words: Catalogue) -> str:
    """What was just done, in words."""
    said = DONE.get(request.query.get("done", ""), "")
    return words.text(said) if said else ""


async def edit_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers/<id>/edit"""
    return await _edit(request, actor, number_in(request))


async def new_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers/new"""
    return await _edit(request, actor, 0)


async def _edit(
    request: web.Request, actor: Actor, number: int, form: Form | None = None, troubles: Sequence[Trouble] = ()
) -> web.Response:
    house, words = request.app[HOUSE], words_for(request, actor)

    def blank(conn: Connection) -> Sheet:
        require(actor, "customers")
        row = CustomerRow(0, "", None, {}, 0, ())
        return Sheet(
            row,
            Panel(),
            _people(conn),
            reads.around(conn, actor),
        )

    known = await house.hub.db.read(sheet, actor, number) if number else await house.hub.db.read(blank)
    row = known.row
    plain = {"name": row.name, "owner": row.owner_id or "", "company": known.panel.company, "address": ""}
    heading = row.name or words.text("New customer")
    return show(
        request, "customer_edit.j2", actor, status=422 if troubles else 200, row=row, known=known.panel, people=known.people,
        around=known.around, v={**plain, **(forms.kept(form) if form is not None else {})}, troubles=tuple(troubles),
        place=None, screen_name="customers", heading=heading, done=done(request, words), tab="customers",
        title=title(house.company, (), heading, words.text("Customers")),
    )  # fmt: skip


def _company(conn: Connection, actor: Actor, wanted: str) -> int | None:
    """The customer who is meant by a name or number; None for nothing. Raises `Wrong`."""
    if not wanted:
        return None
    number = positive(wanted.removeprefix("#"))
    if number:
        found = access_customer(conn, actor, number)
        if found is not None:
            return int(found.id)
    c = table.c
    named = acquaintances.search(conn, actor, wanted, 2**62, 20)
    exact = conn.execute(sa.select(c.id).where(c.id.in_(named), c.name == wanted)).scalars().all()
    if len(exact) == 1 or len(named) == 1:
        return int((exact or named)[0])
    if not named:
        raise Wrong("company", "There is no customer of this name. Make the company a customer first.")
    raise Wrong("company", "Several customers are called like this. Write the number of the one you mean.")


async def save(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/edit and /customers/new: name, company, who is responsible; for a new one also an address."""
    form, number = await read_form(request), number_in(request) if "number" in request.match_info else 0
    wanted = forms.word(form, "company")
    name, owner = forms.word(form, "name"), forms.chosen(form, "owner")

    def work(conn: Connection) -> int:
        if not number:
            given = _addresses(form)
            return customers.add(conn, actor, name, given, owner, {}, _company(conn, actor, wanted))
        row = customers.one(conn, actor, number)
        same = wanted and wanted == panel.of(conn, actor, row).company
        company = row.company_id if same else _company(conn, actor, wanted)
        return customers.change(conn, actor, number, name=name, owner_id=owner, company_id=company)

    try:
        made = await request.app[HOUSE].hub.db.write(work)
    except (Impossible, Taken, Wrong) as error:
        return await _edit(request, actor, number, form, [_trouble(request, actor, error)])
    request.app[HOUSE].hub.bus.publish()
    return there(f"/customers/{made}/edit" if not number else f"/customers/{made}", "added" if not number else "")


def there(path: str, what: str = "") -> web.Response:
    """To a page, which says what was done."""
    return web.Response(status=303, headers={"Location": f"{path}?done={what}" if what else path})


def _trouble(request: web.Request, actor: Actor, error: Exception) -> Trouble:
    words = words_for(request, actor)
    said = forms.trouble(words, error, FIELDS)
    guess = "address" if isinstance(error, Taken) else "owner" if "employee" in str(error) else "name"
    return Trouble(said.field or guess, said.words)


def _addresses(form: Form) -> list[str]:
    """The address in the form, as the hub spells it. Raises `Wrong`."""
    given = forms.word(form, "address", 400)
    try:
        return [addresses.normal(given)] if given else []
    except ValueError as error:
        raise Wrong("address", str(error)) from error


async def add_address(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/addresses"""
    form, number = await read_form(request), number_in(request)

    def work(conn: Connection) -> None:
        given = _addresses(form)
        if not given:
            raise Wrong("address", "Write an address, like a@b.example or +49 30 1234.")
        customers.add_address(conn, actor, number, given[0], "", bool(forms.word(form, "verified", 5)))

    try:
        await request.app[HOUSE].hub.db.write(work)
    except (Taken, Wrong) as error:
        return await _edit(request, actor, number, form, [_trouble(request, actor, error)])
    request.app[HOUSE].hub.bus.publish()
    return there(f"/customers/{number}/edit", "added")


async def remove_address(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/addresses/<identity>/remove"""
    number = number_in(request)
    await request.app[HOUSE].hub.db.write(customers.remove_address, actor, number, number_in(request, "identity"))
    request.app[HOUSE].hub.bus.publish()
    return there(f"/customers/{number}/edit", "removed")


# ── attributes ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def set_attributes(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /customers/<id>/attributes: names and values in pairs; an empty value removes, what reads as before stays as it is.

    With ``?c=`` back to that conversation.
    """
    form, number = await read_form(request), number_in(request)
    given = _pairs(form)

    def work(conn: Connection) -> int:
        old = customers.one(conn, actor, number).attributes
        return customers.change(conn, actor, number, attributes=_changed(old, given))

    try:
        found = await request.app[HOUSE].hub.db.write(work)
    except Impossible as error:
        return await _edit(request, actor, number, form, [Trouble("", words_for(request, actor).sentence(str(error)))])
    request.app[HOUSE].hub.bus.publish()
    home = positive(request.query.get("c", ""))
    return there(beside(request.query).conversation(home) if home else f"/customers/{found}")


def _pairs(form: Form) -> dict[str, str]:
    names = [clean_line(v, 100) for v in form.getall("key", [])[: ATTRIBUTES + 1] if isinstance(v, str)]
    values = [clean_line(v, 5000) for v in form.getall("value", [])[: ATTRIBUTES + 1] if isinstance(v, str)]
    return {key: value for key, value in zip(names, values, strict=False) if key}


def _changed(old: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """What differs: values keep their kind (number, yes or no) as long as nobody writes something else."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        if not value:
            if key in old:
                found[key] = None
        elif key not in old or spelled(old[key]) != value:
            found[key] = value
    return found
