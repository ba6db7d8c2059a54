"""/healthz, /readyz, /metrics: for machines that watch."""

from __future__ import annotations

import asyncio
import hmac
import shutil

import msgspec
from aiohttp import web

from hub import migrations
from hub.http import HOUSE, House


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


def metrics_allowed(request: web.Request, house: House) -> bool:
    """By token, or from this very machine when none is set."""
    if house.metrics_token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), house.metrics_token.encode())
    return request.remote in ("127.0.0.1", "::1")
