"""A person's data gone for good, with a tombstone that keeps it from being imported again. To hand it out: see `takeaway`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import blocking, drafts, elsewhere, events, identity, looking, plans, search
from hub.clock import now
from hub.core import Hub
from hub.events import NewEvent
from hub.moving import words_of
from hub.outbox import NotFound
from hub.sql import among, is_postgres, lit
from hub.tables import (
    action_steps,
    actions,
    attachments,
    consents,
    conversations,
    customers,
    deliveries,
    draft_files,
    handovers,
    holds,
    identities,
    journal,
    links,
    mentions,
    merges,
    messages,
    modes,
    offers,
    orders,
    participants,
    ratings,
    sla_clocks,
    tags,
    todos,
    unread_chats,
    watchers,
)
from hub.tables import drafts as written
from hub.tables import events as happened

#: Messages in one statement.
BATCH = 500


def family(conn: Connection, customer_id: int) -> list[int]:
    """The customer and all that were merged with them. Raises `NotFound`."""
    c, found = customers.c, [customer_id]
    if conn.execute(sa.select(c.id).where(c.id == customer_id)).first() is None:
        raise NotFound(f"There is no customer {customer_id}.")
    for number in found:
        near = sa.select(c.id, c.merged_into).where(sa.or_(c.id == number, c.merged_into == number))
        for row in conn.execute(near):
            found += [n for n in (row.id, row.merged_into) if n is not None and n not in found]
    return sorted(found)


def said_in(homes: Sequence[int], more: Sequence[int] = ()) -> sa.ColumnElement[bool]:
    """The condition on `messages` for what was said in the conversations, and these."""
    here = among(messages.c.conversation_id, homes)
    return sa.or_(here, among(messages.c.id, more)) if more else here


def _conversations(conn: Connection, people: Sequence[int]) -> list[int]:
    c = conversations.c
    return list(conn.execute(sa.select(c.id).where(among(c.customer_id, people)).order_by(c.id)).scalars())


def envelopes(conn: Connection, said: sa.ColumnElement[bool]) -> list[int]:
    """The journal's entries out of which these messages were read."""
    m = messages.c
    statement = sa.select(m.journal_id).where(said, m.journal_id.is_not(None)).distinct()
    return sorted(conn.execute(statement).scalars())


# ── erase ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Erased(Struct, frozen=True):
    """What was erased. ``blobs`` are files that nobody needs any more: `Blobs.remove` them after the commit."""

    messages: int
    addresses: int
    envelopes: int
    blobs: tuple[str, ...]


_bury = sa.text(
    "INSERT INTO tombstones (address_hash, at) VALUES (:hash, :at) ON CONFLICT (address_hash) DO UPDATE SET at = excluded.at"
)


def erase(conn: Connection, customer_id: int, actor_id: int | None = None) -> Erased:
    """Remove everything the customer said and is, in one transaction; the empty shell and a tombstone stay. Raises `NotFound`.

    Also what they said where they only took part, and what was merged out of their conversations into others'.
    """
    if not is_postgres(conn):
        conn.execute(sa.text("PRAGMA secure_delete=ON"))
    people, addresses, homes, more = _hold(conn, customer_id)
    if addresses:
        conn.execute(_bury, [{"hash": identity.address_hash(a), "at": now()} for a in addresses])
    m = messages.c
    blobs, gone = _erase_envelopes(conn, said_in(homes, more))
    count = 0
    for column, ids in ((m.conversation_id, homes), (m.id, more)):
        for start in range(0, len(ids), BATCH):
            said, names = _erase_messages(conn, among(column, ids[start : start + BATCH]))
            count, blobs = count + said, blobs | names
    last = among(conversations.c.last_message_id, more)
    conn.execute(sa.update(conversations).where(last).values(preview=""))
    _erase_shell(conn, people, homes, addresses)
    data = {"messages": count, "addresses": len(addresses)}
    events.append(conn, [NewEvent("customer.erased", customer_id=customer_id, actor_id=actor_id, data=data)])
    return Erased(count, len(addresses), gone, tuple(sorted(unused(conn, blobs))))


def erase_conversation(conn: Connection, conversation_id: int, actor_id: int) -> Erased:
    """Remove everything that was said in one conversation, and in those merged into it; its empty shell stays, marked as deleted."""
    if not is_postgres(conn):
        conn.execute(sa.text("PRAGMA secure_delete=ON"))
    c = conversations.c
    merged = sa.select(c.id).where(c.merged_into == conversation_id).order_by(c.id)
    homes = [conversation_id, *conn.execute(merged).scalars()]
    _lock(conn, journal, among(journal.c.id, envelopes(conn, said_in(homes))))
    _lock(conn, deliveries, among(deliveries.c.conversation_id, homes))
    _lock(conn, conversations, among(c.id, homes), whole=True)
    blobs, gone = _erase_envelopes(conn, said_in(homes))
    count, names = _erase_messages(conn, said_in(homes))
    _erase_homes(conn, homes)
    conn.execute(sa.update(happened).where(among(happened.c.conversation_id, homes)).values(shown=False))
    customer = conn.execute(sa.select(c.customer_id).where(c.id == conversation_id)).scalar()
    data = {"messages": count}
    events.append(conn, [NewEvent("conversation.deleted", conversation_id, customer, actor_id=actor_id, data=data)])
    return Erased(count, 0, gone, tuple(sorted(unused(conn, blobs | names))))


def _hold(conn: Connection, customer_id: int) -> tuple[list[int], list[str], list[int], list[int]]:
    """The people, their addresses, their conversations and what they said elsewhere, held until the commit in the house's order.

    See `hub.store` and `elsewhere.said`. What comes meanwhile waits for the senders; a reply waits for its conversation, or is there
    already and will be erased.
    """
    c, d, j, m = conversations.c, deliveries.c, journal.c, messages.c
    people = family(conn, customer_id)
    while is_postgres(conn):
        attempt = conn.begin_nested()
        _lock(conn, customers, among(customers.c.id, people))
        again = family(conn, customer_id)
        if again == people:
            attempt.commit()
            break
        attempt.rollback()
        people = again
    homes = _conversations(conn, people)
    theirs = sa.select(identities.c.address).where(among(identities.c.customer_id, people))
    addresses = list(conn.execute(theirs).scalars())
    more = elsewhere.said(conn, homes, addresses)
    _lock(conn, journal, among(j.id, envelopes(conn, said_in(homes, more))))
    _lock(conn, deliveries, sa.or_(among(d.conversation_id, homes), among(d.message_id, more)))
    identity.lock(conn, addresses)
    there = sa.select(m.conversation_id).where(among(m.id, more))
    _lock(conn, conversations, sa.or_(among(c.customer_id, people), c.id.in_(there)), whole=True)
    homes = _conversations(conn, people)
    return people, addresses, homes, elsewhere.said(conn, homes, addresses)


def _lock(conn: Connection, table: sa.Table, condition: sa.ColumnElement[bool], whole: bool = False) -> None:
    """``whole``: also against what is only about to point there, such as a draft."""
    if is_postgres(conn):
        rows = sa.select(table.c.id).where(condition).order_by(table.c.id)
        conn.execute(rows.with_for_update(key_share=not whole)).all()


def _erase_envelopes(conn: Connection, said: sa.ColumnElement[bool]) -> tuple[set[str], int]:
    """Envelopes go whole: what they hold of other people has been read into messages long ago."""
    ids = envelopes(conn, said)
    names = set(conn.execute(sa.select(journal.c.blob).where(among(journal.c.id, ids), journal.c.blob != "")).scalars())
    conn.execute(sa.update(messages).where(among(messages.c.journal_id, ids)).values(journal_id=None))
    conn.execute(sa.delete(journal).where(among(journal.c.id, ids)))
    return names, len(ids)


def _erase_messages(conn: Connection, said: sa.ColumnElement[bool]) -> tuple[int, set[str]]:
    m = messages.c
    columns = (m.id, m.direction, m.subject, m.sender_name, m.text)
    rows = conn.execute(sa.select(*columns).where(said)).all()
    ids = [row.id for row in rows]
    search.remove(conn, [(row.id, words_of(row)) for row in rows])
    a = attachments.c
    names = set(conn.execute(sa.select(a.sha256).where(among(a.message_id, ids))).scalars())
    theirs = sa.select(a.id).where(among(a.message_id, ids))
    if is_postgres(conn):  # nobody takes one of them into a draft from now on
        conn.execute(theirs.order_by(a.id).with_for_update()).all()
    conn.execute(sa.delete(draft_files).where(draft_files.c.attachment_id.in_(theirs)))  # of forwards somebody writes
    plans.let_go(conn, theirs)
    conn.execute(sa.delete(attachments).where(among(a.message_id, ids)))
    looking.forget(conn, ids)
    d = deliveries.c
    waiting = sa.case((d.state.in_(("queued", "sending")), "failed"), else_=d.state)
    conn.execute(
        sa.update(deliveries)
        .where(among(d.message_id, ids))
        .values(recipient="", error="", provider_id="", state=waiting, not_before=0, fence=d.fence + 1)
    )
    empty = dict.fromkeys(("sender", "subject", "text", "visible_text", "html", "details"), "")
    named = sa.case((m.direction == "in", ""), else_=m.sender_name)
    gone = sa.update(messages).where(among(m.id, ids))
    conn.execute(gone.values(**empty, sender_name=named, provider_id="", external_id=""))
    return len(ids), names


def _erase_homes(conn: Connection, homes: Sequence[int]) -> None:
    """What is left of conversations without their messages."""
    c, e, moment = conversations.c, happened.c, now()
    conn.execute(
        sa.update(conversations)
        .where(among(c.id, homes))
        .values(
            subject="",
            preview="",
            reason="",
            status="closed",
            closed_at=moment,
            closed_as=sa.case((c.merged_into.is_(None), "deleted"), else_=c.closed_as),
            waiting_since=None,
            snoozed_until=None,
            unread=0,
        )
    )
    drafts.forget(conn, among(written.c.conversation_id, homes))
    plans.forget(conn, homes)
    steps = action_steps.c
    done = sa.select(steps.action_id).where(among(steps.conversation_id, homes)).distinct()
    deeds = list(conn.execute(done).scalars())
    for table in (
        tags,
        sla_clocks,
        offers,
        holds,
        mentions,
        modes,
        action_steps,
        ratings,
        unread_chats,
        handovers,
        watchers,
        todos,
    ):
        conn.execute(sa.delete(table).where(among(table.c.conversation_id, homes)))
    left = sa.exists().where(steps.action_id == actions.c.id)  # a deed on others too is not about this person
    conn.execute(sa.delete(actions).where(among(actions.c.id, deeds), ~left))
    conn.execute(sa.delete(links).where(sa.or_(among(links.c.conversation_id, homes), among(links.c.other_id, homes))))
    conn.execute(sa.delete(participants).where(among(participants.c.conversation_id, homes)))
    conn.execute(sa.update(happened).where(among(e.conversation_id, homes), e.data != "").values(data=""))


def _erase_shell(conn: Connection, people: Sequence[int], homes: Sequence[int], addresses: Sequence[str]) -> None:
    e, moment = happened.c, now()
    _erase_homes(conn, homes)
    conn.execute(sa.delete(participants).where(among(participants.c.address, addresses)))
    conn.execute(sa.delete(identities).where(among(identities.c.customer_id, people)))
    for table in (todos, consents, orders):
        conn.execute(sa.delete(table).where(among(table.c.customer_id, people)))
    looking.forget_senders(conn, addresses)
    blocking.unblock(conn, addresses)
    conn.execute(
        sa.update(customers)
        .where(among(customers.c.id, people))
        .values(name="", folded="", attributes="", owner_id=None, company_id=None)
    )
    conn.execute(sa.update(customers).where(_employed_by(people)).values(company_id=None))
    theirs = sa.or_(among(merges.c.winner_id, people), among(merges.c.loser_id, people))
    conn.execute(sa.update(merges).where(theirs).values(evidence="", moved="", undone_at=moment))
    conn.execute(sa.update(happened).where(among(e.customer_id, people), e.data != "").values(data=""))


def _employed_by(people: Sequence[int]) -> sa.ColumnElement[bool]:
    return sa.and_(customers.c.company_id.is_not(None), among(customers.c.company_id, people))


def unused(conn: Connection, names: set[str]) -> set[str]:
    """Those of the blobs that no message, upload or envelope needs."""
    wanted = sorted(names)
    a, j = attachments.c, journal.c
    still = set(conn.execute(sa.select(a.sha256).where(among(a.sha256, wanted))).scalars())
    raw = sa.select(j.blob).where(j.blob != lit(""), among(j.blob, wanted))
    return names - still - set(conn.execute(raw).scalars())


def scrub_file(conn: Connection) -> None:
    """SQLite only, after the commit: words of what was erased leave the search index's old segments too."""
    if not is_postgres(conn):
        conn.execute(sa.text("INSERT INTO message_search (message_search) VALUES ('optimize')"))


async def sweep_blobs(hub: Hub) -> int:
    """Remove files that nobody needs any more (left by an erase, or by a crash before the commit); how many."""
    removed = await asyncio.to_thread(hub.blobs.tidy)
    for names in await asyncio.to_thread(hub.blobs.old):
        free = await hub.db.read(unused, names)
        removed += len(await asyncio.to_thread(hub.blobs.remove, free))
    return removed
