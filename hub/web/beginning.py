"""/new: writing to somebody first. Whom (a customer, or an address nobody knows yet), then by what, then the words."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import addresses, beginning, customers, identity
from hub.access import Actor, access_customer, require
from hub.beginning import Start
from hub.customers import CustomerRow
from hub.http import HOUSE, Form, House, read_form
from hub.messages import Party
from hub.outbox import CannotSend, Draft
from hub.web import forms, reads
from hub.web.customers import Found, find, q_of
from hub.web.forms import Trouble
from hub.web.pages import title
from hub.web.rendering import show, words_for
from hub.web.screens import is_part, positive

MOST = 8


class Wanted(Struct, frozen=True):
    """Whom the new conversation is with: a customer, or an address; and by what it can begin."""

    customer: CustomerRow | None
    address: str
    starts: tuple[Start, ...]
    found: Found
    around: reads.Around


def normal(text: str) -> str:
    """An address as the hub spells it; empty when it is none."""
    try:
        return addresses.normal(text) if text else ""
    except ValueError:
        return ""


def _whom(conn: Connection, actor: Actor, house: House, number: int, to: str) -> tuple[CustomerRow | None, list[Start]]:
    require(actor, "reply")
    row = customers.one(conn, actor, number) if number else None
    if row is None and to:
        known = identity.find(conn, [to]).get(to)
        if known is not None and access_customer(conn, actor, known.id) is not None:
            row = customers.one(conn, actor, known.id)
    if row is not None:
        return row, beginning.starts(conn, house.hub.channels, row.id)
    return None, beginning.starts_to(house.hub.channels, to) if to else []


def _wanted(conn: Connection, actor: Actor, house: House, number: int, to: str, q: str) -> Wanted:
    row, found = _whom(conn, actor, house, number, to)
    hits = Found([]) if row is not None or to else Found(find(conn, actor, q, 2**62, MOST).people)
    return Wanted(row, to, tuple(found), hits, reads.around(conn, actor))


async def new_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /new?q= looks for somebody; ?customer= or ?to= is whom one writes to."""
    return await _new(request, actor)


async def _new(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: Sequence[Trouble] = ()
) -> web.Response:
    house, words, q = request.app[HOUSE], words_for(request, actor), q_of(request)
    number, to = positive(request.query.get("customer", "")), normal(request.query.get("to", "")[:400])
    wanted = await house.hub.db.read(_wanted, actor, house, number, to, q)
    values: dict[str, Any] = {"found": wanted.found, "q": q, "to": "/new?customer=", "write_to": normal(q)}
    if is_part(request):
        return show(request, "customers_found.j2", actor, **values)
    name = words.text("New conversation")
    usable = [start for start in wanted.starts if not start.closed]
    plain = {"via": _key(usable[0]) if usable else "", "subject": "", "text": "", "name": ""}
    client_id = forms.word(form, "client_id", 100) if form is not None else ""
    return show(
        request, "new.j2", actor, status=422 if troubles else 200, wanted=wanted, key=_key, usable=usable,
        v={**plain, **(forms.kept(form) if form is not None else {})}, client_id=client_id or secrets.token_urlsafe(12),
        around=wanted.around, place=None, heading=name, troubles=tuple(troubles), tab="new", done="",
        title=title(house.company, (), name), **values,
    )  # fmt: skip


def _key(start: Start) -> str:
    """The channel and the address, as one choice."""
    return f"{start.channel_id} {start.address}"


async def begin(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /new?customer= or ?to=: ``via`` names channel and address; to the conversation, where it can be taken back."""
    house, form = request.app[HOUSE], await read_form(request)
    number, to = positive(request.query.get("customer", "")), normal(request.query.get("to", "")[:400])
    via, _, address = forms.word(form, "via", 440).partition(" ")

    def work(conn: Connection) -> int:
        row, starts = _whom(conn, actor, house, number, to)
        start = next((s for s in starts if (str(s.channel_id), s.address) == (via, address)), None)
        if start is None:
            raise CannotSend("Choose by which channel the message goes.")
        draft = Draft(
            forms.text(form, "text", 200_000),
            forms.word(form, "client_id", 100),
            via=start.channel_id,
            to=(Party(start.address, forms.word(form, "name")),),
            subject=forms.word(form, "subject", 500) if start.subject else "",
        )
        if not draft.client_id:
            raise CannotSend("The form is too old. Send it again.")
        wait = house.hub.options.undo_seconds
        return beginning.begin(conn, actor, house.hub.channels, wait, draft, row.id if row else None)

    try:
        home = await house.hub.db.write(work)
    except CannotSend as error:
        said = words_for(request, actor).sentence(str(error))
        field = "via" if "hannel" in str(error) else "text"
        return await _new(request, actor, form, [Trouble(field, said)])
    house.hub.bus.publish()
    return web.Response(status=303, headers={"Location": f"/c/{home}?in=mine"})
