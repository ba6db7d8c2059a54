"""From what envelopes say to rows: one transaction and a fixed number of statements for a whole batch.

Locks are taken in one order everywhere, so that two processes cannot wait for each other: customers' rows (by those who change
customers, never by those who only refer to them), journal entries, provider ids of receipts, their deliveries, senders, the counter
of people, conversations, the counter of conversations, what people are doing (presence), the counter of ids (which orders commits, see
`sql.allocate`), clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from hub import (
    assignment,
    blocking,
    conversations,
    directory,
    events,
    handover,
    identity,
    journal,
    receipts,
    search,
    situations,
    sla,
)
from hub.clock import now
from hub.conversations import Current, Seen
from hub.directory import Directory
from hub.entries import Entry, Item, dedupe_key, file_row, message_row, said_at, sent_key
from hub.events import NewEvent
from hub.failpoints import hit
from hub.identity import Known
from hub.routing import Situation
from hub.secretbox import SecretBox
from hub.situations import Person
from hub.sql import allocate, hold, insert_rows
from hub.tables import attachments, messages
from hub.text import preview

#: What the journal says of a message that a tombstone keeps away.
STAYS_OUT = "the customer was erased; this older message stays out"


def store(conn: Connection, box: SecretBox, items: Sequence[Item], closed_after: int) -> int:
    """Write the batch; the id of its last event (0 when it said nothing new).

    Raises whatever the database says of a poisonous item; the caller then tries them one by one.
    """
    mine = journal.own(conn, [item.journal_id for item in items])
    items = [item for item in items if item.journal_id in mine]
    told = receipts.apply(conn, [(item.channel_id, r) for item in items for r in item.reading.receipts])
    entries, outside = _fresh(conn, items)
    news: list[NewEvent] = []
    if entries:
        handover.follow(conn, box, entries)
        d = directory.current(conn)
        people = identity.resolve(conn, [e.message.sender for e in entries])
        unheard = blocking.among_senders(conn, [e.message.sender.address for e in entries])
        for e in entries:
            e.blocked = e.message.sender.address in unheard
        changed = _place(conn, box, entries, people, closed_after)
        _route(conn, d, entries, people, changed)
        news = _write(conn, d, entries, people, changed)
    _close_journal(conn, items, outside)
    last = events.append(conn, news + told)
    hit("ingest.before_commit")
    return last


def _fresh(conn: Connection, items: Sequence[Item]) -> tuple[list[Entry], set[int]]:
    """The batch's messages that the hub does not have yet, each once, and the journal entries of those that stay outside.

    An erased customer who writes again is welcome; what they said before they were erased is not. Holds the senders.
    """
    by_key: dict[str, Entry] = {}
    for item in items:
        files = item.files or ((),) * len(item.reading.messages)
        for message, own_files in zip(item.reading.messages, files, strict=True):
            entry = Entry(item, message, own_files)
            by_key.setdefault(entry.key, entry)
    if not by_key:
        return [], set()
    addresses = list({e.message.sender.address for e in by_key.values()})
    identity.lock(conn, addresses)
    gone = identity.erased(conn, addresses)
    known = conversations.known_keys(conn, list(by_key))
    fresh = [e for key, e in by_key.items() if key not in known]
    late = {e.key for e in fresh if said_at(e) <= gone.get(e.message.sender.address, -1)}
    return [e for e in fresh if e.key not in late], {e.item.journal_id for e in fresh if e.key in late}


def _place(
    conn: Connection, box: SecretBox, entries: Sequence[Entry], people: dict[str, Known], closed_after: int
) -> list[Current]:
    """Give every entry its conversation; those made or changed."""
    seen = _references(conn, entries)
    tokens = {e.key: [t for token in e.message.tokens if (t := conversations.read_token(box, token))] for e in entries}
    # a message may have been moved to another conversation since
    now_in = conversations.living(conn, [m for found in tokens.values() for _, m in found])
    tokens = {key: [(now_in.get(m, c), m) for c, m in found] for key, found in tokens.items()}
    named = {c for found in tokens.values() for c, _ in found} | {c for _, c in seen.by_key.values()}
    running = [e for e in entries if not e.item.in_thread]
    found = conversations.lock_for(
        conn,
        list(named),
        list({people[e.message.sender.address].id for e in running}),
        list({e.item.channel_id for e in running}),
        closed_after,
    )
    by_id = conversations.follow_merged(conn, found)
    # the newest wins: they come in order of id; one that was merged stands for where it goes on
    current = {(c.customer_id, c.channel_id): by_id[c.id] for c in found if _runs(by_id[c.id], closed_after)}
    members = conversations.participants_of(conn, list(named)) if named else set()
    fresh: list[Current] = []
    for e in entries:
        person = people[e.message.sender.address]
        e.reply_to_id = _answered(e, seen, tokens[e.key])
        home = _joined(e, person, tokens[e.key], seen, by_id, members)
        if home is None and not e.item.in_thread:
            home = current.get((person.id, e.item.channel_id))
        if home is None:
            home = _begin(e, person)
            e.created, e.related = True, _related(e, seen, tokens[e.key])
            fresh.append(home)
            current[person.id, e.item.channel_id] = home
        e.conversation = home
    return [*fresh, *found]


def _runs(home: Current, closed_after: int) -> bool:
    return home.status != "closed" or (home.closed_at or 0) > closed_after


def _references(conn: Connection, entries: Sequence[Entry]) -> Seen:
    keys = [key for e in entries if e.message.reply_to for key in _answerable(e)]
    external = {r for e in entries for r in (*e.message.references, e.message.reply_to) if r and e.item.in_thread}
    if not keys and not external:
        return Seen({}, {})
    return conversations.referred(conn, keys, list(external))


def _answerable(e: Entry) -> tuple[str, str]:
    """Under which keys the message this one answers may stand: as one of ours, as one of the customer's."""
    return sent_key(e.item.channel_id, e.message.reply_to), dedupe_key(e.item.channel_id, e.message.reply_to)


def _known(e: Entry, seen: Seen) -> tuple[int, int] | None:
    if not e.message.reply_to:
        return None
    return next((seen.by_key[key] for key in _answerable(e) if key in seen.by_key), None)


def _joined(
    e: Entry,
    person: Known,
    tokens: Sequence[tuple[int, int]],
    seen: Seen,
    by_id: dict[int, Current],
    members: set[tuple[int, str]],
) -> Current | None:
    """The conversation this message proves to belong to."""
    named = [c for c, _ in tokens]
    if not e.item.in_thread and (answered := _known(e, seen)):
        named.append(answered[1])
    for number in named:
        home = by_id.get(number)
        if home is None:
            continue
        if home.customer_id == person.id or (number, e.message.sender.address) in members:
            return home
    return None


def _answered(e: Entry, seen: Seen, tokens: Sequence[tuple[int, int]]) -> int | None:
    if tokens:
        return tokens[0][1]
    known = _known(e, seen) or seen.by_external.get(e.message.reply_to)
    return known[0] if known else None


def _related(e: Entry, seen: Seen, tokens: Sequence[tuple[int, int]]) -> int | None:
    """A conversation to point at, without letting the message in."""
    if tokens:
        return tokens[0][0]
    for reference in (e.message.reply_to, *reversed(e.message.references)):
        if reference in seen.by_external:
            return seen.by_external[reference][1]
    return None


def _begin(e: Entry, person: Known) -> Current:
    return Current(
        id=0,
        customer_id=person.id,
        channel_id=e.item.channel_id,
        status="open",
        subject=e.message.subject,
        unread=0,
        waiting_since=None,
        snoozed_until=None,
        closed_at=None,
        last_message_id=0,
        last_message_at=e.item.received_at,
        preview="",
        team_id=e.item.team_id,
        assignee_id=None,
        reason="",
        created_at=e.item.received_at,
        fresh=True,
    )


def _route(
    conn: Connection, d: Directory, entries: Sequence[Entry], people: dict[str, Known], changed: Sequence[Current]
) -> None:
    """Give numbers to new conversations, and them to somebody; whose people have become absent goes to others too."""
    began = {id(e.conversation): e for e in reversed(entries) if e.conversation is not None}
    moment = now()
    heard = {key: e for key, e in began.items() if not e.blocked}
    lost = [c for c in changed if not c.fresh and id(c) in heard and assignment.lost(d, c, moment)]
    fresh = [c for c in changed if c.fresh]
    for home, number in zip(fresh, allocate(conn, "conversations", len(fresh)), strict=True):
        home.id = number
    if lost and not fresh:
        hold(conn, "conversations")
    fresh = [c for c in fresh if id(c) in heard]  # a blocked sender's goes to nobody
    if not (fresh or lost):
        return
    met = {c.customer_id for c in (*fresh, *lost)} - {known.id for known in people.values() if known.new}
    known = situations.people(conn, list(met)) if met else {}
    contacts = [_contact(d, known, began[id(c)], c, moment) for c in (*fresh, *lost)]
    for home, contact, decision in zip((*fresh, *lost), contacts, assignment.choose(conn, d, contacts), strict=True):
        assignment.settle(d, home, contact, decision)


def _contact(d: Directory, known: dict[int, Person], e: Entry, home: Current, moment: int) -> Situation:
    m = e.message
    return situations.situation(
        d,
        known.get(home.customer_id, Person()),
        moment,
        home.channel_id,
        e.item.team_id,
        customer_id=home.customer_id,
        assignee_id=home.assignee_id if home.covering_id is None else home.covering_id,
        sender=m.sender.address,
        subject=m.subject or home.subject,
        text=m.visible_text or m.text,
        language=m.language,
        fields=m.fields,
    )


def _write(
    conn: Connection, d: Directory, entries: Sequence[Entry], people: dict[str, Known], changed: Sequence[Current]
) -> list[NewEvent]:
    """Write all rows of the batch; the events that tell of it, numbered in the order of record."""
    made = {e.message.sender.address for e in entries if people[e.message.sender.address].new}
    moved = {c.id: c for c in changed if c.moved and not c.fresh}
    offered = sum(c.offer is not None for c in changed)
    asleep = conversations.who_snoozed(conn, [c.id for c in changed if c.status == "snoozed"])
    needed = sum(2 + e.created + (e.related is not None) + len(e.files) for e in entries)
    needed += len(made) + len(moved) + offered + sum(c.status == "snoozed" for c in changed)
    ids = iter(allocate(conn, "ids", needed))
    rows, news, files, index = [], [], [], []
    for e in entries:
        home = e.conversation
        assert home is not None
        news += _openings(e, home, people[e.message.sender.address], made, ids)
        e.id = next(ids)
        text = e.message.visible_text or e.message.text
        slept = home.status == "snoozed"
        shown = preview(text) or e.message.subject
        conversations.receive(home, e.message, e.id, e.item.received_at, shown, blocked=e.blocked)
        rows.append(message_row(e, home))
        index.append((e.id, search.of_message("in", e.message.subject, e.message.sender.name, e.message.text)))
        files += [file_row(next(ids), e, file) for file in e.files]
        news.append(_event(next(ids), "message.received", e, home, _quietly(e)))
        if slept and home.status == "open":
            back = conversations.woken(asleep.get(home.id), reply=True)
            news.append(_event(next(ids), "conversation.status", e, home, back))
        if moved.pop(home.id, None):
            news.append(_event(next(ids), "conversation.assigned", e, home, assignment.holder(home)))
    conversations.save(conn, changed)
    conversations.mark_blocked(conn, [c.id for c in changed if c.fresh and c.status == "closed"])
    news += [msgspec.structs.replace(new, id=next(ids)) for new in assignment.write_offers(conn, changed)]
    news += sla.follow(conn, d, changed)
    insert_rows(conn, messages, rows)
    insert_rows(conn, attachments, files)
    conversations.add_participants(conn, _joining(entries))
    search.add(conn, index)
    return news


def _quietly(e: Entry) -> dict[str, Any]:
    """Nobody is told of what machines answer, and of what a blocked sender says."""
    return {"auto": True} if e.message.flags or e.blocked else {}


def _openings(e: Entry, home: Current, person: Known, made: set[str], ids: Iterator[int]) -> list[NewEvent]:
    """What is told before the message itself: a new customer, a new conversation, one it seems related to. At the moment it came, so
    that by time, too, it stands before it.
    """
    news: list[NewEvent] = []
    if e.message.sender.address in made:
        made.discard(e.message.sender.address)
        news.append(_event(next(ids), "customer.created", e, home, {"name": person.name}))
    if e.created:
        news.append(_event(next(ids), "conversation.created", e, home, assignment.holder(home)))
    if e.related is not None:
        news.append(_event(next(ids), "conversation.related", e, home, {"other": str(e.related)}))
    return [msgspec.structs.replace(new, at=e.item.received_at) for new in news]


def _joining(entries: Sequence[Entry]) -> list[tuple[int, str, int]]:
    pairs = {}
    for e in entries:
        assert e.conversation is not None
        pairs[e.conversation.id, e.message.sender.address] = e.item.channel_id
    return [(conversation, address, channel) for (conversation, address), channel in pairs.items()]


def _event(number: int, kind: str, e: Entry, home: Current, data: dict[str, Any]) -> NewEvent:
    return NewEvent(
        kind,
        home.id,
        home.customer_id,
        # an entry of the timeline that names a message shows it
        message_id=(e.id or None) if kind == "message.received" else None,
        channel_id=e.item.channel_id,
        data=data,
        at=now(),
        id=number,
    )


def _close_journal(conn: Connection, items: Sequence[Item], outside: set[int]) -> None:
    bad = {
        i.journal_id: "; ".join(f"item {r.index + 1}: {r.reason}" for r in i.reading.refused)
        for i in items
        if i.reading.refused
    }
    fine = [i.journal_id for i in items if i.journal_id not in bad]
    journal.mark_read(conn, fine, dict.fromkeys(outside, STAYS_OUT))
    journal.mark_failed(conn, bad)
