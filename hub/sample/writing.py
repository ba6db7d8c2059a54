"""The sample's plan as rows: numbered in the order in which things were said, written set by set."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field
from sqlalchemy.engine import Connection

from hub import directory, events, hours, mentions, search
from hub.clock import now
from hub.events import NewEvent
from hub.hours import MINUTE
from hub.messages import Call, Details, Visit
from hub.sample.house import FIRST, NEXT, Firm
from hub.sample.plan import Said, Thread
from hub.sample.words import CHANNELS, PEOPLE, STAFF, TEAMS, WORKING
from hub.sql import allocate, insert_rows
from hub.tables import (
    conversations,
    customers,
    deliveries,
    drafts,
    identities,
    messages,
    participants,
    sla_clocks,
    tags,
)
from hub.tables import mentions as mentions_table
from hub.text import clean_line, fold, preview

KIND = {c.key: c.kind for c in CHANNELS}
TEAM_OF = {c.key: c.team for c in CHANNELS}


class Step(Struct, frozen=True):
    """One thing that happened in the conversation at a place of the plan; ``said`` where something was said."""

    at: int
    place: int
    kind: str
    said: Said | None = None


class Rows(Struct):
    """What is written, table by table."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    news: list[NewEvent] = field(default_factory=list)
    index: list[tuple[int, str]] = field(default_factory=list)


class Writer:
    """Turns the plan into rows. ``names`` are what colleagues are called, by key."""

    def __init__(self, firm: Firm, threads: Sequence[Thread], names: Mapping[str, str]) -> None:
        self.firm, self.threads, self.names = firm, threads, names
        self.people = range(0)
        self.numbers = range(0)
        self.rows = Rows()
        self.last: dict[int, int] = {}
        self.known = mentions.Named({})
        self.asked: list[tuple[int, int, int, mentions.Spans]] = []

    def write(self, conn: Connection) -> list[tuple[str, int]]:
        """Write everything; what is to be remembered as sample, by table."""
        self.people = self._customers(conn)
        self.known = mentions.named(directory.current(conn))
        self.numbers = allocate(conn, "conversations", len(self.threads))
        steps = sorted(self._steps(), key=lambda s: (s.at, s.place, s.kind != "begun"))
        ids = iter(allocate(conn, "ids", 3 * len(steps)))
        for step in steps:
            self._take(step, next(ids), next(ids), next(ids))
        insert_rows(conn, conversations, [self._conversation(place) for place in range(len(self.threads))])
        insert_rows(conn, messages, self.rows.messages)
        insert_rows(conn, deliveries, self.rows.deliveries)
        events.append(conn, self.rows.news)
        search.add(conn, self.rows.index)
        self._beside(conn)
        self._clocks(conn)
        self._ask(conn)
        return [("customers", n) for n in self.people]

    # ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _customers(self, conn: Connection) -> range:
        began = [min(s.at for t in self.threads if t.person == n for s in t.said) for n in range(len(PEOPLE))]
        ids = allocate(conn, "people", len(PEOPLE))
        rows = [
            {
                "id": number,
                "name": p.name,
                "folded": fold(p.name),
                "owner_id": self.firm.people["maria"] if p.address == "katrin.vogel" else None,
                "attributes": "",
                "created_at": at,
            }
            for p, number, at in zip(PEOPLE, ids, began, strict=True)
        ]
        insert_rows(conn, customers, rows)
        ways = [(n, kind) for n in range(len(PEOPLE)) for kind in ("email", "api", "webchat")]
        numbers = allocate(conn, "people", len(ways))
        found = [
            {
                "id": number,
                "customer_id": ids[n],
                "address": address(n, kind),
                "bare": address(n, kind).partition(":")[2],
                "name": PEOPLE[n].name,
                "verified": kind == "api",
                "created_at": began[n],
            }
            for (n, kind), number in zip(ways, numbers, strict=True)
        ]
        insert_rows(conn, identities, found)
        return ids

    # ── what happened, in order ───────────────────────────────────────────────────────────────────────────────────
    def _steps(self) -> Iterator[Step]:
        for place, t in enumerate(self.threads):
            yield Step(t.said[0].at, place, "begun")
            for line in t.said:
                yield Step(line.at, place, "said", line)
            if t.tags and t.handler:
                yield Step(t.said[0].at + MINUTE, place, "tagged")
            if t.status != "open":
                yield Step(t.said[-1].at + 2 * MINUTE, place, t.status)

    def _take(self, step: Step, first: int, second: int, third: int) -> None:
        t = self.threads[step.place]
        if step.said is not None:
            self._say(step.place, step.said, first, second, third)
        elif step.kind == "begun":
            self._tell("conversation.created", step, first, data=self._holder(t))
        elif step.kind == "tagged":
            self._tell("conversation.tagged", step, first, actor=t.handler, data={"tags": sorted(t.tags)})
        else:
            data: dict[str, Any] = {"before": "open", "status": step.kind}
            if step.kind == "snoozed":
                data["until"] = t.snoozed_until
            self._tell("conversation.status", step, first, actor=t.handler or WORKING[0], data=data)

    def _tell(
        self, kind: str, step: Step, number: int, *, actor: str = "", message: int | None = None, data: Any = None
    ) -> None:
        t = self.threads[step.place]
        told = NewEvent(
            kind,
            self.numbers[step.place],
            self.people[t.person],
            message_id=message,
            channel_id=self.firm.channels[t.channel],
            actor_id=self.firm.people[actor] if actor else None,
            data=data or {},
            at=step.at,
            id=number,
        )
        self.rows.news.append(told)

    def _holder(self, t: Thread) -> dict[str, str | None]:
        who = self.firm.people[t.handler] if t.handler else None
        team = self.firm.teams[TEAM_OF[t.channel]]
        return {"assignee": str(who) if who else None, "team": str(team), "reason": self._reason(t)}

    def _reason(self, t: Thread) -> str:
        team = dict(TEAMS)[TEAM_OF[t.channel]]
        end = ["longest_idle", self.names[t.handler], team] if t.handler else ["queue", team]
        return msgspec.json.encode([["channel", team], end]).decode()

    def _say(self, place: int, line: Said, number: int, told: int, copy: int) -> None:
        t = self.threads[place]
        inside, out = line.who == "n", line.who == "a"
        step = Step(line.at, place, "said", line)
        kind = "note.added" if inside else "message.sent" if out else "message.received"
        row = self._message(t, line, number, place)
        self.rows.messages.append(row)
        said = (row["direction"], row["subject"], row["sender_name"], row["text"])
        self.rows.index.append((number, search.of_message(*said)))
        self._tell(kind, step, told, actor=line.author, message=number)
        if inside:
            spans = self._details(t, line, place)[0].mentions
            self.asked.append((self.numbers[place], number, self.firm.people[line.author], spans))
        if out:
            self.rows.deliveries.append(self._delivery(t, line, number, copy, place))
        if not inside:
            self.last[place] = number

    def _message(self, t: Thread, line: Said, number: int, place: int) -> dict[str, Any]:
        channel, theirs = self.firm.channels[t.channel], line.who == "c"
        email = KIND[t.channel] == "email" and line.who != "n"
        name = PEOPLE[t.person].name if theirs else self.names[line.author]
        details, kind = self._details(t, line, place)
        return {
            "id": number,
            "conversation_id": self.numbers[place],
            "customer_id": self.people[t.person],
            "channel_id": None if line.who == "n" else channel,
            "author_id": None if theirs else self.firm.people[line.author],
            "kind": kind,
            "direction": {"c": "in", "a": "out", "n": "internal"}[line.who],
            "sender": address(t.person, KIND[t.channel]) if theirs else "",
            "sender_name": name,
            "subject": t.subject if email and theirs else f"Re: {t.subject}" if email else "",
            "text": line.text,
            "details": msgspec.json.encode(details).decode(),
            "at": line.at,
            "received_at": line.at,
            "dedupe": f"{channel}:sample-{number}" if theirs else None,
            "provider_id": f"sample-{number}" if theirs else "",
            "client_key": None if theirs else f"{self.firm.people[line.author]}:sample-{number}",
        }

    def _details(self, t: Thread, line: Said, place: int) -> tuple[Details, str]:
        """What the message has besides its text, and its kind: the first word on two channels is a call or a visit."""
        if line.who == "n":
            return Details(mentions=mentions.find(line.text, self.known)), "note"
        email = KIND[t.channel] == "email"
        if line.who == "a":
            to = (address(t.person, KIND[t.channel]), PEOPLE[t.person].name)
            return Details(to=(to,), language=t.language), "email" if email else "text"
        if line is t.said[0] and t.channel == "voice":
            missed = Call("voicemail", waited_seconds=20 + place % 40, queue=dict(TEAMS)[TEAM_OF[t.channel]])
            return Details(language=t.language, call=missed), "call"
        if line is t.said[0] and t.channel == "visit":
            host = self.firm.people["finn"]
            seen = Visit("", line.at - 45 * MINUTE, line.at, host, self.names["finn"], "Am Hafen 12, Stade", "qr")
            return Details(language=t.language, visit=seen), "visit"
        return Details(language=t.language), "email" if email else "text"

    def _delivery(self, t: Thread, line: Said, message: int, number: int, place: int) -> dict[str, Any]:
        return {
            "id": number,
            "message_id": message,
            "conversation_id": self.numbers[place],
            "channel_id": self.firm.channels[t.channel],
            "recipient": address(t.person, KIND[t.channel]),
            "state": "sent" if KIND[t.channel] == "email" else "read",
            "attempts": 1,
            "not_before": 0,
            "lease_until": 0,
            "fence": 1,
            "idempotency_key": secrets.token_urlsafe(9),
            "provider_id": f"sample-{message}",
            "created_at": line.at,
            "changed_at": line.at,
        }

    # ── conversations and what belongs to them ────────────────────────────────────────────────────────────────────
    def _conversation(self, place: int) -> dict[str, Any]:
        t = self.threads[place]
        spoken = [line for line in t.said if line.who != "n"]
        return {
            "id": self.numbers[place],
            "subject": clean_line(t.subject),
            "status": t.status,
            "priority": "",
            "customer_id": self.people[t.person],
            "channel_id": self.firm.channels[t.channel],
            "team_id": self.firm.teams[TEAM_OF[t.channel]],
            "assignee_id": self.firm.people[t.handler] if t.handler else None,
            "reason": self._reason(t),
            "preview": preview(spoken[-1].text),
            "unread": t.unread,
            "last_message_id": self.last[place],
            "last_message_at": spoken[-1].at,
            "waiting_since": t.waiting_since,
            "snoozed_until": t.snoozed_until,
            "closed_at": t.said[-1].at + 2 * MINUTE if t.status == "closed" else None,
            "created_at": t.said[0].at,
            "assigned_at": t.said[0].at if t.handler else None,
        }

    def _beside(self, conn: Connection) -> None:
        taking, tagged, written = [], [], []
        for place, t in enumerate(self.threads):
            number = self.numbers[place]
            channel = self.firm.channels[t.channel]
            taking.append(
                {"conversation_id": number, "address": address(t.person, KIND[t.channel]), "channel_id": channel}
            )
            tagged += [{"conversation_id": number, "tag": tag} for tag in t.tags if t.handler]
            if t.draft:
                said = {"text": t.draft, "via": channel, "version": 1, "saved_at": t.said[-1].at + MINUTE}
                own = {"employee_id": self.firm.people[t.handler], "conversation_id": number, "mode": "reply"}
                written.append(own | said)
        insert_rows(conn, participants, taking)
        insert_rows(conn, tags, tagged)
        insert_rows(conn, drafts, written)

    def _ask(self, conn: Connection) -> None:
        """Whom notes mention is asked to look; what is older than a day has been looked at."""
        d, fresh = directory.current(conn), now() - 24 * 60 * MINUTE
        at = {row["id"]: row["at"] for row in self.rows.messages}
        rows = [
            {
                "employee_id": who,
                "message_id": number,
                "conversation_id": home,
                "read_at": None if at[number] > fresh else at[number] + 30 * MINUTE,
            }
            for home, number, author, spans in self.asked
            for who in mentions.people(spans, d)
            if who != author
        ]
        insert_rows(conn, mentions_table, rows)

    def _clocks(self, conn: Connection) -> None:
        """What was promised to those who wait; what is due already has been told long ago."""
        d, rows = directory.current(conn), []
        latest = max(line.at for t in self.threads for line in t.said)
        for place, t in enumerate(self.threads):
            since = t.waiting_since
            if since is None:
                continue
            due = hours.add(d.hours_of(self.firm.hours), since, (NEXT if t.answered else FIRST) * MINUTE)
            late = due if due is not None and due < latest else None
            rows.append(
                {
                    "conversation_id": self.numbers[place],
                    "target": "next" if t.answered else "first",
                    "policy_id": self.firm.policy,
                    "hours_id": self.firm.hours,
                    "started_at": since,
                    "due_at": due,
                    "warned_at": late,
                    "breached_at": late,
                }
            )
        insert_rows(conn, sla_clocks, rows)


def address(person: int, kind: str) -> str:
    """A customer's address: under .example, or of the numbers that are kept free for films (BNetzA, Ofcom)."""
    p = PEOPLE[person]
    if kind == "email":
        return f"email:{p.address}@post.example"
    if kind == "webchat":
        return f"webchat:sample{person:04}"
    return f"api:+447700900{person:03}" if p.language == "en" else f"api:+4917604069{person:02}"


def names_of(me: str) -> dict[str, str]:
    """What colleagues are called, by key; ``me`` is whoever loads the sample."""
    return {c.key: c.name for c in STAFF} | {"me": me}
