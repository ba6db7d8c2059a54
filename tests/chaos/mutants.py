"""Sabotage: each takes one promise out of a running hub. The harnesses must notice every one of them."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import event

from config.app import Server
from hub import database, delivery, entries, feed, ingest, store
from hub.delivery import Delivery, Outcome
from hub.ingest import Ingest
from hub.messages import Outgoing, Sent
from hub.parcel import Parcel
from hub.tables import deliveries

#: The sabotage → the figure of the crash loop that must not stay 0.
EXPECTED = {
    "ack-early": ("lost_in",),
    "no-unique": ("dup_in",),
    "no-idempotency": ("dup_out",),
    "settle-before-send": ("lost_out",),
    # what was accepted in that moment is not lost, but its receipts find nobody
    "forget-outbox": ("lost_out", "lost_receipts"),
    "no-line": ("disorder_out",),
    "drop-early-receipts": ("lost_receipts",),
}

_background: set[asyncio.Task[Any]] = set()


async def install(name: str, server: Server) -> None:
    """Sabotage this process. Raises KeyError for a name nobody knows."""
    if name:
        await _ALL[name](server)


async def _ack_early(server: Server) -> None:
    keep_all = Ingest.keep_all

    async def quick(self: Ingest, *args: Any, **kwargs: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(0.25)
            await keep_all(self, *args, **kwargs)

        task = asyncio.create_task(later())
        _background.add(task)
        task.add_done_callback(_background.discard)

    Ingest.keep_all = quick  # type: ignore[method-assign]


async def _no_unique(server: Server) -> None:
    key = entries.dedupe_key

    def other(channel_id: int, provider_id: str) -> str:
        return key(channel_id, provider_id) + secrets.token_hex(4)

    entries.dedupe_key = other


async def _no_idempotency(server: Server) -> None:
    from adapters.api import Channel

    send = Channel.send

    async def careless(self: Channel, out: Outgoing) -> Sent:
        return await send(self, msgspec.structs.replace(out, idempotency_key=secrets.token_hex(8)))

    Channel.send = careless  # type: ignore[method-assign]


async def _settle_before_send(server: Server) -> None:
    attempt = Delivery._attempt

    async def hasty(self: Delivery, group: Sequence[Parcel]) -> list[Outcome]:
        await self.hub.db.write(delivery.settle, [Outcome(p, "sent", provider_id="") for p in group])
        await attempt(self, group)
        return []

    Delivery._attempt = hasty  # type: ignore[method-assign]


async def _forget_outbox(server: Server) -> None:
    """What was being sent when the process died counts as sent."""
    forget = sa.update(deliveries).where(deliveries.c.state == "sending").values(state="sent")
    await server.hub.db.write(lambda conn: conn.execute(forget) and None)


async def _no_line(server: Server) -> None:
    delivery._first_of_line = sa.true()


async def _drop_early_receipts(server: Server) -> None:
    from hub import receipts

    receipts.park = lambda conn, early: None


async def _sync_off(server: Server) -> None:
    engine = server.hub.db.sync_engine()

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: object) -> None:
        raw.execute("PRAGMA synchronous=OFF").close()

    engine.dispose()


async def _no_patience(server: Server) -> None:
    """Loops that fall over at the first trouble with the disk."""

    async def once(self: Ingest, step: Any, *args: Any, **kwargs: Any) -> Any:
        return await step(*args, **kwargs)

    Ingest._insist = once  # type: ignore[method-assign]


async def _no_deadline(server: Server) -> None:
    """Whoever waits for the database waits for ever."""
    database.PATIENCE = ingest.PATIENCE = 60


async def _deaf(server: Server) -> None:
    """Without Redis nobody looks at the database."""
    feed.EVERY = 60.0


def poison() -> None:
    """No sabotage: from now on the database refuses messages that say POISON, as it would for contents it cannot hold."""
    row = store.message_row

    def picky(e: Any, home: Any) -> dict[str, Any]:
        if e.message.text == "POISON":
            raise ValueError("this cannot be stored")
        return row(e, home)

    store.message_row = picky


_ALL = {
    "no-patience": _no_patience,
    "no-deadline": _no_deadline,
    "deaf": _deaf,
    "ack-early": _ack_early,
    "no-unique": _no_unique,
    "no-idempotency": _no_idempotency,
    "settle-before-send": _settle_before_send,
    "forget-outbox": _forget_outbox,
    "no-line": _no_line,
    "drop-early-receipts": _drop_early_receipts,
    "sync-off": _sync_off,
}
