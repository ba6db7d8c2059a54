"""Where a web chat was last seen: the web site and when. Whoever notes it does so at most once a minute in each process."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.tables import chat_sites

#: How often the same site is noted (milliseconds).
EVERY = 60_000

_keep = sa.text(
    "INSERT INTO chat_sites (channel_id, origin, seen_at) VALUES (:channel, :origin, :at)"
    " ON CONFLICT (channel_id) DO UPDATE SET origin = :origin, seen_at = :at WHERE chat_sites.seen_at < :at"
)


class Seen(Struct, frozen=True):
    """The web site that showed the chat last, and when (ms)."""

    origin: str
    at: int


class Sights:
    """What this process has noted lately, by channel."""

    def __init__(self) -> None:
        self._last: dict[int, Seen] = {}

    def is_news(self, channel_id: int, origin: str, moment: int) -> bool:
        """Is this worth a write? Saying yes counts as noted."""
        last = self._last.get(channel_id)
        if last is not None and moment - last.at < EVERY:
            return False
        self._last[channel_id] = Seen(origin, moment)
        return True


def note(conn: Connection, channel_id: int, origin: str, moment: int) -> None:
    """The chat was shown on this site."""
    conn.execute(_keep, {"channel": channel_id, "origin": origin[:300], "at": moment})


def seen(conn: Connection) -> dict[int, Seen]:
    """Where every chat was seen last, by channel."""
    return {row.channel_id: Seen(row.origin, row.seen_at) for row in conn.execute(sa.select(chat_sites))}
