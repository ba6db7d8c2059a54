"""What every screen behind the sign-in shares: who asks, and failures as pages instead of JSON."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web

from hub import accounts
from hub.access import Actor, Forbidden
from hub.database import Unavailable
from hub.http import ACTOR, HOUSE, Problem, as_problem, is_same_site
from hub.sessions import actor_of
from hub.web.rendering import show, words_for

log = logging.getLogger(__name__)

Screen = Callable[[web.Request, Actor], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_part(request: web.Request) -> bool:
    """Does our own script ask, for a part of a page?"""
    return request.headers.get("X-Hub") in ("part", "panes")


def is_panes(request: web.Request) -> bool:
    """Does our own script ask for a conversation's panes, without the list it stands beside?"""
    return request.headers.get("X-Hub") == "panes"


def screen(handler: Screen) -> Handler:
    """For signed-in people from our own pages only; what goes wrong is said on a page."""

    async def run(request: web.Request) -> web.StreamResponse:
        actor: Actor | None = None
        try:
            actor = await actor_of(request)
            if actor is None:
                return _sign_in(request)
            if not is_same_site(request):
                raise Problem(403, "This request comes from another site; open the hub itself and try again.")
            return await handler(request, actor)
        except web.HTTPRequestEntityTooLarge:
            return failure(request, actor, 413, "This is too large to send at once.")
        except (web.HTTPException, ConnectionResetError):
            raise  # `http.guard` knows whether whoever asked has gone
        except Exception as error:
            return await _explained(request, actor, error)

    return run


def _sign_in(request: web.Request) -> web.Response:
    if is_part(request):
        return web.Response(status=401)
    way = (
        quote(request.path_qs, safe="/?=&%", errors="replace")
        if request.method == "GET" and request.path != "/"
        else ""
    )
    return web.Response(status=303, headers={"Location": f"/login?next={quote(way, safe='/')}" if way else "/login"})


async def _explained(request: web.Request, actor: Actor | None, error: Exception) -> web.Response:
    known = as_problem(error)
    if isinstance(error, Forbidden) and actor is not None and known is not None:
        return failure(request, actor, known.status, known.detail, ask=await _granters(request))
    if known is not None:
        return failure(request, actor, known.status, known.detail)
    number = secrets.token_hex(4)
    log.error("page %s %s failed (%s)", request.method, request.path, number, exc_info=error)
    return failure(request, actor, 500, "", number)


async def _granters(request: web.Request) -> tuple[str, ...]:
    """Who can give somebody a right: the administrators, the first few; nobody where the database does not answer."""
    try:
        people = await request.app[HOUSE].hub.db.read(accounts.administrators, 3)
    except Unavailable:
        return ()
    return tuple(name for name, _ in people)


def failure(
    request: web.Request, actor: Actor | None, status: int, detail: str, number: str = "", ask: tuple[str, ...] = ()
) -> web.Response:
    """A page that says what happened and what to do. ``number`` finds the failure in the log, ``ask`` are those who can help."""
    words = words_for(request, actor)
    answer = show(request, "error.j2", actor, code=status, detail=words.sentence(detail), number=number, ask=ask)
    answer.set_status(status)
    if status in (503, 507, 429):
        answer.headers["Retry-After"] = "2"
    if status == 408:
        answer.force_close()
    return answer


def failure_page(request: web.Request, status: int, detail: str, number: str) -> web.Response:
    """The same for addresses that are nobody's: in the employee's language where it is known by now."""
    return failure(request, request.get(ACTOR), status, detail, number)


def number_in(request: web.Request, name: str = "number") -> int:
    """A number out of the address. The routes only let digits through."""
    text = request.match_info[name]
    return int(text) if len(text) < 19 else 2**62


def positive(text: str) -> int:
    """A number out of a query or form; 0 when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
