"""What the live stream tells besides hints: who is where, who is typing, the number of what waits, what should ring.

None of it has an id: who was away misses nothing by missing it, for whoever joins is told how things stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from hub.access import may_see
from hub.events import Event
from hub.nearby import Nearby, Place, Word
from hub.web.assets import Assets
from hub.web.live_reads import Places
from hub.web.parts import hue, initials

if TYPE_CHECKING:
    from hub.web.live import Live, Reader

WHISPERS: web.AppKey[Whispers] = web.AppKey("whispers")
#: Seconds between two looks for those who are gone without a word.
SWEEP = 1.0


def whisper(kind: str, what: Any) -> bytes:
    """A server-sent event without an id."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(what))


def fingerprint(assets: Assets, version: str) -> str:
    """What a page says in ``data-version``: another one means that there are newer pages."""
    return f"{version} {assets['app.js']} {assets['app.css']}"


class Whispers:
    """One per process, beside its `Live`."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.nearby = Nearby(live.house.hub.bus)

    async def start(self, _app: web.Application) -> None:
        """Begin; called when the doors open."""
        self.nearby.listen(self._people, self._typing)
        self.live.house.hub.tasks.start("nearby", self.run)

    async def run(self) -> None:
        """Every `SWEEP` seconds those are forgotten who are gone without a word."""
        while True:
            self.live.house.hub.tasks.beat("nearby")
            await asyncio.sleep(SWEEP)
            self.nearby.sweep()

    def greet(self, reader: Reader) -> None:
        """Somebody has joined: how things stand."""
        there = [self._here(number) for number in self.nearby.seen_by(reader.actor)]
        self.live.tell(reader, whisper("nearby", {"all": True, "here": there}))

    def follow(self, news: Sequence[Event], places: Places) -> None:
        """Conversations that have gone to somebody else take those who look at them along."""
        for event in news:
            if event.kind == "conversation.assigned" and event.conversation_id in places:
                self.nearby.move(event.conversation_id, places[event.conversation_id])

    def _here(self, conversation: int) -> dict[str, Any]:
        people = [
            {
                "id": str(one.id),
                "name": one.name,
                "initials": initials(one.name),
                "hue": hue(one.name),
                "state": one.state,
                "mode": one.mode,
                "via": one.via,
            }
            for one in self.nearby.people(conversation)
        ]
        return {"conversation": str(conversation), "people": people}

    def _people(self, conversation: int, place: Place) -> None:
        said = whisper("nearby", {"here": [self._here(conversation)]})
        self.live.tell_all(lambda actor: may_see(actor, *place), said)

    def _typing(self, word: Word) -> None:
        if not word.person:
            said = whisper("typing", {"conversation": str(word.conversation), "name": word.name})
            self.live.tell_all(lambda actor: may_see(actor, *word.place), said)
