"""Rows of lists as they were drawn last. Fifty people look at nearly the same list and ask for it again whenever somebody writes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from markupsafe import Markup
from msgspec import structs

from hub.access import Actor
from hub.inbox import Row
from hub.promised import View
from hub.web.places import Place
from hub.web.reads import Listed
from hub.web.when import When

#: So many rows of 1.5 kB are kept.
MOST = 3000
MINUTE = 60_000


class DrawnRows:
    """The HTML of rows by everything that it depends on. What is relative to now ("14 min") holds for a minute."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Markup] = OrderedDict()

    def key(self, row: Row, place: Place, current: int, listed: Listed, me: Actor, when: When, pick: bool) -> Hashable:
        """What the row is drawn from; ``pick``: it can be selected."""
        own = (row.id == current, listed.drafts.get(row.id), row.id in listed.asked, row.writer_id == me.id, pick)
        seen = (place.conversation(0), when.words.language, str(when.place), when.now // MINUTE)
        return structs.replace(row, level=None), _promised(row.level), own, seen

    def get(self, key: Hashable) -> Markup | None:
        """The row, if it was drawn before."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, drawn: Markup) -> Markup:
        """Keep the row; the same row back."""
        self._kept[key] = drawn
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return drawn


def _promised(view: View | None) -> Hashable:
    """The clocks without the time that is left of one that runs: it changes all the time, and follows from when it is due."""
    if view is None:
        return None
    clocks = [structs.replace(c, left_ms=None) if c.due_at is not None else c for c in view.clocks]
    return view.policy_id, view.policy, tuple(clocks)
