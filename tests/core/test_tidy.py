"""What nobody needs any more goes, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub import journal, privacy, receipts
from hub.blobs import Blobs
from hub.clock import now
from hub.messages import Envelope, File, Reading, Receipt
from tests.core.conftest import Rig, message


def test_a_blob_put_lately_is_not_removed_and_an_old_one_put_again_is_young(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    fresh, again, old = (blobs.put(text) for text in (b"fresh", b"again", b"old"))
    for name in (again, old):
        os.utime(blobs.path(name), (1, 1))
    assert sorted(n for names in blobs.old() for n in names) == sorted([again, old])
    blobs.put(b"again")

    assert blobs.remove([fresh, again, old]) == [old]
    assert [blobs.get(name) for name in (fresh, again)] == [b"fresh", b"again"]
    with pytest.raises(FileNotFoundError):
        blobs.get(old)


async def test_the_sweep_removes_old_blobs_that_nobody_needs_and_no_other(rig: Rig) -> None:
    channel = await rig.channel()
    body = b"raw" * journal.INLINE
    await rig.hear(channel, message(files=(File("a", "text/plain", b"needed"),)), body=body)
    blobs = rig.hub.blobs
    names = [blobs.put(data) for data in (b"needed", body, b"nobody's", b"somebody's soon")]
    for name in names[:3]:
        os.utime(blobs.path(name), (1, 1))

    assert await privacy.sweep_blobs(rig.hub) == 1
    assert [blobs.path(name).exists() for name in names] == [True, True, False, True]


async def test_news_nobody_came_for_is_forgotten_after_a_week(rig: Rig) -> None:
    channel = await rig.channel()
    kept = Reading((), (Receipt("old", "read"), Receipt("new", "read")))
    await rig.server.ingest.keep(Envelope(channel, b"{}", "test", now()), kept)
    await rig.quiet()
    older = sa.text("UPDATE early_receipts SET kept_at = kept_at - :week WHERE provider_id = 'old'")
    await rig.hub.db.write(lambda c: c.execute(older, {"week": receipts.PATIENCE + 1}).rowcount)

    assert await rig.hub.db.write(receipts.prune) == 1
    assert [r["provider_id"] for r in await rig.rows("SELECT provider_id FROM early_receipts")] == ["new"]
