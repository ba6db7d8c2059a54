"""Sending Web Push: what nobody saw on a desktop within `PATIENCE` goes to the devices that asked for it.

The events themselves are the waiting line: a job reads them once they are old enough and writes a `pushes` row for each device, in the
transaction that moves its cursor. Whoever sends a row takes it away; while a push service is down its rows wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events, notify, numbers, presence, webpush
from hub.access import Actor
from hub.clock import now
from hub.events import Event
from hub.i18n import catalogue
from hub.notices import Mood, decide, is_quiet
from hub.notify import Told
from hub.outbox import NotFound
from hub.secretbox import SecretBox
from hub.sql import allocate, among, insert_rows
from hub.tables import conversations, facts, push_subscriptions, pushes
from hub.tell import words_of
from hub.webpush import Subscription

#: How long a desktop has the chance to show it first; older than `STALE` it is no news any more (ms).
PATIENCE, STALE = 10_000, 3_600_000
#: Devices of one person, events of one turn.
MOST_DEVICES, MOST = 20, 500
#: Waits after failures: from the first to the longest (ms).
AGAIN, LONGEST_WAIT = 15_000, 900_000
_CURSOR, _KEY = "push.cursor", "push.key"
_s, _p = push_subscriptions.c, pushes.c
_fact = sa.text(
    "INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
)
_first = sa.text("INSERT INTO facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING")


# ── the key ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def key(conn: Connection, box: SecretBox) -> str:
    """This hub's key, made when it is needed first."""
    kept = _known(conn, _KEY)
    if kept is None:
        conn.execute(_first, {"name": _KEY, "value": box.encrypt(webpush.new_key()).decode()})
        kept = _known(conn, _KEY) or ""
    return box.decrypt(kept.encode())


def rotate(conn: Connection, box: SecretBox) -> None:
    """Encrypt it with the newest key of the house."""
    kept = _known(conn, _KEY)
    if kept is not None:
        conn.execute(_fact, {"name": _KEY, "value": box.rotate(kept.encode()).decode()})


def public_key(conn: Connection, box: SecretBox) -> str:
    """What browsers are told of it; empty while it has not been made."""
    kept = _known(conn, _KEY)
    return webpush.public_part(box.decrypt(kept.encode())) if kept else ""


def _known(conn: Connection, name: str) -> str | None:
    found: str | None = conn.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar()
    return found


# ── devices ───────────────────────────────────────────────────────────────────────────────────────────────────────────
class Device(Struct, frozen=True):
    """A browser that wants to be told."""

    id: int
    device: str
    created_at: int


def devices(conn: Connection, actor: Actor) -> list[Device]:
    """The actor's own, the newest first."""
    statement = sa.select(_s.id, _s.device, _s.created_at).where(_s.employee_id == actor.id).order_by(_s.id.desc())
    return [Device(*row) for row in conn.execute(statement.limit(MOST_DEVICES))]


def subscribe(conn: Connection, actor: Actor, session: str, given: Subscription, device: str) -> None:
    """From now on the device is told what the actor is told; whoever used it before is not told there any more.

    Raises `webpush.Invalid` when there are too many.
    """
    _forget(conn, _s.endpoint == given.endpoint)
    if len(devices(conn, actor)) >= MOST_DEVICES:
        raise webpush.Invalid(f"There are {MOST_DEVICES} devices already; remove some first.")
    row = {
        "id": allocate(conn, "pushes", 1)[0],
        "employee_id": actor.id,
        "session_hash": session,
        "endpoint": given.endpoint,
        "public_key": given.public_key,
        "secret": given.secret,
        "device": device,
        "created_at": now(),
    }
    insert_rows(conn, push_subscriptions, [row])


def unsubscribe(conn: Connection, actor: Actor, endpoint: str) -> None:
    """The device is told nothing any more."""
    _forget(conn, sa.and_(_s.endpoint == endpoint, _s.employee_id == actor.id))


def remove(conn: Connection, actor: Actor, number: int) -> None:
    """The same by its id. Raises `NotFound`."""
    if not _forget(conn, sa.and_(_s.id == number, _s.employee_id == actor.id)):
        raise NotFound


def signed_out(conn: Connection, session: str) -> None:
    """Who signs out on a device is told nothing there."""
    _forget(conn, sa.and_(_s.session_hash == session, _s.session_hash != ""))


def _forget(conn: Connection, which: sa.ColumnElement[bool]) -> int:
    ids = list(conn.execute(sa.select(_s.id).where(which)).scalars())
    if ids:
        conn.execute(sa.delete(pushes).where(among(_p.subscription_id, ids)))
        conn.execute(sa.delete(push_subscriptions).where(among(_s.id, ids)))
    return len(ids)


def try_out(conn: Connection, actor: Actor) -> int:
    """Something to see on each of the actor's devices; how many."""
    _ = catalogue(actor.language).text
    said = {
        "title": _("It works"),
        "text": _("This is how you are told of news."),
        "tag": "test",
        "path": "/settings/notifications",
        "n": 0,
    }
    return _put(conn, {actor.id: [said]})


# ── from events to rows ───────────────────────────────────────────────────────────────────────────────────────────────
def idle(conn: Connection) -> bool:
    """Is there nothing to collect and nothing to send? Only looks."""
    at, moment = _known(conn, _CURSOR), now()
    if conn.execute(sa.select(_s.id).limit(1)).first() is None:
        return at is None
    ripe = at is None or any(e.at <= moment - PATIENCE for e in events.after(conn, int(at), 1))
    return not ripe and conn.execute(sa.select(_p.id).where(_p.due_at <= moment).limit(1)).first() is None


def collect(conn: Connection) -> int:
    """Look at what happened `PATIENCE` ago; how many rows were written."""
    moment, at = now(), _known(conn, _CURSOR)
    if conn.execute(sa.select(_s.id).limit(1)).first() is None:
        if at is not None:
            conn.execute(sa.delete(facts).where(facts.c.name == _CURSOR))
        return 0
    if at is None:
        conn.execute(_fact, {"name": _CURSOR, "value": str(events.latest(conn))})
        return 0
    news = events.after(conn, int(at), MOST)
    ripe = [e for e in news if e.at <= moment - PATIENCE]
    if not ripe:
        return 0
    conn.execute(_fact, {"name": _CURSOR, "value": str(ripe[-1].id)})
    found = notify.cases(conn, [e for e in ripe if e.at > moment - STALE])
    seen = _seen(conn, found, events.after(conn, ripe[-1].id, MOST * 4) if found else [], ripe)
    return _put(conn, _payloads(conn, [told for told in found if (told.person, told.conversation) not in seen]))


def _seen(
    conn: Connection, found: Sequence[Told], later: Sequence[Event], ripe: Sequence[Event]
) -> set[tuple[int, int]]:
    """(person, conversation): they have looked at it or done something there since, or were at work at their desk."""
    told = {(t.person, t.conversation): t.event for t in found}
    seen = {
        (e.actor_id, e.conversation_id)
        for e in (*ripe, *later)
        if e.actor_id and e.conversation_id and told.get((e.actor_id, e.conversation_id), e.id) < e.id
    }
    doing, when = presence.everybody(conn) if found else {}, {e.id: e.at for e in ripe}
    at_work = {
        (t.person, t.conversation)
        for t in found
        if t.person in doing and doing[t.person].active_at > when.get(t.event, 0)
    }
    ids = [t.conversation for t in found if t.case.kind == "message"]
    c = conversations.c
    read = set(conn.execute(sa.select(c.id).where(among(c.id, ids), c.unread == 0)).scalars()) if ids else set()
    return (
        seen
        | at_work
        | {(t.person, t.conversation) for t in found if t.case.kind == "message" and t.conversation in read}
    )


def _payloads(conn: Connection, found: Sequence[Told]) -> dict[int, list[dict[str, Any]]]:
    people, moment = sorted({told.person for told in found}), now()
    wishes, counts = notify.wishes_of(conn, people), numbers.waiting(conn, people)
    said: dict[int, list[dict[str, Any]]] = {}
    for told in found:
        wish = wishes[told.person]
        mood = Mood(quiet=is_quiet(wish, notify.minute(wish, moment)))
        if decide(told.case, mood, wish).push:
            title, text = words_of(told)
            tag = f"c{told.conversation}" if told.conversation else f"e{told.event}"
            about = {"title": title[:120], "text": text[:300], "tag": tag, "path": told.path, "n": counts[told.person]}
            said.setdefault(told.person, []).append(about)
    return said


def _put(conn: Connection, said: dict[int, list[dict[str, Any]]]) -> int:
    rows = conn.execute(sa.select(_s.id, _s.employee_id).where(among(_s.employee_id, list(said)))).all() if said else []
    wanted = [(row[0], msgspec.json.encode(about).decode()) for row in rows for about in said[row[1]]]
    moment = now()
    if wanted:
        ids = allocate(conn, "pushes", len(wanted))
        insert_rows(
            conn,
            pushes,
            [
                {"id": n, "subscription_id": s, "payload": p, "attempts": 0, "due_at": moment, "created_at": moment}
                for n, (s, p) in zip(ids, wanted, strict=True)
            ],
        )
    return len(wanted)


# ── from rows to the network ──────────────────────────────────────────────────────────────────────────────────────────
class Push(Struct, frozen=True):
    """One message to one device."""

    id: int
    payload: str
    attempts: int
    to: Subscription


def due(conn: Connection, most: int = 50) -> list[Push]:
    """What is to be sent now; what is no news any more is dropped."""
    moment = now()
    conn.execute(sa.delete(pushes).where(_p.created_at < moment - STALE))
    statement = (
        sa.select(_p.id, _p.payload, _p.attempts, _s.endpoint, _s.public_key, _s.secret)
        .join(push_subscriptions, _s.id == _p.subscription_id)
        .where(_p.due_at <= moment)
        .order_by(_p.due_at, _p.id)
        .limit(most)
    )
    return [Push(row[0], row[1], row[2], Subscription(*row[3:])) for row in conn.execute(statement)]


def settle(conn: Connection, sent: Sequence[Push], gone: Sequence[Push], later: Sequence[tuple[Push, float]]) -> None:
    """What became of them: ``sent`` (or refused for good), ``gone`` (the device wants nothing any more), or ``later``, with what the
    service asks to wait (seconds).
    """
    if gone:
        _forget(conn, among(_s.endpoint, [push.to.endpoint for push in gone]))
    if sent:
        conn.execute(sa.delete(pushes).where(among(_p.id, [push.id for push in sent])))
    moment = now()
    for push, asked in later:
        wait = max(min(AGAIN * 2**push.attempts, LONGEST_WAIT), int(asked * 1000))
        values = {"attempts": push.attempts + 1, "due_at": moment + min(wait, LONGEST_WAIT)}
        conn.execute(sa.update(pushes).where(_p.id == push.id).values(**values))
