"""Notices and the number of what waits, for whoever has the hub open: over their stream, as soon as something happens.

Nothing here is kept: a notice nobody was there to hear is Web Push's business, and the number is counted anew for whoever joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from sqlalchemy.engine import Connection

from hub import notify, numbers, presence
from hub.clock import now
from hub.database import is_passing
from hub.events import Event
from hub.notices import Mood, Wishes, decide, is_quiet
from hub.notify import Told
from hub.tasks import Backoff
from hub.tell import words_of
from hub.web.live_reads import Places
from hub.web.whispers import Whispers, whisper

if TYPE_CHECKING:
    from hub.web.live import Live, Reader

#: Events whose conversation's assignee may have another number afterwards.
COUNTED = frozenset(
    {"message.received", "message.sent", "message.withdrawn", "conversation.seen", "conversation.status"}
)
#: Seconds within which changes are gathered, and within which the queue rings once.
GATHERED, ONCE = 0.1, 30.0


class Ringing:
    """One per process, beside its `Live`."""

    def __init__(self, live: Live, whispers: Whispers) -> None:
        self.live, self.whispers = live, whispers
        self._news: list[Event] = []
        self._recount: set[int] = set()
        self._wake = asyncio.Event()
        self._rang: dict[int, float] = {}

    async def start(self, _app: web.Application) -> None:
        """Begin; called when the doors open."""
        self.live.house.hub.tasks.start("ringing", self.run)

    def greet(self, reader: Reader) -> None:
        """Somebody has joined: their number will be told."""
        if reader.person:
            self._recount.add(reader.actor.id)
            self._wake.set()

    def follow(self, news: Sequence[Event], places: Places) -> None:
        """Reader of the news; see `Live.followers`."""
        for event in news:
            if event.kind in notify.KINDS:
                self._news.append(event)
            if event.kind == "note.added":
                self._recount.update(int(n) for n in event.data.get("mentioned", ()))
            if event.kind in ("mention.seen", "conversation.seen") and event.actor_id is not None:
                self._recount.add(event.actor_id)
            if event.kind == "conversation.assigned":  # from whom it was taken nobody says
                self._recount |= self._here()
            elif event.kind in COUNTED and event.conversation_id in places:
                assignee = places[event.conversation_id][1]
                if assignee is not None:
                    self._recount.add(assignee)
        if self._news or self._recount:
            self._wake.set()

    def _here(self) -> set[int]:
        return {reader.actor.id for reader in self.live.readers if reader.person}

    async def run(self) -> None:
        """Tell, and wait for more."""
        backoff = Backoff(most=2.0)
        while True:
            self.live.house.hub.tasks.beat("ringing")
            try:
                async with asyncio.timeout(20):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(GATHERED)
            try:
                await self._turn()
                backoff.reset()
            except Exception as error:
                if not is_passing(error):
                    raise
                await backoff.wait()

    async def _turn(self) -> None:
        self._wake.clear()
        news, self._news = self._news[:500], self._news[500:]
        people = self._recount & self._here()
        try:
            counts, cases, moods = await self.live.house.hub.db.read(_look, sorted(people), news, self._here())
        except BaseException:
            self._news = news + self._news
            self._wake.set()
            raise
        if self._news:
            self._wake.set()
        self._recount -= people
        self._recount &= self._here()
        for person, count in counts.items():
            self._to(person, "number", {"n": count})
        for told in cases:
            self._tell(told, *moods[told.person])

    def _tell(self, told: Told, available: bool, wishes: Wishes) -> None:
        looks = bool(told.conversation) and self.whispers.nearby.is_there(told.person, told.conversation)
        quiet = is_quiet(wishes, notify.minute(wishes, now()))
        away = decide(told.case, Mood(available, "this" if looks else "away", quiet), wishes)
        front = decide(told.case, Mood(available, "this" if looks else "other", quiet), wishes)
        if told.case.kind == "queue" and away.sound and not self._may_ring(told.person):
            return
        if not (away.desktop or away.sound or front.desktop or front.sound):
            return
        title, text = words_of(told)
        said = {
            "id": str(told.event),
            "title": title,
            "text": text,
            "path": told.path,
            "away": away,
            "front": front,
            "volume": wishes.volume,
            "tone": wishes.tone,
        }
        self._to(told.person, "notice", said)

    def _may_ring(self, person: int) -> bool:
        """The queue rings once in `ONCE` seconds."""
        moment = asyncio.get_running_loop().time()
        if self._rang.get(person, -ONCE) > moment - ONCE:
            return False
        self._rang[person] = moment
        return True

    def _to(self, person: int, kind: str, what: object) -> None:
        self.live.tell_all(lambda actor: actor.id == person, whisper(kind, msgspec.to_builtins(what)))


def _look(
    conn: Connection, people: Sequence[int], news: Sequence[Event], here: Iterable[int]
) -> tuple[dict[int, int], list[Told], dict[int, tuple[bool, Wishes]]]:
    """The numbers of these people; and of those who are here, who is to be told what, and how they are."""
    present = set(here)
    found = [told for told in notify.cases(conn, news) if told.person in present]
    concerned = sorted({told.person for told in found})
    wishes = notify.wishes_of(conn, concerned)
    doing = presence.everybody(conn) if any(t.case.kind == "queue" for t in found) else {}
    moods = {p: (p in doing and doing[p].state == "available", wishes[p]) for p in concerned}
    return numbers.waiting(conn, people), found, moods
