"""The same request twice is done once: what a client's own name for it made is remembered for a month."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.tables import facts

#: How long a repeat is recognised (milliseconds).
MEMORY = 30 * 86_400_000

_claim = sa.text("INSERT INTO facts (name, value) VALUES (:name, '') ON CONFLICT (name) DO NOTHING")


def once(
    conn: Connection, actor_id: int, what: str, client_id: str, work: Callable[[Connection], int]
) -> tuple[int, bool]:
    """Do ``work``, which makes something and says its id, unless this employee had it done under the same name: (id, is it new).

    Without a name it is simply done. Two at the same moment: the second waits for the first one's commit.
    """
    if not client_id:
        return work(conn), True
    digest = hashlib.sha256(f"{actor_id}\0{what}\0{client_id}".encode("utf-8", "replace")).hexdigest()
    name = f"once:{digest}"
    if not conn.execute(_claim, {"name": name}).rowcount:
        value: str = conn.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one()
        return int(value.partition(":")[2]), False
    number = work(conn)
    conn.execute(sa.update(facts).where(facts.c.name == name).values(value=f"{_moment(now())}:{number}"))
    return number, True


def _moment(ms: int) -> str:
    """So many digits always, so that the database can tell what is older by comparing texts."""
    return f"{ms:015d}"


def prune(conn: Connection) -> int:
    """Forget what is older than `MEMORY`; how many."""
    old = sa.delete(facts).where(facts.c.name.startswith("once:"), facts.c.value < _moment(now() - MEMORY))
    return conn.execute(old).rowcount
