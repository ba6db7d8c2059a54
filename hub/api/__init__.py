"""API v1: JSON in and out, described by /api/openapi.json."""

from __future__ import annotations

import msgspec
from aiohttp import web

from hub import sessions
from hub.api import (
    absences,
    attachments,
    caring,
    channels,
    conversations,
    customers,
    drafts,
    handover,
    happenings,
    hours,
    journal,
    messages,
    people,
    planned,
    prepared,
    presence,
    queue,
    replies,
    routing,
    sheets,
    simulations,
    sla,
    teams,
    views,
    working,
)
from hub.api.openapi import document
from hub.api.wire import ROUTES, serve
from hub.http import HOUSE, Problem

#: The modules whose handlers registered themselves while they were imported.
PARTS = (
    conversations,
    drafts,
    replies,
    messages,
    customers,
    channels,
    journal,
    attachments,
    caring,
    handover,
    happenings,
    people,
    planned,
    prepared,
    teams,
    absences,
    presence,
    queue,
    sheets,
    hours,
    sla,
    routing,
    simulations,
    views,
    working,
)

#: Whatever is under /api and no address of ours.
NOWHERE = "/api/{rest}"


def add_routes(app: web.Application) -> None:
    """Every address under /api."""
    sessions.prepare(app)
    for r in ROUTES:
        handler = serve(r)
        app.router.add_route(r.method, r.path, handler)
        if r.method == "GET":
            app.router.add_route("HEAD", r.path, handler)
    app.router.add_get("/api/openapi.json", openapi, allow_head=False)
    app.router.add_route("*", "/api/{rest:.*}", nowhere)


async def openapi(request: web.Request) -> web.Response:
    """The description of the API, for programs and people."""
    body = msgspec.json.encode(document(ROUTES, request.app[HOUSE].version))
    return web.Response(body=body, content_type="application/json")


async def nowhere(request: web.Request) -> web.Response:
    """No such address, or not by this method."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != NOWHERE:
            allowed |= (await resource.resolve(request))[1]
    if allowed:
        raise web.HTTPMethodNotAllowed(
            request.method, allowed, text=f"This address takes {', '.join(sorted(allowed))}."
        )
    raise Problem(404, "There is no such address; /api/openapi.json lists them all.")
