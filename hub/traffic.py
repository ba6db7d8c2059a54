"""The contacts of some past days as they came, read page by page. Nothing is written.

People, customers and channels are those of today; absences and who spoke with a customer last are those of then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from hub import directory, situations
from hub.conversations import Current
from hub.directory import Absence, ChannelFacts, Directory
from hub.rehearsal import NEVER, Asked, Contact, Held
from hub.sql import among
from hub.tables import absences, channels, conversations, customers, employees, messages

#: So long before the beginning is looked for conversations that somebody still had (milliseconds).
RUN_UP = 30 * 86_400_000

_v = conversations.c
_NAMES = "id customer_id channel_id status subject assignee_id team_id last_message_at closed_at created_at"
_page = (
    sa.select(*(_v[name] for name in _NAMES.split()))
    .where(
        _v.created_at >= sa.bindparam("at"),
        sa.or_(_v.created_at > sa.bindparam("at"), _v.id > sa.bindparam("id")),
        _v.created_at < sa.bindparam("until"),
    )
    .order_by(_v.created_at, _v.id)
    .limit(sa.bindparam("most"))
)
_count = sa.select(sa.func.count()).where(_v.created_at >= sa.bindparam("at"), _v.created_at < sa.bindparam("until"))

_m = messages.c
_from_customer = sa.case((_m.direction == "in", 1), else_=0)
_behind = (
    sa.select(
        _m.conversation_id,
        sa.func.min(_m.id),
        sa.func.min(sa.case((_m.direction == "in", _m.id))),
        sa.func.sum(_from_customer),
    )
    .where(among(_m.conversation_id, "ids"))
    .group_by(_m.conversation_id)
)


def _last_statement() -> sa.Select[Any]:
    c, v = customers.alias("c"), conversations.alias("v")
    last = (
        sa.select(v.c.assignee_id)
        .where(v.c.customer_id == c.c.id, v.c.created_at < sa.bindparam("since"), v.c.assignee_id.is_not(None))
        .order_by(v.c.last_message_id.desc())
        .limit(1)
        .correlate(c)
        .scalar_subquery()
    )
    return sa.select(c.c.id, last).where(among(c.c.id, "ids"))


_last = _last_statement()


class Traffic:
    """Conversations by the time they began, page after page."""

    def __init__(self, d: Directory, since: int, until: int) -> None:
        self.d, self.since, self.until = d, since, until
        self._at, self._id = since - RUN_UP, -1
        self._lasts: dict[int, int | None] = {}

    def run_up(self, conn: Connection, most: int) -> list[Held] | None:
        """Those before the beginning that somebody still had then; None: the beginning is reached."""
        rows = self._next(conn, self.since, most)
        if not rows:
            self._at, self._id = self.since, -1
            return None
        return [
            Held(row.assignee_id, self._kind(row.channel_id), ends)
            for row in rows
            if row.assignee_id is not None and (ends := _ends(row)) > self.since
        ]

    def page(self, conn: Connection, most: int) -> tuple[int, list[Contact]]:
        """How many conversations were looked at (0: the end), and those of them that a customer began. A few statements."""
        rows = self._next(conn, self.until, most)
        if not rows:
            return 0, []
        behind = {row[0]: row[1:] for row in conn.execute(_behind, {"ids": [row.id for row in rows]})}
        theirs = [row for row in rows if row.id in behind and behind[row.id][0] == behind[row.id][1]]
        self._learn(conn, [row.customer_id for row in theirs])
        found = situations.of_conversations(conn, self.d, [_current(row) for row in theirs])
        return len(rows), [
            Contact(row.id, s, int(behind[row.id][2]), _ends(row), self._lasts.get(row.customer_id))
            for row, s in zip(theirs, found, strict=True)
        ]

    def _next(self, conn: Connection, until: int, most: int) -> Sequence[sa.Row[tuple[object, ...]]]:
        values = {"at": self._at, "id": self._id, "until": until, "most": most}
        rows = conn.execute(_page, values).all()
        if rows:
            self._at, self._id = rows[-1].created_at, rows[-1].id
        return rows

    def _learn(self, conn: Connection, ids: Iterable[int]) -> None:
        """Who had these customers last before the beginning."""
        if unknown := sorted(set(ids) - self._lasts.keys()):
            rows = conn.execute(_last, {"ids": unknown, "since": self.since})
            self._lasts.update((customer, employee) for customer, employee in rows)

    def _kind(self, channel_id: int) -> str:
        channel = self.d.channels.get(channel_id)
        return channel.kind if channel else ""


def _ends(row: sa.Row[tuple[object, ...]]) -> int:
    """Until when it takes somebody's capacity."""
    if row.status == "open":
        return NEVER
    return int(row.closed_at or row.last_message_at)


def _current(row: sa.Row[tuple[object, ...]]) -> Current:
    """The conversation as it began: nobody's."""
    return Current(
        id=row.id,
        customer_id=row.customer_id,
        channel_id=row.channel_id,
        status=row.status,
        subject=row.subject,
        unread=0,
        waiting_since=None,
        snoozed_until=None,
        closed_at=row.closed_at,
        last_message_id=0,
        last_message_at=row.last_message_at,
        preview="",
        team_id=row.team_id,
        assignee_id=None,
        reason="",
        created_at=row.created_at,
    )


# ── the house ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def prepare(conn: Connection, asked: Asked) -> tuple[Directory, Directory, int]:
    """(the directory of then with the present table, with the changed one, how many conversations there are)."""
    before = _of_then(conn, asked.since)
    after = structs.replace(before, rules=asked.rules)
    if asked.settings is not None:
        usual = conn.execute(sa.select(employees.c.id).where(employees.c.capacity == 0)).scalars()
        changed = {n: structs.replace(before.employees[n], capacity=asked.settings.capacity) for n in usual}
        after = structs.replace(after, settings=asked.settings, employees=before.employees | changed)
    total = conn.execute(_count, {"at": asked.since, "until": asked.until}).scalar_one()
    return before, after, total


def _of_then(conn: Connection, since: int) -> Directory:
    """The directory with absences that are over and channels that are gone."""
    a = absences.c
    away: dict[int, list[Absence]] = {}
    ended = sa.or_(a.ends_at > since, sa.and_(a.ends_at.is_(None), a.state != "over"))
    for row in conn.execute(sa.select(absences).where(ended).order_by(a.id)):
        absence = Absence(row.employee_id, row.starts_at, row.ends_at, row.deputy_id, row.kind, row.id)
        away.setdefault(row.employee_id, []).append(absence)
    return structs.replace(
        directory.current(conn),
        absences={employee: tuple(found) for employee, found in away.items()},
        channels={
            row.id: ChannelFacts(row.id, row.kind, row.name, row.team_id, row.hours_id)
            for row in conn.execute(sa.select(channels))
        },
    )
