"""/settings/channels: the channels of the house; and everything about a web chat, with the real thing beside it."""

from __future__ import annotations

import re
import secrets
from typing import Any

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import administration, directory, sites
from hub.access import Actor, require
from hub.channels import ChannelRow, Invalid, all_rows, one
from hub.http import HOUSE, Form, read_form
from hub.i18n import Catalogue
from hub.outbox import NotFound
from hub.sites import Seen
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import words_for
from hub.web.screens import number_in
from hub.web.widget_settings import legible

PATH = "/settings/channels"
#: The form's fields, as the channel's settings are called with “-” for the dot.
LINES = (
    "allowed_origins",
    "colour",
    "side",
    "privacy_url",
    "invite-seconds",
    "invite-pages",
    "form-name",
    "form-email",
)
TEXTS = ("title", "greeting", "away", "quick")


class Line(Struct, frozen=True):
    """A channel in the list."""

    row: ChannelRow
    label: str
    team: str
    chat: bool
    seen: Seen | None


async def channels_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/channels"""
    require(actor, "channels")
    words, hub = words_for(request, actor), request.app[HOUSE].hub
    lines = await hub.db.read(_lines, hub.box, words.language)
    return await settings.page(request, actor, "channel_list.j2", "channels", words.text("Channels"), lines=lines)


def _lines(conn: Connection, box: Any, language: str) -> list[Line]:
    d, seen = directory.current(conn), sites.seen(conn)
    found = []
    for row in all_rows(conn, box):
        kind = administration.adapter_of(row)
        team = d.teams.get(row.team_id or 0)
        label = kind.labels.get(language) or kind.labels.get("en") or row.config.kind
        found.append(Line(row, label, team.name if team else "", kind.widget, seen.get(row.config.id)))
    return found


async def chat_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/channels/<id>/chat"""
    require(actor, "channels")
    return await _form(request, actor)


def _one(conn: Connection, box: Any, number: int) -> tuple[ChannelRow, Seen | None]:
    row = one(conn, box, number)
    if row is None or not administration.adapter_of(row).widget:
        raise NotFound
    return row, sites.seen(conn).get(number)


def _plain(row: ChannelRow) -> dict[str, Any]:
    said = row.config.text
    names = [*LINES, *(f"{name}-{lang}" for name in TEXTS for lang in ("en", "de"))]
    plain: dict[str, Any] = {name: said(name.replace("-", ".")) for name in names}
    plain["form-consent"] = ["1"] if said("form.consent") == "True" else []
    return plain | {"name": row.config.name}


async def _form(
    request: web.Request,
    actor: Actor,
    form: Form | None = None,
    troubles: tuple[Trouble, ...] = (),
    fresh_secret: str = "",
) -> web.Response:
    house = request.app[HOUSE]
    row, seen = await house.hub.db.read(_one, house.hub.box, number_in(request))
    plain = _plain(row)
    colour = row.config.text("colour") or "#2c53d6"
    return await settings.page(
        request, actor, "chat_settings.j2", "channels", row.config.name,
        status=422 if troubles else 200, troubles=troubles, row=row, seen=seen, public_url=house.public_url,
        v=settings.given(form, plain, forms.kept(form) if form is not None else {}),
        darkened=legible(colour) if legible(colour) != colour else "", colour=colour,
        has_secret=bool(row.config.text("identity_secret")), fresh_secret=fresh_secret, samples=SAMPLES,
        snippet=f'<script async src="{house.public_url}/w/{row.config.key}/embed.js"></script>',
    )  # fmt: skip


async def save_chat(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/channels/<id>/chat"""
    require(actor, "channels")
    form, number, hub = await read_form(request), number_in(request), request.app[HOUSE].hub
    given: dict[str, Any] = {n.replace("-", "."): forms.word(form, n, 2000) or None for n in LINES}
    for name in TEXTS:
        given |= {f"{name}.{lang}": forms.text(form, f"{name}-{lang}", 2000).strip() or None for lang in ("en", "de")}
    given["form.consent"] = bool(forms.word(form, "form-consent"))
    await hub.db.read(_one, hub.box, number)
    try:
        await hub.db.write(
            administration.change_channel,
            hub.box,
            number,
            given,
            name=forms.word(form, "name", 120) or None,
            actor_id=actor.id,
        )
    except Invalid as error:
        return await _form(request, actor, form, (_trouble(words_for(request, actor), error, given),))
    await hub.load_channels()
    return await settings.changed(request, f"{PATH}/{number}/chat")


def _trouble(words: Catalogue, error: Invalid, given: dict[str, Any]) -> Trouble:
    """The refusal at the field it names; the core calls it by the setting's key."""
    found = forms.trouble(words, error, (), {key: key.replace(".", "-") for key in given})
    named = re.search(r"“([\w.]+)”", str(error))
    return found if found.field or not named else Trouble(named[1].replace(".", "-"), found.words)


async def new_secret(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/channels/<id>/secret: a fresh secret for signed identities, shown this once."""
    require(actor, "channels")
    hub, number, fresh = request.app[HOUSE].hub, number_in(request), secrets.token_urlsafe(32)
    await hub.db.read(_one, hub.box, number)
    given = {"identity_secret": fresh}
    await hub.db.write(administration.change_channel, hub.box, number, given, actor_id=actor.id)
    hub.bus.publish()
    await hub.load_channels()
    answer = await _form(request, actor, fresh_secret=fresh)
    answer.headers["Cache-Control"] = "no-store"
    return answer


#: How a firm's server signs a user's id, by language; SECRET is the chat's.
SAMPLES = (
    (
        "Python",
        "import hashlib, hmac\n\nsignature = hmac.new(SECRET.encode(), str(user.id).encode(), hashlib.sha256).hexdigest()",
    ),
    ("PHP", "$signature = hash_hmac('sha256', (string) $user->id, SECRET);"),
    (
        "Node",
        "const crypto = require('node:crypto');\n\n"
        "const signature = crypto.createHmac('sha256', SECRET).update(String(user.id)).digest('hex');",
    ),
    (
        "HTML",
        '<script async src="…/embed.js" data-user="42" data-signature="…" data-name="Kim" data-email="kim@example.com">'
        "</script>\n\n// or later, and null when they sign out:\n"
        "hubChat.identify({ user: '42', signature: '…' });\nhubChat.identify({ jwt: '…' });\nhubChat.identify(null);",
    ),
)
