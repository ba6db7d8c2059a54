"""What the live stream asks the database: where conversations are, what somebody missed, whose sessions still count."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, events, mentions
from hub.access import Actor
from hub.clock import now
from hub.events import Event
from hub.sql import among
from hub.tables import conversations, employees, messages, sessions, team_members, tokens

#: Missed events that are told again one by one; more than that and the page is loaded anew.
MOST_MISSED = 500

#: Who may see a conversation: (team, assignee, those mentioned in it), by the conversation's id.
Places = dict[int, tuple[int | None, int | None, frozenset[int]]]
#: What a conversation's row says when its customer spoke last: (how that begins, unread messages), by the conversation's id.
Spoken = dict[int, tuple[str, int]]


def load_places(conn: Connection, wanted: Sequence[int]) -> tuple[Places, Spoken]:
    """Who may see the conversations, and what their rows say."""
    c, asked = conversations.c, mentions.asked_in(conn, wanted)
    shown = sa.select(c.id, c.team_id, c.assignee_id, messages.c.direction, c.preview, c.unread)
    newest = shown.outerjoin_from(conversations, messages, messages.c.id == c.last_message_id)
    rows = conn.execute(newest.where(among(c.id, wanted))).all()
    places = {row[0]: (row[1], row[2], asked.get(row[0], frozenset())) for row in rows}
    return places, {row[0]: (row[4], row[5]) for row in rows if row[3] == "in"}


def load_missed(conn: Connection, after: int) -> tuple[list[Event], Places, Spoken, int]:
    """The events after ``after`` (one more than is told at most), of their conversations what `load_places` says, the newest id."""
    missed = events.after(conn, after, MOST_MISSED + 1)
    newest = events.latest(conn) if not missed or len(missed) > MOST_MISSED else missed[-1].id
    if len(missed) > MOST_MISSED:
        return missed, {}, {}, newest
    places, spoken = load_places(conn, list({e.conversation_id for e in missed if e.conversation_id is not None}))
    return missed, places, spoken, newest


def load_sessions(conn: Connection, hashes: Sequence[str]) -> dict[str, Actor]:
    """Who is behind each of these sessions and API tokens; those that have ended are missing. One statement."""
    s, k, e, t = sessions.c, tokens.c, employees.c, team_members.c
    moment = now()
    by_cookie = sa.select(s.token_hash, s.employee_id).where(
        among(s.token_hash, hashes),
        s.seen_at > moment - accounts.SESSION_IDLE,
        s.created_at > moment - accounts.SESSION_LONGEST,
    )
    by_header = sa.select(k.token_hash, k.employee_id).where(among(k.token_hash, hashes), k.revoked_at.is_(None))
    keys = sa.union_all(by_cookie, by_header).subquery()
    statement = (
        sa.select(keys.c.token_hash, e.id, e.name, e.email, e.role, e.language, t.team_id)
        .join(employees, e.id == keys.c.employee_id)
        .outerjoin(team_members, t.employee_id == e.id)
        .where(e.disabled_at.is_(None))
    )
    teams: dict[str, set[int]] = {}
    people = {}
    for row in conn.execute(statement):
        people[row[0]] = row
        teams.setdefault(row[0], set()).update({row[6]} - {None})
    return {
        key: Actor(row[1], row[2], row[3], row[4], frozenset(teams[key]), row[5] or "en") for key, row in people.items()
    }
