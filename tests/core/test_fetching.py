"""What strangers name is fetched from the open internet only, whatever way it is spelled, and never more than is allowed."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from hub.fetching import Fetcher, Unfetchable, is_public

#: Spellings of addresses that are not of the open internet.
INSIDE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.192",
    "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "nonsense", "",
]  # fmt: skip
OUTSIDE = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
#: Spellings of this machine in an address. Some never resolve; none may arrive.
SPELLINGS = [
    "127.0.0.1", "127.1", "2130706433", "017700000001", "0177.0.0.1", "localhost", "LOCALHOST",
    "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "①②⑦.⓪.⓪.①", "127。0。0。1", "0", "0.0.0.0",
    "[::]", "[::127.0.0.1]", "127.0.0.1.",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_some_inner_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


class Canary:
    """A server on this machine that nobody may reach, unless a test lets them."""

    def __init__(self) -> None:
        self.port = unused_port()
        self.asked: list[str] = []
        self.answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.picture

    async def picture(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"GIF89a" + b"x" * 100, content_type="image/gif")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        return await self.answer(request)


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    here = Canary()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", here.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    sockets = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        s = socket.socket(family)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, here.port))
        await web.SockSite(runner, s).start()
        sockets.append(s)
    yield here
    await runner.cleanup()


def fetcher(canary: Canary, inside: bool = False, deadline: float = 3) -> Fetcher:
    """One that may use the canary's port; ``inside``: and this machine."""
    return Fetcher(lambda a: a == "127.0.0.1" if inside else is_public(a), frozenset({canary.port}), deadline)


async def test_no_spelling_of_this_machine_reaches_it(canary: Canary) -> None:
    fetch = fetcher(canary)
    for spelling in SPELLINGS:
        with pytest.raises(Unfetchable):
            await fetch.fetch(f"http://{spelling}:{canary.port}/x")
    for url in (
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://u:p@1.1.1.1/",
        "http://1.1.1.1:22/",
        "//x",
        "",
        "http://",
    ):
        with pytest.raises(Unfetchable):
            await fetch.fetch(url)
    await fetch.close()

    assert canary.asked == []


async def test_the_canary_sings_when_it_is_allowed_to(canary: Canary) -> None:
    fetch = fetcher(canary, inside=True)

    found = await fetch.fetch(f"http://127.0.0.1:{canary.port}/x.gif")
    await fetch.close()

    assert found.body.startswith(b"GIF89a")
    assert canary.asked == ["/x.gif"]


async def test_a_redirect_is_looked_at_like_the_first_address(canary: Canary) -> None:
    targets = [f"http://[::1]:{canary.port}/inner", "http://169.254.169.254/latest", "file:///etc/passwd"]

    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": targets[0]})

    canary.answer = away
    fetch = fetcher(canary, inside=True, deadline=2)
    while targets:
        with pytest.raises(Unfetchable):
            await fetch.fetch(f"http://127.0.0.1:{canary.port}/start")
        targets.pop(0)
    await fetch.close()

    assert set(canary.asked) == {"/start"}


async def test_what_is_too_large_too_slow_or_runs_in_circles_is_given_up(canary: Canary) -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with pytest.raises((ConnectionError, asyncio.CancelledError)):
            while True:
                await answer.write(b"x" * 65536)
        return answer

    async def circle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/again"})

    never = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    said = []
    for answer, deadline in ((large, 5.0), (circle, 5.0), (slow, 0.1)):
        canary.answer = answer
        fetch = fetcher(canary, inside=True, deadline=deadline)
        with pytest.raises(Unfetchable) as caught:
            await fetch.fetch(f"http://127.0.0.1:{canary.port}/", 100_000)
        said.append(str(caught.value))
        await fetch.close()
    never.set()

    assert said == ["it is too large", "redirected too often", "no answer within 0.1 seconds"]
