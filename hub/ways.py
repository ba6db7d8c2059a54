"""By which channels and to which of their addresses a customer can be answered now, and why not by the others.

This is the one place that decides whom a channel writes to: the screen shows it, the form carries it, and whoever says no
recipient (a program) gets the same one.

Some providers take free text only for some hours after the customer's own last message (`adapter.Traits.window_hours`), counted
from what they sent in, never from what we sent out; with `adapter.Traits.templates` prepared texts may be sent at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import consents
from hub.adapter import Traits
from hub.channels import Channels, Ready
from hub.clock import now
from hub.messages import Party
from hub.tables import channels as channels_table
from hub.tables import customers, events, identities, messages, participants
from hub.text import fold

HOUR = 3_600_000
#: A customer's newest messages that are looked at for when they last wrote on a channel.
LOOKED_AT = 300
#: Addresses of a customer, and writers of a conversation, that are looked at.
MOST_FACES = 200

#: Why a way cannot be used now.
Why = Literal["", "no address", "closed", "never wrote", "receives only", "opted out"]


class Way(Struct, frozen=True):
    """One channel towards one address of a customer. ``who`` is behind it (empty: nobody said); ``last_at``: when they last wrote
    by it; ``until``: free text may be sent so long (ms); ``limited``: only prepared texts may be sent; ``why`` it cannot be used now
    (empty: it can), ``out_at`` since when they have opted out (ms); ``trouble`` is what the channel itself suffers from, since
    ``trouble_since``.
    """

    id: int
    kind: str
    name: str
    address: str
    traits: Traits
    last_at: int = 0
    until: int | None = None
    why: Why = ""
    trouble: str = ""
    trouble_since: int | None = None
    who: str = ""
    limited: bool = False
    out_at: int = 0

    @property
    def key(self) -> str:
        """Channel and address, as a form says them."""
        return f"{self.id} {self.address}".rstrip()


class _Faces(Struct, frozen=True):
    """Whom one may write to. ``here``: who wrote in this conversation, with their newest message there; ``names`` by address."""

    by_kind: Mapping[str, Sequence[str]]
    here: Mapping[str, int]
    names: Mapping[str, str]
    wrote: Mapping[tuple[int, str], int]
    wish: str
    out: Mapping[tuple[str, str], int]


def wrote(conn: Connection, customer_id: int) -> dict[tuple[int, str], int]:
    """When the customer (or who writes for them) last wrote on each channel from each address (ms)."""
    e, m = events.c, messages.c
    newest = (
        sa.select(e.channel_id, e.message_id, e.at)
        .where(e.customer_id == customer_id, e.kind == "message.received", e.shown)
        .order_by(e.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    statement = (
        sa.select(newest.c.channel_id, m.sender, sa.func.max(newest.c.at))
        .join(messages, m.id == newest.c.message_id)
        .group_by(newest.c.channel_id, m.sender)
    )
    return {(row[0], row[1]): row[2] for row in conn.execute(statement) if row[0] is not None}


def window(traits: Traits, last_at: int) -> int | None:
    """Until when free text may be sent (ms; 0: it never might), None: for ever."""
    return None if not traits.window_hours else last_at + traits.window_hours * HOUR if last_at else 0


def closed(conn: Connection, customer_id: int, ready: Ready, address: str, at: int = 0) -> bool:
    """Is it too late for free text to this address on this channel, now or at that later moment (ms)?"""
    traits = ready.adapter.traits
    if not traits.window_hours:
        return False
    until = window(traits, wrote(conn, customer_id).get((ready.id, address), 0))
    return until is not None and until < (at or now())


def of(conn: Connection, known: Channels, customer_id: int, usual: int, conversation_id: int = 0) -> list[Way]:
    """Every channel in use towards every address it can reach, in the order of preference: the channel they wrote on last (``usual``
    when they never did), what the customer prefers, the rest; what cannot be used comes after what can. Five statements.
    """
    faces = _faces(conn, customer_id, conversation_id)
    c = channels_table.c
    ill = {
        row.id: (row.trouble, row.trouble_since)
        for row in conn.execute(
            sa.select(c.id, c.trouble, c.trouble_since).where(c.removed_at.is_(None), c.trouble != "")
        )
    }
    found = [way for ready in known.by_id.values() for way in _ways(ready, faces, ill.get(ready.id, ("", None)))]
    last = max(faces.wrote, key=lambda key: faces.wrote[key])[0] if faces.wrote else usual
    return _sorted(found, faces, last)


def to(conn: Connection, ready: Ready, customer_id: int, conversation_id: int = 0) -> Party | None:
    """Whom this channel writes to when nobody says; None: the customer has no address for it."""
    faces = _faces(conn, customer_id, conversation_id)
    way = _sorted(_ways(ready, faces, ("", None)), faces, ready.id)[0]
    return Party(way.address, way.who) if way.address else None


def strangers(conn: Connection, customer_id: int, conversation_id: int, addresses: Sequence[str]) -> list[str]:
    """Those of the addresses that are neither the customer's nor take part in the conversation."""
    i, p = identities.c, participants.c
    theirs = sa.select(i.address).where(i.customer_id == customer_id, i.address.in_(addresses))
    part = sa.select(p.address).where(p.conversation_id == conversation_id, p.address.in_(addresses))
    found = set(conn.execute(theirs.union(part)).scalars())
    return [address for address in addresses if address not in found]


def names(conn: Connection, addresses: Sequence[str]) -> dict[str, str]:
    """What those behind the addresses call themselves."""
    i = identities.c
    return {row.address: row.name for row in conn.execute(sa.select(i.address, i.name).where(i.address.in_(addresses)))}


def _faces(conn: Connection, customer_id: int, conversation_id: int) -> _Faces:
    i, m, c = identities.c, messages.c, customers.c
    wish = sa.select(c.attributes).where(c.id == customer_id).scalar_subquery()
    rows = conn.execute(
        sa.select(i.address, i.name, wish.label("wish"))
        .where(i.customer_id == customer_id)
        .order_by(i.verified.desc(), i.id.desc())
        .limit(MOST_FACES)
    ).all()
    recent = (
        sa.select(m.id, m.sender, m.sender_name)
        .where(m.conversation_id == conversation_id, m.direction == "in", m.sender != "")
        .order_by(m.id.desc())
        .limit(MOST_FACES)
    )
    here: dict[str, int] = {}
    names: dict[str, str] = {}
    for row in conn.execute(recent) if conversation_id else ():
        here.setdefault(row.sender, row.id)
        names[row.sender] = names.get(row.sender) or row.sender_name
    by_kind: dict[str, list[str]] = {}
    for address in dict.fromkeys((*(row.address for row in rows), *here)):
        by_kind.setdefault(address.partition(":")[0], []).append(address)
    names |= {row.address: names.get(row.address) or row.name for row in rows}
    out = consents.out(conn, [address for some in by_kind.values() for address in some])
    return _Faces(by_kind, here, names, wrote(conn, customer_id), _wish(rows[0].wish if rows else ""), out)


def _wish(attributes: str) -> str:
    said = msgspec.json.decode(attributes, type=dict[str, object]).get("preferred") if attributes else None
    return fold(said) if isinstance(said, str) else ""


def _ways(ready: Ready, faces: _Faces, ill: tuple[str, int | None]) -> list[Way]:
    """The channel towards each of the addresses it reaches; one without address where it reaches none."""
    reach = faces.by_kind.get(ready.adapter.traits.address_kind, ())
    return [_way(ready, address, faces, ill) for address in reach or ("",)]


def _way(ready: Ready, address: str, faces: _Faces, ill: tuple[str, int | None]) -> Way:
    traits, last_at = ready.adapter.traits, faces.wrote.get((ready.id, address), 0)
    until = window(traits, last_at)
    over, limited = until is not None and until < now(), False
    why: Why = ""
    out_at = faces.out.get((address, ready.config.kind), 0)
    if not traits.can_send:
        why = "receives only"
    elif out_at:
        why = "opted out"
    elif not address:
        why = "no address"
    elif over and traits.templates:
        limited = True
    elif over:
        why = "closed" if last_at else "never wrote"
    who = faces.names.get(address, "")
    return Way(
        ready.id, ready.config.kind, ready.config.name, address, traits, last_at, until, why, *ill, who=who, limited=limited,
        out_at=out_at,
    )  # fmt: skip


def _sorted(found: list[Way], faces: _Faces, last: int) -> list[Way]:
    """In the order of preference; within the channel they wrote on last, whoever wrote last in this conversation comes first."""

    def order(way: Way) -> tuple[object, ...]:
        here = faces.here.get(way.address, 0) if way.id == last else 0
        return bool(way.why), way.id != last, -here, not _preferred(way.address, faces.wish), -way.last_at, way.name

    return sorted(found, key=order)


def _preferred(address: str, wish: str) -> bool:
    """Is this what the customer prefers: an address, with or without its kind, or a kind alone?"""
    kind, _, bare = address.partition(":")
    return bool(wish) and wish in (fold(address), fold(bare), kind)
