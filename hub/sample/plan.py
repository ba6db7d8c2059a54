"""What has been said in the sample's last weeks: a plan that follows from the seed and the moment alone, before any row is written."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from msgspec import Struct

from hub.sample.matters import DAYS, ENGLISH, GERMAN, Matter
from hub.sample.words import CHANNELS, PEOPLE, WORKING

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
#: How many conversations there are, and how far they reach back.
CONVERSATIONS, WEEKS = 200, 4
#: The person who loads the sample gets so many of the newest ones.
OWN = 12
#: Matters that come by one channel only.
ONLY = {"Rückruf erbeten": "voice", "Please call me back": "voice", "Besuch in der Ausstellung": "visit"}


class Said(Struct, frozen=True):
    """One thing said at a moment: ``who`` as in `matters`; ``author`` is a colleague's key, empty for the customer."""

    at: int
    who: str
    text: str
    author: str = ""


class Thread(Struct, frozen=True):
    """One conversation: positions in `PEOPLE`, keys of channels and colleagues (``me``: whoever loads the sample).

    ``handler`` is empty where nobody has it. ``unread`` counts the customer's last messages; ``draft`` is what the handler was
    about to say.
    """

    person: int
    channel: str
    language: str
    subject: str
    said: tuple[Said, ...]
    status: str
    handler: str = ""
    tags: tuple[str, ...] = ()
    unread: int = 0
    snoozed_until: int | None = None
    draft: str = ""

    @property
    def waiting_since(self) -> int | None:
        """Since when the customer waits: their first message after our last one."""
        if self.status not in ("open", "waiting"):
            return None
        since = None
        for line in self.said:
            if line.who == "c" and since is None:
                since = line.at
            elif line.who == "a":
                since = None
        return since

    @property
    def answered(self) -> bool:
        """Has anybody ever answered?"""
        return any(line.who == "a" for line in self.said)


def plan(seed: int, at: int, count: int = CONVERSATIONS) -> list[Thread]:
    """The conversations of the weeks before ``at`` (ms), the newest first."""
    dice = random.Random(f"sample {seed}")
    return [_thread(dice, place, count, at) for place in range(count)]


def _thread(dice: random.Random, place: int, count: int, at: int) -> Thread:
    person = place if place < len(PEOPLE) else dice.randrange(len(PEOPLE))
    language = PEOPLE[person].language
    matter = _matter(dice, language, place)
    end = _end(dice, place, count, at)
    status = _status(dice, at - end)
    ours = status == "open" and place % 3 < 2 and at - end < 2 * DAY
    turns = _cut(dice, matter.turns, status, "c" if ours else "a")
    handler = _handler(dice, place, status, turns)
    fills = _fills(dice, language, place)
    said = _said(dice, turns, fills, end, handler)
    unread = 0
    if status == "open" and said[-1].who == "c" and (not handler or dice.random() < 0.6):
        unread = 1 + (len(said) > 1 and said[-2].who == "c")
    return Thread(
        person,
        ONLY.get(matter.subject) or _channel(dice),
        language,
        matter.subject.format(**fills),
        said,
        status,
        handler,
        matter.tags if dice.random() < 0.5 else (),
        unread,
        at + dice.randrange(2, 90) * HOUR if status == "snoozed" else None,
        _draft(language) if handler == "me" and place % 4 == 3 and said[-1].who == "c" else "",
    )


def _matter(dice: random.Random, language: str, place: int) -> Matter:
    all_of_them = GERMAN if language == "de" else ENGLISH
    return all_of_them[place // 2 % len(all_of_them)] if place < 12 else dice.choice(all_of_them)


def _end(dice: random.Random, place: int, count: int, at: int) -> int:
    """When the last word was said: a dozen today, the older the rarer, by daylight."""
    if place < OWN:
        return at - (4 + place * 17 + dice.randrange(9)) * MINUTE
    back = DAY // 6 + int((place / count) ** 1.6 * WEEKS * 7 * DAY) + dice.randrange(HOUR)
    moment = datetime.fromtimestamp((at - back) / 1000, UTC)
    hour = moment.hour if 7 <= moment.hour <= 16 else dice.randrange(7, 17)
    daylight = int(moment.replace(hour=hour).timestamp() * 1000)
    return daylight if daylight < at - HOUR else daylight - DAY


def _status(dice: random.Random, age: int) -> str:
    if age < DAY // 2:
        return "open"
    closed = 0.25 if age < 2 * DAY else 0.6 if age < 6 * DAY else 0.93
    if dice.random() < closed:
        return "closed"
    return dice.choices(("open", "waiting", "snoozed"), (6, 3, 1))[0]


def _cut(
    dice: random.Random, turns: tuple[tuple[str, str], ...], status: str, last: str
) -> tuple[tuple[str, str], ...]:
    """How far the matter has come: to a word of ``last``, the customer where they wait for us, us where we wait for them."""
    if status == "closed":
        return turns
    ends = [n + 1 for n, (who, _) in enumerate(turns) if who == last]
    return turns[: dice.choice(ends)] if ends else turns


def _handler(dice: random.Random, place: int, status: str, turns: tuple[tuple[str, str], ...]) -> str:
    if place < OWN:
        return "me"
    if len(turns) == 1 and status == "open" and dice.random() < 0.7:
        return ""
    return dice.choices((*WORKING, "me"), (5, 4, 3, 1))[0]


def _channel(dice: random.Random) -> str:
    free = [c for c in CHANNELS if c.key not in ONLY.values()]
    return dice.choices(free, [c.weight for c in free])[0].key


def _fills(dice: random.Random, language: str, place: int) -> dict[str, str]:
    thousands = f"{dice.randrange(12, 290) * 100:,}"
    return {
        "fault": str(302 if not place else dice.choice((301, 302, 475, 509, 1147))),
        "day": dice.choice(DAYS[language]),
        "price": thousands.replace(",", ".") if language == "de" else thousands,
        "kwh": str(dice.choice((5, 8, 10, 13))),
        "kwp": str(dice.choice((6, 8, 10, 12, 15))),
        "invoice": f"20-{dice.randrange(1100, 1990)}",
        "plant": str(dice.randrange(2100, 2990)),
        "week": str(dice.randrange(40, 52)),
        "count": str(dice.randrange(14, 38)),
        "percent": str(dice.choice((82, 88, 91))),
    }


def _said(
    dice: random.Random, turns: tuple[tuple[str, str], ...], fills: dict[str, str], end: int, handler: str
) -> tuple[Said, ...]:
    """The turns with their moments, the last one at ``end``: customers take hours, the firm minutes."""
    moments = [end]
    for who, _ in reversed(turns[1:]):
        moments.append(moments[-1] - dice.randrange(*((8, 400) if who == "c" else (3, 70))) * MINUTE)
    author = handler or dice.choice(WORKING)
    return tuple(
        Said(at, who, text.format(**fills), "" if who == "c" else author)
        for at, (who, text) in zip(reversed(moments), turns, strict=True)
    )


def _draft(language: str) -> str:
    if language == "de":
        return "Guten Tag, vielen Dank für Ihre Nachricht. Für Ihren Hausanschluss"
    return "Hello, thank you for your message. As to your question"
