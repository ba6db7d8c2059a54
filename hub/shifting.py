"""“Move”: one message, or it and all after it, goes to another conversation or begins one of its own; and back again.

Locks as in `hub.merging`, whose rows these are.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import conversations, directory, events, merging, sla
from hub.access import Actor
from hub.answers import is_answer
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.merging import Moved, waits
from hub.outbox import CannotSend, NotFound
from hub.sql import among
from hub.tables import deliveries, joins, messages, participants
from hub.tables import events as happened

_m, _e, _p, _d = messages.c, happened.c, participants.c, deliveries.c


class Move(Struct, frozen=True):
    """What goes where: the ``message``, with all after it (``rest``), to the conversation ``into`` (0: one that begins with it).
    ``across``: also to another customer's.
    """

    message: int
    into: int = 0
    rest: bool = False
    across: bool = False


def move(conn: Connection, actor: Actor, conversation_id: int, wanted: Move) -> tuple[int, int]:
    """Move messages: (the join, where they are now). Raises `NotFound`, `CannotSend`, `merging.TwoCustomers`, `access.Forbidden`."""
    if not wanted.into and wanted.rest:
        return merging.split(conn, actor, conversation_id, wanted.message)
    homes = merging.hold(conn, actor, [conversation_id, *([wanted.into] if wanted.into else [])])
    if wanted.into == conversation_id:
        raise CannotSend("It is in this conversation already.")
    source = homes[conversation_id]
    said = merging.said_in(conn, source.id)
    if source.merged_into is not None or wanted.message not in said:
        raise NotFound
    taken = [n for n in said if n == wanted.message or (wanted.rest and n > wanted.message)]
    if wanted.into:
        merging.refuse(conn, actor, source, homes[wanted.into], wanted.across)
    if len(taken) == len(said):
        raise CannotSend("This is all that was said here: merge the conversation into the other one instead.")
    target = homes[wanted.into] if wanted.into else merging.begin_like(conn, source)
    return _moved(conn, actor, source, target, taken, fresh=not wanted.into), target.id


def _moved(
    conn: Connection, actor: Actor, source: Current, target: Current, taken: Sequence[int], *, fresh: bool
) -> int:
    was = waits(source), waits(target)
    waiting = _share_waiting(conn, source, taken)
    entries = _shift(conn, source, target, taken)
    if waiting is not None:
        target.waiting_since = min(waiting, target.waiting_since or waiting)
    target.unread += was[0].unread - source.unread
    joined = _join_in(conn, source.id, target.id, taken)
    shared = merging.share_tags(conn, source.id, target.id) if fresh else ()
    if source.status == "open" and target.waiting_since is not None and target.status != "open":
        target.status, target.snoozed_until, target.closed_at = "open", None, None
    conversations.save(conn, [source, target])
    if fresh:  # undone as a split is: by merging it back
        moved = Moved(tuple(taken), entries, joined, shared, waits(target), was[0], waits(source))
        number = merging.remember(conn, "split", actor, target.id, source.id, moved)
        _tell(conn, actor, "conversation.split", source, target, {"join": str(number)})
    else:
        moved = Moved(tuple(taken), entries, joined, (), *was, waits(target), (), waits(source))
        number = merging.remember(conn, "move", actor, source.id, target.id, moved)
        _tell(conn, actor, "conversation.moved", source, target, {"join": str(number), "messages": len(taken)})
    return number


def _tell(
    conn: Connection, actor: Actor, kind: str, source: Current, target: Current, data: dict[str, str | int | bool]
) -> None:
    told = [
        NewEvent(kind, h.id, h.customer_id, actor_id=actor.id, data={key: str(other), **data})
        for h, key, other in ((source, "other", target.id), (target, "from", source.id))
    ]
    events.append(conn, told)
    events.append(conn, sla.follow(conn, directory.current(conn), [source, target]))


def put_back(conn: Connection, actor: Actor, join_id: int) -> None:
    """Undo a move to another conversation; what came since stays. Raises `NotFound`, `CannotSend`."""
    j = joins.c
    row = conn.execute(sa.select(joins).where(j.id == join_id, j.kind == "move", j.undone_at.is_(None))).first()
    if row is None:
        raise NotFound
    homes = merging.hold(conn, actor, [row.source_id, row.target_id])
    undone = sa.update(joins).where(j.id == join_id, j.undone_at.is_(None)).values(undone_at=now())
    if not conn.execute(undone).rowcount:
        raise NotFound
    source, target = homes[row.source_id], homes[row.target_id]
    for home in (source, target):
        if home.merged_into is not None:
            raise CannotSend(f"Conversation #{home.id} has been merged since; this cannot be undone any more.")
    moved = msgspec.json.decode(row.moved, type=Moved)
    _shift(conn, target, source, moved.messages)
    speaking = sa.select(_m.id).where(_m.conversation_id == target.id, _m.sender == _p.address).exists()
    gone = sa.delete(participants).where(_p.conversation_id == target.id, among(_p.address, moved.joined), ~speaking)
    conn.execute(gone)
    _waits_back(source, target, moved)
    conversations.save(conn, [source, target])
    _tell(conn, actor, "conversation.moved", source, target, {"undo": True})


def _waits_back(source: Current, target: Current, moved: Moved) -> None:
    """Who waited and what was unread as before, unless it was answered, read or changed meanwhile."""
    then, old, was, left = moved.after, moved.target, moved.source, moved.left or moved.source
    if (target.status, target.snoozed_until) == (then.status, then.snoozed_until):
        target.status, target.snoozed_until, target.closed_at = old.status, old.snoozed_until, old.closed_at
    if target.waiting_since == then.waiting_since:
        target.waiting_since = old.waiting_since
        if source.waiting_since == left.waiting_since:
            source.waiting_since = was.waiting_since
    unread = min(target.unread, was.unread - left.unread)
    target.unread, source.unread = target.unread - unread, source.unread + unread


def _share_waiting(conn: Connection, source: Current, taken: Sequence[int]) -> int | None:
    """Since when somebody waits for an answer to what is taken away (None: nobody); the source keeps the rest, also of what is unread."""
    answered = sa.select(sa.func.max(_m.id)).where(_m.conversation_id == source.id, is_answer())
    after = conn.execute(answered).scalar() or 0
    come = sa.select(_m.id, _m.received_at).where(_m.conversation_id == source.id, _m.direction == "in")
    newest = conn.execute(come.order_by(_m.id.desc()).limit(max(source.unread, 1))).all()
    source.unread -= len({row.id for row in newest[: source.unread]} & set(taken))
    since = source.waiting_since
    if since is None:
        return None
    open_ones = conn.execute(come.where(_m.id > after).order_by(_m.id)).all()
    mine = [row.received_at for row in open_ones if row.id in set(taken) and row.received_at >= since]
    left = [row.received_at for row in open_ones if row.id not in set(taken)]
    if mine:
        source.waiting_since = left[0] if left else None
    return mine[0] if mine else None


def _shift(conn: Connection, source: Current, target: Current, taken: Sequence[int]) -> tuple[int, ...]:
    """The messages that are still the source's become the target's; the entries that tell of them."""
    tell_of = sa.select(_e.id).where(_e.conversation_id == source.id, _e.shown, among(_e.message_id, taken))
    entries = tuple(conn.execute(tell_of.order_by(_e.id)).scalars())
    merging.move_rows(conn, taken, entries, source.id, target.id)
    merging.become(conn, taken, entries, source.customer_id, target)
    for home in (source, target):
        merging.refresh(conn, home)
    return entries


def _join_in(conn: Connection, source: int, target: int, taken: Sequence[int]) -> tuple[str, ...]:
    """Who wrote the messages, and whom they went to openly, takes part where they are now; those who did not before."""
    wrote = sa.select(_m.sender, _m.channel_id).where(
        among(_m.id, taken), _m.direction == "in", _m.channel_id.is_not(None)
    )
    went = sa.select(_d.recipient, _d.channel_id).where(among(_d.message_id, taken))
    people = {row[0]: row[1] for statement in (wrote, went) for row in conn.execute(statement) if row[0]}
    here, there = (
        set(conn.execute(sa.select(_p.address).where(_p.conversation_id == number)).scalars())
        for number in (source, target)
    )
    fresh = sorted((people.keys() & here) - there)
    conversations.add_participants(conn, [(target, address, people[address]) for address in fresh])
    return tuple(fresh)
