"""What the API and the screens share: where a request finds its collaborators, errors as answers, headers for every answer."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from msgspec import Struct

from hub.access import Actor, Forbidden
from hub.core import Hub
from hub.database import DiskFull, Unavailable
from hub.delivery import Delivery
from hub.feed import Feed
from hub.ingest import Ingest
from hub.outbox import CannotSend, NotFound

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class House(Struct):
    """Everything a request may need. ``secure``: people come by https. ``company`` and ``language`` are the firm's."""

    hub: Hub
    ingest: Ingest
    delivery: Delivery | None
    feed: Feed
    public_url: str
    company: str = "Hub"
    language: str = "en"
    metrics_token: str = ""
    trusted_proxies: str = ""
    version: str = ""

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")


HOUSE = web.AppKey("house", House)
ACTOR = web.RequestKey("actor", Actor)
#: Fresh for every request; inline scripts carry it (Content-Security-Policy).
NONCE = web.RequestKey("nonce", str)


class Problem(Exception):
    """An answer that is an error (RFC 9457): ``detail`` says what to do, ``more`` are further members."""

    def __init__(self, status: int, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


_TITLES = {
    400: "Bad request",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Wrong method",
    409: "Conflict",
    413: "Too large",
    415: "Wrong content type",
    422: "Cannot be done",
    429: "Too many requests",
    500: "Our fault",
    503: "Not now",
    507: "Disk full",
}


def problem(status: int, detail: str, **more: object) -> web.Response:
    """application/problem+json"""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/problem+json")


def as_problem(error: BaseException) -> Problem | None:
    """The answer to an expected failure, None for an unexpected one."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotFound):
        return Problem(404, "It does not exist, or you may not see it.")
    if isinstance(error, Forbidden):
        return Problem(403, str(error))
    if isinstance(error, CannotSend):
        return Problem(422, str(error))
    if isinstance(error, DiskFull):
        return Problem(507, "The disk is full; nothing was kept. Make room and try again.")
    if isinstance(error, Unavailable):
        return Problem(503, "The database does not answer now; nothing was changed. Try again in a moment.")
    return None


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer has the headers that keep browsers safe, every failure is an answer, none shows our insides."""
    if request.path.startswith("/webhooks/"):
        return await handler(request)
    request[NONCE] = nonce = secrets.token_urlsafe(12)
    try:
        answer = await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or not request.path.startswith("/api/"):
            _headers(request, error, nonce)
            raise
        answer = problem(error.status, error.text or error.reason)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
    except Exception as error:
        answer = _failed(request, error)
    if not answer.prepared:
        _headers(request, answer, nonce)
    return answer


def _failed(request: web.Request, error: Exception) -> web.Response:
    known = as_problem(error)
    if known is None:
        number = secrets.token_hex(4)
        log.exception("request %s %s failed (%s)", request.method, request.path, number)
        return problem(500, f"Something went wrong on our side; the log names it {number}.")
    answer = problem(known.status, known.detail, **known.more)
    if known.status in (503, 507, 429):
        answer.headers["Retry-After"] = "2"
    return answer


def _headers(request: web.Request, answer: web.StreamResponse, nonce: str) -> None:
    headers = answer.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    )
    if request.app[HOUSE].secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def is_same_site(request: web.Request) -> bool:
    """May this request change something for whoever's cookie it carries? Sec-Fetch-Site, else Origin (none: no browser)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return True
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host
