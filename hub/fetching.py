"""Fetching what strangers name: pictures in mails. Never from this machine or the networks around it.

The guard stands where the connection is made (aiohttp's ``socket_factory``), behind every spelling of an address, every answer of a
name server and every redirect: a resolver of our own would not be asked for literal addresses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import aiohttp
from msgspec import Struct
from yarl import URL

#: Seconds for everything, bytes of a picture, redirects, fetches at once, and how many may wait for their turn.
DEADLINE, MOST_BYTES, HOPS, AT_ONCE, WAITING = 8.0, 10_000_000, 3, 6, 60
PORTS = frozenset({80, 443})
_REDIRECTS = (301, 302, 303, 307, 308)

#: What Python's ``is_global`` takes for public although it leads to private places (RFC 4291, 6052, 3056, 4380, 3879, 7526, 6890).
_HIDDEN: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(net)
    for net in (
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "100::/64", "5f00::/16"),
        *("192.88.99.0/24", "192.0.0.0/24", "100.64.0.0/10", "198.18.0.0/15"),
    )
)


class Unfetchable(Exception):
    """It could not be had; the text says why."""


class Fetched(Struct, frozen=True):
    """The bytes behind an address."""

    body: bytes


def is_public(address: str) -> bool:
    """Is this IP address one of the open internet?"""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    return not any(ip.version == net.version and ip in net for net in _HIDDEN)


class Fetcher:
    """Fetches from public addresses only. ``allowed`` and ``ports`` say which those are."""

    def __init__(
        self, allowed: Callable[[str], bool] = is_public, ports: frozenset[int] = PORTS, deadline: float = DEADLINE
    ) -> None:
        self.allowed, self.ports, self.deadline = allowed, ports, deadline
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, most: int = MOST_BYTES) -> Fetched:
        """What stands at the address. Raises `Unfetchable` for whatever reason it cannot be had."""
        if self._waiting >= WAITING:
            raise Unfetchable("too many pictures are being fetched")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.deadline), self._turns:
                return await self._follow(url, most)
        except TimeoutError as error:
            raise Unfetchable(f"no answer within {self.deadline:g} seconds") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unfetchable(str(error)[:200] or type(error).__name__) from error
        finally:
            self._waiting -= 1

    async def _follow(self, url: str, most: int) -> Fetched:
        at = URL(url)
        for _ in range(HOPS + 1):
            self._check(at)
            async with self._client().get(at, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    at = at.join(URL(answer.headers.get("Location", "")))
                    continue
                if answer.status != 200:
                    raise Unfetchable(f"the server says {answer.status}")
                return Fetched(await self._body(answer, most))
        raise Unfetchable("redirected too often")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https") or not url.host or url.port not in self.ports:
            raise Unfetchable("only http and https on their usual ports")
        if url.user or url.password:
            raise Unfetchable("no addresses with passwords")

    @staticmethod
    async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
        if (answer.content_length or 0) > most:
            raise Unfetchable("it is too large")
        body = bytearray()
        async for chunk in answer.content.iter_chunked(65536):
            body += chunk
            if len(body) > most:
                raise Unfetchable("it is too large")
        return bytes(body)

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        if not self.allowed(str(where[0])):
            raise OSError("this address is not on the open internet")
        return socket.socket(family, kind, protocol)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                socket_factory=self._socket, limit=AT_ONCE, force_close=True, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,  # nothing that is small on the wire and huge in memory
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers={"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Mozilla/5.0"},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
