"""Two conversations that are one matter, and one that is two: merged and split, and put back as they were.

What was said moves for good, row by row: messages, the entries that tell of them, deliveries, what may be taken back, who takes part. So
each conversation has one order, and whatever looks for a message finds it where it is now. The conversation that was merged is
closed and names where it goes on; what still comes for it follows (see `hub.store`).

A conversation is one customer's. When one is merged into another customer's, what was said in it becomes part of that customer's
history, and who said it takes part in the conversation; the two stay two customers. Undoing it gives everything back.

Locks as in `hub.store`: deliveries, conversations (in order of id), the counter of conversations, the counter of ids, clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import conversations, directory, drafts, events, plans, sla
from hub.access import Actor, access_conversation, require
from hub.answers import is_answer
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.outbox import CannotSend, NotFound
from hub.sql import allocate, among, insert_rows, is_postgres
from hub.tables import conversations as table
from hub.tables import deliveries, holds, joins, mentions, messages, participants, tags, unread_chats
from hub.tables import drafts as written
from hub.tables import events as happened
from hub.text import preview

#: Messages of a conversation that can be moved at once.
MOST = 5000


class TwoCustomers(CannotSend):
    """The conversations belong to different customers, and nobody said that this is meant."""

    def __init__(self) -> None:
        super().__init__(
            "These conversations belong to different customers. Merge the customers first, or say that it is meant so."
        )


_m, _e, _d, _h, _p = messages.c, happened.c, deliveries.c, holds.c, participants.c


class Waits(Struct, frozen=True):
    """What a conversation's customer waits for, and how it stands."""

    status: str
    snoozed_until: int | None
    closed_at: int | None
    waiting_since: int | None
    unread: int


class Moved(Struct, frozen=True):
    """What a merge, a split or a move moved, so that undoing it puts back exactly that. ``left``: how a move left the source."""

    messages: tuple[int, ...]
    events: tuple[int, ...]
    joined: tuple[str, ...]
    tags: tuple[str, ...]
    source: Waits
    target: Waits
    after: Waits
    followers: tuple[int, ...] = ()
    left: Waits | None = None
    plans: tuple[int, ...] = ()


def waits(home: Current) -> Waits:
    """How it stands now."""
    return Waits(home.status, home.snoozed_until, home.closed_at, home.waiting_since, home.unread)


# ── holding ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def hold(conn: Connection, actor: Actor, ids: Sequence[int]) -> dict[int, Current]:
    """The conversations, held with the deliveries of their messages. Raises `NotFound`, `access.Forbidden`."""
    require(actor, "assign")
    if any(access_conversation(conn, actor, number) is None for number in ids):
        raise NotFound
    if is_postgres(conn):
        theirs = sa.select(_m.id).where(among(_m.conversation_id, ids))
        conn.execute(sa.select(_d.id).where(_d.message_id.in_(theirs)).order_by(_d.id).with_for_update()).all()
    return {home.id: home for home in conversations.lock_for(conn, sorted(ids), [], [], 0)}


def said_in(conn: Connection, number: int) -> list[int]:
    """The messages of a conversation, `MOST` at most. Raises `CannotSend`."""
    ids = sa.select(_m.id).where(_m.conversation_id == number).order_by(_m.id).limit(MOST + 1)
    found = list(conn.execute(ids).scalars())
    if len(found) > MOST:
        raise CannotSend(f"A conversation with more than {MOST} messages cannot be moved; merge the other one into it.")
    return found


def _entries(conn: Connection, number: int, first: int = 0) -> list[int]:
    ids = sa.select(_e.id).where(_e.conversation_id == number, _e.shown, _e.id >= first).order_by(_e.id)
    return list(conn.execute(ids).scalars())


# ── moving ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def move_rows(conn: Connection, said: Sequence[int], entries: Sequence[int], source: int, target: int) -> None:
    """Those of the rows that are still the source's become the target's."""
    for rows, condition in (
        (messages, (_m.conversation_id == source, among(_m.id, said))),
        (happened, (_e.conversation_id == source, _e.shown, among(_e.id, entries))),
        (deliveries, (_d.conversation_id == source, among(_d.message_id, said))),
        (holds, (_h.conversation_id == source, among(_h.message_id, said))),
        (mentions, (mentions.c.conversation_id == source, among(mentions.c.message_id, said))),
        (unread_chats, (unread_chats.c.conversation_id == source, among(unread_chats.c.message_id, said))),
    ):
        conn.execute(sa.update(rows).where(*condition).values(conversation_id=target))


def become(conn: Connection, said: Sequence[int], entries: Sequence[int], one: int, home: Current) -> None:
    """Those of the rows that were one customer's and are in this conversation now are its customer's, as everything in it."""
    if one == home.customer_id:
        return
    theirs = {"customer_id": home.customer_id}
    here = (_m.conversation_id == home.id, _m.customer_id == one, among(_m.id, said))
    conn.execute(sa.update(messages).where(*here).values(theirs))
    told = (_e.conversation_id == home.id, _e.customer_id == one, among(_e.id, entries))
    conn.execute(sa.update(happened).where(*told).values(theirs))


def take_part(conn: Connection, source: int, target: int) -> tuple[str, ...]:
    """Whoever takes part in the source takes part in the target; those who did not before."""
    rows = conn.execute(sa.select(_p.address, _p.channel_id).where(_p.conversation_id == source)).all()
    there = set(conn.execute(sa.select(_p.address).where(_p.conversation_id == target)).scalars())
    fresh = [(target, address, channel) for address, channel in rows if address not in there]
    conversations.add_participants(conn, fresh)
    return tuple(address for _, address, _ in fresh)


def share_tags(conn: Connection, source: int, target: int) -> tuple[str, ...]:
    """The target has the source's tags too; those it did not have."""

    def of(number: int) -> set[str]:
        return set(conn.execute(sa.select(tags.c.tag).where(tags.c.conversation_id == number)).scalars())

    fresh = tuple(sorted(of(source) - of(target)))
    insert_rows(conn, tags, [{"conversation_id": target, "tag": tag} for tag in fresh])
    return fresh


def refresh(conn: Connection, home: Current) -> None:
    """What lists show of the conversation: the newest thing that was said between it and its customer."""
    newest = (
        sa.select(_m.id, _m.received_at, _m.visible_text, _m.text, _m.subject)
        .where(_m.conversation_id == home.id, _m.direction.in_(("in", "out")))
        .order_by(_m.id.desc())
        .limit(1)
    )
    row = conn.execute(newest).first()
    home.touched = True
    if row is not None:
        home.last_message_id, home.last_message_at = row.id, row.received_at
        home.preview = preview(row.visible_text or row.text) or row.subject
    else:
        home.preview = ""


def _bring_drafts(conn: Connection, source: int, target: int) -> None:
    """What colleagues were writing there goes on in the target, before what they had begun here."""
    w = written.c
    unfinished = sa.select(w.employee_id, w.mode).where(w.conversation_id == source, w.ended_at.is_(None))
    for employee, mode in conn.execute(unfinished.order_by(w.employee_id, w.mode)).all():
        writer = Actor(employee, "", "", "admin")
        content = drafts.of_conversation(conn, writer, source)[mode].content
        drafts.discard(conn, writer, source, mode)
        drafts.bring_back(conn, writer, target, mode, content)


# ── merging ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def merge(conn: Connection, actor: Actor, source_id: int, target_id: int, across: bool = False) -> int:
    """Make one conversation a part of another one; the join's id. ``across``: also of one of another customer.

    Raises `NotFound`, `CannotSend`, `TwoCustomers`, `access.Forbidden`.
    """
    homes = hold(conn, actor, [source_id, target_id])
    if source_id == target_id:
        raise CannotSend("A conversation cannot be merged into itself.")
    source, target = homes[source_id], homes[target_id]
    refuse(conn, actor, source, target, across)
    return _absorb(conn, actor, source, target)


def refuse(conn: Connection, actor: Actor, source: Current, target: Current, across: bool) -> None:
    """Raise `CannotSend`, `TwoCustomers` or `access.Forbidden` where nothing can go from one to the other."""
    for home in (source, target):
        if home.merged_into is not None:
            raise CannotSend(f"Conversation #{home.id} was merged into #{home.merged_into} already.")
        if home.status == "closed" and conversations.was_deleted(conn, home.id):
            raise CannotSend(f"Conversation #{home.id} was deleted; nothing can be merged with it.")
    if source.customer_id != target.customer_id:
        require(actor, "customers")
        if not across:
            raise TwoCustomers


def _absorb(conn: Connection, actor: Actor, source: Current, target: Current) -> int:
    said, entries = said_in(conn, source.id), _entries(conn, source.id)
    was = waits(source), waits(target)
    followers = _followers(conn, source.id, target.id)
    _bring_drafts(conn, source.id, target.id)
    waiting = plans.move(conn, source.id, target.id)
    move_rows(conn, said, entries, source.id, target.id)
    become(conn, said, entries, source.customer_id, target)
    joined, shared = take_part(conn, source.id, target.id), share_tags(conn, source.id, target.id)
    refresh(conn, target)
    target.waiting_since = min((w for w in (source.waiting_since, target.waiting_since) if w is not None), default=None)
    target.unread += source.unread
    if source.status == "open" and target.status != "open":
        target.status, target.snoozed_until, target.closed_at = "open", None, None
    source.status, source.closed_at, source.snoozed_until = "closed", now(), None
    source.waiting_since, source.unread, source.merged_into, source.touched = None, 0, target.id, True
    conversations.save(conn, [source, target])
    conn.execute(sa.update(table).where(table.c.id == source.id).values(closed_as="merged"))
    moved = Moved(tuple(said), tuple(entries), joined, shared, *was, waits(target), followers, plans=waiting)
    number = remember(conn, "merge", actor, source.id, target.id, moved)
    across = {"across": True} if source.customer_id != target.customer_id else {}
    told = [
        NewEvent(
            "conversation.merged",
            h.id,
            h.customer_id,
            actor_id=actor.id,
            data={key: str(other), "join": str(number), **across},
        )
        for h, key, other in ((target, "other", source.id), (source, "into", target.id))
    ]
    events.append(conn, told)
    events.append(conn, sla.follow(conn, directory.current(conn), [source, target]))
    return number


def _followers(conn: Connection, source: int, target: int) -> tuple[int, ...]:
    """What was merged into the source goes on in the target too: one step leads from anywhere to where it goes on."""
    c = table.c
    found = tuple(conn.execute(sa.select(c.id).where(c.merged_into == source).order_by(c.id)).scalars())
    conn.execute(sa.update(table).where(among(c.id, found)).values(merged_into=target))
    return found


def remember(conn: Connection, kind: str, actor: Actor, source: int, target: int, moved: Moved) -> int:
    """Keep what was moved; the join's id."""
    number = allocate(conn, "ids", 1)[0]
    row = {"source_id": source, "target_id": target, "actor_id": actor.id, "at": now()}
    text = msgspec.json.encode(moved).decode()
    conn.execute(sa.insert(joins).values(id=number, kind=kind, moved=text, **row))
    return number


# ── splitting ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def split(conn: Connection, actor: Actor, conversation_id: int, message_id: int) -> tuple[int, int]:
    """Begin a conversation of its own with a message and all that came after it; (the join, the new conversation).

    Raises `NotFound`, `CannotSend`.
    """
    source = hold(conn, actor, [conversation_id])[conversation_id]
    said = said_in(conn, source.id)
    taken = [number for number in said if number >= message_id]
    if source.merged_into is not None or message_id not in said:
        raise NotFound
    if len(taken) == len(said):
        raise CannotSend("Something has to stay: choose a later message to begin with.")
    was = waits(source)
    home = begin_like(conn, source)
    entries = _entries(conn, source.id, message_id)
    move_rows(conn, taken, entries, source.id, home.id)
    joined, shared = take_part(conn, source.id, home.id), share_tags(conn, source.id, home.id)
    _share_waiting(conn, source, home, message_id)
    for one in (source, home):
        refresh(conn, one)
    conversations.save(conn, [source, home])
    moved = Moved(tuple(taken), tuple(entries), joined, shared, waits(home), was, waits(source))
    number = remember(conn, "split", actor, home.id, source.id, moved)
    told = [
        NewEvent(
            "conversation.split", h.id, h.customer_id, actor_id=actor.id, data={key: str(other), "join": str(number)}
        )
        for h, key, other in ((source, "other", home.id), (home, "from", source.id))
    ]
    events.append(conn, told)
    events.append(conn, sla.follow(conn, directory.current(conn), [source, home]))
    return number, home.id


def begin_like(conn: Connection, source: Current) -> Current:
    """A new conversation like the one it comes from."""
    number = allocate(conn, "conversations", 1)[0]
    home = msgspec.structs.replace(source, id=number, created_at=now(), reason="split", fresh=True, touched=False)
    home.unread, home.waiting_since, home.offer = 0, None, None
    conversations.save(conn, [home])
    home.fresh = False
    return home


def _share_waiting(conn: Connection, source: Current, home: Current, first: int) -> None:
    """Who waits, waits where the unanswered message is now; what is unread is unread where it is."""
    theirs = sa.select(_m.id, _m.received_at).where(_m.conversation_id == home.id, _m.direction == "in", _m.id >= first)
    inbound = conn.execute(theirs.order_by(_m.id)).all()
    answered = sa.select(sa.func.max(_m.id)).where(_m.conversation_id == home.id, is_answer())
    after = conn.execute(answered).scalar() or 0
    open_ones = [row for row in inbound if row.id > after]
    if source.waiting_since is not None and open_ones:
        home.waiting_since = max(source.waiting_since, open_ones[0].received_at)
    if source.waiting_since is not None and (after or (inbound and source.waiting_since >= inbound[0].received_at)):
        source.waiting_since = None
    home.unread = min(source.unread, len(inbound))
    source.unread -= home.unread
    home.touched = source.touched = True


# ── putting back ──────────────────────────────────────────────────────────────────────────────────────────────────────
def separate(conn: Connection, actor: Actor, join_id: int) -> tuple[int, int]:
    """Undo a merge or a split: (the conversation that is one of its own again or is gone, the other one).

    What came since stays where it came. Raises `NotFound`, `CannotSend`.
    """
    j = joins.c
    row = conn.execute(sa.select(joins).where(j.id == join_id, j.undone_at.is_(None))).first()
    if row is None:
        raise NotFound
    homes = hold(conn, actor, [row.source_id, row.target_id])
    undone = sa.update(joins).where(j.id == join_id, j.undone_at.is_(None)).values(undone_at=now())
    if not conn.execute(undone).rowcount:
        raise NotFound
    source, target = homes[row.source_id], homes[row.target_id]
    if row.kind == "split":
        if source.merged_into is not None or target.merged_into is not None:
            raise CannotSend(f"Conversation #{source.id} has been merged since; this cannot be undone any more.")
        if source.customer_id != target.customer_id:
            raise CannotSend("These conversations belong to different customers. Merge the customers first.")
        _absorb(conn, actor, source, target)
        return source.id, target.id
    if source.merged_into != target.id:
        raise CannotSend(f"Conversation #{target.id} has been merged since; undo that first.")
    _take_out(conn, actor, row, source, target)
    return source.id, target.id


def _take_out(conn: Connection, actor: Actor, row: Any, source: Current, target: Current) -> None:
    moved = msgspec.json.decode(row.moved, type=Moved)
    move_rows(conn, moved.messages, moved.events, target.id, source.id)
    plans.move(conn, target.id, source.id, moved.plans)
    become(conn, moved.messages, moved.events, target.customer_id, source)
    c, t = table.c, tags.c
    conn.execute(
        sa.update(table).where(among(c.id, moved.followers), c.merged_into == target.id).values(merged_into=source.id)
    )
    conn.execute(sa.delete(tags).where(t.conversation_id == target.id, among(t.tag, moved.tags)))
    speaking = sa.select(_m.id).where(_m.conversation_id == target.id, _m.sender == _p.address).exists()
    conn.execute(
        sa.delete(participants).where(_p.conversation_id == target.id, among(_p.address, moved.joined), ~speaking)
    )
    was, then = moved.source, moved.after
    source.status, source.snoozed_until, source.closed_at = was.status, was.snoozed_until, was.closed_at
    source.waiting_since, source.unread, source.merged_into = was.waiting_since, was.unread, None
    if (target.status, target.snoozed_until) == (then.status, then.snoozed_until):
        old = moved.target
        target.status, target.snoozed_until, target.closed_at = old.status, old.snoozed_until, old.closed_at
    if target.waiting_since is None and then.waiting_since is not None:
        source.waiting_since, source.unread = None, 0  # it was answered meanwhile
    elif target.waiting_since == then.waiting_since:
        target.waiting_since = moved.target.waiting_since
    target.unread = max(0, target.unread - moved.source.unread)
    for home in (source, target):
        refresh(conn, home)
    conversations.save(conn, [source, target])
    conn.execute(sa.update(table).where(c.id == source.id).values(closed_as=""))
    told = [
        NewEvent("conversation.unmerged", h.id, h.customer_id, actor_id=actor.id, data={"other": str(o.id)})
        for h, o in ((target, source), (source, target))
    ]
    events.append(conn, told)
    events.append(conn, sla.follow(conn, directory.current(conn), [source, target]))
