"""Everything a person said and is, in one ZIP file: to hand it out to them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import elsewhere
from hub.blobs import Blobs
from hub.clock import now, rfc3339
from hub.privacy import BATCH, envelopes, family, said_in
from hub.sql import among
from hub.tables import (
    attachments,
    consents,
    conversations,
    customers,
    identities,
    journal,
    merges,
    messages,
    orders,
    todos,
)
from hub.tables import events as happened


def shared_envelopes(conn: Connection, mine: sa.ColumnElement[bool], found: Sequence[int]) -> set[int]:
    """Those of the envelopes that hold other people's messages too."""
    m = messages.c
    others = sa.select(m.journal_id).where(among(m.journal_id, found), ~mine).distinct()
    return set(conn.execute(others).scalars())


_c, _i = conversations.c, identities.c


class Exported(Struct, frozen=True):
    """What an export holds."""

    messages: int
    files: int
    envelopes: int


def export(conn: Connection, blobs: Blobs, customer_id: int, target: Path) -> Exported:
    """Write JSON, attachments and envelopes into a ZIP file. Blocking. Raises `NotFound`, OSError."""
    people = family(conn, customer_id)
    homes = list(conn.execute(sa.select(_c.id).where(among(_c.customer_id, people)).order_by(_c.id)).scalars())
    theirs = list(conn.execute(sa.select(_i.address).where(among(_i.customer_id, people))).scalars())
    more = elsewhere.said(conn, homes, theirs)
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            _put(archive, "customer.json", _about(conn, people))
            _put(archive, "conversations.json", _plain(conn, conversations, among(conversations.c.id, homes)))
            ways = ((messages.c.conversation_id, homes), (messages.c.id, more))
            said = [row for column, ids in ways for rows in _said(conn, column, ids) for row in rows]
            _put(archive, "messages.json", said)
            _put(archive, "events.json", _plain(conn, happened, among(happened.c.customer_id, people)))
            files = _put_files(conn, blobs, archive, [row["id"] for row in said])
            raw = _put_envelopes(conn, blobs, archive, said_in(homes, more))
        part.chmod(0o600)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Exported(len(said), files, raw)


def _about(conn: Connection, people: Sequence[int]) -> dict[str, Any]:
    merged = sa.or_(among(merges.c.winner_id, people), among(merges.c.loser_id, people))
    return {
        "exported_at": rfc3339(now()),
        "customers": _plain(conn, customers, among(customers.c.id, people)),
        "identities": _plain(conn, identities, among(identities.c.customer_id, people)),
        "merges": _plain(conn, merges, merged),
        **{t.name: _plain(conn, t, among(t.c.customer_id, people)) for t in (todos, consents, orders)},
    }


def _plain(conn: Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    return [_row(row) for row in conn.execute(sa.select(table).where(condition).order_by(table.c.id))]


def _row(row: Any) -> dict[str, Any]:
    """Times in words; what is JSON in the database is JSON in the file."""
    told: dict[str, Any] = {}
    for key, value in row._mapping.items():
        if key in ("details", "attributes", "data", "moved") and value:
            told[key] = msgspec.json.decode(value)
        elif (key == "at" or key.endswith("_at")) and isinstance(value, int):
            told[key] = rfc3339(value)
        else:
            told[key] = value
    return told


def _said(conn: Connection, column: sa.Column[int], ids: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    m = messages.c
    for start in range(0, len(ids), BATCH):
        of = among(column, ids[start : start + BATCH])
        yield [_row(row) for row in conn.execute(sa.select(messages).where(of).order_by(m.id))]


def _put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, msgspec.json.format(msgspec.json.encode(value), indent=2))


def _put_files(conn: Connection, blobs: Blobs, archive: zipfile.ZipFile, ids: Sequence[int]) -> int:
    rows = conn.execute(sa.select(attachments).where(among(attachments.c.message_id, ids))).all()
    for row in rows:
        archive.writestr(f"files/{row.id}-{_safe(row.name)}", _bytes(blobs, row.sha256))
    return len(rows)


def _put_envelopes(conn: Connection, blobs: Blobs, archive: zipfile.ZipFile, said: sa.ColumnElement[bool]) -> int:
    found = envelopes(conn, said)
    shared = shared_envelopes(conn, said, found)
    for number in sorted(set(found) - shared):
        row = conn.execute(sa.select(journal).where(journal.c.id == number)).one()
        archive.writestr(f"raw/{number}.bin", _bytes(blobs, row.blob) if row.blob else row.body or b"")
        archive.writestr(f"raw/{number}.headers.json", row.headers or "{}")
    if shared:
        archive.writestr("raw/left-out.txt", "Envelopes that also hold other people's messages: " + str(sorted(shared)))
    return len(found) - len(shared)


def _bytes(blobs: Blobs, name: str) -> bytes:
    try:
        return blobs.get(name)
    except FileNotFoundError:
        return b""  # the JSON still names it; a missing blob must not keep a person from the rest of their data


def _safe(name: str) -> str:
    return re.sub(r"[^\w. -]", "_", name).strip(". ")[:100] or "file"
