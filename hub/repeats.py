"""The same act twice: an answer that got lost is asked for again under its client id, and the first result is what comes back.

Only if it says the same. Other words under a known id are no repeat but a second thought, which must not vanish: whoever sends them is
told what was sent before.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.access import Actor
from hub.sql import among
from hub.tables import attachments, messages
from hub.text import clean, clean_line, preview

#: Characters of what was sent before that are said again.
SHOWN = 300


class OtherWords(Exception):
    """Under this client id something else was said already: the message ``message_id``, in the conversation ``conversation_id``."""

    def __init__(self, message_id: int, conversation_id: int, text: str) -> None:
        said = preview(text, SHOWN)
        super().__init__(f"This was sent before, with other words: “{said}”. What stands here now has not been sent.")
        self.message_id, self.conversation_id = message_id, conversation_id


class Withdrawn(Exception):
    """What was said under this client id was taken back."""


class Act(Struct, frozen=True):
    """What is about to be said. ``conversation_id`` is None where it would begin one."""

    conversation_id: int | None
    text: str
    html: str = ""
    files: tuple[int, ...] = ()


def client_key(actor: Actor, client_id: str) -> str:
    """Client ids count per employee."""
    return f"{actor.id}:{clean_line(client_id, 200)}"


def earlier(conn: Connection, actor: Actor, client_id: str, act: Act) -> int | None:
    """The message that was made of this act before; None: it is new. Raises `OtherWords`, `Withdrawn`."""
    m = messages.c
    which = m.client_key == client_key(actor, client_id)
    row = conn.execute(sa.select(m.id, m.conversation_id, m.direction, m.text, m.html).where(which)).first()
    if row is None:
        return None
    if row.direction == "withdrawn":
        raise Withdrawn
    same_place = act.conversation_id in (None, row.conversation_id)
    same_words = _plain(row.text) == _plain(act.text) and _plain(row.html) == _plain(act.html)
    if not (same_place and same_words and _same_files(conn, actor, row.id, act.files)):
        raise OtherWords(row.id, row.conversation_id, row.text)
    return int(row.id)


def _plain(text: str) -> str:
    """As it was typed: forms end lines in one way, scripts in another."""
    return clean(text).replace("\r\n", "\n").strip()


def _same_files(conn: Connection, actor: Actor, message_id: int, files: tuple[int, ...]) -> bool:
    """By content: whoever sends a form twice has uploaded its files twice."""
    a = attachments.c
    sent = set(conn.execute(sa.select(a.sha256).where(a.message_id == message_id)).scalars())
    if not files:
        return not sent
    mine = sa.or_(a.uploader_id == actor.id, a.message_id == message_id)
    return sent == set(conn.execute(sa.select(a.sha256).where(among(a.id, files), mine)).scalars())
