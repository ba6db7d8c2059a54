"""Pages out of templates: one Jinja environment, and for every request what its templates may use.

Autoescape is always on, and templates mark nothing as safe, so a text of a stranger cannot become markup.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import importlib
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

from aiohttp import web

from hub.access import Actor
from hub.http import HOUSE, NONCE
from hub.i18n import Catalogue, catalogue, chosen
from hub.web.assets import Assets
from hub.web.brand import BRAND
from hub.web.parts import Parts
from hub.web.when import When, zone

ASSETS = web.AppKey("assets", Assets)
#: Seconds after the start until the templates are compiled.
WARM_UP = 0.5


def setup(app: web.Application) -> None:
    """Give the application its static files and templates."""
    app[ASSETS] = _assets()
    app.cleanup_ctx.append(_warm)


async def _warm(app: web.Application) -> AsyncIterator[None]:
    """Compile every template soon, in a thread: the first page of the day should not wait for it, nor the first webhook."""
    task = asyncio.create_task(_compile(app[ASSETS]))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _compile(assets: Assets) -> None:
    await asyncio.sleep(WARM_UP)
    await asyncio.to_thread(lambda: _templates().compiled(assets))


def _templates() -> ModuleType:
    """`hub.web.templates`, loaded when it is needed first."""
    return importlib.import_module("hub.web.templates")


@functools.cache
def _assets() -> Assets:
    """Read the files; once per process."""
    return Assets()


def words_for(request: web.Request, actor: Actor | None) -> Catalogue:
    """The employee's language; before login the one of ``?lang=``, the browser's, else the firm's."""
    if actor is not None:
        return catalogue(actor.language)
    house = request.app[HOUSE]
    wishes = f"{request.query.get('lang', '')[:20]},{request.headers.get('Accept-Language', '')}"
    return catalogue(chosen(wishes, house.language))


def when_for(request: web.Request, words: Catalogue) -> When:
    """Times in the zone that the browser's script left in a cookie; the first page of all is in UTC."""
    return When(words, zone(request.cookies.get("tz", "").replace("%2F", "/")[:60]))


def show(
    request: web.Request, template: str, actor: Actor | None = None, *, status: int = 200, **values: Any
) -> web.Response:
    """A page or a part of one. ``values`` are plain frozen values."""
    words = words_for(request, actor)
    house, when = request.app[HOUSE], when_for(request, words)
    context = {
        "_": words.text,
        "n_": words.plural,
        "translated": words.sentence,
        "lang": words.language,
        "when": when,
        "p": Parts(request.app[ASSETS]["icons.svg"], words, when),
        "me": actor,
        "nonce": request[NONCE],
        "company": house.company,
        "version": house.version,
        "show_drafts": house.hub.options.show_drafts,
        "brand": request.app[BRAND].state,
        "brand_css": request.app[BRAND].css,
        **values,
    }
    text = _templates().pages(request.app[ASSETS])[words.language].get_template(template).render(context)
    headers = {"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Encoding"}
    body = text.encode("utf-8", "replace")
    if len(body) > 4000 and "gzip" in request.headers.get("Accept-Encoding", ""):
        # the lowest level costs a third of the usual one, and less than handing it to a thread
        body, headers["Content-Encoding"] = gzip.compress(body, 1, mtime=0), "gzip"
    return web.Response(body=body, status=status, headers=headers)
