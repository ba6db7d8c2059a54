"""What a visitor's widget may ask of the hub: begin, say something, tell what was read, listen, fetch a file.

Whoever has the token is the visitor; cookies play no part. Refusals are one sentence in the visitor's language. What is answered
with "kept" is on disk, and a repeat changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Raw, Struct

from hub import files, signed, visitors
from hub.channels import Ready
from hub.clock import now
from hub.http import BODY, HOUSE, UPLOAD, Problem, as_problem, client_address, in_time, is_same_site
from hub.i18n import Catalogue
from hub.ingest import read_now
from hub.messages import Envelope, Unreadable
from hub.text import clean_line
from hub.web.doors import Throttle
from hub.web.files import SHOWN
from hub.web.rendering import words_for
from hub.web.screens import number_in
from hub.web.widget_live import Visitors
from hub.web.widget_settings import Form, is_blocked, look

T = TypeVar("T")
Door = Callable[[web.Request, Ready], Awaitable[web.StreamResponse]]

#: Messages of one visitor, messages and new visitors of one address, receipts of one visitor; each within `WINDOW` seconds.
SAYS, SAYS_ADDRESS, STARTS, TELLS, WINDOW = 40, 400, 40, 120, 60.0
#: Messages and receipts in one post, files in one message.
TOGETHER, RECEIPTS, FILES = 20, 100, 10
#: Bytes of a post without files.
SMALL = 400_000

VISITORS: web.AppKey[Visitors] = web.AppKey("visitors")
LIMITS: web.AppKey[Throttle] = web.AppKey("visitor limits")
MAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>.]+(\.[^@\s<>.]+)+")


class Beginning(Struct):
    """What the form before the chat holds, and who the page around it says the visitor is."""

    name: Annotated[str, Meta(max_length=120)] = ""
    email: Annotated[str, Meta(max_length=254)] = ""
    consent: bool = False
    user: Annotated[str, Meta(max_length=signed.LONGEST_ID)] = ""
    signature: Annotated[str, Meta(max_length=200)] = ""
    jwt: Annotated[str, Meta(max_length=signed.LONGEST_TOKEN)] = ""


class File(Struct):
    """A file of a message."""

    content_base64: str
    name: str = ""


class Line(Struct):
    """One message, as far as the door looks at it."""

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    text: str = ""
    files: Annotated[list[File], Meta(max_length=FILES)] = []


class Post(Struct):
    """Messages in the order they were written; ``from`` is what the visitor says of themselves."""

    messages: Annotated[list[Raw], Meta(min_length=1, max_length=TOGETHER)]
    from_: Raw = msgspec.field(name="from", default=Raw(b"{}"))
    page: Annotated[str, Meta(max_length=2000)] = ""


class Receipt(Struct):
    """What became of one of our messages."""

    id: Annotated[str, Meta(pattern="^[0-9]{1,18}$")]
    state: Literal["delivered", "read"]


class Receipts(Struct):
    """News of several messages."""

    receipts: Annotated[list[Receipt], Meta(min_length=1, max_length=RECEIPTS)]


async def ready_of(request: web.Request) -> Ready | None:
    """The chat with the key of the address, looked up again when nobody here knows it."""
    hub, key = request.app[HOUSE].hub, request.match_info["key"]
    if key not in hub.channels.by_key:
        await hub.look_again()
    ready = hub.channels.by_key.get(key)
    return ready if ready is not None and ready.adapter.widget else None


def door(handler: Door) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """For widgets of a chat that exists, from the hub's own frame; what goes wrong is one sentence as JSON."""

    async def run(request: web.Request) -> web.StreamResponse:
        try:
            ready = await ready_of(request)
            if ready is None:
                raise Problem(404, "This chat is not in use any more.")
            if not is_same_site(request):
                raise Problem(403, "This request comes from another site.")
            if is_blocked(ready, "", client_address(request)):
                raise _blocked()
            return await handler(request, ready)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(request, Problem(413, "This is too large to send at once."))
        except Exception as error:
            known = as_problem(error)
            if known is None:
                raise
            return _refusal(request, known)

    return run


def _blocked() -> Problem:
    return Problem(403, "This chat is closed for you. Please reach us another way.", blocked=True)


def _refusal(request: web.Request, problem: Problem) -> web.Response:
    body = {"detail": words_for(request, None).sentence(problem.detail), **problem.more}
    answer = web.Response(status=problem.status, body=msgspec.json.encode(body), content_type="application/json")
    if problem.status in (429, 503, 507):
        answer.headers["Retry-After"] = str(problem.more.get("wait", 2))
    if problem.status in (408, 413):
        answer.force_close()
    return answer


def said(what: Any) -> web.Response:
    """An answer for the widget."""
    return web.Response(
        body=msgspec.json.encode(what), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


async def body_of(request: web.Request, shape: type[T], most: int = SMALL, seconds: float = BODY) -> T:
    """The posted JSON. Raises `Problem` 408, 413, 422."""
    if (request.content_length or 0) > most:
        raise Problem(413, "This is too large to send at once.")
    body = await in_time(request.read(), seconds)
    if len(body) > most:
        raise Problem(413, "This is too large to send at once.")
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(422, "The chat sent something the hub cannot read. Load the page again.") from error


def limited(request: web.Request, limits: dict[str, int], count: int = 1) -> None:
    """Count ``count`` more; `Problem` 429 when there were too many already."""
    throttle = request.app[LIMITS]
    if wait := throttle.wait(limits):
        raise Problem(429, "That was a lot at once. Your message waits and is sent in a moment.", wait=wait)
    for _ in range(count):
        throttle.failed(limits)


def visitor_of(request: web.Request, ready: Ready) -> str:
    """Who asks. Raises `Problem` 401 for a missing, forged or foreign token, 403 for who is blocked."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    visitor = None
    if scheme.lower() == "bearer":
        secret = ready.config.text("identity_secret")
        visitor = visitors.read_token(request.app[HOUSE].hub.box, ready.config.key, token.strip(), secret)
    if visitor is None:
        raise Problem(401, "The chat does not know you any more. Begin a new one.")
    if is_blocked(ready, visitor, ""):
        raise _blocked()
    return visitor


# ── begin ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def start(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/start: a token for a visitor, once the form is complete; nothing is stored of somebody unknown.

    A user whom the page's server has signed is the same visitor everywhere. Who was not signed, or badly, is a guest.
    """
    begun = await body_of(request, Beginning)
    words = words_for(request, None)
    user, trouble = _user(ready, begun)
    wrong = _missing(begun, user, look(ready, words, "").form, words)
    if wrong:
        raise Problem(422, "Something is missing in the form.", fields=wrong)
    limited(request, {f"start {client_address(request)}": STARTS})
    hub, key, secret = request.app[HOUSE].hub, ready.config.key, ready.config.text("identity_secret")
    if user is None:
        guest = words.text(
            "You are not signed in here: {why} The chat goes on without your name.", why=words.sentence(trouble)
        )
        return said({"token": visitors.new_token(hub.box, key), "guest": guest if trouble else ""})
    visitor = signed.visitor_id(key, user.id)
    if is_blocked(ready, visitor, ""):
        raise _blocked()
    await hub.db.write(signed.meet, visitors.PREFIX + visitor, user)
    hub.bus.publish()
    known = {"name": user.name, "email": user.email}
    return said({"token": visitors.new_token(hub.box, key, visitor, secret), "guest": "", "from": known})


def _user(ready: Ready, begun: Beginning) -> tuple[signed.User | None, str]:
    """Whom the page's server has signed, or why not; neither when it says nothing."""
    if not (begun.user or begun.jwt):
        return None, ""
    try:
        claim = (begun.user, begun.signature, begun.jwt)
        return signed.checked(ready.config.text("identity_secret"), ready.config.key, claim), ""
    except signed.Forged as error:
        return None, str(error)


def _missing(begun: Beginning, user: signed.User | None, form: Form, words: Catalogue) -> dict[str, str]:
    """What is wrong with the form, by field."""
    wrong = {}
    name, mail = (
        clean_line(begun.name) or (user.name if user else ""),
        begun.email.strip() or (user.email if user else ""),
    )
    if form.name == "required" and not name:
        wrong["name"] = words.text("Please tell us your name.")
    if (form.email == "required" and not mail) or (mail and form.email != "off" and not MAIL.fullmatch(mail)):
        wrong["email"] = words.text("Please check the e-mail address; it looks like name@example.com.")
    if form.consent and not begun.consent:
        wrong["consent"] = words.text("Please agree, or reach us another way.")
    return wrong


# ── say ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def say(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/messages: ``{"kept": [ids], "refused": [{"id", "detail"}]}`` once what is kept is on disk."""
    visitor = visitor_of(request, ready)
    traits, words = ready.adapter.traits, words_for(request, None)
    post = await body_of(request, Post, traits.max_file_bytes * 4 // 3 + SMALL, UPLOAD)
    good, kept, refused = [], [], []
    for raw in post.messages:
        line = _line(raw)
        trouble = _trouble(line, traits.max_length, traits.max_file_bytes)
        if trouble:
            refused.append({"id": line.id, "detail": words.sentence(trouble)})
        else:
            good.append(raw)
            kept.append(line.id)
    if good:
        who, address = f"visitor {ready.id} {visitor}", f"says {client_address(request)}"
        limited(request, {who: SAYS, address: SAYS_ADDRESS}, len(good))
        told = {"messages": good, "from": post.from_, "page": post.page, "language": words.language}
        await keep(request, ready, visitor, told)
    return said({"kept": kept, "refused": refused})


def _line(raw: Raw) -> Line:
    try:
        return msgspec.json.decode(raw, type=Line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Problem(422, "The chat sent something the hub cannot read. Load the page again.") from error


def _trouble(line: Line, longest: int, largest: int) -> str:
    """Why this message cannot be taken, or nothing."""
    if not line.text.strip() and not line.files:
        return "The message is empty."
    if len(line.text) > longest:
        return f"The message is too long: at most {longest} characters."
    if sum(len(file.content_base64) for file in line.files) * 3 // 4 > largest:
        return f"The files are too large: at most {largest // 1_000_000} MB."
    return ""


async def keep(request: web.Request, ready: Ready, visitor: str, told: dict[str, Any]) -> None:
    """Into the journal, like everything. Raises `Problem`, `Unavailable`, `DiskFull`."""
    body = msgspec.json.encode({"visitor": visitor, "said": told})
    agent = clean_line(request.headers.get("User-Agent", ""), 300)
    envelope = Envelope(ready.id, body, "widget", now(), {"User-Agent": agent} if agent else {})
    reading = read_now(ready.config.kind, envelope)
    if isinstance(reading, Unreadable) or reading.refused:
        raise Problem(422, "The chat sent something the hub cannot read. Load the page again.")
    await request.app[HOUSE].ingest.keep(envelope, reading)


async def tell(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/receipts: what of ours is on the visitor's screen. Of others' messages nothing is taken."""
    visitor = visitor_of(request, ready)
    post = await body_of(request, Receipts)
    limited(request, {f"tells {ready.id} {visitor}": TELLS})
    ids = [receipt.id for receipt in post.receipts]
    theirs = await request.app[HOUSE].hub.db.read(visitors.theirs, ready.id, visitor, ids)
    good = [receipt for receipt in post.receipts if receipt.id in theirs]
    if good:
        await keep(request, ready, visitor, {"receipts": good})
    return said({"kept": len(good)})


# ── listen and fetch ──────────────────────────────────────────────────────────────────────────────────────────────────
async def listen(request: web.Request, ready: Ready) -> web.StreamResponse:
    """GET /w/<key>/events: the newest messages, then what comes (server-sent events; the token is in a header)."""
    visitor = visitor_of(request, ready)
    return await request.app[VISITORS].stream(request, ready, visitor, await opening(request, ready))


async def opening(request: web.Request, ready: Ready) -> dict[str, Any]:
    """``opens``: null while somebody is there, else when they are back (ms; 0: nobody knows)."""
    hub = request.app[HOUSE].hub
    open_times = await hub.db.read(visitors.open_hours, ready.id, ready.row.team_id)
    return {"opens": visitors.opens_at(open_times, now())}


async def fetch(request: web.Request, ready: Ready) -> web.StreamResponse:
    """GET /w/<key>/files/<visitor>/<id>/<mark>: a file of the visitor's own conversation."""
    house, number, visitor = request.app[HOUSE], number_in(request), request.match_info["visitor"]
    if not visitors.is_file_mark(house.hub.box, visitor, number, request.match_info["mark"]):
        raise Problem(404, "There is no such file.")
    row = await house.hub.db.read(visitors.file, ready.id, visitor, number)
    path = house.hub.blobs.path(row.sha256) if row else None
    if row is None or path is None or not path.exists():
        raise Problem(404, "There is no such file.")
    kind = row.type.partition(";")[0].strip().lower()
    picture = kind in SHOWN and kind.startswith("image/")
    headers = {
        "Content-Type": kind if picture else "application/octet-stream",
        "Content-Disposition": files.disposition("inline" if picture else "attachment", row.name),
        "Content-Security-Policy": files.CAGE,
        "Cache-Control": "private, max-age=3600",
        "Referrer-Policy": "no-referrer",
    }
    return web.FileResponse(path, headers=headers)
