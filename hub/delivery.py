"""The way out: claims queued deliveries, hands them to their adapters, writes down what came of it.

queued → sending (leased) → sent | queued again with backoff | failed | unconfirmed. Within one conversation, channel and
recipient messages leave in order. No transaction is open while a provider answers. What was being sent when a process died ended
without a clear answer, and is treated by the channel's trait `repeat`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events, receipts
from hub.clock import now
from hub.core import Hub
from hub.database import Unavailable, is_passing
from hub.entries import sent_key
from hub.events import Event
from hub.failpoints import hit
from hub.messages import Outgoing, Refused, Sent, TryLater
from hub.parcel import Parcel, load_parcels, with_files
from hub.sql import among, db_now, is_postgres, lit
from hub.tables import deliveries, messages
from hub.tasks import Backoff
from hub.text import clean_line

log = logging.getLogger(__name__)

#: How long one attempt may take (seconds).
DEADLINE = 75
#: A claimed delivery is this process's for so long (seconds); what is still being sent is renewed every third of it.
LEASE = 15.0
#: Minutes between attempts that the provider postponed without saying how long (RFC 5321 4.5.4.1 wants patience).
STEPS = (0.02, 0.1, 0.5, 2, 5, 15, 30, 60)
#: After an unclear answer on a channel whose receivers mostly notice copies: one more try after so many seconds.
SECOND_TRY = 600
#: … but not after so many attempts, whatever interrupted them.
TRIES = 5
#: A provider's Retry-After counts up to a day (seconds).
LONGEST = 86_400
#: Seconds that running sends get to finish when the hub stops.
FINISHING = 5


class Outcome(Struct, frozen=True):
    """What came of one delivery. ``wait`` (seconds) is set when it should be tried again."""

    parcel: Parcel
    state: str
    provider_id: str = ""
    error: str = ""
    wait: float = 0


class Delivery:
    """The delivery worker of one process."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._held: dict[int, Parcel] = {}
        self._renewed = time.monotonic()

    def watch(self, news: Iterable[Event]) -> None:
        """A reader of the feed: something may be due now."""
        if any(e.kind in ("message.sent", "delivery.queued") for e in news):
            self._wake.set()

    async def run(self) -> None:
        """Carry for ever. Settling what has ended and claiming what is next are one transaction."""
        backoff = Backoff(most=2.0)
        try:
            while True:
                self.hub.tasks.beat("delivery")
                self._wake.clear()
                try:
                    moved = await self._round()
                except Exception as error:
                    if not is_passing(error):
                        raise
                    log.warning("delivery waits: %s", error)
                    await backoff.wait()
                    continue
                backoff.reset()
                if not moved:
                    await self._rest()
        finally:
            if self._running:  # a provider that is just answering gets a moment: what it took must not be sent again
                await asyncio.wait(self._running, timeout=FINISHING)
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._settle_last()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(1):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _settle_last(self) -> None:
        """On the way out: what is known is written down, so that nothing is sent again."""
        if self._outcomes:
            done, self._outcomes = self._outcomes, []
            try:
                await self.hub.db.write(settle, done)
            except Exception:
                log.exception("%d outcomes could not be written down", len(done))

    async def _round(self) -> bool:
        done, self._outcomes = self._outcomes, []
        free = self.hub.options.send_at_once - len(self._running)
        try:
            parcels = await self.hub.db.write(_turn, self.hub, done, self._late(done), free)
        except BaseException:
            self._outcomes = done + self._outcomes
            raise
        for group in self._together(parcels):  # first of all: what is claimed must be carried, whatever fails below
            task = asyncio.create_task(self._carry(group))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        self._held |= {p.delivery_id: p for p in parcels}
        if done:
            for outcome in done:
                self._held.pop(outcome.parcel.delivery_id, None)
            hit("delivery.after_settle")
            self.hub.bus.publish()
        if parcels:
            hit("delivery.after_claim")
        return bool(parcels or done)

    def _together(self, parcels: Sequence[Parcel]) -> list[list[Parcel]]:
        """One send for all recipients of a message where the channel knows several, else one each. Whoever gets a blind copy gets one
        of their own, so that no server on the way tells of it (RFC 5321 7.2).
        """
        groups: dict[tuple[int, int, str], list[Parcel]] = {}
        for p in parcels:
            ready = self.hub.channels.by_id.get(p.channel_id)
            several = ready is not None and ready.adapter.traits.cc
            joint = several and any(party.address == p.recipient for party in (*p.out.to, *p.out.cc))
            groups.setdefault((p.message_id, p.channel_id, "" if joint else p.recipient), []).append(p)
        return list(groups.values())

    def _late(self, done: Sequence[Outcome]) -> list[Parcel]:
        """What is still being sent and wants its lease renewed now."""
        if time.monotonic() - self._renewed < LEASE / 3:
            return []
        self._renewed = time.monotonic()
        ended = {o.parcel.delivery_id for o in done}
        return [p for number, p in self._held.items() if number not in ended]

    async def _carry(self, group: Sequence[Parcel]) -> None:
        """Send one message to those of its recipients that are due on one channel."""
        outcomes = await self._attempt(group)
        self._outcomes += outcomes
        self._wake.set()

    async def _attempt(self, group: Sequence[Parcel]) -> list[Outcome]:
        first = group[0]
        try:
            ready = await self.hub.ready(first.channel_id)
        except Unavailable as error:
            return [self._later(p, TryLater(str(error))) for p in group]
        if ready is None:
            return [Outcome(p, "failed", error="the channel is not in use any more") for p in group]
        repeat = ready.adapter.traits.repeat
        if first.interrupted and repeat != "safe":
            return [self._unclear(p, repeat, "the hub stopped while the provider was answering") for p in group]
        try:
            out = await self._packed(group)
        except OSError as error:  # nothing has been sent yet, so this is no unclear answer
            return [self._later(p, TryLater(f"an attachment cannot be read: {error}")) for p in group]
        try:
            async with asyncio.timeout(DEADLINE):
                sent = await ready.adapter.send(out)
            hit("delivery.after_send")
        except TryLater as error:
            return [self._later(p, error) for p in group]
        except Refused as error:
            return [Outcome(p, "failed", error=error.reason) for p in group]
        except Exception as error:
            log.warning("message %s: no clear answer: %s: %s", first.message_id, type(error).__name__, error)
            return [self._unclear(p, repeat, f"no clear answer: {type(error).__name__}: {error}") for p in group]
        return [self._outcome(p, sent) for p in group]

    async def _packed(self, group: Sequence[Parcel]) -> Outgoing:
        if group[0].has_files:
            out = await asyncio.to_thread(with_files, self.hub, group)
        else:
            out = with_files(self.hub, group)
        hit("delivery.before_send")
        return out

    def _outcome(self, parcel: Parcel, sent: Sent) -> Outcome:
        trouble = sent.troubles.get(parcel.recipient)
        if isinstance(trouble, TryLater):
            return self._later(parcel, trouble)
        if isinstance(trouble, Refused):
            return Outcome(parcel, "failed", error=trouble.reason)
        return Outcome(parcel, "sent", provider_id=sent.provider_id)

    def _later(self, parcel: Parcel, error: TryLater) -> Outcome:
        if now() - parcel.created_at > self.hub.options.give_up_hours * 3_600_000:
            hours = round(self.hub.options.give_up_hours)
            return Outcome(parcel, "failed", error=f"given up after {hours} hours; last answer: {error.reason}")
        step = STEPS[min(parcel.attempt, len(STEPS)) - 1] * 60
        wait = min(error.seconds, LONGEST) or step * random.uniform(0.8, 1.2)
        return Outcome(parcel, "queued", error=error.reason, wait=wait)

    def _unclear(self, parcel: Parcel, repeat: str, reason: str) -> Outcome:
        if repeat == "safe":
            return self._later(parcel, TryLater(reason))
        if repeat == "once" and parcel.state_before != "unconfirmed" and parcel.attempt < TRIES:
            return Outcome(parcel, "unconfirmed", error=reason, wait=SECOND_TRY)
        return Outcome(parcel, "unconfirmed", error=reason)


def _turn(conn: Connection, hub: Hub, done: Sequence[Outcome], late: Sequence[Parcel], free: int) -> list[Parcel]:
    settle(conn, done)
    renew(conn, late)
    return claim(conn, hub, free) if free > 0 else []


# ── claim ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
_d = deliveries.c
_earlier = deliveries.alias("earlier")
_first_of_line = ~sa.exists().where(
    _earlier.c.conversation_id == _d.conversation_id,
    _earlier.c.channel_id == _d.channel_id,
    _earlier.c.recipient == _d.recipient,
    _earlier.c.id < _d.id,
    _earlier.c.state.in_((lit("queued"), lit("sending"))),
)


def _due(condition: sa.ColumnElement[bool], order: sa.ColumnElement[Any], most: int) -> sa.Select[tuple[int, str]]:
    return sa.select(_d.id, _d.state).where(condition, _first_of_line).order_by(order, _d.id).limit(most)


def claim(conn: Connection, hub: Hub, most: int) -> list[Parcel]:
    """Take up to ``most`` deliveries that are due and first in their line. A fixed number of statements."""
    moment: int = conn.execute(sa.select(db_now())).scalar_one()
    found: dict[int, str] = {}
    for condition, order in (
        (sa.and_(_d.state == lit("queued"), _d.not_before <= moment), _d.not_before),
        (sa.and_(_d.state == lit("sending"), _d.lease_until < moment), _d.lease_until),
        (
            sa.and_(_d.state == lit("unconfirmed"), _d.not_before > sa.literal_column("0"), _d.not_before <= moment),
            _d.not_before,
        ),
    ):
        statement = _due(condition, order, most)
        if is_postgres(conn):
            statement = statement.with_for_update(of=deliveries, skip_locked=True)
        found.update((row.id, row.state) for row in conn.execute(statement))
    ids = sorted(found)[:most]
    if not ids:
        return []
    conn.execute(
        sa.update(deliveries)
        .where(among(_d.id, ids))
        .values(
            state="sending",
            attempts=_d.attempts + 1,
            fence=_d.fence + 1,
            lease_until=moment + int(LEASE * 1000),
            changed_at=now(),
        )
    )
    return load_parcels(conn, hub, ids, found)


_renew = (
    sa.update(deliveries)
    .where(_d.id == sa.bindparam("number"), _d.fence == sa.bindparam("old_fence"), _d.state == lit("sending"))
    .values(lease_until=sa.bindparam("until"))
)


def renew(conn: Connection, parcels: Sequence[Parcel]) -> None:
    """These are still being sent: nobody else should take them over."""
    if parcels:
        until = conn.execute(sa.select(db_now())).scalar_one() + int(LEASE * 1000)
        conn.execute(_renew, [{"number": p.delivery_id, "old_fence": p.fence, "until": until} for p in parcels])


def free_leases(conn: Connection) -> None:
    """This is the only process (SQLite, at start): nothing is being sent."""
    conn.execute(sa.update(deliveries).where(_d.state == lit("sending")).values(lease_until=0))


# ── settle ────────────────────────────────────────────────────────────────────────────────────────────────────────────
_close = (
    sa.update(deliveries)
    .where(_d.id == sa.bindparam("number"))
    .values(
        state=sa.bindparam("new_state"),
        provider_id=sa.bindparam("pid"),
        error=sa.bindparam("why"),
        not_before=sa.bindparam("due"),
        lease_until=0,
        changed_at=sa.bindparam("at"),
    )
)
_name = (
    sa.update(messages)
    .where(messages.c.id == sa.bindparam("number"), messages.c.provider_id == "")
    .values(provider_id=sa.bindparam("pid"), dedupe=sa.bindparam("key"), external_id=sa.bindparam("external"))
)


def settle(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what came of the attempts. An attempt that was meanwhile taken over by another process changes nothing."""
    if not outcomes:
        return
    hit("delivery.before_settle")
    sent = [o for o in outcomes if o.state == "sent" and o.provider_id]
    receipts.hold(conn, [(o.parcel.channel_id, o.provider_id) for o in sent])
    outcomes = _still_ours(conn, outcomes)
    if not outcomes:
        return
    sent = [o for o in outcomes if o.state == "sent" and o.provider_id]
    moment: int = conn.execute(sa.select(db_now())).scalar_one()
    conn.execute(
        _close,
        [
            {
                "number": o.parcel.delivery_id,
                "new_state": o.state,
                "pid": o.provider_id,
                "why": clean_line(o.error, 1000),
                # what has failed is due too: see hub.failures
                "due": moment + int(o.wait * 1000) if o.wait or o.state == "failed" else 0,
                "at": moment,
            }
            for o in outcomes
        ],
    )
    news = [_told(o) for o in outcomes if not (o.state == "queued" and o.parcel.attempt > 1)]
    news += receipts.apply(conn, receipts.unpark(conn, [o.provider_id for o in sent])) if sent else []
    events.append(conn, news)  # takes the counter; message rows only after it, as everywhere (see hub.store)
    _call(conn, {o.parcel.message_id: o for o in sent})


def _still_ours(conn: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those of the attempts that nobody has taken over or written down yet; held until the commit."""
    statement = sa.select(_d.id, _d.fence).where(among(_d.id, "ids"), _d.state == lit("sending")).order_by(_d.id)
    if is_postgres(conn):
        statement = statement.with_for_update()
    rows = conn.execute(statement, {"ids": [o.parcel.delivery_id for o in outcomes]})
    ours = {(row.id, row.fence) for row in rows}
    return [o for o in outcomes if (o.parcel.delivery_id, o.parcel.fence) in ours]


def _call(conn: Connection, sent: Mapping[int, Outcome]) -> None:
    """Write the provider's ids to the messages. A provider that gives one id twice gets no second claim to it."""
    if not sent:
        return
    keys = {n: sent_key(o.parcel.channel_id, o.provider_id) for n, o in sent.items()}
    taken = set(
        conn.execute(sa.select(messages.c.dedupe).where(among(messages.c.dedupe, list(keys.values())))).scalars()
    )
    rows = []
    for number, o in sent.items():
        free = keys[number] not in taken
        taken.add(keys[number])
        rows.append(
            {
                "number": number,
                "pid": o.provider_id,
                "key": keys[number] if free else None,
                "external": o.provider_id[:900],
            }
        )
    conn.execute(_name, rows)


def _told(o: Outcome) -> events.NewEvent:
    kind = "delivery.postponed" if o.state == "queued" else f"delivery.{o.state}"
    data = {"delivery": str(o.parcel.delivery_id), "state": o.state, "attempt": o.parcel.attempt}
    if o.error:
        data["error"] = clean_line(o.error, 300)
    return events.NewEvent(
        kind, o.parcel.conversation_id, o.parcel.customer_id, o.parcel.message_id, o.parcel.channel_id, data=data
    )
