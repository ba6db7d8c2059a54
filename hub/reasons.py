"""Why somebody has a conversation, in words: the steps of a decision (see `hub.routing`) as one sentence in the reader's language.

A reason is kept as JSON, a list of steps; each step is a code with the names and moments of that day. Three reasons are plain words:
``assigned`` and ``started`` (by hand), and ``text:…``, which a person wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.i18n import Catalogue, catalogue

#: Each code's words; {0}, {1} … are the step's names, {when} its moment.
STEPS = {
    "assigned": "assigned by hand",
    "started": "started this conversation",
    "split": "split off another conversation",
    "claimed": "took it out of the queue",
    "offered": "offered to {0} for {1} seconds",
    "declined": "{0} declined",
    "missed": "{0} did not answer the offer",
    "accepted": "accepted the offer",
    "assignee": "{0} is already working on it",
    "owner": "{0} is responsible for this customer",
    "company": "{0} is responsible for the customer's company",
    "last": "{0} spoke with this customer last",
    "rule": "Rule “{0}”",
    "team": "Team {0}",
    "channel": "Team of the channel: {0}",
    "fallback": "No other question had an answer",
    "absent": "{0} is absent until {when}",
    "away_long": "{0} is absent until further notice",
    "disabled": "{0} does not work here any more",
    "light": "{0} does not answer customers",
    "passed": "{0} was asked already",
    "full": "{0} has enough to do ({1} of {2})",
    "busy": "{0} is busy",
    "away": "{0} is away",
    "offline": "{0} is not here",
    "available": "{0} is here",
    "unskilled": "{0} lacks: {1}",
    "deputy": "{0} stands in for {1}",
    "circle": "The deputies lead back to {0}",
    "closed": "{0} is closed until {when}",
    "shut": "{0} is closed",
    "longest_idle": "{0} has been free longest, of {1}",
    "round_robin": "It is {0}'s turn, of {1}",
    "again": "{0} has spoken with this customer before",
    "nofit": "Nobody in {0} is free",
    "unable": "Nobody in {0} has: {1}",
    "queue": "Waits in the queue of {0}",
    "nobody": "open to everybody",
    "back": "{0} is back",
    "silent": "{0} has not answered for {1} minutes",
    "gone": "{0} became absent",
}

Moment = Callable[[int], str]


def plain_moment(at: int) -> str:
    """A moment in UTC for readers without a zone of their own: 2026-11-24 08:00."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def in_words(reason: str, language: str = "en", moment: Moment = plain_moment) -> str:
    """The reason as one sentence part. ``moment`` writes a time in the reader's zone."""
    return " → ".join(each_in_words(reason, language, moment))


def each_in_words(reason: str, language: str = "en", moment: Moment = plain_moment) -> list[str]:
    """The same, step by step. Nonsense in the database comes back as it is: somebody may still make sense of it."""
    if reason.startswith("text:"):
        return [reason.removeprefix("text:")]
    steps: list[Sequence[Any]]
    try:
        steps = msgspec.json.decode(reason, type=list[list[Any]]) if reason.startswith("[") else [[reason]]
    except msgspec.MsgspecError:
        return [reason]
    words = catalogue(language)
    return [_one(words, step, moment) for step in steps if step and step[0]]


def _one(words: Catalogue, step: Sequence[Any], moment: Moment) -> str:
    code, parts = str(step[0]), list(step[1:])
    when = ""
    if code in ("absent", "closed"):
        if parts[1:] and isinstance(parts[1], int):
            when = moment(parts[1])
        else:
            code = "away_long" if code == "absent" else "shut"
    known = STEPS.get(code)
    if known is None:
        return code
    return words.text(known).format(*parts, *[""] * 3, when=when)
