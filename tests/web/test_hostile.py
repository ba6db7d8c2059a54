"""Strangers' nonsense in every address, form and header of the screens: never our fault, always an answer."""

import asyncio
import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from hub.http import guard
from tests.web.conftest import PASSWORD, Site

#: Values that have broken somebody's server, as an address or a form may carry them.
HOSTILE = ["%00", "a%00b", "%ED%A0%80", "%FF", "%0d%0aX-Evil:%201", "9" * 5000, "-1", "%F0%9F%98%80", "..%2f..", "x" * 3000, "e99999999999",
           "0001-01-01T00:00", "9999-12-31T23:59+00:00"]  # fmt: skip
#: Those that make no difference in a query.
PATHS_ONLY = {"%00", "9" * 5000, "..%2f..", "x" * 3000, "%F0%9F%98%80", "%FF"}
#: Every field that some form or query has.
FIELDS = [
    *(
        "email",
        "password",
        "next",
        "token",
        "name",
        "language",
        "client_id",
        "text",
        "note",
        "via",
        "seen",
        "file",
        "upload",
    ),
    *(
        "to",
        "state",
        "who",
        "channel",
        "due",
        "since",
        "month",
        "from",
        "from_time",
        "until_time",
        "kind",
        "deputy",
        "role",
        "skills",
        "languages",
        "capacity",
        "teams",
        "members",
        "strategy",
        "hours",
        "lead",
        "offer_seconds",
        "silent_minutes",
        "disabled",
        "keywords",
        "subject",
        "kinds",
        "channels",
        "domains",
        "regions",
        "attributes",
        "fields",
        "priorities",
        "open",
        "employee",
        "team",
        "speaks",
        "at",
        "days",
        "on",
        "zone",
        "region",
        "mon",
        "exceptions",
        "preview",
        "first_minutes",
        "anyway",
        "done",
        "why",
        "status",
        "until",
        "tags",
        "q",
        "cursor",
        "before",
        "after",
        "message",
        "c",
        "in",
        "sort",
        "download",
    ),
]
#: Bytes that no browser sends in a header.
ODD = b"\xff\xed\xa0\x80\xc3"


async def raw(site: Site, request: bytes) -> int:
    """The status of an answer to bytes of our own."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
        writer.write(request)
        line = await reader.readline()
        writer.close()
    return int(line.split()[1]) if line else 0


def addresses(site: Site, number: int) -> tuple[list[str], list[str]]:
    """Every GET and POST address of the screens: with what there is, and with nonsense in its place."""
    get, post = [], []
    for route in site.server.app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if path.startswith(("/api", "/webhooks")) or path in ("/stream", "/logout"):
            continue
        found = [path.replace("{number}", str(number))] if "{number}" in path else []
        found += [re.sub(r"\{\w+\}", value, path) for value in HOSTILE] if "{" in path else [path]
        (get if route.method == "GET" else post if route.method == "POST" else []).extend(found)
    return get, post


@pytest.mark.rest
async def test_nonsense_in_any_address_form_or_header_is_never_our_fault(site: Site) -> None:
    number = await site.say()
    anna = await site.signed_in()
    cookie = "; ".join(f"{c.key}={c.value}" for c in anna.http.cookie_jar)
    get, post = addresses(site, number)
    queries = ["&".join(f"{field}={value}" for field in FIELDS) for value in HOSTILE if value not in PATHS_ONLY]
    asked, bad = 0, []

    async def ask(method: str, path: str, body: str = "", **more: str) -> None:
        nonlocal asked
        headers = {"Host": "x", "Connection": "close", "Cookie": cookie, "Sec-Fetch-Site": "same-origin", **more}
        if method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        status = await raw(site, head.encode("latin-1") + b"\r\n" + body.encode())
        asked += 1
        if not 200 <= status < 500:
            bad.append((method, path[:80], body[:80], status))

    for path in get:
        await ask("GET", path)
    for query in queries:
        for path in [p for p in get if "%" not in p and len(p) < 100 and "static" not in p and p != "/readyz"]:
            await ask("GET", f"{path}?{query}")
    for path in [p for p in post if len(p) < 100 and "%" not in p]:
        for query in queries:
            await ask("POST", f"{path}?{query}", query)
        await ask("POST", f"{path}?{queries[0]}", "status=closed&client_id=1&note=x&text=x&to=t901&language=de")
    await ask("POST", f"/c/{'9' * 5000}/note", "note=x&client_id=1")
    for path in ("/login", "/inbox/all", f"/c/{number}", "/metrics", "/nowhere", "/inbox/all?q=\xff\xfe&in=\xff"):
        for name in ("Accept-Language", "User-Agent", "Authorization", "X-Forwarded-For", "Sec-Fetch-Site", "Accept"):
            await ask("GET", path, **{name: f"Bearer {ODD.decode('latin-1')}"})
        await ask("GET", path, Cookie=f"tz={ODD.decode('latin-1')}; sid={ODD.decode('latin-1')}")

    assert bad == []
    assert asked > 250


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_form_in_an_unknown_shape_is_refused_in_words(site: Site) -> None:
    browser = site.browser()

    for kind, body in (
        ("application/x-www-form-urlencoded; charset=nonsense", b"email=x"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"\xff"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"email=+2AA-&password=+2AA-"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\xff"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"nonsense"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=email\r\n\r\na\x00b\r\n--x--",
        ),
    ):
        for path in ("/login", "/welcome"):
            answer = await browser.post(path, body, Content_Type=kind)
            assert 400 <= answer.status < 500, (path, kind, body, answer.status)


async def test_a_surrogate_as_token_of_the_metrics_is_a_wrong_token(settings: Any) -> None:
    pytest.importorskip("prometheus_client")
    from config.app import build

    server = await build(settings(HUB_METRICS__TOKEN="secret"), migrate=True)
    await server.start()
    try:
        head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + ODD + b"\r\n\r\n"
        assert await raw(Site(server, None, {}), head) == 403
    finally:
        await server.stop()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_metrics_are_nobodys_behind_a_proxy_on_this_machine(site: Site) -> None:
    pytest.importorskip("prometheus_client")
    browser = site.browser()

    assert (await browser.get("/metrics")).status == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert (await browser.get("/metrics", **{name: "127.0.0.1"})).status == 403, name


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_body_that_drips_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await site.say()
    anna = await site.signed_in()
    cookie = "; ".join(f"{c.key}={c.value}" for c in anna.http.cookie_jar)
    for module in ("hub.http.BODY", "hub.api.wire.BODY", "hub.web.deeds.UPLOAD", "hub.api.attachments.UPLOAD"):
        monkeypatch.setattr(module, 0.05, raising=True)
    form, json = "application/x-www-form-urlencoded", "application/json"
    said = {}
    for path, kind in (
        ("/login", form),
        ("/welcome", form),
        ("/me/language", form),
        *((f"/c/{number}/{deed}", form) for deed in ("reply", "note", "assign", "status", "tags")),
        (f"/api/v1/conversations/{number}/notes", json),
        ("/api/v1/attachments", "multipart/form-data; boundary=x"),
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {kind}\r\n"
        said[path] = await raw(site, f"{head}Content-Length: 100\r\n\r\n--x\r\n".encode())

    assert said == dict.fromkeys(said, 408)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_addresses_of_nobody_and_wrong_methods_are_pages_for_people_and_problems_for_programs(site: Site) -> None:
    browser = site.browser()

    nowhere = await browser.get("/nowhere/at/all", Accept_Language="de")
    method = await browser.post("/inbox/all", {})
    program = await browser.get("/nowhere", Accept="application/json")
    api = await browser.get("/api/nowhere")

    assert (nowhere.status, nowhere.words("h1")) == (404, "Nicht gefunden")
    assert "Buchstabe" in nowhere.words("#failure-words")
    assert (method.status, method.words("h1"), method.headers["Allow"]) == (405, "That does not work here", "GET,HEAD")
    for page in (nowhere, method):
        assert page.headers["Content-Type"].startswith("text/html")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    for answer in (program, api):
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_full_disk_is_said_and_the_text_is_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    number = await site.say()
    anna = await site.signed_in()
    page = await anna.get(f"/c/{number}")
    form = aiohttp.FormData({**page.fields("form.f-reply"), "text": "My long answer"})
    form.add_field("upload", b"bytes", filename="plan.txt")

    def full(_data: bytes) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site.server.hub.blobs, "put", full)
    answer = await anna.post(f"/c/{number}/reply", form)

    assert (answer.status, answer.one("#reply-text").text()) == (507, "My long answer")


async def test_a_password_with_odd_signs_still_opens_the_door(site: Site) -> None:
    answer = await site.browser().post(
        "/login", {"email": " Anna@Firm.example\u2028", "password": PASSWORD}, follow=False
    )

    assert answer.status == 303


async def test_whoever_hung_up_is_no_failure_and_a_lost_database_is_one(site: Site) -> None:
    request = make_mocked_request("GET", "/stream", app=site.server.app)
    gone: Any = request.transport
    gone.is_closing = lambda: True

    async def handler(_: web.Request) -> web.StreamResponse:
        raise ConnectionResetError("Cannot write to closing transport")

    with pytest.raises(ConnectionResetError):
        await guard(request, handler)
    gone.is_closing = lambda: False
    assert (await guard(request, handler)).status in (500, 503)
