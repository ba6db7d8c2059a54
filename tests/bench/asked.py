"""What the screens and the loops ask of a filled house: work by name, for the checks of the plans."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench.fill import BEGIN, SPAN, Filled
from bench.words import COMMON, MISSING, PAIR, RARE
from hub import (
    board,
    caring,
    chapters,
    conversations,
    customers,
    delivery,
    directory,
    events,
    failures,
    identity,
    inbox,
    journal,
    linking,
    looking,
    outbox,
    plans,
    receipts,
    timeline,
    watching,
)
from hub.access import Actor, access_attachment, access_customer, access_message
from hub.collaboration import wake_snoozed
from hub.core import Hub
from hub.inbox import Filter
from hub.messages import Receipt
from hub.outbox import Draft, Stale
from hub.traffic import Traffic
from hub.web import reads, searching
from hub.web.places import Place
from hub.web.stretches import Look

Work = Callable[[Connection], Any]


def filters(house: Filled) -> Iterator[Filter]:
    """Every field alone and in the pairs that the screens offer, for both sorts."""
    for sort in ("newest", "waiting"):
        for status in ("", "open", "waiting", "snoozed", "closed"):
            yield Filter(status=status, sort=sort)
            for assignee in ("me", "none", house.agent):
                yield Filter(status=status, assignee=assignee, sort=sort)
            for team in house.teams[:1] + house.teams[-1:]:
                yield Filter(status=status, team=team, sort=sort)
                yield Filter(status=status, team=team, assignee="none", sort=sort)
            yield Filter(status=status, channel=house.channels[0], sort=sort)
            yield Filter(status=status, customer=house.big_customer, sort=sort)
            for tag in ("invoice", "unusual"):
                yield Filter(status=status, tag=tag, sort=sort)
            yield Filter(status=status, unread=True, sort=sort)
            yield Filter(status=status, team=house.teams[0], unread=True, sort=sort)
    yield Filter(status="open", sort="waiting", rest=True)
    yield Filter(status="open", sort="priority")
    yield Filter(mentioned=True)


def lists(house: Filled, who: Actor) -> Iterator[tuple[str, Work]]:
    for wanted in filters(house):
        for page in (1, 2):
            yield f"list {who.role} {wanted} page {page}", list_page(who, wanted, page)


def list_page(who: Actor, wanted: Filter, page: int) -> Work:
    def work(conn: Connection) -> None:
        _, cursor = inbox.listing(conn, who, wanted, limit=20)
        if page == 2 and cursor:
            inbox.listing(conn, who, wanted, cursor, limit=20)

    return work


def pages(house: Filled, who: Actor) -> Iterator[tuple[str, Work]]:
    """What opening things asks."""
    yield "counts", lambda c: inbox.counts(c, who)
    yield "counts of views, waiting and due", lambda c: inbox.counts(c, who, saved(house))
    yield "list, waiting and due", lambda c: inbox.listing(c, who, Filter(status="open", sort="due", rest=True))
    yield "list, waiting long", lambda c: inbox.listing(c, who, Filter(status="open", waited=7_200_000))
    for q in OPERATORS:
        yield f"search {q}", lambda c, q=q: inbox.listing(c, who, Filter(q=q))
        yield f"search page {q}", lambda c, q=q: searching.find(c, who, q, "", "")
    yield "live board: waiting, queues, channels", lambda c: board.look(c, who, BEGIN + SPAN - SPAN // 50)
    for due in ("soon", "late"):
        yield f"waiting, due {due}", lambda c, d=due: inbox.listing(c, who, Filter(status="open", due=d))
    yield (
        "begun since",
        lambda c: inbox.listing(c, who, Filter(since=BEGIN + SPAN - SPAN // 50, channel=house.channels[0])),
    )
    yield "page of a list", lambda c: reads.listed(c, who, Place("all"))
    for history in ("one", "all"):
        look = Look(history=history)
        yield f"page of a conversation, {history}", lambda c, k=look: reads.opened(c, who, newest(c, who).id, k)
    yield "news of a conversation", lambda c: reads.news(c, who, newest(c, who).id, Look(after=10), [1, 2, 3])
    yield "page of a customer", lambda c: reads.person(c, who, newest(c, who).customer_id)
    yield "tasks, one's own", lambda c: caring.my_todos(c, who)
    yield "conversation", lambda c: inbox.one(c, who, house.conversation)
    yield "timeline", lambda c: timeline.of_conversation(c, house.conversation)
    yield "timeline, before", lambda c: timeline.of_conversation(c, house.conversation, before=100_000)
    yield "timeline, after", lambda c: timeline.of_conversation(c, house.conversation, after=10)
    yield "heights", lambda c: looking.heights_of(c, [1, 2, 3])
    yield "senders", lambda c: looking.shown_senders(c, who, ["email:a@b.example"])
    yield "heads", lambda c: chapters.heads(c, [1, 2, 3])
    for customer in (house.big_customer, house.customer):
        yield "customer timeline", lambda c, n=customer: timeline.of_customer(c, who, n)
        yield "customer", lambda c, n=customer: access_customer(c, who, n)
        yield "earlier chapters", lambda c, n=customer: chapters.earlier(c, who, n, 0, 2**62)
    yield "watching", lambda c: watching.is_watching(c, who, house.conversation)
    yield "linked", lambda c: linking.linked(c, who, house.conversation)
    yield "message", lambda c: access_message(c, who, 3)
    yield "attachment", lambda c: access_attachment(c, who, 3)
    for begin in ("filled-77", "api:filled-77", "nobody"):
        yield f"customers {begin}", lambda c, q=begin: customers.listing(c, who, q, 2**62, 50)
    for words in (RARE, COMMON, MISSING, PAIR):
        yield f"search {words}", lambda c, q=words: inbox.listing(c, who, Filter(q=q))


def newest(conn: Connection, who: Actor) -> inbox.Row:
    """A conversation the employee may see."""
    return inbox.listing(conn, who, Filter(), limit=1)[0][0]


#: Searches that do not stand on words alone.
OPERATORS = (
    "is:unread",
    "is:open channel:api",
    "tag:invoice is:open",
    f"tag:invoice {COMMON}",
    "from:person",
    "from:customer",
    "has:attachment",
    "before:2024-01-01",
    f"{COMMON} after:2024-03-01",
    f'"{PAIR}"',
    "+49 151 22648810",
    "#7",
    "is:mentioned",
)


def saved(house: Filled) -> dict[str, Filter]:
    """Ten views such as people save."""
    return {
        "view:1": Filter(status="open", team=house.teams[0], sort="waiting", rest=True),
        "view:2": Filter(status="open", channel=house.channels[0]),
        "view:3": Filter(status="open", tag="invoice"),
        "view:4": Filter(status="open", tag="unusual"),
        "view:5": Filter(status="open", unread=True),
        "view:6": Filter(status="open", waited=7_200_000),
        "view:7": Filter(status="open", due="late"),
        "view:8": Filter(status="open", due="soon"),
        "view:9": Filter(status="waiting", assignee="me"),
        "view:10": Filter(assignee="none", channel=house.channels[1], unread=True),
    }


def loops(house: Filled, hub: Hub) -> Iterator[tuple[str, Work]]:
    """What the loops ask, batch after batch."""
    many = [f"api:filled-{n}" for n in range(50)]
    channels = list(house.channels)
    yield "events after", lambda c: events.after(c, 100, 500)
    yield "newest event", events.latest
    yield "identities", lambda c: identity.find(c, many)
    yield "erased", lambda c: identity.erased(c, many)
    yield "dedupe", lambda c: conversations.referred(c, [f"{channels[0]}:f{n}" for n in range(50)], [])
    yield "references", lambda c: conversations.referred(c, [], [f"x{n}" for n in range(50)])
    yield "running", lambda c: conversations.lock_for(c, [1, 2], list(range(40, 90)), channels, 10**12)
    yield "participants", lambda c: conversations.participants_of(c, [1, 2, 3])
    yield "own", lambda c: journal.own(c, [1, 2, 3])
    yield "mark read", lambda c: journal.mark_read(c, [1, 2, 3])
    yield "orphans", orphaned
    yield "journal list", lambda c: journal.listing(c, None)
    yield "journal list failed", lambda c: journal.listing(c, "failed")
    yield "watchers", lambda c: watching.of_conversations(c, [1, 2, 3])
    yield "claim", lambda c: claimed(c, hub)
    yield "receipts", lambda c: receipts.apply(c, [(channels[n % 5], Receipt(f"f{n}", "read")) for n in range(50)])
    yield "wake", wake_snoozed
    yield "failures", failures.reopen
    yield "plans due", plans.due
    yield "plans", lambda c: (plans.of_conversation(c, house.conversation), plans.named(c, "x:7"), plans.one(c, 7))
    yield "plans ended", lambda c: (plans.end(c, 7, "sent"), plans.became(c, 7, None), plans.move(c, 3, 4))
    yield "free journal", journal.free_leases
    yield "free deliveries", delivery.free_leases
    yield "simulation", simulated


def orphaned(conn: Connection) -> None:
    conn.execute(sa.text("UPDATE journal /* set up */ SET state = 'kept' WHERE id < 20"))
    assert journal.claim_orphans(conn, 1000, 200)


def simulated(conn: Connection) -> None:
    middle = BEGIN + SPAN // 2
    past = Traffic(directory.current(conn), middle, middle + SPAN)
    assert past.run_up(conn, 20) is not None
    assert len(past.page(conn, 20)[1]) == 20


def claimed(conn: Connection, hub: Hub) -> None:
    conn.execute(sa.text("UPDATE deliveries /* set up */ SET state = 'queued' WHERE id < 6200"))
    assert delivery.claim(conn, hub, 5)


NOBODY = Actor(0, "Nobody", "nobody@firm.example", "admin")


def stale(conn: Connection, conversation: int) -> None:
    home = conversations.lock_one(conn, conversation)
    assert home is not None
    with pytest.raises(Stale):
        outbox._refuse_stale(conn, NOBODY, home, Draft("x", "x", seen=1))
    with pytest.raises(Stale):
        outbox._refuse_stale(conn, NOBODY, home, Draft("x", "x", seen=1, minds="colleagues"))
