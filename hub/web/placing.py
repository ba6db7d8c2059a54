"""Where an entry stands in a timeline: by when it was said, so that what came late stands where it belongs and says that it was late.

The pages of a timeline go by the order of record; within what is shown, entries go by their time. A sender's clock is believed only within
one day of the reader: whoever writes from 1970, or a day late, stands where they came, and when it was written stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.timeline import Item, MessageView
from hub.web.when import When

#: How long after it was written a message came for that to be said (milliseconds).
LATE = 5 * 60_000


def _late(said: MessageView) -> bool:
    return said.direction == "in" and 0 < said.at < said.received_at - LATE


def moment(said: MessageView, when: When) -> int:
    """The time a message stands at: when it came; what came late on the same day, when it was written."""
    early = _late(said) and when.day_key(said.at) == when.day_key(said.received_at)
    return said.at if early else said.received_at


def flags(said: MessageView, when: When) -> dict[str, str]:
    """What its entry says of being late: when it ``arrived``, or else, ``late``, when it was written."""
    if not _late(said):
        return {}
    here = moment(said, when) == said.at
    return {"arrived": when.time(said.received_at)} if here else {"late": when.full(said.at)}


def stands(item: Item, when: When) -> int:
    """The time an item is put in order by: when it was recorded, of what came late on the same day when it was written.

    Not when it came, of everything: that lies before what was recorded meanwhile, and the order of record would change for nothing.
    """
    said = item.message
    return said.at if said is not None and _late(said) and moment(said, when) == said.at else item.event.at


def in_order(items: Sequence[Item], when: When) -> list[Item]:
    """The items by their time; of one time, by the order of record."""
    return sorted(items, key=lambda i: (stands(i, when), i.id))
