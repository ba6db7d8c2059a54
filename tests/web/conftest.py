"""A running server with two employees, an api channel and its customer's messages; and a client without JavaScript."""

import asyncio
import contextlib
import functools
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser
from yarl import URL

from tests.fakes import until

PASSWORD = "correct horse"
numbers = itertools.count(1)


class Page:
    """An answer, parsed as a browser would."""

    def __init__(self, status: int, url: str, headers: Any, text: str) -> None:
        self.status, self.url, self.headers, self.text = status, url, headers, text
        self.tree = LexborHTMLParser(text)

    def all(self, selector: str) -> list[Any]:
        return self.tree.css(selector)

    def one(self, selector: str) -> Any:
        found = self.tree.css(selector)
        assert len(found) == 1, f"{selector}: {len(found)} on {self.url}\n{self.text[:3000]}"
        return found[0]

    def words(self, selector: str) -> str:
        return " ".join(" ".join(n.text().split()) for n in self.tree.css(selector))

    def fields(self, selector: str) -> dict[str, str]:
        """What a browser would send with this form."""
        form = self.one(selector)
        sent = {}
        for field in [
            *form.css("input,textarea"),
            *self.all(f"select[form={form.attributes.get('id')}]"),
            *form.css("select"),
        ]:
            name, kind = field.attributes.get("name"), field.attributes.get("type")
            if not name or kind == "file" or (kind in ("checkbox", "radio") and "checked" not in field.attributes):
                continue
            if field.tag == "select":
                chosen = [o for o in field.css("option") if "selected" in o.attributes] or field.css("option")
                sent[name] = chosen[0].attributes.get("value") or ""
            else:
                sent[name] = field.text() if field.tag == "textarea" else field.attributes.get("value") or ""
        return sent


class Browser:
    """Somebody's browser without JavaScript: cookies, forms, redirects."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.at_the_end: list[Callable[[], Awaitable[None]]] = []
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(20))

    async def _page(self, answer: aiohttp.ClientResponse) -> Page:
        async with answer:
            return Page(
                answer.status, str(answer.url), answer.headers, (await answer.read()).decode("utf-8", "replace")
            )

    async def get(self, path: str, follow: bool = True, **headers: str) -> Page:
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self._page(await self.http.get(self.base + path, headers=given, allow_redirects=follow))

    async def post(self, path: str, data: Any = None, follow: bool = True, **headers: str) -> Page:
        given = {"Sec-Fetch-Site": "same-origin"} | {key.replace("_", "-"): value for key, value in headers.items()}
        answer = await self.http.post(self.base + path, data=data, headers=given, allow_redirects=follow)
        return await self._page(answer)

    async def send(self, page: Page, selector: str, follow: bool = True, **values: str) -> Page:
        """Fill in a form of the page and send it."""
        action = page.one(selector).attributes["action"]
        return await self.post(action, {**page.fields(selector), **values}, follow)

    async def login(self, email: str = "anna@firm.example", password: str = PASSWORD) -> Page:
        return await self.send(await self.get("/login"), "form", email=email, password=password)


class Site:
    """The server under test with what is in it."""

    def __init__(self, server: Any, channel: Any, people: dict[str, int]) -> None:
        self.server, self.channel, self.people = server, channel, people
        self.base = f"http://127.0.0.1:{server.port}"
        self.browsers: list[Browser] = []

    def browser(self) -> Browser:
        self.browsers.append(Browser(self.base))
        return self.browsers[-1]

    async def signed_in(self, email: str = "anna@firm.example") -> Browser:
        """A browser with a session; `Browser.login` goes by the form, which takes longer."""
        browser = self.browser()
        browser.http.cookie_jar.update_cookies({"sid": await self.session(email.partition("@")[0])}, URL(self.base))
        return browser

    async def session(self, who: str) -> str:
        """What somebody's cookie ``sid`` says."""
        from hub import accounts

        return str(await self.server.hub.db.write(accounts.open_session, self.people[who], "test"))

    async def say(self, text: str = "Hello", who: str = "kunde", name: str = "Katrin Vogel", **more: Any) -> int:
        """A customer writes; the conversation's number once it is there."""
        key = f"m{next(numbers)}"
        body = json.dumps(
            {"messages": [{"id": key, "from": {"address": who, "name": name}, "text": text, **more}]}
        ).encode()
        signature = "sha256=" + hmac.new(b"s3", body, hashlib.sha256).hexdigest()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as http:
            url = f"{self.base}/webhooks/api/{self.channel.config.key}"
            async with http.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
                assert answer.status < 300
        question = sa.text("SELECT conversation_id FROM messages WHERE provider_id = :key")
        return await until(lambda: self.server.hub.db.read(lambda c: c.execute(question, {"key": key}).scalar()))

    async def write(self, work: Callable[..., Any], *args: Any) -> Any:
        found = await self.server.hub.db.write(work, *args)
        self.server.hub.bus.publish()
        return found


@functools.cache
def _hashed() -> str:
    from hub import accounts

    return accounts.hash_password(PASSWORD)


def fill(conn: Any, box: Any) -> tuple[Any, dict[str, int]]:
    """Two employees (one in no team, administrator; one agent of Service), a second team, and a channel."""
    from hub import accounts, channels, events
    from hub.tables import team_members, teams

    hashed = _hashed()
    people = {
        "anna": accounts.add_employee(conn, "anna@firm.example", "Anna Becker", "admin", hashed, "en"),
        "jonas": accounts.add_employee(conn, "jonas@firm.example", "Jonas Meier", "agent", hashed, "de"),
        "lea": accounts.add_employee(conn, "lea@firm.example", "Lea Light", "light", hashed, "en"),
    }
    rows = [{"id": 900, "slug": "service", "name": "Service"}, {"id": 901, "slug": "sales", "name": "Sales"}]
    conn.execute(sa.insert(teams), [{**row, "created_at": 0} for row in rows])
    conn.execute(sa.insert(team_members), [{"team_id": 900, "employee_id": people[k]} for k in ("jonas", "lea")])
    channel = channels.add(conn, box, "api", "Shop", {"secret": "s3"}, 900)
    events.append(conn, [events.NewEvent("channel.added", channel_id=channel.config.id)])
    return channel, people


@contextlib.asynccontextmanager
async def running(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The whole server in this process, on a port of its own. It looks at the sessions of open streams ten times as often."""
    from config.app import build

    monkeypatch.setattr("hub.web.live.RECHECK", 0.2)
    server = await build(settings, migrate=True)
    channel, people = await server.hub.db.write(fill, server.hub.box)
    await server.start()
    site = Site(server, channel, people)
    try:
        yield site
    finally:
        for browser in site.browsers:
            for end in browser.at_the_end:
                await end()
            await browser.http.close()
        async with asyncio.timeout(20):
            await site.server.stop()


@pytest.fixture
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A running server, see `running`."""
    async with running(settings(), monkeypatch) as here:
        yield here
