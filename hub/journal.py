"""The journal: every envelope byte for byte, and what became of it: kept → read, or failed and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.blobs import Blobs
from hub.messages import Envelope
from hub.sql import allocate, among, db_now, insert_rows, is_postgres, lit, run
from hub.tables import cursors, journal

#: Larger bodies lie in the blob store (bytes).
INLINE = 256 * 1024


class Kept(Struct, frozen=True):
    """An envelope on its way into the journal.

    ``blob`` names its body in the blob store when it is large; the envelope need not hold it any more then, ``size`` tells of it.
    """

    envelope: Envelope
    blob: str = ""
    size: int = 0


class Entry(Struct, frozen=True):
    """An envelope as the journal has it. ``blob`` says where the body lies while the envelope does not hold it."""

    id: int
    envelope: Envelope
    blob: str = ""
    size: int = 0


def write(conn: Connection, kept: Sequence[Kept], lease_ms: int) -> range:
    """Write a batch; the entries' ids. ``lease_ms``: how long nobody else should read them."""
    ids = allocate(conn, "journal", len(kept))
    until = run(conn, _now).scalar_one() + lease_ms
    insert_rows(
        conn,
        journal,
        [
            {
                "id": number,
                "channel_id": k.envelope.channel_id,
                "source": k.envelope.source,
                "state": "kept",
                "received_at": k.envelope.received_at,
                "lease_until": until,
                "headers": msgspec.json.encode(k.envelope.headers).decode(),
                "body": None if k.blob else k.envelope.body,
                "blob": k.blob,
                "sha256": k.blob or hashlib.sha256(k.envelope.body).hexdigest(),
                "size": k.size or len(k.envelope.body),
            }
            for number, k in zip(ids, kept, strict=True)
        ],
    )
    return ids


_own = sa.select(journal.c.id).where(journal.c.state == lit("kept"), among(journal.c.id, "ids"))
_own_and_hold = _own.with_for_update(skip_locked=True)
_done = sa.update(journal).where(among(journal.c.id, "ids")).values(state="read", error="", lease_until=0)
_note = sa.update(journal).where(journal.c.id == sa.bindparam("number")).values(error=sa.bindparam("why"))
_now = sa.select(db_now())
_failed = (
    sa.update(journal)
    .where(journal.c.id == sa.bindparam("number"))
    .values(state="failed", error=sa.bindparam("why"), lease_until=0, attempts=journal.c.attempts + 1)
)


def own(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the entries that are still unread, held until the commit; others are another process's or done."""
    statement = _own_and_hold if is_postgres(conn) else _own
    return {row[0] for row in run(conn, statement, ids=list(ids)).all()}


def mark_read(conn: Connection, ids: Sequence[int], notes: Mapping[int, str] | None = None) -> None:
    """These entries are understood and stored. ``notes``: what a person should know of one of them."""
    if ids:
        run(conn, _done, ids=list(ids))
    if noted := [{"number": number, "why": notes[number]} for number in ids if notes and number in notes]:
        conn.execute(_note, noted)


def mark_failed(conn: Connection, why: Mapping[int, str]) -> None:
    """Set entries aside: id → reason in words."""
    if why:
        conn.execute(_failed, [{"number": number, "why": text[:2000]} for number, text in why.items()])


def claim_orphans(conn: Connection, lease_ms: int, most: int) -> list[int]:
    """Take over unread entries whose reader has gone (crashed, or replay was asked for), longest free first."""
    moment = conn.execute(sa.select(db_now())).scalar_one()
    orphans = (
        sa.select(journal.c.id)
        .where(journal.c.state == lit("kept"), journal.c.lease_until < moment)
        .order_by(journal.c.lease_until, journal.c.id)
        .limit(most)
    )
    if is_postgres(conn):
        orphans = orphans.with_for_update(skip_locked=True)
    ids = sorted(conn.execute(orphans).scalars())
    if ids:
        conn.execute(sa.update(journal).where(among(journal.c.id, ids)).values(lease_until=moment + lease_ms))
    return ids


def free_leases(conn: Connection) -> None:
    """This is the only process (SQLite, at start): whatever was being read before the crash may be read now."""
    conn.execute(sa.update(journal).where(journal.c.state == lit("kept")).values(lease_until=0))


def entries(conn: Connection, ids: Sequence[int]) -> list[Entry]:
    """The entries in order of id, without those bodies that lie in the blob store."""
    rows = conn.execute(sa.select(journal).where(among(journal.c.id, ids)).order_by(journal.c.id))
    return [Entry(row.id, _envelope(row), row.blob, row.size) for row in rows]


def with_body(entry: Entry, blobs: Blobs) -> Entry:
    """The entry with its body, read from the blob store where needed. Blocking. Raises FileNotFoundError."""
    if not entry.blob:
        return entry
    return Entry(entry.id, msgspec.structs.replace(entry.envelope, body=blobs.get(entry.blob)), "", entry.size)


def renew(conn: Connection, ids: Sequence[int], lease_ms: int) -> None:
    """These entries still wait to be read here."""
    if ids:
        moment = conn.execute(_now).scalar_one()
        statement = sa.update(journal).where(among(journal.c.id, ids), journal.c.state == lit("kept"))
        conn.execute(statement.values(lease_until=moment + lease_ms))


def _envelope(row: Any) -> Envelope:
    return Envelope(
        row.channel_id, row.body or b"", row.source, row.received_at, msgspec.json.decode(row.headers or "{}")
    )


def body(conn: Connection, journal_id: int) -> tuple[bytes, str] | None:
    """The raw bytes (or b"" and the blob's name) of an entry, or None."""
    row = conn.execute(sa.select(journal.c.body, journal.c.blob).where(journal.c.id == journal_id)).first()
    return (row.body or b"", row.blob) if row else None


def replay(conn: Connection, *, ids: Sequence[int] = (), failed: bool = False, since: int | None = None) -> int:
    """Have entries read again (those given, all failed ones, or all since a time); how many. Messages never double."""
    condition: sa.ColumnElement[bool]
    if ids:
        condition = among(journal.c.id, ids)
    elif failed:
        condition = journal.c.state == "failed"
    elif since is not None:
        condition = journal.c.received_at >= since
    else:
        return 0
    statement = sa.update(journal).where(condition, journal.c.state != "kept")
    return conn.execute(statement.values(state="kept", lease_until=0, error="")).rowcount


def listing(conn: Connection, state: str | None, *, before: int = 2**62, most: int = 50) -> list[dict[str, Any]]:
    """Entries newest first, without bodies."""
    columns = [c for c in journal.c if c.name != "body"]
    statement = sa.select(*columns).where(journal.c.id < before).order_by(journal.c.id.desc()).limit(most)
    if state == "failed":
        statement = statement.where(journal.c.state == lit("failed"))
    elif state:
        statement = statement.where(journal.c.state == state)
    return [dict(row._mapping) for row in conn.execute(statement)]


def read_cursor(conn: Connection, channel_id: int) -> dict[str, str]:
    """Where a pulling channel stopped."""
    rows = conn.execute(sa.select(cursors.c.name, cursors.c.value).where(cursors.c.channel_id == channel_id))
    return {row.name: row.value for row in rows}


_move = sa.text(
    "INSERT INTO cursors (channel_id, name, value) VALUES (:channel, :name, :value)"
    " ON CONFLICT (channel_id, name) DO UPDATE SET value = excluded.value"
)


def move_cursor(conn: Connection, channel_id: int, cursor: Mapping[str, str]) -> None:
    """Remember where a pulling channel is; in the transaction that journals what it fetched."""
    if cursor:
        conn.execute(_move, [{"channel": channel_id, "name": name, "value": value} for name, value in cursor.items()])
