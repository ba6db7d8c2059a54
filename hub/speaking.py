"""The language a customer speaks: set by hand (the attribute ``language``), else the one most of what they wrote last is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import tongue
from hub.messages import Details
from hub.tables import customers, events, messages

#: What somebody set is kept among the customer's attributes under this name.
ATTRIBUTE = "language"
#: The newest messages that are asked.
LOOKED_AT = 10


class Spoken(Struct, frozen=True):
    """``language`` like de or en-GB ("": nobody knows); ``written``: what they write in, whatever was set."""

    language: str = ""
    written: str = ""

    @property
    def by_hand(self) -> bool:
        """Did somebody set another one than they write in?"""
        return self.language != self.written


def of(conn: Connection, customer_id: int, attributes: Mapping[str, Any] | None = None) -> Spoken:
    """What this customer speaks; ``attributes`` where they are at hand. One statement, or two."""
    if attributes is None:
        found = conn.execute(sa.select(customers.c.attributes).where(customers.c.id == customer_id)).scalar()
        attributes = msgspec.json.decode(found, type=dict[str, Any]) if found else {}
    told, written = attributes.get(ATTRIBUTE), _written(conn, customer_id)
    return Spoken(told.strip().lower() if isinstance(told, str) and told.strip() else written, written)


_newest = (
    sa.select(events.c.message_id)
    .where(events.c.customer_id == sa.bindparam("customer"), events.c.kind == "message.received", events.c.shown)
    .order_by(events.c.id.desc())
    .limit(LOOKED_AT)
    .subquery()
)
_said = (
    sa.select(messages.c.details, messages.c.visible_text, messages.c.text)
    .join(_newest, _newest.c.message_id == messages.c.id)
    .order_by(messages.c.id.desc())
)


def _written(conn: Connection, customer_id: int) -> str:
    """The language of most of their newest messages; of several the one they used last."""
    known: Counter[str] = Counter()
    for details, visible, text in conn.execute(_said, {"customer": customer_id}):
        declared = msgspec.json.decode(details, type=Details).language if details else ""
        if language := tongue.spoken(visible or text, declared).lower().partition("-")[0]:
            known[language] += 1
    return known.most_common(1)[0][0] if known else ""
