"""Places where the crash tests make the hub fail on purpose. Without HUB_FAILPOINT they do nothing.

``HUB_FAILPOINT=name:kill`` kills the process at that edge, ``name:raise`` raises OSError there, ``name:sleep`` holds it
for 50 ms; ``name:kill:7`` acts at the seventh time only. ``HUB_FAILPOINT_LOG`` names a file that gets every point reached.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

#: Every point there is; tests/chaos/failpoints.py demands that each one is hit.
POINTS: tuple[str, ...] = (
    "door.before_keep",
    "door.before_answer",
    "journal.before_commit",
    "journal.after_commit",
    "ingest.before_read",
    "ingest.before_blobs",
    "ingest.before_store",
    "ingest.before_commit",
    "ingest.after_commit",
    "ingest.alone",
    "blobs.before_rename",
    "blobs.after_rename",
    "bus.before_publish",
    "outbox.before_commit",
    "outbox.after_commit",
    "delivery.after_claim",
    "delivery.before_send",
    "delivery.after_send",
    "delivery.before_settle",
    "delivery.after_settle",
    "receipts.before_apply",
    "sweep.before_claim",
    "scheduler.before_run",
    "feed.before_publish",
)

_name, _, _rest = os.environ.get("HUB_FAILPOINT", "").partition(":")
_action, _, _at = _rest.partition(":")
_log = os.environ.get("HUB_FAILPOINT_LOG", "")
_seen: dict[str, int] = {}


def hit(name: str) -> None:
    """Act if this point is the chosen one. Raises OSError for ``raise``; never returns for ``kill``."""
    if not _name and not _log:
        return
    if _log and name not in _seen:
        with Path(_log).open("a") as log:
            log.write(name + "\n")
    _seen[name] = _seen.get(name, 0) + 1
    if name != _name or (_at and _seen[name] != int(_at)):
        return
    if _action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif _action == "raise":
        raise OSError(f"failpoint {name}")
    elif _action == "sleep":
        time.sleep(0.05)
