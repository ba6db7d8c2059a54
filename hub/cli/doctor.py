"""hub doctor: looks at everything and says what to do."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, channels, migrations
from hub.cli.house import in_words, print_json, settings_of
from hub.clock import now
from hub.core import Hub
from hub.database import SqliteDatabase
from hub.sql import db_now, lit
from hub.tables import deliveries, journal

#: Less free space than this (bytes) is a warning; readiness turns red at 64 MB.
ROOM = 1_000_000_000
#: Clocks may differ so much (milliseconds).
DRIFT = 2000


class Finding(Struct, frozen=True):
    """What one check found: ok, warning or error; ``advice`` says what to do."""

    check: str
    state: str
    words: str
    advice: str = ""


async def doctor(front: Any, args: argparse.Namespace) -> int:
    """Every check that makes sense; exit code 1 when one is an error."""
    settings = settings_of(front, args)
    hub: Hub = front.open_hub(settings)
    try:
        found = [await _safely("database", _database, hub, settings)]
        works = found[0][0].state == "ok"
        checks = CHECKS if works else [("storage", _storage)]
        found += [await _safely(name, check, hub, settings) for name, check in checks]
    finally:
        await hub.channels.close()
        await hub.db.close()
    flat = [finding for group in found for finding in group]
    if args.json:
        print_json(flat)
    else:
        marks = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}
        for f in flat:
            print(f"{marks[f.state]} {f.check}: {f.words}" + (f" → {f.advice}" if f.advice else ""))
    return 1 if any(f.state == "error" for f in flat) else 0


Check = Callable[[Hub, Any], Awaitable[list[Finding]]]


async def _safely(name: str, check: Check, hub: Hub, settings: Any) -> list[Finding]:
    try:
        async with asyncio.timeout(15):
            return await check(hub, settings)
    except Exception as error:
        return [Finding(name, "error", in_words(error)[:300], ADVICE.get(name, "see what the other checks say"))]


async def _database(hub: Hub, _: Any) -> list[Finding]:
    await hub.db.read(lambda conn: conn.execute(sa.text("SELECT 1")).scalar())
    if not isinstance(hub.db, SqliteDatabase):
        return [Finding("database", "ok", "PostgreSQL answers")]
    said = await hub.db.read(lambda conn: conn.execute(sa.text("PRAGMA quick_check")).scalar())
    if said != "ok":
        return [Finding("database", "error", f"the file is damaged: {said}", "stop the hub and restore a backup")]
    return [Finding("database", "ok", f"{hub.db.path} is whole")]


async def _schema(hub: Hub, _: Any) -> list[Finding]:
    if await migrations.needed(hub.db):
        return [Finding("migrations", "error", "the schema is old or missing", "run “hub migrate”")]
    return [Finding("migrations", "ok", f"schema {migrations.HEAD}")]


async def _storage(hub: Hub, settings: Any) -> list[Finding]:
    digest = await asyncio.to_thread(hub.blobs.put, b"hub doctor was here\n")
    await asyncio.to_thread(hub.blobs.path(digest).unlink)
    free = shutil.disk_usage(hub.blobs.folder).free
    room = f"{free // 1_000_000} MB are free"
    disk = Finding("disk", "ok", room) if free > ROOM else Finding("disk", "warning", room, "make room soon")
    return [Finding("storage", "ok", f"{hub.blobs.folder} can be written"), disk, _key(settings.key_file)]


def _key(path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("secret key", "error", f"others may read {path}", f"run “chmod 600 {path}”")
    return Finding("secret key", "ok", f"{path} is its owner's alone")


async def _clock(hub: Hub, _: Any) -> list[Finding]:
    theirs: int = await hub.db.read(lambda conn: conn.execute(sa.select(db_now())).scalar_one())
    apart = abs(theirs - now())
    if apart > DRIFT:
        return [Finding("clock", "warning", f"the database's clock is {apart} ms away", "let NTP set both clocks")]
    return [Finding("clock", "ok", "agrees with the database's")]


async def _people(hub: Hub, _: Any) -> list[Finding]:
    if await hub.db.read(accounts.setup_needed):
        return [Finding("employees", "warning", "there is none yet", "run “hub user add EMAIL --role admin”")]
    return [Finding("employees", "ok", "there is somebody")]


async def _channels(hub: Hub, _: Any) -> list[Finding]:
    try:
        rows = await hub.db.read(channels.all_rows, hub.box)
    except ValueError as error:
        return [Finding("channels", "error", str(error), "put the right secret.key back from your backup")]
    if not rows:
        return [Finding("channels", "warning", "there is none yet", "run “hub channel add KIND --name N”")]
    return [
        Finding(
            f"channel {r.config.id}",
            "warning",
            f"{r.config.name}: {r.trouble}",
            f"try “hub channel test {r.config.id}”",
        )
        if r.trouble
        else Finding(f"channel {r.config.id}", "ok", f"{r.config.name} ({r.config.kind})")
        for r in rows
    ]


def _left(conn: Connection) -> tuple[int, int, int]:
    def count(column: sa.Column[int], *conditions: sa.ColumnElement[bool]) -> int:
        return conn.execute(sa.select(sa.func.count(column)).where(*conditions)).scalar_one()

    old, j, d = now() - 60_000, journal.c, deliveries.c
    return (
        count(j.id, j.state == lit("failed")),
        count(j.id, j.state == "kept", j.received_at < old),
        count(d.id, d.state == "queued", d.not_before < old),
    )


async def _work(hub: Hub, _: Any) -> list[Finding]:
    failed, unread, queued = await hub.db.read(_left)
    found = []
    if failed:
        found.append(
            Finding(
                "journal", "warning", f"{failed} envelopes could not be read", "see “hub journal list --state failed”"
            )
        )
    if unread or queued:
        words = f"{unread} envelopes and {queued} deliveries wait for more than a minute"
        found.append(Finding("work", "warning", words, "is “hub serve” running?"))
    return found or [Finding("work", "ok", "nothing waits")]


ADVICE = {
    "database": "start it, correct HUB_DATABASE, or restore a backup",
    "storage": "let the hub's user write into the data folder",
}
CHECKS: list[tuple[str, Check]] = [
    ("migrations", _schema),
    ("storage", _storage),
    ("clock", _clock),
    ("employees", _people),
    ("channels", _channels),
    ("work", _work),
]
