"""What a page needs from the database, gathered in one read: bounded statements, plain values back."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import (
    chapters,
    customers,
    directory,
    drafts,
    events,
    holds,
    inbox,
    linking,
    looking,
    mentions,
    modes,
    notify,
    presence,
    views,
    ways,
)
from hub.access import Actor, access_conversation, access_customer
from hub.channels import Channels
from hub.chapters import Earlier
from hub.customers import CustomerRow
from hub.drafts import Kept, Mode
from hub.holds import Hold
from hub.inbox import Filter, Row
from hub.looking import History
from hub.notices import Announce, Wishes
from hub.numbers import own_tasks, waiting_for
from hub.outbox import NotFound
from hub.tables import employees
from hub.tables import events as events_table
from hub.text import by_name
from hub.timeline import Item
from hub.views import View
from hub.ways import Way
from hub.web import appearance, panel, stretches
from hub.web.appearance import Appearance
from hub.web.choices import Choices, choices
from hub.web.mates import Mate, mates
from hub.web.panel import Panel
from hub.web.places import Place, Team
from hub.web.standing import Standing, standing
from hub.web.stretches import CATCH_UP, Look, Timeline
from hub.web.views import Names

#: Rows of a list on one page, and at most in one answer when a screen that has shown more looks again.
ROWS, MOST_ROWS = 50, 300
#: Addresses of a customer that are shown.
MOST_IDENTITIES = 50


class Around(Struct, frozen=True):
    """What stands around every page: counts of the views, the newest event, what one is doing, one's keys, what waits for one."""

    counts: dict[str, int]
    teams: tuple[Team, ...]
    latest: int
    doing: str
    keys: str
    waiting: int
    views: tuple[View, ...] = ()
    look: Appearance = Appearance()
    announce: Announce = "text"
    tasks: int = 0


class Listed(Struct, frozen=True):
    """One page of a list. ``team`` is the list's own, if it is a team's; ``person`` and ``channel`` name what it is narrowed to;
    ``drafts`` are how the reader's own drafts begin, by conversation; ``place`` is the list itself, looked up where it is a saved
    ``view``; ``asked`` are those in which somebody mentioned the reader, who has not looked since; ``whole``: for a page, not for one
    that looks again.
    """

    around: Around
    rows: list[Row]
    next: str | None
    team: Team | None
    person: str = ""
    channel: str = ""
    drafts: Mapping[int, str] = {}
    place: Place = Place("all")
    view: View | None = None
    may_change: bool = False
    asked: frozenset[int] = frozenset()
    choices: Choices = Choices()
    whole: bool = True


class Identity(Struct, frozen=True):
    """An address of a customer."""

    address: str
    name: str
    verified: bool


class Customer(Struct, frozen=True):
    """A customer as the panel shows them, together with what `panel` knows."""

    id: int
    name: str
    created_at: int
    identities: tuple[Identity, ...]


class Opened(Struct, frozen=True):
    """A conversation with everything around it. ``people`` may be given it, ``all_teams`` is every team; ``drafts`` and the
    message that is still ``held`` are the reader's own; ``earlier`` are the chapters before it, unless the ``history`` shows all.
    ``asked``: somebody mentioned them and they have not looked since; ``mode``: whether they chose to answer or to take notes.
    """

    row: Row
    timeline: Timeline
    customer: Customer
    others: list[Row]
    names: Names
    people: tuple[Mate, ...]
    all_teams: tuple[Team, ...]
    latest: int
    drafts: Mapping[Mode, Kept]
    held: Hold | None
    ways: tuple[Way, ...]
    history: History
    earlier: Earlier
    asked: bool
    known: Panel
    standing: Standing = Standing()
    mode: Mode | None = None


def around(conn: Connection, actor: Actor, whole: bool = True) -> Around:
    """The sidebar: counts, and the actor's teams (for those who see everything: all); ``whole``: and what only a page needs."""
    shown = tuple(t for t in _teams(directory.current(conn)) if actor.sees_all or t.id in actor.teams)
    doing = presence.one(conn, actor.id)  # whoever asks for a page is here, even before their stream says so
    keys, look, tasks, wishes = _own(conn, actor) if whole else ("", "", 0, Wishes())
    saved = views.listing(conn, actor, views.SHOWN)
    return Around(
        inbox.counts(conn, actor, views.countable(conn, actor, saved)),
        shown,
        events.latest(conn) if whole else 0,
        "busy" if doing.calls else "away" if doing.state == "away" else doing.chosen or "available",
        keys,
        waiting_for(conn, actor.id),
        tuple(saved),
        appearance.decoded(look),
        announce=wishes.announce,
        tasks=tasks,
    )


def _own(conn: Connection, actor: Actor) -> tuple[str, str, int, Wishes]:
    """One's keys, how one likes it to look, how many tasks one has, and what one wishes to be told."""
    e, tasks = employees.c, own_tasks(actor.id)
    own = conn.execute(sa.select(e.keyboard, e.appearance, tasks).where(e.id == actor.id)).one_or_none()
    return *(own or ("", "", 0)), notify.wishes_of(conn, [actor.id])[actor.id]


def _teams(d: directory.Directory) -> tuple[Team, ...]:
    return tuple(
        Team(t.id, t.slug, t.name) for t in sorted(d.teams.values(), key=lambda team: by_name(team.name))[:200]
    )


def listed(
    conn: Connection, actor: Actor, place: Place, cursor: str = "", limit: int = ROWS, whole: bool = True
) -> Listed:
    """A list; without what only a page needs where it is not ``whole``. Raises `NotFound` for a team or view that is not there or not
    the actor's, ValueError for a strange cursor.
    """
    beside = around(conn, actor, whole)
    view = views.one(conn, actor, int(place.slug)) if place.view == "view" else None
    if view is not None:
        place = place.opened(view.content)
    team = next((t for t in beside.teams if t.slug == place.slug), None) if place.view == "team" else None
    if place.view == "team" and team is None:
        raise NotFound
    rows, following = inbox.listing(conn, actor, place.filter(team), cursor, limit)
    person, channel = _narrowed(conn, place) if place.narrowed else ("", "")
    ids = [row.id for row in rows]
    return Listed(
        beside,
        rows,
        following,
        team,
        person,
        channel,
        drafts.previews(conn, actor, ids),
        place,
        view,
        view is not None and views.may_change(actor, view),
        mentions.unread(conn, actor.id, ids),
        choices(conn, actor) if whole or place.narrowed else Choices(),
        whole,
    )


def is_there(conn: Connection, actor: Actor, place: Place) -> bool:
    """Is this team or saved view there, for this employee?"""
    if place.view == "view":
        return any(view.id == int(place.slug) for view in views.listing(conn, actor))
    d = directory.current(conn)
    return any(t.slug == place.slug and (actor.sees_all or t.id in actor.teams) for t in d.teams.values())


def _narrowed(conn: Connection, place: Place) -> tuple[str, str]:
    """What the employee and the channel are called that the list is narrowed to."""
    d = directory.current(conn)
    person = d.employees.get(int(place.who)) if place.who.isdecimal() else None
    channel = d.channels.get(place.channel)
    return person.name if person else "", channel.name if channel else ""


def names(conn: Connection) -> tuple[Names, tuple[Team, ...]]:
    """What ids are called, and the teams."""
    d = directory.current(conn)
    known = Names(
        {e.id: e.name for e in d.employees.values()},
        {t.id: t.name for t in d.teams.values()},
        {c.id: (c.kind, c.name) for c in (*d.channels.values(), *d.removed.values())},
    )
    return known, _teams(d)


def opened(
    conn: Connection, actor: Actor, number: int, look: Look | None = None, channels: Channels | None = None
) -> Opened:
    """A conversation, and the part of its timeline (or its customer's) that is asked for; with ``channels`` how it can be
    answered. Raises `NotFound`.
    """
    look = look or Look()
    latest = events.latest(conn)
    row, others, linked = _with_others(conn, actor, number)
    known, every = names(conn)
    whose = customers.rows(conn, [row.customer_id])[0]
    seen = chosen_history(conn, actor, look)
    return Opened(
        row,
        stretches.stretch(conn, actor, source(conn, actor, row, seen), look),
        _customer(whose),
        others,
        known,
        mates(conn, row.team_id),
        every,
        latest,
        drafts.of_conversation(conn, actor, number),
        holds.latest(conn, actor.id),
        tuple(ways.of(conn, channels, row.customer_id, row.channel_id, number)) if channels else (),
        seen,
        chapters.earlier(conn, actor, row.customer_id, number, row.last_message_id) if seen == "one" else Earlier(),
        bool(mentions.unread(conn, actor.id, [number])),
        panel.of(conn, actor, whose, number),
        standing(conn, actor, row, linked),
        modes.chosen(conn, actor, number),
    )


def _with_others(conn: Connection, actor: Actor, number: int) -> tuple[Row, list[Row], list[Row]]:
    """A conversation, the customer's last ones beside it, and those it is linked with: read together."""
    found = access_conversation(conn, actor, number)
    if found is None:
        raise NotFound
    others, linked = inbox.of_customer(conn, actor, found.customer_id, 6), linking.linked(conn, actor, number)
    rows = {row.id: row for row in inbox.rows(conn, list({number, *others, *linked}))}
    beside = [rows[o] for o in others if o != number and rows[o].merged_into is None]
    return rows[number], beside, [rows[n] for n in linked]


def chosen_history(conn: Connection, actor: Actor, look: Look) -> History:
    """What the address asks for, else what the actor last wanted."""
    if look.history in ("all", "one"):
        return "all" if look.history == "all" else "one"
    return looking.history(conn, actor)


def source(conn: Connection, actor: Actor, row: Row, history: History) -> stretches.Source:
    """Where the entries of a conversation's screen come from."""
    if history == "all":
        return stretches.of_customer(conn, actor, row.customer_id)
    return stretches.of_conversation(conn, row.id)


class Part(Struct, frozen=True):
    """A further part of a timeline."""

    row: Row
    timeline: Timeline
    names: Names
    history: History


def part(conn: Connection, actor: Actor, number: int, look: Look) -> Part:
    """More of a conversation's timeline. Raises `NotFound`."""
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    seen = chosen_history(conn, actor, look)
    found = stretches.stretch(conn, actor, source(conn, actor, row, seen), look)
    return Part(row, found, names(conn)[0], seen)


class News(Struct, frozen=True):
    """What a screen that shows a conversation until some event must fetch."""

    row: Row
    timeline: Timeline
    again: list[Timeline]
    names: Names
    people: tuple[Mate, ...]
    all_teams: tuple[Team, ...]
    history: History
    standing: Standing = Standing()


def news(conn: Connection, actor: Actor, number: int, look: Look, changed: list[int]) -> News:
    """The entries after the event ``look.after``, and those of the messages ``changed`` once more. Raises `NotFound`."""
    row = inbox.one(conn, actor, number)
    if row is None:
        raise NotFound
    known, every = names(conn)
    seen = chosen_history(conn, actor, look)
    entries = source(conn, actor, row, seen)
    e = events_table.c
    whose = e.conversation_id == number if seen == "one" else e.customer_id == row.customer_id
    fresh = entries(2**62, max(look.after, 1), CATCH_UP)
    again = [found for m in changed if (found := _again(conn, whose, entries, m)) and found.items[0].id <= look.after]
    shown = Timeline(fresh, _before(entries, fresh), False)
    return News(
        row,
        stretches.with_extras(conn, actor, shown),
        [stretches.with_extras(conn, actor, each) for each in again],
        known,
        mates(conn, row.team_id),
        every,
        seen,
        standing(conn, actor, row, inbox.rows(conn, linking.linked(conn, actor, number))),
    )


def _before(entries: stretches.Source, items: list[Item]) -> Item | None:
    found = entries(items[0].id, 0, 1) if items else []
    return found[0] if found else None


def _again(conn: Connection, whose: sa.ColumnElement[bool], entries: stretches.Source, message: int) -> Timeline | None:
    """The entry of one message: its event comes right after it in the order of record."""
    e = events_table.c
    statement = sa.select(e.id).where(whose, e.shown, e.id > message, e.message_id == message).order_by(e.id).limit(1)
    event = conn.execute(statement).scalar()
    if event is None:
        return None
    items = entries(event + 1, 0, 2)
    if not items or items[-1].id != event:
        return None
    return Timeline(items[-1:], items[0] if len(items) == 2 else None, False)


def _customer(row: CustomerRow) -> Customer:
    faces = [Identity(i.address, i.name, i.verified) for i in row.identities[:MOST_IDENTITIES]]
    return Customer(row.id, row.name, row.created_at, tuple(faces))


class Person(Struct, frozen=True):
    """A customer's page."""

    customer: Customer
    timeline: Timeline
    conversations: list[Row]
    names: Names
    around: Around
    known: Panel


def person(conn: Connection, actor: Actor, number: int, look: Look | None = None) -> Person:
    """The customer's timeline over all channels, as far as the actor may see it. Raises `NotFound`.

    Of a customer that was merged into another one, the other one.
    """
    row = access_customer(conn, actor, number)
    if row is None:
        raise NotFound
    entries = stretches.of_customer(conn, actor, row.id)
    found, _ = inbox.listing(conn, actor, Filter(customer=row.id), limit=20)
    whose = customers.rows(conn, [row.id])[0]
    return Person(
        _customer(whose),
        stretches.stretch(conn, actor, entries, look or Look()),
        found,
        names(conn)[0],
        around(conn, actor),
        panel.of(conn, actor, whose),
    )
