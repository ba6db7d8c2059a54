"""Files that were uploaded and wait for the message they will go with."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.sql import allocate, insert_rows
from hub.tables import attachments, draft_files

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


def prune_uploads(conn: Connection) -> int:
    """Forget what was uploaded more than `PATIENCE` ago, never sent, and is in no draft; how many. The blobs stay: others may
    share them.
    """
    a = attachments.c
    drafted = sa.select(draft_files.c.attachment_id).where(draft_files.c.attachment_id == a.id).exists()
    old = sa.delete(attachments).where(
        a.message_id.is_(None), a.uploader_id.is_not(None), a.created_at < now() - PATIENCE, ~drafted
    )
    return conn.execute(old).rowcount
