"""How long a message waits before it leaves, and what has to be known to take it back until then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import sla
from hub.clock import now
from hub.conversations import Current, participants_of
from hub.directory import Directory
from hub.sla import Clock
from hub.sql import insert_rows, run
from hub.tables import employees, holds

#: Seconds that what is written on the screen waits, by kind of channel; live talk and programs do not wait.
SECONDS = {"email": 10, "sms": 5, "whatsapp": 5, "telegram": 5}
#: What employees may choose instead; None: as the channel says.
CHOICES = (0, 5, 10, 20, 30)
#: What has left long ago cannot be taken back (milliseconds).
MEMORY = 3600_000


class Before(Struct, frozen=True):
    """A conversation before a message was written in it, and how that message was addressed.

    ``clocks`` is None when nothing was promised to anybody; ``joined``: who takes part since; ``via`` is 0 for the conversation's
    own channel.
    """

    status: str
    closed_at: int | None
    snoozed_until: int | None
    waiting_since: int | None
    last_message_id: int
    last_message_at: int
    preview: str
    clocks: tuple[Clock, ...] | None = None
    joined: tuple[str, ...] = ()
    via: int = 0
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str = ""
    actions: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    how: Literal["reply", "forward"] = "reply"
    about: int = 0
    sure: bool = False


class Hold(Struct, frozen=True):
    """A message that may be taken back. ``told_until`` is the last event of its sending, ``until`` when it leaves (ms)."""

    message_id: int
    conversation_id: int
    author_id: int
    before: Before
    told_until: int
    until: int


def seconds(conn: Connection, employee_id: int, kind: str, house: float) -> float:
    """How long this employee's message on a channel of this kind waits. ``house``: what the house asks of every message."""
    usual = max(house, float(SECONDS.get(kind, 0)))
    if not usual:
        return 0
    own = chosen(conn, employee_id)
    return usual if own is None else float(own)


def chosen(conn: Connection, employee_id: int) -> int | None:
    """How long they want their messages held (seconds); None: as the channel has it."""
    return conn.execute(sa.select(employees.c.undo_seconds).where(employees.c.id == employee_id)).scalar()


def before(conn: Connection, d: Directory, home: Current, recipients: Sequence[str]) -> Before:
    """The conversation as it is now; call it before anything of the message is written."""
    there = {address for _, address in participants_of(conn, [home.id])}
    return Before(
        home.status,
        home.closed_at,
        home.snoozed_until,
        home.waiting_since,
        home.last_message_id,
        home.last_message_at,
        home.preview,
        tuple(sla.clocks_of(conn, home.id)) if d.policies else None,
        tuple(address for address in recipients if address not in there),
    )


def keep(conn: Connection, hold: Hold) -> None:
    """Remember it until the message has left."""
    insert_rows(
        conn,
        holds,
        [
            {
                "message_id": hold.message_id,
                "conversation_id": hold.conversation_id,
                "author_id": hold.author_id,
                "before": msgspec.json.encode(hold.before).decode(),
                "told_until": hold.told_until,
                "until": hold.until,
            }
        ],
    )


def _hold(row: Sequence[Any]) -> Hold:
    number, home, author, text, told, until = row
    return Hold(number, home, author, msgspec.json.decode(text, type=Before), told, until)


_h = holds.c
_columns = (_h.message_id, _h.conversation_id, _h.author_id, _h.before, _h.told_until, _h.until)
_latest = (
    sa.select(*_columns)
    .where(_h.author_id == sa.bindparam("author"), _h.until > sa.bindparam("moment"))
    .order_by(_h.message_id.desc())
    .limit(1)
)


def of(conn: Connection, message_id: int) -> Hold | None:
    """What is remembered of a message's sending; None when nothing is, or nothing any more."""
    row = conn.execute(sa.select(*_columns).where(_h.message_id == message_id)).first()
    return _hold(row) if row else None


def latest(conn: Connection, author_id: int) -> Hold | None:
    """The author's newest message that still waits to leave."""
    row = run(conn, _latest, author=author_id, moment=now()).first()
    return _hold(row) if row else None


def following(conn: Connection, hold: Hold) -> Hold | None:
    """The next message of the same conversation that is remembered too."""
    later = sa.select(*_columns).where(_h.conversation_id == hold.conversation_id, _h.message_id > hold.message_id)
    row = conn.execute(later.order_by(_h.message_id).limit(1)).first()
    return _hold(row) if row else None


def change(conn: Connection, message_id: int, before: Before) -> None:
    """What it would go back to is something else now."""
    values = {"before": msgspec.json.encode(before).decode()}
    conn.execute(sa.update(holds).where(_h.message_id == message_id).values(**values))


def told(conn: Connection, message_id: int, until: int) -> None:
    """More happened in the very sending: everything up to this event."""
    conn.execute(sa.update(holds).where(_h.message_id == message_id).values(told_until=until))


def end(conn: Connection, message_id: int) -> None:
    """Forget it: it was taken back."""
    conn.execute(sa.delete(holds).where(_h.message_id == message_id))


def prune(conn: Connection) -> int:
    """Forget what has left; how many."""
    return conn.execute(sa.delete(holds).where(_h.until < now() - MEMORY)).rowcount
