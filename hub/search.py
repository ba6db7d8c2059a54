"""Full-text search over messages: FTS5 on SQLite, tsvector and GIN on PostgreSQL, the same words and answers on both.

Words are folded in Python (lower case, no diacritics), so both databases index the same text.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.sql import insert_into, is_postgres
from hub.text import fold, split, words

#: A finished word in so many messages is not taken for the beginning of others.
OFTEN = 100
#: Indexed characters per message; longer ones are found by their beginning.
LONGEST = 20_000

_INTO_POSTGRES = (
    "INSERT INTO message_search (message_id, words) VALUES ($1, strip(to_tsvector('simple', CAST($2 AS text))))"
)
_in_sqlite = sa.text(
    "SELECT rowid FROM message_search WHERE message_search MATCH :query AND rowid < :before ORDER BY rowid DESC LIMIT :most"
)
_recent_postgres = sa.text(
    "SELECT message_id FROM (SELECT message_id, words FROM message_search WHERE message_id < :before"
    " ORDER BY message_id DESC LIMIT :window) AS recent WHERE words @@ to_tsquery('simple', :query)"
    " ORDER BY message_id DESC LIMIT :most"
)
_all_postgres = sa.text(
    "SELECT message_id FROM (SELECT message_id FROM message_search WHERE words @@ to_tsquery('simple', :query)"
    " AND message_id < :before OFFSET 0) AS hits ORDER BY message_id DESC LIMIT :most"
)
_guess = sa.text(
    "EXPLAIN (FORMAT JSON) SELECT message_id FROM message_search WHERE words @@ to_tsquery('simple', :query)"
)
#: PostgreSQL looks at so many newest messages first when a word seems to be in more than `RARE` of them: it is found there.
WINDOW, RARE = 20_000, 5_000


def indexed(*texts: str) -> str:
    """Texts as the index has them."""
    return fold(" ".join(t for t in texts if t)[:LONGEST])


def of_message(direction: str, subject: str, sender_name: str, text: str) -> str:
    """What is indexed of a message: the one place that decides it, for whoever takes it out must name exactly what was put in."""
    return indexed(subject, sender_name if direction == "in" else "", text)


def add(conn: Connection, rows: Sequence[tuple[int, str]]) -> None:
    """Index messages: (id, what `indexed` said). One statement."""
    if not rows:
        return
    if is_postgres(conn):
        # bare words only: PostgreSQL's parser would keep "a@b.de" whole where FTS5 splits it
        conn.exec_driver_sql(_INTO_POSTGRES, [(number, " ".join(split(text))) for number, text in rows])
    else:
        insert_into(conn, "message_search", ("rowid", "text"), rows)


def find(conn: Connection, query: str, *, before: int = 2**62, most: int = 50) -> list[int]:
    """Ids of the newest messages that hold every word of ``query``, newest first.

    The last word may be unfinished, unless as it stands it is found often enough: then it is meant as it stands, on every page.
    """
    wanted = words(query)
    if not wanted:
        return []
    look = _postgres if is_postgres(conn) else _sqlite
    exact = look(conn, wanted, "", 2**62, OFTEN)
    if len(exact) < OFTEN:
        return look(conn, wanted, "*", before, most)
    if before == 2**62 and most <= OFTEN:
        return exact[:most]
    return look(conn, wanted, "", before, most)


def _sqlite(conn: Connection, wanted: Sequence[str], ending: str, before: int, most: int) -> list[int]:
    match = " ".join(f'"{w}"' for w in wanted) + ending
    return list(conn.execute(_in_sqlite, {"query": match, "before": before, "most": most}).scalars())


def _postgres(conn: Connection, wanted: Sequence[str], ending: str, before: int, most: int) -> list[int]:
    match = " & ".join(f"'{w}'" for w in wanted) + (":*" if ending else "")
    args = {"query": match, "before": before, "most": most}
    if _expected(conn, match) > RARE:
        recent = list(conn.execute(_recent_postgres, {**args, "window": WINDOW}).scalars())
        if len(recent) == most:
            return recent
    return list(conn.execute(_all_postgres, args).scalars())


def _expected(conn: Connection, match: str) -> int:
    """In how many messages PostgreSQL supposes the words to be, by its statistics; it need not be right."""
    plan = conn.execute(_guess, {"query": match}).scalar_one()
    if isinstance(plan, str):
        plan = msgspec.json.decode(plan)
    return int(plan[0]["Plan"]["Plan Rows"])


def remove(conn: Connection, rows: Sequence[tuple[int, str]]) -> None:
    """Forget messages: (id, exactly what was indexed)."""
    if not rows:
        return
    args = [{"id": number, "text": text} for number, text in rows]
    if is_postgres(conn):
        conn.execute(sa.text("DELETE FROM message_search WHERE message_id = :id"), args)
    else:
        conn.execute(
            sa.text("INSERT INTO message_search (message_search, rowid, text) VALUES ('delete', :id, :text)"), args
        )
