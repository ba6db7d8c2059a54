"""The life of the sample: its customers write and go quiet, its colleagues take, answer, note and close.

Runs while the sample is in the house, in one process. The customers use the stand-ins of config/twins on that machine's loopback;
colleagues do what they do through the same functions as real people. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, channels, claims, collaboration, events, outbox, presence
from hub.access import Actor
from hub.core import Hub
from hub.database import is_passing
from hub.events import Event, NewEvent
from hub.outbox import CannotSend, Draft, NotFound
from hub.sample.loading import colleagues, loaded
from hub.sample.matters import ANSWERS, NOTES
from hub.sample.words import CHANNELS, PEOPLE, WORKING
from hub.scheduler import acquire
from hub.sql import among
from hub.tables import channels as channels_table
from hub.tables import conversations, samples
from hub.tasks import Backoff

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from config.world import World

#: Seconds between two things that colleagues do, and between two signs that they are here.
PAUSE, SIGN = (6.0, 14.0), 20.0
#: Customers begin nothing new while so many of theirs wait, nor when there is so much already.
WAITING, MOST = 40, 2000


class Place(Struct, frozen=True):
    """Where the sample's people meet: ids of its channels by key, keys of its webhooks, ids of its colleagues."""

    channels: dict[str, int]
    webhooks: dict[str, str]
    people: dict[str, int]


class Life:
    """One per process. ``at`` is where the hub's own webhooks are reached, known once the doors are open."""

    def __init__(self, hub: Hub, seed: int = 1) -> None:
        self.hub, self.seed = hub, seed
        self.at = ""
        self._changed = asyncio.Event()

    def watch(self, news: Sequence[Event]) -> None:
        """Hear of the sample coming and going."""
        if any(e.kind in ("sample.loaded", "sample.removed") for e in news):
            self._changed.set()

    async def run(self) -> None:
        """Live as long as the sample is here."""
        backoff = Backoff(most=5.0)
        while True:
            self._changed.clear()
            try:
                here: bool = await self.hub.db.read(loaded)
                if self.at and here and await self._alone():
                    await self._live()
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("the sample's life was interrupted: %s", error)
                self._changed.set()
                await backoff.wait()
            self.hub.tasks.beat("sample")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SIGN):
                    await self._changed.wait()

    async def _alone(self) -> bool:
        """One process of several plays the rest of the world; this renews it."""
        return await self.hub.db.write(acquire, "sample", self.hub.node, 3 * SIGN) is not None

    async def _live(self) -> None:
        from config.world import World  # loaded where somebody lives: no other server has time for mail servers

        async with World(self.seed) as world:
            place = await self.hub.db.write(_settle, self.hub, world)
            self.hub.bus.publish()
            world.webhooks = {key: f"{self.at}/webhooks/api/{secret}" for key, secret in place.webhooks.items()}
            tasks = [
                asyncio.create_task(work) for work in (world.live(self._room), self._work(place), self._here(place))
            ]
            try:
                while not self._changed.is_set() and await self._alone():
                    await self._rest_beside(tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest_beside(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for news of the sample; what ended by an accident is told here."""
        self.hub.tasks.beat("sample")
        waiting = asyncio.create_task(self._changed.wait())
        done, _ = await asyncio.wait([waiting, *tasks], timeout=SIGN, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done - {waiting}:
            task.result()

    async def _room(self) -> bool:
        """May customers begin something new?"""
        return await self.hub.db.read(_room)

    async def _here(self, place: Place) -> None:
        """The colleagues are seen, as people with a page open are."""
        working = [place.people[key] for key in WORKING if key in place.people]
        while True:
            with contextlib.suppress(NotFound):
                await self.hub.db.write(presence.seen, working)
            await asyncio.sleep(SIGN)

    async def _work(self, place: Place) -> None:
        """Now and then one of the colleagues does the next thing."""
        dice = random.Random(f"work {self.seed}")
        turn = 0
        while True:
            await asyncio.sleep(dice.uniform(*PAUSE))
            turn += 1
            who = place.people.get(dice.choice(WORKING))
            if who is None:
                continue
            try:
                await self.hub.db.write(
                    act, self.hub, who, list(place.channels.values()), dice, f"sample-{self.hub.node}-{turn}"
                )
            except (CannotSend, NotFound, claims.Taken):
                continue  # somebody was faster, or has just taken the channel away
            self.hub.bus.publish()


def _settle(conn: Connection, hub: Hub, world: World) -> Place:
    """Tell the sample's channels where their stand-ins listen today."""
    names = {name: c for c in CHANNELS for name in (c.name, c.german)}
    mine = sa.select(samples.c.id).where(samples.c.kind == "channels")
    found, keys = {}, {}
    for number in conn.execute(sa.select(channels_table.c.id).where(channels_table.c.id.in_(mine))).scalars().all():
        row = channels.one(conn, hub.box, number)
        known = names.get(row.config.name) if row else None
        if row is None or known is None:
            continue  # taken out of use or renamed: then it is left alone
        found[known.key] = number
        given = world.settings(known)
        if given:
            channels.change(conn, hub.box, row, given)
        if known.kind == "api":
            keys[known.key] = row.config.key
    events.append(conn, [NewEvent("channel.changed", channel_id=number) for number in found.values()])
    return Place(found, keys, colleagues(conn))


def _room(conn: Connection) -> bool:
    c = conversations.c
    mine = sa.select(samples.c.id).where(samples.c.kind == "channels")
    ours = c.channel_id.in_(mine)
    waiting = sa.select(sa.func.count()).where(ours, c.status == "open", c.waiting_since.is_not(None))
    everything = sa.select(sa.func.count()).where(ours)
    return conn.execute(waiting).scalar_one() < WAITING and conn.execute(everything).scalar_one() < MOST


# ── what a colleague does next ────────────────────────────────────────────────────────────────────────────────────────
def act(
    conn: Connection, hub: Hub, employee_id: int, within: Sequence[int], dice: random.Random, client_id: str
) -> str:
    """One deed of one colleague on the sample's channels: take, answer, note or close; which one, empty for none."""
    actor = accounts.actor(conn, employee_id)
    if actor is None:
        return ""
    wish = dice.random()
    if wish < 0.35 and (number := _one(conn, actor, within, free=True, waiting=True)):
        claims.claim(conn, actor, number)
        return "take"
    if wish < 0.8 and (number := _one(conn, actor, within, waiting=True)):
        return _answer(conn, hub, actor, number, dice, client_id)
    if number := _one(conn, actor, within, waiting=False):
        collaboration.set_status(conn, actor, number, "closed")
        return "close"
    return ""


def _answer(conn: Connection, hub: Hub, actor: Actor, number: int, dice: random.Random, client_id: str) -> str:
    if dice.random() < 0.2:
        outbox.note(conn, actor, number, dice.choice(NOTES), client_id)
        return "note"
    name = conn.execute(_customer, {"number": number}).scalar() or ""
    language = next((p.language for p in PEOPLE if p.name == name), "de")
    outbox.reply(conn, actor, hub.channels, 0, number, Draft(dice.choice(ANSWERS[language]), client_id))
    return "answer"


_customer = sa.text(
    "SELECT customers.name FROM conversations JOIN customers ON customers.id = customer_id WHERE conversations.id = :number"
)


def _one(conn: Connection, actor: Actor, within: Sequence[int], *, free: bool = False, waiting: bool) -> int | None:
    """The conversation whose turn it is: one nobody has, or one of the actor's."""
    c = conversations.c
    whose = sa.and_(c.assignee_id.is_(None), among(c.team_id, actor.teams)) if free else c.assignee_id == actor.id
    waits = c.waiting_since.is_not(None) if waiting else c.waiting_since.is_(None)
    statement = sa.select(c.id).where(whose, waits, c.status == "open", among(c.channel_id, within))
    found: int | None = conn.execute(statement.order_by(c.waiting_since, c.id).limit(1)).scalar()
    return found
