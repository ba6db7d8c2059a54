"""Who is told of what, and how loudly: one table, read by a pure function.

A notice is for one person: on the desktop, by a sound, by Web Push, or (an empty one) only by the number of what waits.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: What can happen to somebody. ``message``: a customer wrote; ``failed``: what we wrote did not arrive; ``queue``: one nobody has;
#: ``due`` and ``overdue``: a promised reply.
Kind = Literal["message", "failed", "queue", "call", "mention", "assigned", "due", "overdue", "visitor", "channel"]
#: What a person has before their eyes: this very conversation, something else of the hub, or nothing of it.
Front = Literal["this", "other", "away"]
Announce = Literal["text", "sender", "off"]
Sound = Literal["", "message", "queue", "call"]


class Case(Struct, frozen=True):
    """What happened, seen from one person. ``role`` is what they are to it: the one responsible (or meant), one of the team, its lead,
    an administrator, somebody who watches; ``own``: they did it themselves.
    """

    kind: Kind
    role: Literal["mine", "team", "lead", "admin", "watch"] = "mine"
    own: bool = False


class Mood(Struct, frozen=True):
    """How somebody is just now. ``available`` for new work; ``quiet``: their quiet hours, or they want to be left alone."""

    available: bool = True
    front: Front = "away"
    quiet: bool = False


class Wishes(Struct, frozen=True):
    """What somebody has chosen in their settings. ``volume`` in percent; ``tone`` is one of `TONES`; quiet hours are times of the day
    like "18:00" in ``zone``, both empty: none. ``alone``: do not disturb. ``announce``: what a screen reader says of a new message in
    the open conversation.
    """

    desktop: bool = True
    sound: bool = True
    push: bool = True
    volume: int = 60
    tone: str = "drop"
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = ""
    alone: bool = False
    announce: Announce = "text"


class Notice(Struct, frozen=True):
    """How somebody is told."""

    desktop: bool = False
    sound: Sound = ""
    push: bool = False


#: The sounds for messages; calls have one of their own.
TONES = ("drop", "wood", "bell")

#: What is told by default, by kind and role. Whatever is not here is told nobody.
TABLE: dict[tuple[str, str], Notice] = {
    ("message", "mine"): Notice(desktop=True, sound="message", push=True),
    ("message", "watch"): Notice(desktop=True),
    ("failed", "mine"): Notice(desktop=True, sound="message", push=True),
    ("queue", "team"): Notice(sound="queue"),
    ("call", "mine"): Notice(desktop=True, sound="call", push=True),
    ("mention", "mine"): Notice(desktop=True, push=True),
    ("assigned", "mine"): Notice(desktop=True, push=True),
    ("due", "mine"): Notice(desktop=True),
    ("overdue", "mine"): Notice(desktop=True, push=True),
    ("overdue", "lead"): Notice(desktop=True),
    ("visitor", "mine"): Notice(desktop=True, push=True),
    ("channel", "admin"): Notice(desktop=True),
}

NOTHING = Notice()


def decide(case: Case, mood: Mood, wishes: Wishes) -> Notice:
    """How this person is told of it."""
    usual = TABLE.get((case.kind, case.role), NOTHING)
    if case.own or mood.quiet or wishes.alone or mood.front == "this":
        return NOTHING
    if case.kind == "queue" and not mood.available:
        return NOTHING
    if mood.front == "other":  # they see the hub: the sound says it, except what cannot wait or has no sound
        keep = case.kind == "call" or not usual.sound
        usual = Notice(desktop=usual.desktop and keep, sound=usual.sound)
    return Notice(
        desktop=usual.desktop and wishes.desktop,
        sound=usual.sound if wishes.sound and wishes.volume > 0 else "",
        push=usual.push and wishes.push,
    )


def is_quiet(wishes: Wishes, minute: int) -> bool:
    """Are these quiet hours? ``minute`` of the person's day; the hours may go past midnight."""
    begins, ends = minute_of(wishes.quiet_from), minute_of(wishes.quiet_to)
    if begins is None or ends is None or begins == ends:
        return False
    return begins <= minute < ends if begins < ends else minute >= begins or minute < ends


def minute_of(text: str) -> int | None:
    """Minutes since midnight of "18:30"; None for anything else."""
    hour, _, minute = text.partition(":")
    if not (len(text) == 5 and text.isascii() and hour.isdecimal() and minute.isdecimal()):
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(minute) < 60 and total < 24 * 60 else None
