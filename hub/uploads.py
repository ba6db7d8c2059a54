"""Files that were uploaded and wait for the message they will go with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.sql import allocate, among, insert_rows
from hub.tables import attachments, draft_files, plan_files

#: How long an upload waits (milliseconds).
PATIENCE = 24 * 3600_000


class Upload(Struct, frozen=True):
    """A file whose bytes are in the blob store already, under ``sha256``; name and type are cleaned."""

    name: str
    type: str
    size: int
    sha256: str


def keep(conn: Connection, uploader_id: int, files: Sequence[Upload]) -> list[int]:
    """Remember them as this employee's; their ids."""
    if not files:
        return []
    ids, moment = list(allocate(conn, "ids", len(files))), now()
    rows = [
        {
            "id": number,
            "uploader_id": uploader_id,
            "name": file.name,
            "type": file.type,
            "size": file.size,
            "sha256": file.sha256,
            "created_at": moment,
        }
        for number, file in zip(ids, files, strict=True)
    ]
    insert_rows(conn, attachments, rows)
    return ids


def give(conn: Connection, employee_id: int, message_id: int, files: Sequence[Any], ids: Sequence[int]) -> None:
    """Give a message its files (rows of attachments): uploads become its own, files of another message are copied under these
    ``ids``; their bytes are kept once.
    """
    own = [f.id for f in files if f.message_id is None]
    if own:
        conn.execute(sa.update(attachments).where(among(attachments.c.id, own)).values(message_id=message_id))
    copied = [f for f in files if f.message_id is not None]
    kept = ("name", "type", "size", "sha256")
    rows = [
        {"id": number, "message_id": message_id, "uploader_id": employee_id, "created_at": now()}
        | {field: getattr(file, field) for field in kept}
        for number, file in zip(ids, copied, strict=False)
    ]
    insert_rows(conn, attachments, rows)


def prune_uploads(conn: Connection) -> int:
    """Forget what was uploaded more than `PATIENCE` ago, never sent, and is in no draft and no plan; how many. The blobs stay: others may
    share them.
    """
    a = attachments.c
    drafted = sa.select(draft_files.c.attachment_id).where(draft_files.c.attachment_id == a.id).exists()
    planned = sa.select(plan_files.c.attachment_id).where(plan_files.c.attachment_id == a.id).exists()
    old = sa.delete(attachments).where(
        a.message_id.is_(None), a.uploader_id.is_not(None), a.created_at < now() - PATIENCE, ~drafted, ~planned
    )
    return conn.execute(old).rowcount
