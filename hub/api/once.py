"""Writes that a client may repeat: `client_id` in the body or the header Idempotency-Key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from sqlalchemy.engine import Connection

from hub.api.wire import Call
from hub.http import Problem
from hub.once import once

P = ParamSpec("P")


def client_id(call: Call, given: str | None) -> str:
    """What names this very act: client_id, else the header; empty when there is neither."""
    header = call.request.headers.get("Idempotency-Key", "").strip()
    if len(header) > 200:
        raise Problem(422, "“Idempotency-Key” may have 200 characters at most.", field="Idempotency-Key")
    return given or "".join(c for c in header if c.isprintable())


async def made_once(
    call: Call, act: str, work: Callable[Concatenate[Connection, P], int], *args: P.args, **kwargs: P.kwargs
) -> tuple[int, bool]:
    """Do the work, which says the id of what it made, once for the act: (id, is it new)."""
    return await call.write(once, call.actor.id, call.request.path, act, lambda conn: work(conn, *args, **kwargs))
