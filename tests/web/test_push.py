"""Web Push against a stand-in service: only what nobody saw, to the right place, however the service behaves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub import clock, collaboration, notify, pushing, webpush
from hub.accounts import actor
from hub.courier import Courier
from hub.notices import Wishes
from tests.fakes import until
from tests.web.conftest import Browser, Site, running


class Service:
    """A push service with one browser behind it."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"0123456789abcdef"
        self.status, self.base = 201, ""
        self.got: list[dict[str, Any]] = []
        self.asked: list[web.Request] = []

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append(request)
        if self.status == 201:
            self.got.append(json.loads(self.opened(body)))
        return web.Response(status=self.status)

    def opened(self, body: bytes) -> bytes:
        """The payload, as the browser reads it (RFC 8291, 3)."""
        salt, sender, rest = body[:16], body[21:86], body[86:]
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        mixed = HKDF(hashes.SHA256(), 32, self.secret, b"WebPush: info\0" + self.point + sender).derive(shared)
        content = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(mixed)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(mixed)
        return AESGCM(content).decrypt(nonce, rest, None).rstrip(b"\x02")

    @property
    def point(self) -> bytes:
        public = self.key.public_key()
        return public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    def subscription(self, name: str = "a") -> dict[str, Any]:
        keys = {"p256dh": webpush.b64(self.point), "auth": webpush.b64(self.secret)}
        return {"endpoint": f"{self.base}/{name}", "expirationTime": None, "keys": keys}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """The stand-in, running."""
    made = Service()
    app = web.Application()
    app.router.add_post("/{name}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def site(settings: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server that may push to this machine, and waits a tenth of a second for desktops."""
    monkeypatch.setattr(pushing, "PATIENCE", 100)
    monkeypatch.setattr(pushing, "AGAIN", 100)
    monkeypatch.setattr("hub.courier.EVERY", 0.05)
    async with running(settings(HUB_PUSH__ANYWHERE="true"), monkeypatch) as here:
        yield here


async def give(site: Site, number: int, who: str = "jonas", by: str = "anna") -> None:
    person = await site.server.hub.db.read(actor, site.people[by])
    await site.write(collaboration.assign, person, number, site.people[who], None)


async def subscribed(site: Site, service: Service, who: str = "jonas", name: str = "a") -> Browser:
    browser = await site.signed_in(f"{who}@firm.example")
    answer = await browser.http.post(
        f"{site.base}/settings/notifications/devices",
        json=service.subscription(name),
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status == 204
    await until(lambda: fact(site))
    return browser


async def fact(site: Site) -> Any:
    question = sa.text("SELECT value FROM facts WHERE name = 'push.cursor'")
    return await site.server.hub.db.read(lambda c: c.execute(question).scalar())


async def rows(site: Site, table: str) -> int:
    return int(await site.server.hub.db.read(lambda c: c.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar()))


async def looked_past(site: Site) -> None:
    """Wait until everything that has happened so far was looked at."""
    newest = sa.text("SELECT max(id) FROM events WHERE kind <> 'presence.changed'")
    last = await site.server.hub.db.read(lambda c: c.execute(newest).scalar())

    async def past() -> bool:
        return int(await fact(site) or 0) >= last

    await until(past)


async def test_what_nobody_saw_reaches_the_device_and_leads_to_the_conversation(site: Site, service: Service) -> None:
    number = await site.say("Are you there?")
    await give(site, number)
    await subscribed(site, service)
    await site.say("Hello? Anybody?")

    await until(lambda: service.got)

    said = service.got[-1]
    assert (said["title"], said["text"], said["path"].partition("#i")[0]) == (
        "Katrin Vogel",
        "Hello? Anybody?",
        f"/c/{number}",
    )
    assert said["n"] == 1
    asked = service.asked[-1]
    assert asked.headers["Authorization"].startswith("vapid t=")
    assert (asked.headers["Content-Encoding"], "TTL" in asked.headers) == ("aes128gcm", True)
    await until(lambda: empty(site))


async def empty(site: Site) -> bool:
    return await rows(site, "pushes") == 0


async def test_what_was_seen_on_the_desktop_in_time_is_not_pushed(
    site: Site, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PATIENCE", 10_000)
    number = await site.say()
    await give(site, number)
    browser = await subscribed(site, service)
    await site.say("Quick")
    await browser.post(f"/c/{number}/seen", X_Hub="part")
    moment = clock.now()
    monkeypatch.setattr(pushing, "now", lambda: moment + 20_000)

    await looked_past(site)

    assert await rows(site, "pushes") == 0
    assert service.asked == []


async def test_a_service_that_is_down_gets_it_when_it_is_back(site: Site, service: Service) -> None:
    number = await site.say()
    await give(site, number)
    service.status = 503
    await subscribed(site, service)
    await site.say("Still there?")
    await until(lambda: len(service.asked) >= 2)
    assert await rows(site, "pushes") == 1
    assert site.server.hub.tasks.dead() == {}

    service.status = 201

    await until(lambda: service.got)
    await until(lambda: empty(site))
    assert service.got[0]["text"] == "Still there?"


async def test_a_device_that_is_gone_is_forgotten(site: Site, service: Service) -> None:
    number = await site.say()
    await give(site, number)
    service.status = 410
    await subscribed(site, service)
    await site.say()

    async def forgotten() -> bool:
        return await rows(site, "push_subscriptions") == 0

    await until(forgotten)
    assert await rows(site, "pushes") == 0


async def test_who_signs_out_or_wants_quiet_is_left_alone(site: Site, service: Service) -> None:
    number = await site.say()
    await give(site, number)
    browser = await subscribed(site, service)
    await site.write(notify.save_wishes, site.people["jonas"], Wishes(alone=True))
    await site.say("One")
    await looked_past(site)
    assert service.asked == []

    await browser.post("/logout")
    assert await rows(site, "push_subscriptions") == 0


async def test_a_test_goes_to_every_device_of_mine(site: Site, service: Service) -> None:
    await subscribed(site, service, "anna", "x")
    jonas = await subscribed(site, service, "jonas", "a")
    await subscribed(site, service, "jonas", "b")

    page = await jonas.post("/settings/notifications/test")
    await until(lambda: len(service.got) == 2)

    assert page.status == 200
    assert {said["title"] for said in service.got} == {"Es funktioniert"}
    assert len(page.all("form[action$='/remove']")) == 2


async def test_a_device_has_one_user(site: Site, service: Service) -> None:
    await subscribed(site, service, "anna")
    await subscribed(site, service, "jonas")

    question = sa.text("SELECT employee_id FROM push_subscriptions")
    found = await site.server.hub.db.read(lambda c: list(c.execute(question).scalars()))
    assert found == [site.people["jonas"]]


async def test_no_push_goes_to_a_private_address(site: Site, service: Service) -> None:
    courier = Courier(site.server.hub)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            opened = courier._connector()._socket_factory
            assert opened is not None
            with pytest.raises(OSError, match="no public address"):
                opened((2, 1, 6, "", ("127.0.0.1", 443)))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"endpoint": 1}', b'{"endpoint": "x", "keys": {"p256dh": "", "auth": ""}}']
)
async def test_nonsense_of_a_browser_is_refused(site: Site, body: bytes) -> None:
    anna = await site.signed_in()

    page = await anna.post("/settings/notifications/devices", body)

    assert page.status == 422
