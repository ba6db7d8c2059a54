"""Who looks at a conversation right now, who is answering there, and whose customer is typing: told at once, kept nowhere.

Whoever is there says so again every few seconds; whoever stops saying it, for whatever reason, is gone when their `LEASE` is over.
Nothing of it touches the database. The processes tell each other over the bus.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct

from hub.access import Actor, may_see
from hub.bus import Bus
from hub.text import by_name

log = logging.getLogger(__name__)

State = Literal["viewing", "replying", "gone"]
Mode = Literal["reply", "note"]
#: (team, assignee, those mentioned there): who may know of it.
Place = tuple[int | None, int | None, frozenset[int]]
#: Of what nobody knows anything.
NOWHERE: Place = (None, None, frozenset())

#: Seconds for which somebody counts as being there after they said so.
LEASE = 7.0
#: Places that are known at once, and tabs of one person in one conversation.
MOST, MOST_TABS = 20_000, 20
TOPIC = "nearby"


class Word(Struct, frozen=True, omit_defaults=True):
    """Somebody says where they are. ``tab`` is their browser's own name for it; ``typing``: a key was pressed just now;
    ``visitors`` are the (channel, address) of customers whose widget may show that they are being answered.

    ``person`` 0 is the customer, who can only be ``typing``.
    """

    conversation: int
    place: Place
    person: int
    name: str
    tab: str = ""
    state: State = "viewing"
    mode: Mode = "reply"
    via: str = ""
    typing: bool = False
    visitors: tuple[tuple[int, str], ...] = ()


class Someone(Struct, frozen=True):
    """Somebody who is there."""

    id: int
    name: str
    state: State
    mode: Mode
    via: str


class _Tab(Struct):
    word: Word
    until: float


#: Called when who is there has changed, with who may know of it, and for every word of somebody who is typing.
Changed = Callable[[int, Place], None]
Typed = Callable[[Word], None]


class Nearby:
    """One per process. Listeners are called on the event loop and must not block."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._clock = bus, clock
        self._there: dict[int, dict[tuple[int, str], _Tab]] = {}
        self._count = 0
        self._changed: list[Changed] = []
        self._typed: list[Typed] = []
        bus.hear(TOPIC, self._heard)

    def listen(self, changed: Changed, typed: Typed) -> None:
        """``changed`` gets the conversation where somebody came, went, or began to answer; ``typed`` words with ``typing``."""
        self._changed.append(changed)
        self._typed.append(typed)

    def say(self, word: Word) -> None:
        """Here and in the other processes."""
        self._take(word)
        self._bus.say(TOPIC, msgspec.json.encode(word).decode())

    def _heard(self, text: str) -> None:
        try:
            word = msgspec.json.decode(text, type=Word)
        except msgspec.MsgspecError as error:  # another version of the hub, while it is being updated
            log.warning("a word about who is there cannot be read: %s", error)
            return
        self._take(word)

    def _take(self, word: Word) -> None:
        if word.person:
            before = self.people(word.conversation)
            self._put(word)
            if self.people(word.conversation) != before:
                self._tell(word.conversation, word.place)
        if word.typing:
            for listener in self._typed:
                listener(word)

    def _put(self, word: Word) -> None:
        tabs = self._there.get(word.conversation, {})
        key = (word.person, word.tab)
        if word.state == "gone":
            if tabs.pop(key, None) is not None:
                self._count -= 1
        elif key in tabs:
            tabs[key] = _Tab(word, self._clock() + LEASE)
        elif self._count < MOST and sum(1 for person, _ in tabs if person == word.person) < MOST_TABS:
            self._there.setdefault(word.conversation, tabs)[key] = _Tab(word, self._clock() + LEASE)
            self._count += 1
        if not tabs:
            self._there.pop(word.conversation, None)

    def _tell(self, conversation: int, place: Place) -> None:
        for listener in self._changed:
            listener(conversation, place)

    def people(self, conversation: int) -> tuple[Someone, ...]:
        """Who is there, each once, whoever is answering first."""
        best: dict[int, Word] = {}
        for tab in self._there.get(conversation, {}).values():
            known = best.get(tab.word.person)
            if known is None or (known.state, tab.word.state) == ("viewing", "replying"):
                best[tab.word.person] = tab.word
        found = [Someone(w.person, w.name, w.state, w.mode, w.via) for w in best.values()]
        return tuple(sorted(found, key=lambda one: (one.state != "replying", by_name(one.name), one.id)))

    def is_there(self, person: int, conversation: int) -> bool:
        """Does this person look at the conversation?"""
        return any(one.id == person for one in self.people(conversation))

    def place(self, conversation: int) -> Place | None:
        """Who may know of it, as somebody there has said last; None when nobody is there."""
        tabs = self._there.get(conversation)
        return max(tabs.values(), key=lambda tab: tab.until).word.place if tabs else None

    def move(self, conversation: int, place: Place) -> None:
        """The conversation has gone to somebody else: from now on those may know."""
        for key, tab in self._there.get(conversation, {}).items():
            moved = msgspec.structs.replace(tab.word, place=place)
            self._there[conversation][key] = _Tab(moved, tab.until)

    def seen_by(self, actor: Actor) -> list[int]:
        """The conversations where somebody is, as far as the actor may know."""
        places = ((number, self.place(number)) for number in self._there)
        return [number for number, place in places if place is not None and may_see(actor, *place)]

    def sweep(self) -> None:
        """Forget those whose time is over."""
        moment = self._clock()
        for conversation, tabs in list(self._there.items()):
            over = [key for key, tab in tabs.items() if tab.until <= moment]
            if not over:
                continue
            before, place = self.people(conversation), tabs[over[0]].word.place
            for key in over:
                self._put(msgspec.structs.replace(tabs[key].word, state="gone"))
            if self.people(conversation) != before:
                self._tell(conversation, place)
