"""Visitors of a web chat: who they are by their token, and what they may see. Never anything of anybody else.

A visitor is a random id in a token that the hub signed for one channel; their address is ``webchat:<id>``. They see what they wrote
and what was sent to them on this channel, nothing else of the customer they turn out to be.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, hours, signed
from hub.hours import Hours
from hub.routing import hours_id
from hub.secretbox import SecretBox
from hub.sql import among, lit
from hub.tables import attachments, conversations, deliveries, employees, messages, participants, ratings

PREFIX = "webchat:"
#: The newest messages that a widget gets when it connects.
MOST = 100
_TOKEN = re.compile(r"([a-z0-9]{24})\.([a-z2-7]{16})")
_ARRIVED = ("sent", "delivered", "read")


def new_token(box: SecretBox, key: str, visitor: str = "", secret: str = "") -> str:
    """A token for this visitor (none: somebody nobody has met), good for the channel with this key and secret."""
    visitor = visitor or secrets.token_hex(12)
    return f"{visitor}.{box.sign(_named(key, visitor, secret))}"


def read_token(box: SecretBox, key: str, token: str, secret: str = "") -> str | None:
    """The visitor's id of a genuine token of this channel, else None."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match and box.verify(_named(key, match[1], secret), match[2]) else None


def _named(key: str, visitor: str, secret: str) -> str:
    return f"visitor {key} {visitor} {signed.seal(visitor, secret)}".rstrip()


def file_mark(box: SecretBox, visitor: str, number: int) -> str:
    """What the address of a file carries, so that only this visitor can have it."""
    return box.sign(f"file {visitor} {number}")


def is_file_mark(box: SecretBox, visitor: str, number: int, mark: str) -> bool:
    """Was this made by `file_mark`?"""
    return box.verify(f"file {visitor} {number}", mark)


class Shown(Struct, frozen=True):
    """A message as its visitor sees it. ``client`` is the widget's own id of what the visitor wrote, ``name`` who answered."""

    id: int
    conversation: int
    client: str
    mine: bool
    name: str
    text: str
    at: int
    state: str
    files: tuple[tuple[int, str, str, int], ...] = ()


class State(Struct, frozen=True):
    """Where the visitor's conversation stands. ``unread``: how many of the visitor's messages nobody has looked at yet,
    ``rated``: how the visitor found it (0: nothing said)."""

    conversation: int = 0
    ended: bool = False
    unread: int = 0
    agent: str = ""
    rated: int = 0


_m, _d, _p = messages.c, deliveries.c, participants.c
_columns = (_m.id, _m.conversation_id, _m.provider_id, _m.direction, _m.sender, _m.sender_name, _m.text, _m.at)


def shown(conn: Connection, channel_id: int, visitor: str) -> tuple[list[Shown], State]:
    """The newest messages of a visitor, oldest first, and where the conversation stands."""
    address = PREFIX + visitor
    homes = sa.select(_p.conversation_id).where(_p.address == address).order_by(_p.conversation_id.desc()).limit(50)
    theirs = list(conn.execute(homes).scalars())
    if not theirs:
        return [], State()
    statement = (
        sa.select(*_columns, _d.state)
        .outerjoin(deliveries, sa.and_(_d.message_id == _m.id, _d.recipient == address, _d.state.in_(_ARRIVED)))
        .where(
            among(_m.conversation_id, theirs),
            _m.channel_id == channel_id,
            sa.or_(
                sa.and_(_m.direction == lit("in"), _m.sender == address),
                sa.and_(_m.direction == lit("out"), _d.id.is_not(None)),
            ),
        )
        .order_by(_m.id.desc())
        .limit(MOST)
    )
    rows = conn.execute(statement).all()[::-1]
    return _shown(conn, rows), state(conn, channel_id, visitor)


def shown_to(conn: Connection, asked: Sequence[tuple[int, str]]) -> list[tuple[list[Shown], State]]:
    """`shown` for several (channel, visitor) at once, in their order: one read instead of one for each who comes back."""
    return [shown(conn, channel_id, visitor) for channel_id, visitor in asked]


def state(conn: Connection, channel_id: int, visitor: str) -> State:
    """Where the visitor's newest conversation on this channel stands."""
    c = conversations.c
    statement = (
        sa.select(c.id, c.status, c.unread, employees.c.name, ratings.c.score)
        .join(participants, sa.and_(_p.conversation_id == c.id, _p.address == PREFIX + visitor))
        .outerjoin(employees, employees.c.id == c.assignee_id)
        .outerjoin(ratings, ratings.c.conversation_id == c.id)
        .where(c.channel_id == channel_id, c.merged_into.is_(None))
        .order_by(c.id.desc())
        .limit(1)
    )
    row = conn.execute(statement).first()
    return State(row[0], row[1] == "closed", row[2], first_name(row[3] or ""), row[4] or 0) if row else State()


def news(
    conn: Connection, channels: Sequence[int], ids: Sequence[int], changed: Sequence[int], present: Sequence[str]
) -> list[tuple[int, str, Shown | State]]:
    """What is new for those visitors who are ``present`` (addresses): (channel, address, message or state), in order.

    ``ids`` are messages that were received or sent, ``changed`` conversations that somebody looked at, closed or passed on.
    """
    found: list[tuple[int, str, Shown | State]] = []
    rows = conn.execute(
        sa.select(*_columns, _d.state, _m.channel_id, _d.recipient)
        .outerjoin(deliveries, sa.and_(_d.message_id == _m.id, _d.state.in_(_ARRIVED)))
        .where(among(_m.id, ids), among(_m.channel_id, channels), _m.direction != lit("internal"))
        .order_by(_m.id)
    ).all()
    here = set(present)
    rows = [row for row in rows if (row.sender if row.direction == "in" else row.recipient) in here]
    for row, message in zip(rows, _shown(conn, rows), strict=True):
        found.append((row.channel_id, row.sender if row.direction == "in" else row.recipient, message))
    homes = list({*changed, *(row.conversation_id for row in rows)})
    whose = sa.select(_p.address, _p.channel_id).where(among(_p.conversation_id, homes), among(_p.channel_id, channels))
    for address, channel in conn.execute(whose).all() if homes else ():
        if address in here:
            found.append((channel, address, state(conn, channel, address[len(PREFIX) :])))
    return found


def _shown(conn: Connection, rows: Sequence[Any]) -> list[Shown]:
    ids = [row.id for row in rows]
    files: dict[int, list[tuple[int, str, str, int]]] = {}
    a = attachments.c
    if ids:
        statement = sa.select(a.message_id, a.id, a.name, a.type, a.size).where(among(a.message_id, ids))
        for message, *file in conn.execute(statement.order_by(a.id)):
            files.setdefault(message, []).append((file[0], file[1], file[2], file[3]))
    return [_one(row, tuple(files.get(row.id, ()))) for row in rows]


def _one(row: Any, files: tuple[tuple[int, str, str, int], ...]) -> Shown:
    mine = row.direction == "in"
    return Shown(
        id=row.id,
        conversation=row.conversation_id,
        client=row.provider_id.partition(":")[2] if mine else "",
        mine=mine,
        name="" if mine else first_name(row.sender_name),
        text=row.text,
        at=row.at,
        state="stored" if mine else row.state,
        files=files,
    )


def first_name(name: str) -> str:
    """What a visitor is told of an employee's name."""
    return name.split(maxsplit=1)[0] if name.split() else ""


def theirs(conn: Connection, channel_id: int, visitor: str, ids: Sequence[str]) -> set[str]:
    """Those of the message ids that were sent to this visitor."""
    wanted = {f"{visitor}:{number}": number for number in ids}
    statement = sa.select(_d.provider_id).where(
        _d.channel_id == channel_id, among(_d.provider_id, list(wanted)), _d.provider_id != lit("")
    )
    return {wanted[name] for name in conn.execute(statement).scalars()}


def file(conn: Connection, channel_id: int, visitor: str, number: int) -> Any | None:
    """A file (name, type, sha256) of a message the visitor wrote or got, else None."""
    a, address = attachments.c, PREFIX + visitor
    got = sa.exists().where(_d.message_id == _m.id, _d.recipient == address, _d.state.in_(_ARRIVED))
    statement = (
        sa.select(a.name, a.type, a.sha256)
        .join(messages, _m.id == a.message_id)
        .where(a.id == number, _m.channel_id == channel_id)
        .where(sa.or_(sa.and_(_m.direction == lit("in"), _m.sender == address), got))
    )
    return conn.execute(statement).first()


def open_hours(conn: Connection, channel_id: int, team_id: int | None) -> Hours | None:
    """When the channel is answered; None: always."""
    d = directory.current(conn)
    return d.hours_of(hours_id(d, channel_id, team_id))


def opens_at(open_times: Hours | None, moment: int) -> int | None:
    """None while somebody is there, else when they are back (0: nobody knows)."""
    return None if hours.is_open(open_times, moment) else hours.next_open(open_times, moment) or 0
