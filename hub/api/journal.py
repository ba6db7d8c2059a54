"""The journal: what arrived, byte for byte, and reading it again."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from hub import journal
from hub.access import require
from hub.api.shapes import Cursor, Limit
from hub.api.wire import Call, Page, read_cursor, route, write_cursor
from hub.clock import rfc3339
from hub.files import original
from hub.outbox import NotFound


class JournalQuery(Struct, forbid_unknown_fields=True):
    """kept: waits to be read; read; failed: nobody could read it."""

    state: Literal["kept", "read", "failed"] | None = None
    limit: Limit = 50
    cursor: Cursor = ""


class Envelope(Struct, frozen=True):
    """What arrived, without its bytes. ``error`` says why it could not be read."""

    id: str
    channel: str
    source: str
    state: str
    received_at: str | None
    attempts: int
    size: int
    sha256: str
    headers: dict[str, str]
    error: str
    raw_url: str


class Replayed(Struct, frozen=True):
    """How many envelopes will be read again; one that waits already is not counted."""

    replayed: int


@route("GET", "/journal")
async def list_journal(call: Call, query: JournalQuery) -> Page[Envelope]:
    """Envelopes, newest first."""
    require(call.actor, "journal")
    before = read_cursor(query.cursor, "j")[1] if query.cursor else 2**62
    rows = await call.read(journal.listing, query.state, before=before, most=query.limit + 1)
    page = rows[: query.limit]
    following = write_cursor("j", page[-1]["id"]) if len(rows) > query.limit else None
    return Page([_shown(row) for row in page], following)


def _shown(row: dict[str, Any]) -> Envelope:
    return Envelope(
        id=str(row["id"]),
        channel=str(row["channel_id"]),
        source=row["source"],
        state=row["state"],
        received_at=rfc3339(row["received_at"]),
        attempts=row["attempts"],
        size=row["size"],
        sha256=row["sha256"],
        headers=msgspec.json.decode(row["headers"] or "{}", type=dict[str, str]),
        error=row["error"],
        raw_url=f"/api/v1/journal/{row['id']}/raw",
    )


@route("GET", "/journal/{id}/raw", media="application/octet-stream")
async def get_journal_raw(call: Call, id: int) -> web.StreamResponse:
    """An envelope's bytes, exactly."""
    require(call.actor, "journal")
    return await original(call.house, id, f"envelope-{id}", mail=False)


@route("POST", "/journal/{id}/replay")
async def replay_journal(call: Call, id: int) -> Replayed:
    """Have an envelope read again; its messages never double."""
    require(call.actor, "replay")
    if await call.read(journal.body, id) is None:
        raise NotFound
    return Replayed(await call.write(journal.replay, ids=[id]))
