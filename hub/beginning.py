"""Writing to somebody first: by which of their addresses that can be done, and doing it."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import holds, outbox, replies, ways
from hub.access import Actor, require
from hub.channels import Channels
from hub.outbox import CannotSend, Draft
from hub.text import by_name


class Start(Struct, frozen=True):
    """A channel and the address it would write to. ``closed``: it takes free text only soon after the customer wrote."""

    channel_id: int
    kind: str
    name: str
    address: str
    subject: bool
    closed: bool = False
    trouble: bool = False


def starts(conn: Connection, channels: Channels, customer_id: int) -> list[Start]:
    """Every way to begin a conversation with a customer, the best first. A fixed number of statements."""
    found = []
    for way in ways.of(conn, channels, customer_id, 0):
        if way.address and way.traits.can_send and way.traits.can_start:
            shut = way.limited or way.why in ("closed", "never wrote")
            start = Start(way.id, way.kind, way.name, way.address, way.traits.subject, shut, bool(way.trouble))
            found.append(start)
    return sorted(found, key=lambda start: start.closed)


def starts_to(channels: Channels, address: str) -> list[Start]:
    """Every way to write to an address nobody has met yet."""
    found = []
    for ready in channels.by_id.values():
        traits = ready.adapter.traits
        if traits.can_send and traits.can_start and address.startswith(f"{traits.address_kind}:"):
            shut = bool(traits.window_hours)
            found.append(Start(ready.id, ready.config.kind, ready.config.name, address, traits.subject, shut))
    return sorted(found, key=lambda start: (start.closed, by_name(start.name)))


def begin(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    house_seconds: float,
    draft: Draft,
    customer_id: int | None = None,
) -> int:
    """Write first; the conversation's number. It waits as answers do (see `hub.holds`), and can be taken back as they can.

    Raises as `outbox.start`, and `CannotSend` for placeholders nobody filled.
    """
    require(actor, "reply")
    if open_ones := replies.unfilled(draft.text):
        raise CannotSend(f"Something has to be filled in before this can be sent: {', '.join(open_ones)}.")
    ready = channels.by_id.get(draft.via)
    wait = holds.seconds(conn, actor.id, ready.config.kind if ready else "", house_seconds)
    home, _, _ = outbox.start(conn, actor, channels, wait, draft, customer_id)
    return home
