"""Who sends this request? An API token in the header, or the session in a browser's cookie."""

from __future__ import annotations

import time

from aiohttp import web

from hub import accounts
from hub.access import Actor
from hub.accounts import token_hash
from hub.http import ACTOR, HOUSE, Problem, is_same_site

#: For so long (seconds) an answer of the database is believed: a token or session that ends works on at most that long.
REMEMBERED = 2.0
#: Tokens and sessions remembered at once.
MOST = 2000

_Cache = dict[str, tuple[float, Actor | None]]
_CACHE = web.AppKey("actors", dict)


def cookie_name(request: web.Request) -> str:
    """``__Host-sid`` where people come by https (the prefix needs Secure), else ``sid``."""
    return "__Host-sid" if request.app[HOUSE].secure else "sid"


def session_token(request: web.Request) -> str:
    """The session's token out of the cookie; empty when there is none."""
    token = request.cookies.get(cookie_name(request), "")
    return token if token.isascii() and len(token) <= 100 else ""


def prepare(app: web.Application) -> None:
    """Give the application its one memory of actors; whoever comes first does it."""
    if _CACHE not in app:
        app[_CACHE] = {}


def credential(request: web.Request) -> str:
    """The token of whoever `actor_of` finds: the API token of the header, else the session's; empty when there is none."""
    header = request.headers.get("Authorization")
    return _bearer(header) if header is not None else session_token(request)


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token.isascii() and 8 <= len(token) <= 200 else ""


async def actor_of(request: web.Request) -> Actor | None:
    """The employee behind the request, or None: by ``Authorization: Bearer``, else by the session's cookie.

    A cookie counts for a request that changes something only when it comes from our own pages; else `Problem` 403.
    """
    if ACTOR in request:
        return request[ACTOR]
    header = request.headers.get("Authorization")
    if header is not None:
        found = await _by_token(request, header)
    else:
        found = await _by_cookie(request)
    if found is not None:
        request[ACTOR] = found
    return found


async def _by_token(request: web.Request, header: str) -> Actor | None:
    token = _bearer(header)
    if not token:
        return None
    key = "t" + token_hash(token)
    known = _remembered(request, key)
    if known is None:
        found = await request.app[HOUSE].hub.db.read(accounts.token_actor, token)
        return _remember(request, key, found)
    return known[1]


async def _by_cookie(request: web.Request) -> Actor | None:
    token = session_token(request)
    if not token:
        return None
    if not is_same_site(request):
        raise Problem(403, "This request comes from another site; open the hub itself and try again.")
    key = "s" + token_hash(token)
    known = _remembered(request, key)
    if known is not None:
        return known[1]
    database = request.app[HOUSE].hub.db
    found = await database.read(accounts.session_actor, token)
    if found is None:
        return _remember(request, key, None)
    if found[1]:
        await database.write(accounts.touch_session, token)
    return _remember(request, key, found[0])


def forget(request: web.Request) -> None:
    """Believe nothing any more that was remembered: after a logout, a new role, a revoked token."""
    _cache(request).clear()


def _cache(request: web.Request) -> _Cache:
    found: _Cache = request.app[_CACHE]
    return found


def _remembered(request: web.Request, key: str) -> tuple[float, Actor | None] | None:
    known = _cache(request).get(key)
    return known if known is not None and known[0] > time.monotonic() else None


def _remember(request: web.Request, key: str, found: Actor | None) -> Actor | None:
    cache = _cache(request)
    if len(cache) >= MOST:
        cache.clear()
    if found is not None:
        cache[key] = (time.monotonic() + REMEMBERED, found)
    else:
        cache.pop(key, None)
    return found
