"""hub journal: what arrived, byte for byte."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import journal
from hub.cli import Failed
from hub.cli.house import opened, print_json, print_table, when
from hub.clock import parse_time, rfc3339
from hub.tables import journal as table


async def listing(front: Any, args: argparse.Namespace) -> None:
    """Envelopes, newest first."""
    if args.limit < 1:
        raise Failed("--limit must be at least 1.")
    async with opened(front, args) as hub:
        rows = await hub.db.read(journal.listing, args.state, most=args.limit)
    if args.json:
        print_json([shown(row) for row in rows])
    else:
        print_table(
            ("id", "channel", "from", "state", "received", "bytes", "error"),
            [
                (r["id"], r["channel_id"], r["source"], r["state"], when(r["received_at"]), r["size"], r["error"])
                for r in rows
            ],
        )


async def show(front: Any, args: argparse.Namespace) -> None:
    """One envelope: what is known of it, or with --raw exactly its bytes."""
    async with opened(front, args) as hub:
        row = await hub.db.read(_one, args.id)
        kept = await hub.db.read(journal.body, args.id)
        if row is None or kept is None:
            raise Failed(f"There is no envelope {args.id}; “hub journal list” shows them.")
        try:
            body = await asyncio.to_thread(hub.blobs.get, kept[1]) if kept[1] else kept[0]
        except OSError as error:
            raise Failed(
                f"The body of envelope {args.id} is missing in {hub.blobs.folder}: {error.strerror}."
            ) from error
    if args.raw:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    elif args.json:
        print_json(shown(row))
    else:
        for key, value in shown(row).items():
            print(f"{key}: {value}")


def _one(conn: Connection, number: int) -> dict[str, Any] | None:
    columns = [c for c in table.c if c.name != "body"]
    row = conn.execute(sa.select(*columns).where(table.c.id == number)).first()
    return dict(row._mapping) if row else None


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An envelope as JSON has it, without its bytes."""
    return {
        "id": str(row["id"]),
        "channel": str(row["channel_id"]),
        "source": row["source"],
        "state": row["state"],
        "received_at": rfc3339(row["received_at"]),
        "attempts": row["attempts"],
        "size": row["size"],
        "sha256": row["sha256"],
        "headers": msgspec.json.decode(row["headers"] or "{}"),
        "error": row["error"],
    }


async def replay(front: Any, args: argparse.Namespace) -> None:
    """Have envelopes read again by the running server."""
    if sum((bool(args.ids), args.failed, args.since is not None)) != 1:
        raise Failed("Say which: ids, --failed or --since TIME.")
    since = parse_time(args.since) if args.since is not None else None
    if args.since is not None and since is None:
        raise Failed(f"“{args.since}” is no time; write it like 2026-11-23T08:00:00Z.")
    async with opened(front, args) as hub:
        count = await hub.db.write(journal.replay, ids=args.ids, failed=args.failed, since=since)
    print(f"{count} to be read again")
