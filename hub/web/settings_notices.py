"""Settings, notifications: how I am told of things, quiet hours, and the devices that Web Push goes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast, get_args

import msgspec
from aiohttp import web
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import notify, pushing, webpush
from hub.access import Actor
from hub.accounts import token_hash
from hub.http import BODY, HOUSE, Form, Problem, in_time, read_form
from hub.i18n import Catalogue
from hub.notices import TONES, Announce, Wishes, minute_of
from hub.pushing import Device
from hub.sessions import session_token
from hub.text import clean_line
from hub.web import forms, settings
from hub.web.forms import Trouble
from hub.web.rendering import when_for, words_for
from hub.web.screens import number_in

PATH = "/settings/notifications"
#: Bytes of what a browser tells of itself.
MOST_BODY = 8000
T = TypeVar("T")


class Keys(Struct):
    """The keys of a browser, base64url."""

    p256dh: str
    auth: str


class Given(Struct):
    """What ``PushSubscription.toJSON()`` says."""

    endpoint: str
    keys: Keys


class Gone(Struct):
    """A browser that wants nothing any more."""

    endpoint: str


async def notices_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/notifications"""
    return await _page(request, actor)


async def _page(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    house, words = request.app[HOUSE], words_for(request, actor)

    def look(conn: Connection) -> tuple[Wishes, list[Device], str]:
        wishes = notify.wishes_of(conn, [actor.id])[actor.id]
        return wishes, pushing.devices(conn, actor), pushing.public_key(conn, house.hub.box)

    wishes, devices, key = await house.hub.db.read(look)
    shown = _read(form, "") if form is not None else wishes
    return await settings.page(
        request, actor, "notices.j2", "notifications", words.text("Notifications"), status=422 if troubles else 200,
        troubles=troubles, w=shown, devices=devices, key=key, tones=_tones(words),
    )  # fmt: skip


def _tones(words: Catalogue) -> list[tuple[str, str]]:
    _ = words.text
    return list(zip(TONES, (_("Drop"), _("Wood"), _("Bell")), strict=True))


def _read(form: Form, zone: str) -> Wishes:
    volume = forms.word(form, "volume", 5)
    tone = forms.word(form, "tone", 20)
    return Wishes(
        desktop=forms.word(form, "desktop", 5) == "yes",
        sound=forms.word(form, "sound", 5) == "yes",
        push=forms.word(form, "push", 5) == "yes",
        volume=min(int(volume), 100) if volume.isascii() and volume.isdecimal() else 60,
        tone=tone if tone in TONES else TONES[0],
        quiet_from=forms.word(form, "quiet_from", 5),
        quiet_to=forms.word(form, "quiet_to", 5),
        zone=zone,
        alone=forms.word(form, "alone", 5) == "yes",
    )


async def save_notices(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/notifications"""
    form = await read_form(request)
    words = words_for(request, actor)
    given = _read(form, str(when_for(request, words).place))
    wrong = [
        Trouble(name, words.text("Write times like 18:30, or leave both empty."))
        for name, time in (("quiet_from", given.quiet_from), ("quiet_to", given.quiet_to))
        if (time or given.quiet_from or given.quiet_to) and minute_of(time) is None
    ]
    if wrong:
        return await _page(request, actor, form, tuple(wrong))
    await request.app[HOUSE].hub.db.write(_save, actor.id, lambda kept: structs.replace(given, announce=kept.announce))
    return await settings.changed(request, PATH)


def _save(conn: Connection, employee_id: int, change: Callable[[Wishes], Wishes]) -> None:
    """What is chosen on another page stays as it is."""
    kept = notify.wishes_of(conn, [employee_id])[employee_id]
    notify.save_wishes(conn, employee_id, change(kept))


async def set_announce(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /me/announce: what a screen reader says of new messages in the open conversation."""
    chosen = forms.word(await read_form(request), "announce", 10)
    if chosen not in get_args(Announce):
        raise Problem(400, "Choose one of the entries in the list.")
    announce = cast(Announce, chosen)
    await request.app[HOUSE].hub.db.write(_save, actor.id, lambda kept: structs.replace(kept, announce=announce))
    return web.Response(status=303, headers={"Location": "/me"})


async def try_push(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/notifications/test: something to see on every device."""
    await request.app[HOUSE].hub.db.write(pushing.try_out, actor)
    return settings.there(PATH, "tried")


async def add_device(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/notifications/devices: a browser has subscribed."""
    house, given = request.app[HOUSE], await _json(request, Given)
    try:
        checked = webpush.subscription(given.endpoint, given.keys.p256dh, given.keys.auth, anywhere=house.push_anywhere)
        device = clean_line(request.headers.get("User-Agent", ""), 200)
        session = token_hash(session_token(request)) if session_token(request) else ""
        await house.hub.db.write(pushing.subscribe, actor, session, checked, device)
    except webpush.Invalid as error:
        raise Problem(422, str(error)) from error
    return web.Response(status=204)


async def device_gone(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/notifications/devices/gone: it has ended its subscription."""
    given = await _json(request, Gone)
    await request.app[HOUSE].hub.db.write(pushing.unsubscribe, actor, given.endpoint)
    return web.Response(status=204)


async def remove_device(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/notifications/devices/<id>/remove"""
    await request.app[HOUSE].hub.db.write(pushing.remove, actor, number_in(request))
    return settings.there(PATH, "removed")


async def _json(request: web.Request, shape: type[T]) -> T:
    if (request.content_length or 0) > MOST_BODY:
        raise Problem(413, "This is too large to send at once.")
    body = await in_time(request.content.read(MOST_BODY + 1), BODY)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(422, "The keys of this browser cannot be read.") from error
