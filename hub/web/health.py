"""/healthz, /readyz, /metrics: for machines that watch."""

from __future__ import annotations

import asyncio
import hmac
import shutil

import msgspec
from aiohttp import web

from hub import migrations
from hub.http import HOUSE, House, client_address


def add_routes(app: web.Application) -> None:
    """The three addresses."""
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)


async def healthz(request: web.Request) -> web.Response:
    """200 while every background task lives, else 503 and which one died."""
    tasks = request.app[HOUSE].hub.tasks
    dead = tasks.dead()
    return _answer(503 if dead else 200, {"status": "dead" if dead else "ok", "dead": dead, "tasks": tasks.names()})


async def readyz(request: web.Request) -> web.Response:
    """200 when database, migrations and storage answer."""
    house = request.app[HOUSE]
    trouble = {}
    try:
        async with asyncio.timeout(4):
            if await migrations.needed(house.hub.db):
                trouble["migrations"] = "the schema is old: run hub migrate"
    except Exception as error:
        trouble["database"] = f"it does not answer: {type(error).__name__}"
    try:
        free = shutil.disk_usage(house.hub.blobs.folder).free
        if free < 64_000_000:
            trouble["storage"] = f"only {free // 1_000_000} MB are free"
    except OSError as error:
        trouble["storage"] = str(error.strerror)
    return _answer(503 if trouble else 200, {"status": "not ready" if trouble else "ok", "trouble": trouble})


def _answer(status: int, body: object) -> web.Response:
    headers = {"Retry-After": "2"} if status == 503 else None
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


#: Headers by which a proxy shows: behind one on this machine every stranger seems to be here.
_PASSED_ON = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


def metrics_allowed(request: web.Request, house: House) -> bool:
    """By token; when none is set, from this very machine and not through a proxy."""
    if house.metrics_token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode("utf-8", "replace"), house.metrics_token.encode("utf-8", "replace"))
    if any(name in request.headers for name in _PASSED_ON):
        return False
    return client_address(request) in ("127.0.0.1", "::1")
