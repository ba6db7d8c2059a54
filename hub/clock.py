"""Time, ids and their spellings."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> int:
    """Milliseconds since 1970 UTC by this machine's clock. For order use ids, for leases `sql.db_now`."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int | None) -> str | None:
    """2026-11-23T14:05:06.007Z"""
    if ms is None:
        return None
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def parse_time(text: str) -> int | None:
    """Milliseconds of an RFC 3339 time, or None when it is not one. A time without zone counts as UTC."""
    try:
        at = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000)
    except (ValueError, OverflowError, AttributeError):
        return None
