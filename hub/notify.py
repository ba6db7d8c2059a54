"""From what happened to who should be told: each event as one case for every person it concerns. See `hub.notices` for the rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import directory, mentions, watching
from hub.directory import Directory
from hub.events import SHOWN, Event
from hub.notices import Case, Kind, Wishes
from hub.sql import among
from hub.tables import channels, conversations, customers, employees, messages, notice_wishes
from hub.text import preview

#: Events that somebody may have to be told of.
KINDS = frozenset(
    {
        "message.received",
        "delivery.failed",
        "note.added",
        "conversation.assigned",
        "sla.warned",
        "sla.breached",
        "channel.trouble",
    }
)
#: Of several cases of one person and conversation the loudest is told.
_LOUDEST = ("call", "mention", "failed", "message", "overdue", "assigned", "visitor", "due", "queue", "channel")


class Told(Struct, frozen=True):
    """A case of one person, with what is said of it. ``event`` is the one behind it; ``title`` is whom it is about, ``text`` what they
    said. ``path`` is where it leads: to the very entry, where there is one.
    """

    person: int
    language: str
    case: Case
    event: int
    conversation: int
    message: int
    title: str
    text: str
    path: str


class _Home(Struct, frozen=True):
    assignee: int | None
    team: int | None
    customer: str
    subject: str


def cases(conn: Connection, news: Sequence[Event]) -> list[Told]:
    """Everybody who is concerned by these events, each once per conversation. A fixed number of statements."""
    wanted = [e for e in news if e.kind in KINDS and not e.data.get("auto")]
    if not wanted:
        return []
    homes, said, names = _homes(conn, wanted), _said(conn, wanted), _channels(conn, wanted)
    asked = mentions.of_messages(conn, [e.message_id for e in wanted if e.kind == "note.added" and e.message_id])
    asked |= _writers(conn, wanted)
    d = directory.current(conn)
    watchers = watching.of_conversations(conn, list(homes))
    found: dict[tuple[int, int], Told] = {}
    for event in wanted:
        home = homes.get(event.conversation_id or 0)
        title = home.customer if home else names.get(event.channel_id or 0, "")
        text = said.get(event.message_id or 0, "") or (home.subject if home else str(event.data.get("words", "")))
        item = f"#i{event.id}" if event.kind in SHOWN and event.message_id else ""
        path = f"/c/{event.conversation_id}{item}" if home else "/settings"
        concerned = _concerned(d, event, home, asked.get(event.message_id or 0, frozenset()))
        for person, case in (*_watching(d, event, home, watchers.get(event.conversation_id or 0, {})), *concerned):
            told = Told(
                person, "", case, event.id, event.conversation_id or 0, event.message_id or 0, title, text, path
            )
            key = (person, event.conversation_id or -(event.channel_id or 0))
            if key not in found or _rank(case) <= _rank(found[key].case):
                found[key] = told
    return _with_languages(conn, list(found.values()))


def _rank(case: Case) -> int:
    return _LOUDEST.index(case.kind)


def _concerned(d: Directory, event: Event, home: _Home | None, asked: Collection[int]) -> Iterable[tuple[int, Case]]:
    if event.kind == "channel.trouble":
        yield from ((e.id, Case("channel", "admin")) for e in d.employees.values() if e.role == "admin")
    if home is None:
        return
    team = d.teams.get(home.team or 0)
    match event.kind:
        case "note.added":
            yield from ((person, Case("mention")) for person in asked)
        case "delivery.failed":
            yield from ((person, Case("failed")) for person in {*asked, home.assignee} if person is not None)
        case "message.received" if home.assignee is not None:
            yield home.assignee, Case("message")
        case "message.received" if team is not None:
            yield from ((person, Case("queue", "team")) for person in team.members)
        case "conversation.assigned" if home.assignee is not None and str(home.assignee) == event.data.get("assignee"):
            yield home.assignee, Case("assigned", own=event.actor_id == home.assignee)
        case "sla.warned" | "sla.breached":
            kind: Kind = "due" if event.kind == "sla.warned" else "overdue"
            if home.assignee is not None:
                yield home.assignee, Case(kind)
            if kind == "overdue" and team is not None and team.lead_id not in (None, home.assignee):
                yield team.lead_id or 0, Case(kind, "lead")


def _watching(d: Directory, event: Event, home: _Home | None, people: Mapping[int, bool]) -> Iterable[tuple[int, Case]]:
    """Those who watch the conversation hear what is said there, as long as they may see it; ``people`` with whether they were
    mentioned in it.
    """
    if home is None or event.kind not in ("message.received", "note.added"):
        return
    team = d.teams.get(home.team or 0)
    for number, mentioned in people.items():
        person = d.employees.get(number)
        if person is None or person.disabled or number == event.actor_id:
            continue
        inside = home.team is None or home.assignee == number or (team is not None and number in team.members)
        if inside or mentioned or person.role in ("admin", "supervisor"):
            yield number, Case("message", "watch")


def _homes(conn: Connection, news: Sequence[Event]) -> dict[int, _Home]:
    c, ids = conversations.c, list({e.conversation_id for e in news if e.conversation_id is not None})
    statement = (
        sa.select(c.id, c.assignee_id, c.team_id, customers.c.name, c.subject)
        .join(customers, customers.c.id == c.customer_id)
        .where(among(c.id, ids))
    )
    return {row[0]: _Home(*row[1:]) for row in conn.execute(statement)} if ids else {}


def _said(conn: Connection, news: Sequence[Event]) -> dict[int, str]:
    m, ids = messages.c, list({e.message_id for e in news if e.message_id is not None})
    statement = sa.select(m.id, sa.func.substr(m.text, 1, 600)).where(
        among(m.id, ids), m.direction.in_(("in", "internal"))
    )
    return {row[0]: preview(row[1]) for row in conn.execute(statement)} if ids else {}


def _writers(conn: Connection, news: Sequence[Event]) -> dict[int, frozenset[int]]:
    """Who wrote what could not be delivered."""
    m, ids = messages.c, list({e.message_id for e in news if e.kind == "delivery.failed" and e.message_id is not None})
    statement = sa.select(m.id, m.author_id).where(among(m.id, ids), m.author_id.is_not(None))
    return {row[0]: frozenset({row[1]}) for row in conn.execute(statement)} if ids else {}


def _channels(conn: Connection, news: Sequence[Event]) -> dict[int, str]:
    ids = list({e.channel_id for e in news if e.kind == "channel.trouble" and e.channel_id is not None})
    statement = sa.select(channels.c.id, channels.c.name).where(among(channels.c.id, ids))
    return {row[0]: row[1] for row in conn.execute(statement)} if ids else {}


def _with_languages(conn: Connection, found: list[Told]) -> list[Told]:
    e, ids = employees.c, list({told.person for told in found})
    statement = sa.select(e.id, e.language).where(among(e.id, ids), e.disabled_at.is_(None))
    known = {row[0]: row[1] or "en" for row in conn.execute(statement)} if ids else {}
    return [msgspec.structs.replace(told, language=known[told.person]) for told in found if told.person in known]


# ── what people wish ──────────────────────────────────────────────────────────────────────────────────────────────────
_put = sa.text(
    "INSERT INTO notice_wishes (employee_id, wishes) VALUES (:employee, :wishes)"
    " ON CONFLICT (employee_id) DO UPDATE SET wishes = :wishes"
)


_wishes = sa.select(notice_wishes).where(among(notice_wishes.c.employee_id, "ids"))


def wishes_of(conn: Connection, people: Sequence[int]) -> dict[int, Wishes]:
    """What each of these employees has chosen; the usual for whoever has not."""
    found = dict.fromkeys(people, Wishes())
    for row in conn.execute(_wishes, {"ids": list(people)}) if people else ():
        found[row.employee_id] = msgspec.json.decode(row.wishes, type=Wishes)
    return found


def save_wishes(conn: Connection, employee_id: int, wishes: Wishes) -> None:
    """They have chosen."""
    conn.execute(_put, {"employee": employee_id, "wishes": msgspec.json.encode(wishes).decode()})


def minute(wishes: Wishes, at: int) -> int:
    """The minute of the person's day at that moment (ms); in UTC where their zone is not known."""
    try:
        zone = ZoneInfo(wishes.zone) if wishes.zone else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    there = datetime.fromtimestamp(at / 1000, zone)
    return there.hour * 60 + there.minute
