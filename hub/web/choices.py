"""What a list can be narrowed to, for the filter's menus and the examples of a search."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory
from hub.access import Actor
from hub.text import fold


class Choices(Struct, frozen=True):
    """What a list can be narrowed to: (id, name) of channels, people and teams; and the tags there are."""

    channels: tuple[tuple[int, str], ...] = ()
    people: tuple[tuple[int, str], ...] = ()
    teams: tuple[tuple[int, str], ...] = ()
    tags: tuple[str, ...] = ()


_TAGS = sa.text(
    "WITH RECURSIVE found(tag) AS (SELECT min(tag) FROM tags UNION ALL"
    " SELECT (SELECT min(t.tag) FROM tags AS t WHERE t.tag > found.tag) FROM found WHERE found.tag IS NOT NULL)"
    " SELECT tag FROM found WHERE tag IS NOT NULL LIMIT 40"
)


def choices(conn: Connection, actor: Actor) -> Choices:
    """What the filter offers. The tags are looked up one by one along their index, so that their number does not matter."""
    d = directory.current(conn)
    shown = {t.id for t in d.teams.values() if actor.sees_all or t.id in actor.teams}
    return Choices(
        tuple(sorted(((c.id, c.name or c.kind) for c in d.channels.values()), key=lambda c: fold(c[1]))),
        tuple(sorted(((e.id, e.name) for e in d.employees.values() if not e.disabled), key=lambda e: fold(e[1]))),
        tuple(sorted(((n, d.teams[n].name) for n in shown), key=lambda t: fold(t[1]))),
        tuple(conn.execute(_TAGS).scalars()),
    )
