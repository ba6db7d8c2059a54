"""The one door for providers: POST /webhooks/<provider>/<channel key>.

2xx only after the envelope is committed. 403 for a wrong or missing signature (nothing is kept), 404 for a key nobody has, 413 for
too much, 408 for too slow, 400 for what a strict provider file refuses to keep unread, 429/503 with Retry-After under load.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, Protocol

import msgspec
from aiohttp import web

import webhooks
from hub.adapter import Adapter, ChannelConfig
from hub.failpoints import hit
from hub.ingest import DiskFull, Unavailable, read_now
from hub.messages import Envelope, Reading, Unreadable
from hub.text import clean_line

#: A body must have arrived after so many seconds.
SLOWEST = 10
#: Headers worth keeping with the envelope.
KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Request-Id")


class ReadyChannel(Protocol):
    """What the door needs of a channel in use."""

    @property
    def id(self) -> int: ...
    @property
    def config(self) -> ChannelConfig: ...
    @property
    def adapter(self) -> Adapter: ...


Keep = Callable[[Envelope, Reading | None], Awaitable[None]]


class Door:
    """Handles the route. ``channels`` maps keys to channels in use; ``keep`` commits; ``look_again`` is awaited for unknown keys."""

    def __init__(
        self,
        channels: Callable[[], Mapping[str, Any]],
        keep: Keep,
        public_url: str,
        look_again: Callable[[], Awaitable[None]],
    ) -> None:
        self._channels = channels
        self._look_again = look_again
        self._keep = keep
        self._public_url = public_url.rstrip("/")
        self._providers = _providers()

    async def post(self, request: web.Request) -> web.Response:
        """Answer one webhook."""
        channel = await self._channel(request.match_info["key"])
        provider = self._providers.get(request.match_info["provider"])
        if channel is None or provider is None or channel.adapter.provider != request.match_info["provider"]:
            return _problem(404, "There is no such webhook address. Look it up with “hub channel show”.")
        try:
            body = await _body(request)
        except TimeoutError:
            return _problem(408, f"The body did not arrive within {SLOWEST} seconds.")
        if not provider.genuine(channel.config, request.headers, body, self._public_url + request.raw_path):
            return _problem(403, "The signature is missing or wrong; nothing was kept. Check the channel's secret.")
        hit("door.before_keep")
        envelope = Envelope(
            channel.id,
            body,
            "webhook",
            time.time_ns() // 1_000_000,
            {name: clean_line(request.headers[name], 300) for name in KEPT_HEADERS if name in request.headers},
        )
        return await self._kept(channel, provider, envelope)

    async def _channel(self, key: str) -> ReadyChannel | None:
        found: ReadyChannel | None = self._channels().get(key)
        if found is None:
            await self._look_again()  # it may have been made a moment ago by another process
            found = self._channels().get(key)
        return found

    async def _kept(self, channel: ReadyChannel, provider: ModuleType, envelope: Envelope) -> web.Response:
        light = not channel.adapter.traits.heavy
        reading = read_now(channel.config.kind, envelope) if light else None
        if isinstance(reading, Unreadable):
            if provider.REFUSES_UNREADABLE:
                return _problem(400, f"Nothing was kept: {reading}")
            reading = None
        try:
            await self._keep(envelope, reading)
        except Unavailable as error:
            return unavailable(error)
        hit("door.before_answer")
        return _accepted(reading)


async def _body(request: web.Request) -> bytes:
    """The whole body; aiohttp stops at the application's client_max_size, also for compressed bodies, with 413."""
    if request.content.is_eof():
        return await request.read()
    async with asyncio.timeout(SLOWEST):
        return await request.read()


def _accepted(reading: Reading | None) -> web.Response:
    if reading is None:
        return web.Response(body=b'{"kept":1}', content_type="application/json")
    if not reading.refused:
        return web.Response(body=b'{"kept":%d}' % len(reading.messages), content_type="application/json")
    answer = {
        "kept": len(reading.messages),
        "refused": [{"item": r.index, "reason": r.reason} for r in reading.refused],
    }
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def unavailable(error: Unavailable) -> web.Response:
    """The answer while nothing can be kept: 503, or 507 when the disk is full; the provider tries again."""
    full = isinstance(error, DiskFull)
    answer = _problem(
        507 if full else 503, "Nothing was kept. Please send it again." + (" The disk is full." if full else "")
    )
    answer.headers["Retry-After"] = "30" if full else "2"
    return answer


def _problem(status: int, detail: str) -> web.Response:
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")


def _providers() -> dict[str, ModuleType]:
    """The provider files in this folder: those with a function `genuine`."""
    found = {}
    for module in pkgutil.iter_modules(webhooks.__path__):
        if module.name in ("door", "smtp") or module.name.startswith("_"):
            continue
        found[module.name] = importlib.import_module(f"webhooks.{module.name}")
    return found
