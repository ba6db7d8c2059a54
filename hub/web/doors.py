"""Coming in and going out: sign in, sign out, and the very first administrator."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque

from aiohttp import web
from sqlalchemy.engine import Connection

from hub import accounts, pushing
from hub.accounts import Invalid
from hub.http import HOUSE, client_address, is_same_site, read_form
from hub.i18n import LANGUAGES, catalogue
from hub.sessions import actor_of, cookie_name, forget, session_token
from hub.text import clean
from hub.web.live import Live
from hub.web.rendering import show, words_for

#: Wrong passwords within `WINDOW` seconds after which an account is closed to an address, to everybody, and an
#: address to all accounts.
PAIR, ACCOUNT, ADDRESS = 10, 100, 100
WINDOW = 900.0
#: Accounts and addresses remembered at once.
MOST = 20_000

LIVE = web.AppKey("live", Live)
_THROTTLE: web.AppKey[Throttle] = web.AppKey("throttle")


class Throttle:
    """Counts failures by key within a sliding window."""

    def __init__(self, window: float = WINDOW) -> None:
        self.window = window
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, limits: dict[str, int]) -> int:
        """Seconds to wait before another try (0: go on). ``limits`` says how many failures each key may have."""
        moment, longest = time.monotonic(), 0.0
        for key, most in limits.items():
            known = self._failures.get(key, deque())
            while known and known[0] < moment - self.window:
                known.popleft()
            if len(known) >= most:
                longest = max(longest, known[-most] + self.window - moment)
        return int(longest) + 1 if longest > 0 else 0

    def failed(self, limits: dict[str, int]) -> None:
        """One more failure for each key."""
        for key, most in limits.items():
            known = self._failures.setdefault(key, deque(maxlen=most))
            known.append(time.monotonic())
            self._failures.move_to_end(key)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def forgive(self, limits: dict[str, int], whole: str) -> None:
        """It went well after all: take the last failure back, and those of ``whole`` altogether."""
        for key in limits:
            if known := self._failures.get(key):
                known.pop()
        self._failures.pop(whole, None)


def setup(app: web.Application) -> None:
    """Give the application its memory of failures."""
    app[_THROTTLE] = Throttle()


def safe_next(given: str) -> str:
    """A way back within the hub, else the inbox. Nothing that a browser could read as another host."""
    fine = given.startswith("/") and not given.startswith("//") and "\\" not in given and given.isprintable()
    return given if fine and not given.startswith(("/login", "/logout")) else "/"


async def login_page(request: web.Request) -> web.StreamResponse:
    """GET /login"""
    house = request.app[HOUSE]
    if await actor_of(request) is not None:
        raise web.HTTPSeeOther(safe_next(request.query.get("next", "/")))
    fresh = await house.hub.db.read(accounts.setup_needed)
    return _form(request, fresh=fresh)


def _form(request: web.Request, status: int = 200, **values: object) -> web.Response:
    given = {"email": "", "trouble": "", "fresh": False, "next": safe_next(request.query.get("next", "/"))}
    return show(request, "login.j2", None, status=status, **{**given, **values})


async def login(request: web.Request) -> web.StreamResponse:
    """POST /login: the same words and the same time for an unknown person and a wrong password."""
    _ = words_for(request, None).text
    if not is_same_site(request):
        return _form(request, 403, trouble=_("This request comes from another site. Sign in here."))
    form = await read_form(request)
    email, password = _text(form.get("email"), 254).strip(), _text(form.get("password"), 200)
    back = safe_next(_text(form.get("next"), 2000) or request.query.get("next", "/"))
    house, throttle = request.app[HOUSE], request.app[_THROTTLE]
    address = client_address(request)
    pair = f"pair {email.lower()} {address}"
    limits = {pair: PAIR, f"account {email.lower()}": ACCOUNT, f"address {address}": ADDRESS}
    if wait := throttle.wait(limits):
        words = _("Too many wrong tries. Please wait {n} minutes and try again.", n=-(-wait // 60))
        answer = _form(request, 429, email=email, next=back, trouble=words)
        answer.headers["Retry-After"] = str(wait)
        return answer
    throttle.failed(limits)  # before the check, so that many at once do not slip through
    row = await house.hub.db.read(accounts.by_email, email)
    async with house.hashing:
        right = await asyncio.to_thread(accounts.check_password, row.password_hash if row else None, password)
    if not right:
        words = _("E-mail address and password do not match.")
        return _form(request, 401, email=email, next=back, trouble=words)
    throttle.forgive(limits, pair)
    assert row is not None
    return await _enter(request, row.id, back)


def _text(value: object, most: int) -> str:
    return clean(value, most) if isinstance(value, str) else ""


async def _enter(request: web.Request, employee_id: int, back: str) -> web.Response:
    """A new session with a new token, whatever the browser had before."""
    house, old = request.app[HOUSE], session_token(request)
    agent = request.headers.get("User-Agent", "")

    def work(conn: Connection) -> str:
        if old:
            accounts.close_session(conn, old)
        return accounts.open_session(conn, employee_id, agent)

    token = await house.hub.db.write(work)
    answer = web.Response(status=303, headers={"Location": back})
    answer.set_cookie(
        cookie_name(request),
        token,
        path="/",
        httponly=True,
        secure=house.secure,
        samesite="Lax",
        max_age=accounts.SESSION_LONGEST // 1000,
    )
    return answer


async def logout(request: web.Request) -> web.StreamResponse:
    """POST /logout: the session ends, and its streams with it."""
    if not is_same_site(request):
        raise web.HTTPForbidden(text="This request comes from another site.")
    token = session_token(request)
    if token:
        await request.app[HOUSE].hub.db.write(_end, token)
        forget(request)
        request.app[LIVE].end_session(accounts.token_hash(token))
    answer = web.Response(status=303, headers={"Location": "/login"})
    answer.del_cookie(cookie_name(request), path="/", secure=request.app[HOUSE].secure, httponly=True, samesite="Lax")
    return answer


def _end(conn: Connection, token: str) -> None:
    """The session is over, and its device is told nothing more."""
    accounts.close_session(conn, token)
    pushing.signed_out(conn, accounts.token_hash(token))


async def welcome_page(request: web.Request) -> web.StreamResponse:
    """GET /welcome?token=…: the form for the first administrator, else a sentence that says where the link is."""
    token = request.query.get("token", "")
    works = await request.app[HOUSE].hub.db.read(accounts.setup_link_works, token)
    return _welcome(request, token if works else "", 200 if works else 404)


def _welcome(request: web.Request, token: str, status: int, **values: object) -> web.Response:
    language = words_for(request, None).language
    given = {"token": token, "email": "", "name": "", "language": language, "trouble": ""}
    return show(request, "welcome.j2", None, status=status, **{**given, **values})


async def welcome(request: web.Request) -> web.StreamResponse:
    """POST /welcome: make the first administrator and sign in."""
    if not is_same_site(request):
        raise web.HTTPForbidden(text="This request comes from another site.")
    form, house = await read_form(request), request.app[HOUSE]
    token, email, name = (_text(form.get(key), 254) for key in ("token", "email", "name"))
    language = _text(form.get("language"), 5)
    language = language if language in LANGUAGES else "en"
    try:
        async with house.hashing:
            hashed = await asyncio.to_thread(accounts.hash_password, _text(form.get("password"), 200))
        number = await house.hub.db.write(accounts.first_administrator, token, email, name, hashed, language)
    except Invalid as error:
        works = await house.hub.db.read(accounts.setup_link_works, token)
        said = catalogue(words_for(request, None).language).sentence(str(error))
        return _welcome(
            request,
            token if works else "",
            422 if works else 404,
            email=email,
            name=name,
            language=language,
            trouble=said,
        )
    house.hub.bus.publish()
    return await _enter(request, number, "/welcome/company")
