"""The one number of what waits for somebody: in the title, on the icon, the same on every device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import mentions
from hub.sql import among
from hub.tables import conversations, todos

#: Counts something for each of these employees; whoever is missing has none of it.
Counter = Callable[[Connection, Sequence[int]], Mapping[int, int]]
#: Statuses in which a conversation waits for somebody.
_ALIVE = ("open", "waiting", "snoozed")
#: Tasks of somebody that are counted.
MOST_TASKS = 1000


_c = conversations.c
_unread = (
    sa.select(_c.assignee_id, sa.func.count())
    .where(among(_c.assignee_id, "ids"), _c.assignee_id.is_not(None), _c.status.in_(_ALIVE), _c.unread > 0)
    .group_by(_c.assignee_id)
)


def unread(conn: Connection, people: Sequence[int]) -> dict[int, int]:
    """Conversations assigned to each in which the customer wrote and nobody has looked."""
    return {row[0]: row[1] for row in conn.execute(_unread, {"ids": list(people)})}


#: Everything that makes up the number; whoever adds a kind of thing that waits adds its counter here.
COUNTERS: list[Counter] = [unread, mentions.waiting]


def waiting(conn: Connection, people: Sequence[int]) -> dict[int, int]:
    """The number for each of these employees."""
    found = dict.fromkeys(people, 0)
    for counter in COUNTERS if people else ():
        for person, count in counter(conn, people).items():
            found[person] += count
    return found


def waiting_for(conn: Connection, employee_id: int) -> int:
    """The number for one."""
    return waiting(conn, [employee_id])[employee_id]


def own_tasks(employee_id: int) -> sa.ScalarSelect[int]:
    """How many open tasks somebody has, `MOST_TASKS` at most; to be asked along with something else."""
    t = todos.c
    some = sa.select(t.id).where(t.person_id == employee_id, t.done_at.is_(None)).limit(MOST_TASKS).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()
