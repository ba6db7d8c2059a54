"""People and owners as CSV, for spreadsheets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import ownership, roster, sheets
from hub.access import require
from hub.api.wire import MOST_BODY, Call, route
from hub.http import BODY, Problem, in_time
from hub.sheets import Line, Outcome

#: The most changes that are told one by one.
MOST_TOLD = 1000


class SheetQuery(Struct, forbid_unknown_fields=True):
    """``dry_run``: say what would change and change nothing."""

    dry_run: bool = False


class SheetChange(Struct, frozen=True):
    """What a line changes: ``changes`` holds [before, after] by column."""

    line: int
    what: str
    added: bool
    changes: dict[str, list[str]]


class SheetOutcome(Struct, frozen=True):
    """What a table changed, or would change; ``changes`` tells the first 1000 of them."""

    dry_run: bool
    lines: int
    added: int
    changed: int
    unchanged: int
    changes: list[SheetChange]


@route("GET", "/directory.csv", media="text/csv")
async def get_directory(call: Call) -> web.StreamResponse:
    """Everybody who works here: e-mail, name, role, teams, skills, languages, capacity (empty: as usual), deputy's e-mail."""
    require(call.actor, "routing")
    return await _download(call, "directory.csv", roster.COLUMNS, roster.listing)


@route("PUT", "/directory.csv", accepts="text/csv")
async def put_directory(call: Call, query: SheetQuery) -> SheetOutcome:
    """Make and change employees as the lines say, all or nothing; who is in no line stays as they are. Only the columns that are
    there change; ``email`` must be. Lists are separated by semicolons. 422 names line and column of every fault in ``errors``.
    """
    require(call.actor, "employees")

    async def work(lines: Sequence[Line]) -> Outcome:
        return await call.write(roster.take, call.actor, lines, dry=query.dry_run)

    return await _upload(call, roster.COLUMNS, ("email",), roster.MOST, work, dry=query.dry_run)


@route("GET", "/owners.csv", media="text/csv")
async def get_owners(call: Call) -> web.StreamResponse:
    """Every customer who has an owner: id, name, first address, the owner's e-mail."""
    require(call.actor, "routing")
    return await _download(call, "owners.csv", ownership.COLUMNS, lambda conn: list(ownership.listing(conn)))


@route("PUT", "/owners.csv", accepts="text/csv")
async def put_owners(call: Call, query: SheetQuery) -> SheetOutcome:
    """Give customers their owners as the lines say, all or nothing. ``customer`` is an id or an address (or leave it empty and give
    ``address``), ``owner`` an e-mail address; empty: nobody. 422 names line and column of every fault in ``errors``.
    """
    require(call.actor, "routing")

    async def work(lines: Sequence[Line]) -> Outcome:
        found = await asyncio.to_thread(ownership.about, lines)
        return await call.write(ownership.take, call.actor, found, dry=query.dry_run)

    return await _upload(call, ownership.COLUMNS, ("owner",), ownership.MOST, work, dry=query.dry_run)


async def _download(
    call: Call, name: str, columns: Sequence[str], rows: Callable[[Connection], list[dict[str, str]]]
) -> web.Response:
    found = await call.read(rows)
    text = await asyncio.to_thread(sheets.write, columns, found)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)


async def _upload(
    call: Call,
    known: Sequence[str],
    needed: Sequence[str],
    most: int,
    work: Callable[[Sequence[Line]], Awaitable[Outcome]],
    *,
    dry: bool,
) -> SheetOutcome:
    data = await _body(call.request)
    try:
        lines = await asyncio.to_thread(sheets.read, data, known, needed, most, call.request.charset or "")
        return _told(await work(lines), dry)
    except sheets.DryRun as would:
        return _told(would.outcome, dry)
    except sheets.Unusable as error:
        faults = [structs.asdict(fault) for fault in error.faults]
        raise Problem(422, str(error), field=error.faults[0].column, errors=faults) from error


async def _body(request: web.Request) -> bytes:
    if request.content_type != "text/csv":
        raise Problem(415, "Send the table with “Content-Type: text/csv”.")
    if (request.content_length or 0) > MOST_BODY:
        raise Problem(413, f"The body may have {MOST_BODY} bytes at most.")
    try:
        data = await in_time(request.read(), BODY)
    except web.RequestPayloadError as error:
        raise Problem(400, "The body ended before it was complete. Send it again.") from error
    if len(data) > MOST_BODY:
        raise Problem(413, f"The body may have {MOST_BODY} bytes at most.")
    return data


def _told(outcome: Outcome, dry: bool) -> SheetOutcome:
    added = sum(change.added for change in outcome.changes)
    changed = len(outcome.changes) - added
    told = [
        SheetChange(c.line, c.what, c.added, {name: list(pair) for name, pair in c.changes.items()})
        for c in outcome.changes[:MOST_TOLD]
    ]
    return SheetOutcome(dry, outcome.lines, added, changed, outcome.lines - added - changed, told)
