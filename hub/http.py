"""What the API and the screens share: where a request finds its collaborators, errors as answers, headers for every answer."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import FileField
from msgspec import Struct
from multidict import MultiDictProxy

from hub.access import Actor, Forbidden
from hub.core import Hub
from hub.database import DiskFull, Unavailable
from hub.delivery import Delivery
from hub.feed import Feed
from hub.fitting import Gone
from hub.ingest import Ingest
from hub.outbox import CannotSend, Deleted, NotFound
from hub.repeats import OtherWords

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Form = MultiDictProxy[str | bytes | bytearray | FileField]
T = TypeVar("T")

#: Seconds within which the body of a form or of JSON must have come, and that of a form with files.
BODY, UPLOAD = 10.0, 120.0


class House(Struct):
    """Everything a request may need. ``secure``: people come by https. ``company`` and ``language`` are the firm's; ``dev``: for whoever
    works on the hub.
    """

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
    dev: bool = False
    #: Web Push also to services on private addresses and without TLS: for tests.
    push_anywhere: bool = False
    #: Passwords hashed at the same time (each takes 19 MiB), and files held in memory (each up to 25 MB).
    hashing: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(4))
    storing: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(4))

    @property
    def secure(self) -> bool:
        return self.public_url.startswith("https://")


HOUSE = web.AppKey("house", House)
ACTOR = web.RequestKey("actor", Actor)
#: Fresh for every request; inline scripts carry it (Content-Security-Policy).
NONCE = web.RequestKey("nonce", str)
#: How a browser is told of a failure outside the API: (request, status, detail, number in the log).
FailurePage = Callable[[web.Request, int, str, str], web.Response]
FAILURE: web.AppKey[FailurePage] = web.AppKey("failure")


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
    408: "Too slow",
    409: "Conflict",
    410: "Deleted",
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
    if isinstance(error, Gone):
        return Problem(409, str(error))
    if isinstance(error, Deleted):
        return Problem(410, str(error))
    if isinstance(error, CannotSend):
        return Problem(422, str(error))
    if isinstance(error, OtherWords):
        return Problem(409, str(error), message=str(error.message_id), conversation=str(error.conversation_id))
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
        if error.status < 400:
            _headers(request, error, nonce)
            raise
        answer = _refused(request, error)
    except Exception as error:
        if isinstance(error, ConnectionResetError) and (request.transport is None or request.transport.is_closing()):
            raise  # whoever asked has gone: no failure, and nobody to tell
        answer = _failed(request, error)
    if not answer.prepared:
        _headers(request, answer, nonce)
    return answer


#: What aiohttp says no to by itself, in words that help.
_REFUSALS = {
    404: "There is no such page. It may have moved, or a letter of its address is missing.",
    405: "This page cannot be asked that way. Go back and use the buttons on the page.",
    413: "This is too large to send at once.",
}


def _refused(request: web.Request, error: web.HTTPException) -> web.Response:
    plain = f"{error.status}: {error.reason}"
    if _is_api(request):
        answer = problem(error.status, error.text or error.reason)
    else:
        own = error.text if error.text and error.text != plain and error.status != 413 else ""
        answer = _page(request, error.status, own or _REFUSALS.get(error.status, error.reason))
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def _is_api(request: web.Request) -> bool:
    return request.path == "/api" or request.path.startswith("/api/")


def _page(request: web.Request, status: int, detail: str, number: str = "") -> web.Response:
    """A page for people; problem+json where this process has no screens, or who asks wants JSON."""
    page = request.app.get(FAILURE)
    if page is None or "json" in request.headers.get("Accept", ""):
        return problem(status, detail)
    return page(request, status, detail, number)


def _failed(request: web.Request, error: Exception) -> web.Response:
    known, api = as_problem(error), _is_api(request)
    if known is None:
        number = secrets.token_hex(4)
        log.exception("request %s %s failed (%s)", request.method, request.path, number)
        words = f"Something went wrong on our side; the log names it {number}."
        return problem(500, words) if api else _page(request, 500, words, number)
    detail = known.detail
    answer = problem(known.status, detail, **known.more) if api else _page(request, known.status, detail)
    if known.status in (503, 507, 429):
        answer.headers["Retry-After"] = "2"
    if known.status == 408:
        answer.force_close()
    return answer


def _headers(request: web.Request, answer: web.StreamResponse, nonce: str) -> None:
    headers = answer.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    # a page of ours may stand in a page of ours, where nothing could be hidden from whoever clicks
    ours = request.headers.get("Sec-Fetch-Dest") == "iframe" and request.headers.get("Sec-Fetch-Site") == "same-origin"
    frames, around = ("SAMEORIGIN", "'self'") if ours else ("DENY", "'none'")
    if not request.path.startswith("/w/"):  # the chat says by its policy whose pages it may stand in
        headers.setdefault("X-Frame-Options", frames)
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:;"
        " font-src 'self'; media-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; frame-src 'self';"
        " base-uri 'none';"
        f" frame-ancestors {around}",
    )
    if request.app[HOUSE].secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


# ── what comes in ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def in_time(reading: Awaitable[T], seconds: float) -> T:
    """Wait for a body that somebody sends. Raises `Problem` 408 when it has not come by then."""
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError as error:
        raise Problem(408, f"It did not arrive within {seconds:g} seconds. Send it again.") from error


async def read_form(request: web.Request, seconds: float | None = None) -> Form:
    """The form of a POST, within ``seconds`` (None: `BODY`). Raises `Problem` 400 and 408, `DiskFull`, HTTPRequestEntityTooLarge."""
    try:
        return await in_time(request.post(), BODY if seconds is None else seconds)
    except (ValueError, LookupError, RuntimeError, AssertionError, HttpProcessingError) as error:
        raise Problem(400, "The form cannot be read: it is cut off or in no encoding we know.") from error
    except web.RequestPayloadError as error:
        raise Problem(400, "The form ended before it was complete. Send it again.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # files wait in a temporary folder
            raise DiskFull(str(error)) from error
        raise


def client_address(request: web.Request) -> str:
    """Who asks: the connection's other end, or what a trusted proxy says about it (the last hop that is none)."""
    remote = request.remote or ""
    trusted = [
        ip_network(part.strip(), strict=False) for part in request.app[HOUSE].trusted_proxies.split(",") if part.strip()
    ]
    hops = [h.strip() for h in request.headers.get("X-Forwarded-For", "").split(",") if h.strip()][-20:]
    while hops and any(_inside(remote, network) for network in trusted):
        remote = hops.pop()
    return remote[:60]


def _inside(address: str, network: object) -> bool:
    try:
        return ip_address(address) in network  # type: ignore[operator]
    except ValueError:
        return False


def is_same_site(request: web.Request) -> bool:
    """May this request change something for whoever's cookie it carries? Sec-Fetch-Site, else Origin (none: no browser)."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return True
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host
