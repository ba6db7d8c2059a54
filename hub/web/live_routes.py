"""Everything around the live stream: who is where, collisions, typing, notifications. Put together here."""

from __future__ import annotations

import functools
from importlib import resources

from aiohttp import web

from hub.http import HOUSE
from hub.web import being, doors, rendering, widget_typing
from hub.web import settings_notices as notices
from hub.web.live import Live
from hub.web.ringing import Ringing
from hub.web.screens import screen
from hub.web.whispers import WHISPERS, Whispers, fingerprint


def add_routes(app: web.Application, live: Live) -> None:
    """After the widget's: its windows show who answers."""
    app[being.LIMITS] = doors.Throttle(being.WINDOW)
    app[WHISPERS] = whispers = Whispers(live)
    live.version = fingerprint(app[rendering.ASSETS], app[HOUSE].version)
    live.greeters.append(whispers.greet)
    live.followers.append(whispers.follow)
    app.on_startup.append(whispers.start)
    ringing = Ringing(live, whispers)
    live.greeters.append(ringing.greet)
    live.followers.append(ringing.follow)
    app.on_startup.append(ringing.start)
    widget_typing.show_visitors(app)
    _add_notices(app)
    get, post = app.router.add_get, app.router.add_post
    post(r"/c/{number:\d+}/here", screen(being.here))
    get(r"/c/{number:\d+}/newer", screen(being.newer_part))
    get(r"/c/{number:\d+}/drafts/{mode:reply|note}/of/{colleague:\d+}", screen(being.colleagues_draft))


def _add_notices(app: web.Application) -> None:
    get, post = app.router.add_get, app.router.add_post
    get(notices.PATH, screen(notices.notices_page))
    post(notices.PATH, screen(notices.save_notices))
    post("/me/announce", screen(notices.set_announce))
    post(f"{notices.PATH}/test", screen(notices.try_push))
    post(f"{notices.PATH}/devices", screen(notices.add_device))
    post(f"{notices.PATH}/devices/gone", screen(notices.device_gone))
    post(f"{notices.PATH}/devices/{{number:\\d+}}/remove", screen(notices.remove_device))
    get("/push.js", service_worker)


async def service_worker(_request: web.Request) -> web.StreamResponse:
    """GET /push.js: at the root, for a service worker sees no further than its own address."""
    return web.Response(
        body=_worker(), content_type="text/javascript", charset="utf-8", headers={"Cache-Control": "no-cache"}
    )


@functools.cache
def _worker() -> bytes:
    return (resources.files("templates") / "static" / "push.js").read_bytes()
