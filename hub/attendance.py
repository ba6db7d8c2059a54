"""Which visitors have a chat open, in whichever process: so that “offline” is said only of who is nowhere.

Each process says who came to it and who left, and every `BEAT` seconds how many it has. Whoever counts differently, because a word got
lost or they have just begun, asks for all of them. A process that falls silent is forgotten after `LEASE`. Kept in memory only.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from hub.bus import Bus

log = logging.getLogger(__name__)

TOPIC = "visitors"
#: Seconds between two counts, and for which a process counts as being there after it said something.
BEAT, LEASE = 5.0, 16.0
#: Visitors in one word, and of one other process that are remembered.
CHUNK, MOST = 100, 50_000
#: (channel, address) of a visitor.
Visitor = tuple[int, str]


class _Said(Struct, omit_defaults=True):
    """Who says it, how many visitors they have then, who came and left; ``whole``: these are all of them, ``more``: and further ones
    follow; ``ask``: the process that shall say who is there.
    """

    by: str
    count: int
    came: tuple[Visitor, ...] = ()
    left: tuple[Visitor, ...] = ()
    whole: bool = False
    more: bool = False
    ask: str = ""


class _Other(Struct):
    visitors: set[Visitor]
    until: float
    asked: float = float("-inf")


class Attendance:
    """One per process."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._clock, self._name = bus, clock, secrets.token_hex(6)
        self._mine: dict[Visitor, None] = {}
        self._others: dict[str, _Other] = {}
        self._next = 0.0
        bus.hear(TOPIC, self._heard)

    def here(self, visitor: Visitor) -> bool:
        """Has this visitor a chat open anywhere?"""
        at = self._clock()
        return visitor in self._mine or any(visitor in o.visitors for o in self._others.values() if o.until > at)

    def came(self, visitor: Visitor) -> None:
        """The first window of a visitor was opened in this process."""
        self._mine[visitor] = None
        self._say(came=(visitor,))

    def left(self, visitor: Visitor) -> None:
        """The last one was closed."""
        self._mine.pop(visitor, None)
        self._say(left=(visitor,))

    def beat(self) -> None:
        """Say that one is here, when it is time; forget who fell silent. To be called about every second."""
        at = self._clock()
        if at >= self._next:
            self._next = at + BEAT
            self._say()
            self._others = {name: other for name, other in self._others.items() if other.until > at}

    def _say(self, came: tuple[Visitor, ...] = (), left: tuple[Visitor, ...] = (), ask: str = "") -> None:
        self._tell(_Said(self._name, len(self._mine), came, left, ask=ask))

    def _tell(self, said: _Said) -> None:
        self._bus.say(TOPIC, msgspec.json.encode(said).decode())

    def _heard(self, text: str) -> None:
        try:
            said = msgspec.json.decode(text, type=_Said)
        except msgspec.DecodeError as error:
            log.warning("a word about visitors cannot be read: %s", error)
            return
        if said.ask:
            if said.ask == self._name:
                self._tell_all()
            return
        self._learn(said)

    def _tell_all(self) -> None:
        mine = list(self._mine)
        for start in range(0, max(len(mine), 1), CHUNK):
            some, more = tuple(mine[start : start + CHUNK]), start + CHUNK < len(mine)
            self._tell(_Said(self._name, len(mine), some, whole=start == 0, more=more))

    def _learn(self, said: _Said) -> None:
        at = self._clock()
        other = self._others.setdefault(said.by, _Other(set(), 0))
        other.until = at + LEASE
        if said.whole:
            other.visitors.clear()
        other.visitors.difference_update(said.left)
        if len(other.visitors) + len(said.came) <= MOST:
            other.visitors.update(said.came)
        if said.more or len(other.visitors) == said.count or other.asked > at - BEAT + 0.5 or said.count > MOST:
            return
        other.asked = at
        self._say(ask=said.by)
