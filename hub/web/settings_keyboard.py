"""/settings/keyboard: one's own keys."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.engine import Connection

from hub.access import Actor
from hub.http import HOUSE, Form, read_form
from hub.i18n import Catalogue
from hub.tables import employees
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.keys import Own, Refused, check, decoded, mine, table
from hub.web.rendering import words_for

PATH = "/settings/keyboard"


def _kept(conn: Connection, actor: Actor) -> str:
    return str(conn.execute(sa.select(employees.c.keyboard).where(employees.c.id == actor.id)).scalar() or "")


def _keep(conn: Connection, actor: Actor, own: Own) -> None:
    text = "" if own == Own() else msgspec.json.encode(own).decode()
    conn.execute(sa.update(employees).where(employees.c.id == actor.id).values(keyboard=text))


async def keyboard_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/keyboard"""
    kept = await request.app[HOUSE].hub.db.read(_kept, actor)
    return await _page(request, actor, decoded(kept))


async def _page(request: web.Request, actor: Actor, own: Own, troubles: tuple[Trouble, ...] = ()) -> web.Response:
    words = words_for(request, actor)
    shown = mine(Own(False, own.keys))
    return await settings.page(
        request, actor, "keyboard.j2", "keyboard", words.text("Keyboard"), status=422 if troubles else 200,
        troubles=troubles, own=own, bindings=[(b, " / ".join(b.keys)) for b in shown],
        single={b.id for b in table() if b.single and b.id != "leave"},
    )  # fmt: skip


def _given(form: Form) -> Own:
    """What differs from the standard."""
    changed = {}
    for b in table():
        if b.single and b.id != "leave" and f"key-{b.id}" in form:
            said = _spelled(forms.word(form, f"key-{b.id}", 20))
            if said != " / ".join(b.keys):
                changed[b.id] = said
    return Own("on" not in form, changed)


def _spelled(said: str) -> str:
    """As the table has it: one upper-case letter is typed with Shift."""
    parts = [f"Shift+{p.lower()}" if len(p) == 1 and p.isupper() else p for p in said.split()]
    return said if "/" in said[1:] else " ".join(parts)


async def save_keyboard(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/keyboard: ``on``, and ``key-<action>``; or ``standard`` to forget all changes."""
    form = await read_form(request)
    own = Own() if "standard" in form else _given(form)
    try:
        check(own)
    except Refused as error:
        trouble = Trouble(f"key-{error.action}", _said(words_for(request, actor), error))
        return await _page(request, actor, own, (trouble,))
    await request.app[HOUSE].hub.db.write(_keep, actor, own)
    return await settings.changed(request, PATH)


def _said(words: Catalogue, error: Refused) -> str:
    values = {name: words.text(value) if name == "other" else value for name, value in error.values.items()}
    return words.text(error.sentence, **values)
