"""Which tags there are: found by walking their index from one tag to the next, however many conversations have each."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.access import Actor, visible
from hub.tables import conversations, tags

#: Tags that are offered.
MOST = 200

_walk = sa.text(
    "WITH RECURSIVE known(tag) AS ("
    " SELECT min(tag) FROM tags"
    " UNION ALL SELECT (SELECT min(t.tag) FROM tags AS t WHERE t.tag > known.tag) FROM known WHERE known.tag IS NOT NULL"
    ") SELECT tag FROM known WHERE tag IS NOT NULL LIMIT :most"
).columns(tag=sa.Text)


def known(conn: Connection, actor: Actor) -> list[str]:
    """The tags of conversations the actor may see, in order; at most `MOST`."""
    found = list(conn.execute(_walk, {"most": MOST}).scalars())
    if actor.sees_all:
        return found
    return [tag for tag in found if _seen(conn, actor, tag)]


def _seen(conn: Connection, actor: Actor, tag: str) -> bool:
    c, t = conversations.c, tags.c
    near = sa.select(c.id).join(tags, t.conversation_id == c.id).where(t.tag == tag, visible(actor))
    return conn.execute(near.limit(1)).first() is not None
