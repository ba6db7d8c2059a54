"""A running hub with two teams, five people, two channels and one conversation on each, and clients that speak for the people."""

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, administration
from hub.tables import messages
from tests.fakes import until

#: For tests of the wire, which no database changes.
wire_only = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Answer:
    """What came back: status, headers, body, and the body as JSON."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:300]!r}>"


class House:
    """The hub under test. ``ids`` are what it holds: channel, conversation, message, customer, … by team (north, south)."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.hub = server.hub
        self.base = f"http://127.0.0.1:{server.port}"
        self.tokens: dict[str, str] = {}
        self.people: dict[str, int] = {}
        self.teams: dict[str, int] = {}
        self.channels: dict[str, Any] = {}
        self.session = aiohttp.ClientSession()

    async def ask(self, who: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """One request on somebody's behalf; ``who`` empty: a stranger."""
        headers = dict(more.pop("headers", {}))
        if who:
            headers.setdefault("Authorization", f"Bearer {self.tokens[who]}")
        if body is not None:
            more["data"] = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        if isinstance(more.get("data"), bytes):
            more["data"] = io.BytesIO(more["data"])
        address = self.base + (path if path.startswith("/api") else f"/api/v1{path}")
        async with self.session.request(method, address, headers=headers, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, who: str = "admin") -> Any:
        """What a GET shows; it must succeed."""
        answer = await self.ask(who, "GET", path)
        assert answer.status == 200, answer
        return answer.json

    async def receive(self, team: str, number: str, address: str, text: str, **more: Any) -> None:
        """A customer writes, and the message is there when this returns."""
        channel = self.channels[team]
        said = {"id": number, "from": {"address": address, "name": more.pop("name", address)}, "text": text, **more}
        body = json.dumps({"messages": [said]}).encode()
        signature = "sha256=" + hmac.digest(b"secret", body, hashlib.sha256).hex()
        url = f"{self.base}/webhooks/api/{channel.config.key}"
        async with self.session.post(url, data=body, headers={"X-Hub-Signature-256": signature}) as answer:
            assert answer.status == 200, await answer.text()
        await until(lambda: self.hub.db.read(_known, number))


def _known(conn: Connection, number: str) -> bool:
    return conn.execute(sa.select(messages.c.id).where(messages.c.provider_id == number)).first() is not None


PEOPLE = {"admin": "admin", "boss": "supervisor", "agent": "agent", "stranger": "agent", "light": "light"}


def _fill(conn: Connection, house: House) -> None:
    for name, role in PEOPLE.items():
        house.people[name] = accounts.add_employee(conn, f"{name}@house.example", name.title(), role, None)
        house.tokens[name] = accounts.add_token(conn, house.people[name], "test")[1]
    for team, members in {"north": ["agent", "light"], "south": ["stranger"]}.items():
        house.teams[team] = administration.add_team(conn, team)
        administration.set_members(conn, house.teams[team], [house.people[m] for m in members])
        house.channels[team] = administration.add_channel(
            conn, house.hub.box, "api", team, {"secret": "secret"}, house.teams[team]
        )


@pytest.fixture
async def house(settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Started, filled, with a customer on each channel; ended afterwards."""
    from config.app import build

    monkeypatch.setattr("hub.web.live.RECHECK", 0.2)  # open streams are looked at ten times as often
    server = await build(settings())
    await server.start()
    built = House(server)
    try:
        await built.hub.db.write(_fill, built)
        await built.hub.load_channels()
        await built.receive("north", "n1", "nora", "Where is my parcel?", name="Nora North")
        await built.receive("south", "s1", "sam", "A question of money", name="Sam South")
        yield built
    finally:
        await built.session.close()
        async with asyncio.timeout(20):
            await server.stop()
