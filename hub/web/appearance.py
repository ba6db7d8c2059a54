"""How somebody wants their screens to look and to behave: theme, density, how wide the panels are, what Enter does.

Kept on the server, so that every device knows.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec
import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub.access import Actor
from hub.http import HOUSE, Form, Problem, read_form
from hub.tables import employees
from hub.web.forms import word
from hub.web.screens import is_part, positive

Theme = Literal["", "system", "light", "dark"]
Density = Literal["", "compact"]
#: What Enter does where somebody writes: begin a new line, or send.
Enter = Literal["line", "send"]

#: The least and the most width (px) of the list and of the customer's panel; 0 is the usual one.
WIDTHS = {"list": (260, 560), "panel": (240, 520)}


class Appearance(Struct, frozen=True, omit_defaults=True):
    """``theme`` empty: never chosen here, so what the device once kept holds. Widths in px, 0: as designed. ``enter_mail``,
    ``enter_chat``: what Enter does in an e-mail and in a message of any other kind, with a keyboard (ux.md section 6.6).
    """

    theme: Theme = ""
    density: Density = ""
    list: int = 0
    panel: int = 0
    enter_mail: Enter = "line"
    enter_chat: Enter = "send"

    @property
    def css(self) -> str:
        """The widths as a rule of style; empty as designed."""
        said = [f"--{name}:{px}px" for name, px in (("wl", self.list), ("wc", self.panel)) if px]
        return f":root{{{';'.join(said)}}}" if said else ""


def decoded(kept: str) -> Appearance:
    """What the database keeps of somebody."""
    return msgspec.json.decode(kept, type=Appearance) if kept else Appearance()


def _changed(now: Appearance, form: Form) -> Appearance:
    """What the form wants otherwise. Raises `Problem` 400."""
    if "theme" in form:
        theme = word(form, "theme", 10) or "system"
        if theme not in get_args(Theme):
            raise Problem(400, "Choose one of the entries in the list.")
        now = structs.replace(now, theme=theme)
    if "density" in form:
        density = word(form, "density", 10)
        if density not in get_args(Density):
            raise Problem(400, "Choose one of the entries in the list.")
        now = structs.replace(now, density=density)
    for name in ("enter_mail", "enter_chat"):
        if name in form:
            does = word(form, name, 10)
            if does not in get_args(Enter):
                raise Problem(400, "Choose one of the entries in the list.")
            now = structs.replace(now, **{name: does})
    for name, (least, most) in WIDTHS.items():
        if name in form:
            width = positive(word(form, name, 6))
            now = structs.replace(now, **{name: min(max(width, least), most) if width else 0})
    return now


async def set_appearance(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/appearance: any of ``theme``, ``density``, ``list``, ``panel``, ``enter_mail``, ``enter_chat``; what is not said stays."""
    form = await read_form(request)

    def work(conn: Connection) -> None:
        mine = employees.c.id == actor.id
        kept = conn.execute(sa.select(employees.c.appearance).where(mine)).scalar() or ""
        wanted = _changed(decoded(kept), form)
        text = "" if wanted == Appearance() else msgspec.json.encode(wanted).decode()
        conn.execute(sa.update(employees).where(mine).values(appearance=text))

    await request.app[HOUSE].hub.db.write(work)
    if is_part(request):
        return web.Response(status=204)
    return web.Response(status=303, headers={"Location": "/me"})
