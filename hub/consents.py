"""What customers agreed to: by which kinds of channels they want to be written to, since when and how one knows.

Each change is a row, and the last one counts; where nobody said anything, one may write. Whoever opted out of a kind of channel is
not written to by it: “reply via” says so, and whatever sends asks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.sql import among
from hub.tables import consents, employees, identities

State = Literal["in", "out"]
#: Changes of one customer that are looked at, the newest.
MOST = 100

_c, _i = consents.c, identities.c


class Consent(Struct, frozen=True):
    """``kind`` is a kind of channel (sms, email); ``how`` one knows; ``by`` who wrote it down."""

    id: int
    kind: str
    state: State
    how: str
    by: str
    at: int


_of_customer = (
    sa.select(_c.id, _c.kind, _c.state, _c.how, employees.c.name, _c.at)
    .outerjoin(employees, employees.c.id == _c.employee_id)
    .where(_c.customer_id == sa.bindparam("customer"))
    .order_by(_c.id.desc())
    .limit(MOST)
)


def of_customer(conn: Connection, customer_id: int) -> list[Consent]:
    """What counts now, by kind."""
    rows = conn.execute(_of_customer, {"customer": customer_id})
    last: dict[str, Consent] = {}
    for row in rows:
        last.setdefault(row.kind, Consent(row.id, row.kind, row.state, row.how, row.name or "", row.at))
    return [last[kind] for kind in sorted(last)]


def out(conn: Connection, addresses: Sequence[str]) -> dict[tuple[str, str], int]:
    """When whoever has these addresses opted out, by address and kind of channel. One statement."""
    if not addresses:
        return {}
    statement = (
        sa.select(_i.address, _c.kind, _c.state, _c.at)
        .join(consents, _c.customer_id == _i.customer_id)
        .where(among(_i.address, list(addresses)))
        .order_by(_c.id)
    )
    last = {(row.address, row.kind): (row.state, row.at) for row in conn.execute(statement)}
    return {key: at for key, (state, at) in last.items() if state == "out"}
