"""Routes described by their handlers' types: what comes in is validated by them, and OpenAPI is written from them.

    @route("GET", "/conversations/{id}")
    async def conversation(call: Call, id: int) -> Conversation: ...

Parameters named as in the path are ids, or one of a few words when they are a Literal; ``query`` and ``body`` are Structs; the
result is a Struct, a `Made` (201, or 200 for a repeat), None (204) or an answer of aiohttp.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import re
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_type_hints

import msgspec
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, channels, customers
from hub.access import Actor
from hub.core import Hub
from hub.http import BODY, HOUSE, House, Problem, in_time, problem
from hub.sessions import actor_of

P = ParamSpec("P")
T = TypeVar("T")

#: Everything of version 1 begins so.
BASE = "/api/v1"
#: Longest JSON body (bytes).
MOST_BODY = 4_000_000
#: Longest id in a path (digits); every id of ours fits a signed 64-bit number.
_ID = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Page(Struct, Generic[T]):
    """A list's page; ``next`` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class Made(Struct, Generic[T]):
    """The thing a POST made; not ``fresh`` when the same request had made it before."""

    body: T
    fresh: bool = True


class Call(Struct):
    """One request as a handler sees it."""

    request: web.Request
    house: House
    actor: Actor

    @property
    def hub(self) -> Hub:
        """The collaborators."""
        return self.house.hub

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit of work that only looks."""
        return await self.house.hub.db.read(work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit of work, commit it, and tell whoever is looking."""
        result = await self.house.hub.db.write(work, *args, **kwargs)
        self.house.hub.bus.publish()
        return result


class Route(Struct):
    """One operation: address, handler and the types at its border."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    ids: tuple[str, ...]
    query: Any
    body: Any
    out: Any
    status: int
    media: str
    accepts: str = ""
    words: dict[str, tuple[str, ...]] = {}


ROUTES: list[Route] = []

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def route(
    method: str, path: str, *, media: str = "application/json", accepts: str = ""
) -> Callable[[Handler], Handler]:
    """Register a handler under `BASE`. ``media``: what a raw answer is, ``accepts``: what a raw body is, both for OpenAPI."""

    def register(handler: Handler) -> Handler:
        hints = get_type_hints(handler, include_extras=True)
        ids = tuple(name for name in inspect.signature(handler).parameters if f"{{{name}}}" in path)
        words = {name: get_args(hints[name]) for name in ids if get_args(hints[name])}
        out = hints["return"]
        status = 204 if out is type(None) else 201 if getattr(out, "__origin__", None) is Made else 200
        query, body = hints.get("query"), hints.get("body")
        ROUTES.append(Route(method, BASE + path, handler, ids, query, body, out, status, media, accepts, words))
        return handler

    return register


def serve(r: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route: who is it, what do they want, do it, show it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        actor = await actor_of(request)
        if actor is None:
            return _who_are_you()
        call = Call(request, request.app[HOUSE], actor)
        given: dict[str, Any] = {name: _said(request.match_info[name], r.words.get(name)) for name in r.ids}
        if r.query is not None:
            given["query"] = read_query(request, r.query)
        elif request.query:
            raise Problem(422, f"This address takes no query parameters; leave out “{next(iter(request.query))[:60]}”.")
        if r.body is not None:
            given["body"] = await read_body(request, r.body)
        try:
            return show(await r.handler(call, **given), r.status)
        except (accounts.Invalid, channels.Invalid, customers.Impossible) as error:
            raise Problem(422, str(error)) from error
        except customers.Taken as error:
            other = str(error.customer_id) if error.customer_id is not None else None
            raise Problem(409, str(error), customer=other) from error

    return answer


def _who_are_you() -> web.Response:
    answer = problem(401, "Send “Authorization: Bearer hub_…” with a token in force; “hub token add EMAIL” makes one.")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="hub"'
    return answer


def show(result: Any, status: int) -> web.StreamResponse:
    """What a handler returned, as an answer."""
    if isinstance(result, web.StreamResponse):
        return result
    if isinstance(result, Made):
        result, status = result.body, 201 if result.fresh else 200
    if result is None:
        return web.Response(status=204)
    answer = web.Response(status=status, body=_encode(result), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer


_encode = msgspec.json.Encoder().encode


def _said(text: str, words: tuple[str, ...] | None) -> int | str:
    """An id of the path, or one of the words that may stand there. Raises `Problem` 404."""
    if words is not None and text in words:
        return text
    if words is not None or not _ID.fullmatch(text):
        raise Problem(404, "It does not exist, or you may not see it.")
    return int(text)


def read_query(request: web.Request, kind: type[T]) -> T:
    """The query parameters as ``kind``. Raises `Problem` 400 for a parameter given twice, 422 for unknown or wrong ones."""
    given = {}
    for name, value in request.query.items():
        if name in given:
            raise Problem(400, f"The parameter “{name[:60]}” is given twice; give it once.", field=name[:60])
        given[name] = _CONTROL.sub("", value)
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from error


async def read_body(request: web.Request, kind: type[T]) -> T:
    """The JSON body as ``kind``. Raises `Problem` 400, 413, 415, 422."""
    if request.content_type != "application/json":
        raise Problem(415, "Send the body as JSON with “Content-Type: application/json”.")
    if (request.content_length or 0) > MOST_BODY:
        raise Problem(413, f"The body may have {MOST_BODY} bytes at most.")
    try:
        data = await in_time(request.read(), BODY)
    except web.RequestPayloadError as error:
        raise Problem(400, "The body ended before it was complete. Send it again.") from error
    if len(data) > MOST_BODY:
        raise Problem(413, f"The body may have {MOST_BODY} bytes at most.")
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is no JSON: {error}.") from error
    except RecursionError as error:
        raise Problem(400, "The body is nested too deeply.") from error
    try:
        return msgspec.convert(scrubbed(tree), kind)
    except msgspec.ValidationError as error:
        raise invalid(error) from error


def scrubbed(tree: Any) -> Any:
    """The same tree; texts without NUL and other characters that no database keeps."""
    if isinstance(tree, str):
        return tree if tree.isprintable() else _CONTROL.sub("", tree)
    if isinstance(tree, list):
        return [scrubbed(item) for item in tree]
    if isinstance(tree, dict):
        return {scrubbed(key): scrubbed(value) for key, value in tree.items()}
    return tree


_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")


def invalid(error: msgspec.ValidationError) -> Problem:
    """422 that names the field."""
    words, _, where = str(error).partition(" - at `")
    where = where.rstrip("`").removeprefix("$").lstrip(".")
    if unknown := _UNKNOWN.search(words):
        name = f"{where}.{unknown[1]}".lstrip(".")[:100]
        return Problem(422, f"There is no field “{name}”; leave it out.", field=name)
    if missing := _MISSING.search(words):
        name = f"{where}.{missing[1]}".lstrip(".")[:100]
        return Problem(422, f"The field “{name}” is missing.", field=name)
    where = where[:100] or "body"
    return Problem(422, f"“{where}”: {words[:1].lower()}{words[1:]}.".replace("`", ""), field=where)


# ── cursors ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def write_cursor(word: str, number: int) -> str:
    """An opaque cursor: where a list goes on, and in which direction."""
    return base64.urlsafe_b64encode(f"{word}{number}".encode()).decode().rstrip("=")


def read_cursor(text: str, words: str) -> tuple[str, int]:
    """What `write_cursor` wrote. Raises `Problem` 422 for anything else. ``words``: the letters it may begin with."""
    plain = _plain(text)
    if len(plain) < 2 or plain[0] not in words or not _ID.fullmatch(plain[1:]):
        raise bad_cursor()
    return plain[0], int(plain[1:])


def check_cursor(text: str) -> str:
    """A cursor that another module wrote: only with numbers that a database can hold. Raises `Problem` 422."""
    if any(len(part) > 18 for part in re.split(r"[^0-9]+", _plain(text))):
        raise bad_cursor()
    return text


def bad_cursor() -> Problem:
    """What a cursor that is none of ours is answered with."""
    return Problem(
        422, "This cursor is none of ours; take “next” of the last answer, or begin without one.", field="cursor"
    )


def _plain(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error
