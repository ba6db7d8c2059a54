"""The web chat's pages: the loader for web sites, the frame it opens, the hosted page, and the page to try it on."""

from __future__ import annotations

import functools
import gzip
import hashlib
import logging
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy.engine import Connection

from hub import administration, housemail, sites
from hub.access import Actor, require
from hub.channels import Ready
from hub.clock import now
from hub.database import Unavailable
from hub.http import HOUSE, NONCE, Problem, client_address
from hub.i18n import LANGUAGES, Catalogue, catalogue
from hub.web import doors, widget_after, widget_doors, widget_form, widget_typing
from hub.web.rendering import show, words_for
from hub.web.screens import screen
from hub.web.widget_doors import LIMITS, VISITORS, door, opening, ready_of
from hub.web.widget_live import Visitors
from hub.web.widget_settings import ancestors, is_allowed, is_blocked, look, origin_of, origins

log = logging.getLogger(__name__)

SIGHTS: web.AppKey[sites.Sights] = web.AppKey("sights")


def add_routes(app: web.Application) -> None:
    """Every address of the web chat."""
    app[LIMITS] = doors.Throttle(widget_doors.WINDOW)
    app[SIGHTS] = sites.Sights()
    app[VISITORS] = live = Visitors(app[HOUSE])
    app.on_startup.append(live.start)
    app.on_shutdown.append(live.close)
    get, post = app.router.add_get, app.router.add_post
    place = r"/w/{key:[\w-]{24}}"  # see hub.channels.add
    get(place, frame)
    get(f"{place}/page", frame)
    get(f"{place}/embed.js", loader)
    post(f"{place}/start", door(widget_doors.start))
    post(f"{place}/messages", door(widget_doors.say))
    post(f"{place}/receipts", door(widget_doors.tell))
    post(f"{place}/typing", door(widget_typing.typing))
    post(f"{place}/rating", door(widget_after.rate))
    post(f"{place}/transcript", door(widget_after.transcript))
    get(f"{place}/form", open_door(widget_form.form_page))
    post(f"{place}/form", open_door(widget_form.send))
    get(place + r"/transcript/{token:[a-z0-9-]+}", open_door(widget_after.page))
    get(f"{place}/events", door(widget_doors.listen))
    get(place + r"/files/{visitor:[a-z0-9]+}/{number:\d+}/{mark:[a-z0-9]+}", door(widget_doors.fetch))
    get("/welcome/chat", screen(try_page))
    post("/welcome/chat", screen(begin_trying))


# ── the frame ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def frame(request: web.Request) -> web.StreamResponse:
    """GET /w/<key> and /w/<key>/page: the chat. On a page that may not show it: one sentence that says so."""
    ready, words = await ready_of(request), words_for(request, None)
    if ready is None:
        return _sentence(request, 404, words.text("This chat is not in use any more."))
    allowed, stranger = origins(ready), _stranger(request)
    if stranger and not is_allowed(allowed, stranger):
        said = words.text(
            "This chat is not set up for {origin}. Its administrator can add the address.", origin=stranger
        )
        return _sentence(request, 403, said)
    if is_blocked(ready, "", client_address(request)):
        return _sentence(request, 403, words.text("This chat is closed for you. Please reach us another way."), allowed)
    if stranger:
        await _seen(request, ready, stranger)
    alone = request.path.endswith("/page")
    seen = look(ready, words, request.app[HOUSE].company)
    given = {
        "base": f"/w/{ready.config.key}",
        "lang": words.language,
        "alone": alone,
        "title": seen.title,
        "away": seen.away,
        "form": seen.form,
        "quick": seen.quick,
        "largest": ready.adapter.traits.max_file_bytes,
        "longest": ready.adapter.traits.max_length,
        "mail": housemail.mailbox(request.app[HOUSE].hub.channels) is not None,
        "words": _words(words, seen.title),
        **await opening(request, ready),
    }
    answer = show(
        request,
        "widget.j2",
        look=seen,
        alone=alone,
        colours=f":root{{--brand:{seen.colour}}}",
        given=msgspec.to_builtins(given),
    )
    answer.headers["Content-Security-Policy"] = _policy(request, allowed)
    return answer


def _stranger(request: web.Request) -> str:
    """The origin of the page around the frame, if it says so and is none of ours; an address opened by itself has none."""
    if request.headers.get("Sec-Fetch-Dest", "iframe") not in ("iframe", "frame", "empty"):
        return ""
    origin = origin_of(request.headers.get("Origin") or request.headers.get("Referer") or "")
    ours = (origin_of(request.app[HOUSE].public_url), f"{request.scheme}://{request.host}")
    return "" if origin in ours else origin


async def _seen(request: web.Request, ready: Ready, origin: str) -> None:
    """Remember where the chat stands; a database that is away is no reason not to show it."""
    moment = now()
    if request.app[SIGHTS].is_news(ready.id, origin, moment):
        try:
            await request.app[HOUSE].hub.db.write(sites.note, ready.id, origin, moment)
        except Unavailable as error:
            log.warning("where a chat was seen is not noted: %s", error)


def _policy(request: web.Request, allowed: tuple[str, ...]) -> str:
    nonce = request[NONCE]
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' blob: data:;"
        f" connect-src 'self'; form-action 'none'; base-uri 'none'; {ancestors(allowed)}"
    )


def _sentence(request: web.Request, status: int, words: str, allowed: tuple[str, ...] = ("*",)) -> web.Response:
    """Nothing but a sentence; it may stand anywhere, for it does nothing."""
    answer = show(request, "widget_refusal.j2", status=status, detail=words)
    answer.headers["Content-Security-Policy"] = _policy(request, allowed)
    return answer


def open_door(handler: widget_doors.Door) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """For pages a visitor opens by an address that proves who they are: no token, and a page for what goes wrong."""

    async def run(request: web.Request) -> web.StreamResponse:
        ready, words = await ready_of(request), words_for(request, None)
        if ready is None:
            return _sentence(request, 404, words.text("This chat is not in use any more."))
        try:
            return await handler(request, ready)
        except Problem as problem:
            return _sentence(request, problem.status, words.sentence(problem.detail))

    return run


def _words(words: Catalogue, title: str) -> dict[str, str]:
    """Everything the frame's script says."""
    _ = words.text
    return {
        "someone": _("{name} of {firm}", name="{name}", firm=title),
        "open": _("We are here now"),
        "back": _("Back at {time}", time="{time}"),
        "closed": _("Closed at the moment"),
        "offline": _("Offline"),
        "lost": _("No connection."),
        "next": _("Next try in {n} s.", n="{n}"),
        "online": _("Connected again."),
        "waiting": _("Is sent as soon as you are online"),
        "sending": _("Is being sent"),
        "sent": _("Sent"),
        "stored": _("Delivered"),
        "read": _("Read"),
        "failed": _("Not sent: {why}", why="{why}"),
        "large": _("The files are too large: at most {limit} MB.", limit="{limit}"),
        "long": _("The message is too long: at most {limit} characters.", limit="{limit}"),
        "ended": _("The conversation has ended. Just write when there is anything else."),
        "rated": _("Thank you for your rating."),
        "mailed": _("The transcript is on its way to {address}.", address="{address}"),
        "anew": _("The chat does not know you any more. Begin a new one."),
        "blocked": _("This chat is closed for you. Please reach us another way."),
        "you": _("You"),
        "today": _("Today"),
        "resume": _("Continue your conversation"),
    }


# ── the loader ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def loader(request: web.Request) -> web.StreamResponse:
    """GET /w/<key>/embed.js: draws the button and nothing else; the same for everybody."""
    ready = await ready_of(request)
    if ready is None:
        raise web.HTTPNotFound
    labels = {name: _labels(ready, catalogue(name), request.app[HOUSE].company) for name in LANGUAGES}
    seen = look(ready, catalogue("en"), "")
    given: dict[str, Any] = {"colour": seen.colour, "side": seen.side, "labels": labels}
    if seen.invite:
        given |= {"after": seen.invite, "pages": seen.invite_pages}
    origin = origin_of(request.headers.get("Referer", ""))
    if origin and is_allowed(origins(ready), origin):
        await _seen(request, ready, origin)
    body = _script().replace(b"__GIVEN__", msgspec.json.encode(given), 1)
    mark = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {
        "Cache-Control": "public, max-age=300",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": mark,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("If-None-Match") == mark:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
    return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)


@functools.cache
def _script() -> bytes:
    return (resources.files("templates") / "static" / "embed.js").read_bytes()


def _labels(ready: Ready, words: Catalogue, company: str) -> dict[str, str]:
    seen = look(ready, words, company)
    title = seen.title
    return {
        "hello": seen.greeting,
        "dismiss": words.text("Not now"),
        "frame": words.text("Chat with {firm}", firm=title),
        "open": words.text("Open the chat"),
        "close": words.text("Close the chat"),
        "new": words.text("Open the chat, new messages: {n}", n="{n}"),
    }


# ── trying it ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def begin_trying(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /welcome/chat: a chat to try, made if there is none yet."""
    house = request.app[HOUSE]
    require(actor, "channels")
    if _chat(request) is None:
        name = catalogue(house.language).text("Web chat")
        await house.hub.db.write(_add, house.hub.box, name, actor.id)
        house.hub.bus.publish()
        await house.hub.load_channels()
    raise web.HTTPSeeOther("/welcome/chat")


def _add(conn: Connection, box: Any, name: str, actor_id: int) -> None:
    administration.add_channel(conn, box, "webchat", name, {}, actor_id=actor_id)


async def try_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /welcome/chat: the visitor's chat beside the inbox it arrives in."""
    ready = _chat(request)
    if ready is None:
        raise web.HTTPSeeOther("/welcome/channels")
    public_url, key = request.app[HOUSE].public_url, ready.config.key
    snippet = f'<script async src="{public_url}/w/{key}/embed.js"></script>'
    return show(request, "try_chat.j2", actor, key=key, public_url=public_url, snippet=snippet)


def _chat(request: web.Request) -> Ready | None:
    return next((r for r in request.app[HOUSE].hub.channels.by_id.values() if r.adapter.widget), None)
