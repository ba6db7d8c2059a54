"""Saved replies: texts that are written once, with places that fill themselves, and what is to be done when one is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Literal, get_args

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import collaboration, events, snoozing, speaking
from hub.access import Actor, Forbidden, access_conversation, require
from hub.accounts import Invalid
from hub.clock import now
from hub.events import NewEvent
from hub.outbox import CannotSend, NotFound
from hub.snoozing import Snooze, understand
from hub.sql import allocate, among
from hub.tables import conversations, customers, saved_replies, tags, teams
from hub.text import clean, clean_line, fold

Visibility = Literal["mine", "team", "everyone"]
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)

#: So many may be kept in a house; more would not be found anyway.
MOST = 2000
#: What may stand between two braces, and what a text may hold of it.
PLACES = (
    "customer.first_name",
    "customer.name",
    "agent.first_name",
    "agent.name",
    "conversation.number",
    "conversation.subject",
)
_PLACE = re.compile(r"\{\{\s*(" + "|".join(map(re.escape, PLACES)) + r")\s*\}\}")
_ANY_PLACE = re.compile(r"\{\{\s*([\w.]{1,60})\s*\}\}")
_SHORTCUT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")
_ACTION = re.compile(r"tag:.{1,60}|status:(open|waiting|closed)|snooze:.{1,60}|assign:(me|[et][0-9]{1,18})")


class Reply(Struct, frozen=True):
    """A saved reply. ``language`` is empty where it does not matter; ``team_id`` goes with the visibility "team", ``owner_id`` is
    who made it. ``actions`` are like ``tag:refund``, ``status:closed``, ``assign:me``, ``assign:e7``, ``assign:t3``, ``snooze:tomorrow 9``.
    """

    id: int
    name: str
    text: str
    language: str = ""
    shortcut: str = ""
    visibility: Visibility = "mine"
    owner_id: int | None = None
    team_id: int | None = None
    actions: tuple[str, ...] = ()
    changed_at: int = 0


class Filled(Struct, frozen=True):
    """A saved reply for one conversation; ``missing`` are the places nobody knows what to put into."""

    reply: Reply
    text: str
    missing: tuple[str, ...]


_r = saved_replies.c


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Everybody's, those of one's teams, and one's own."""
    theirs = sa.and_(_r.visibility == "team", sa.true() if actor.sees_all else among(_r.team_id, sorted(actor.teams)))
    return sa.or_(_r.visibility == "everyone", theirs, _r.owner_id == actor.id)


def _read(row: Any) -> Reply:
    actions = tuple(msgspec.json.decode(row.actions, type=list[str])) if row.actions else ()
    return Reply(
        row.id, row.name, row.text, row.language, row.shortcut, row.visibility, row.owner_id, row.team_id, actions,
        row.changed_at,
    )  # fmt: skip


def listing(conn: Connection, actor: Actor) -> list[Reply]:
    """All that the actor may use, by name."""
    rows = conn.execute(sa.select(saved_replies).where(_seen_by(actor)).order_by(_r.id).limit(MOST))
    return sorted(map(_read, rows), key=lambda reply: (fold(reply.name), reply.id))


def one(conn: Connection, actor: Actor, number: int) -> Reply:
    """One of them. Raises `NotFound`."""
    row = conn.execute(sa.select(saved_replies).where(_r.id == number, _seen_by(actor))).first()
    if row is None:
        raise NotFound
    return _read(row)


def may_change(actor: Actor, reply: Reply) -> bool:
    """One's own; what others use too, also those who run the house."""
    return reply.owner_id == actor.id or (actor.sees_all and reply.visibility != "mine")


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def add(conn: Connection, actor: Actor, given: Mapping[str, Any]) -> int:
    """Keep a new one; its id. Raises `Invalid`, `access.Forbidden`."""
    require(actor, "reply")
    row = _checked(conn, actor, given)
    if conn.execute(sa.select(sa.func.count()).select_from(saved_replies)).scalar_one() >= MOST:
        raise Invalid(f"There are {MOST} saved replies already; remove some first.")
    number = allocate(conn, "replies", 1)[0]
    moment = now()
    made = {"id": number, "owner_id": actor.id, "created_at": moment, "changed_at": moment}
    conn.execute(sa.insert(saved_replies).values(**row, **made))
    _tell(conn, actor, "reply.added", number)
    return number


def change(conn: Connection, actor: Actor, number: int, given: Mapping[str, Any]) -> None:
    """Change what is given of one. Raises `NotFound`, `Invalid`, `access.Forbidden`."""
    reply = _mine(conn, actor, number)
    before = {name: getattr(reply, name) for name in ("name", "text", "language", "shortcut", "visibility", "team_id")}
    row = _checked(conn, actor, {**before, "actions": reply.actions, **given})
    conn.execute(sa.update(saved_replies).where(_r.id == number).values(**row, changed_at=now()))
    _tell(conn, actor, "reply.changed", number)


def remove(conn: Connection, actor: Actor, number: int) -> None:
    """Remove one. Raises `NotFound`, `access.Forbidden`."""
    _mine(conn, actor, number)
    conn.execute(sa.delete(saved_replies).where(_r.id == number))
    _tell(conn, actor, "reply.removed", number)


def _mine(conn: Connection, actor: Actor, number: int) -> Reply:
    require(actor, "reply")
    reply = one(conn, actor, number)
    if not may_change(actor, reply):
        raise Forbidden("Only who made a saved reply, supervisors and administrators may change it.")
    return reply


def _tell(conn: Connection, actor: Actor, kind: str, number: int) -> None:
    events.append(conn, [NewEvent(kind, actor_id=actor.id, data={"reply": str(number)})])


def _checked(conn: Connection, actor: Actor, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row, or `Invalid` with the field in front."""
    name, text = clean_line(given.get("name", ""), 120), clean(given.get("text", ""), 20_000).replace("\r\n", "\n")
    language = clean_line(given.get("language", ""), 20).lower().replace("_", "-")
    shortcut = clean_line(given.get("shortcut", ""), 60).lower().lstrip("/")
    actions = [clean_line(action, 100) for action in given.get("actions", ())][:20]
    if not name:
        raise Invalid("“name”: give it a name by which it is found.")
    if not text.strip():
        raise Invalid("“text”: it says nothing yet.")
    for place in _ANY_PLACE.findall(text):
        if place not in PLACES:
            raise Invalid(f"“text”: nobody knows what “{place}” is; there are {', '.join(PLACES)}.")
    if language and not _LANGUAGE.fullmatch(language):
        raise Invalid("“language”: write it like de or en-GB.")
    if shortcut and not _SHORTCUT.fullmatch(shortcut):
        raise Invalid("“shortcut”: only small letters, digits, - and _.")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise Invalid(f"“actions”: “{action}” is none; write tag:…, status:closed or assign:me.")
        _check_snooze(action)
    visibility, team = given.get("visibility", "mine"), given.get("team_id")
    if visibility not in VISIBILITIES:
        raise Invalid("“visibility”: mine, team or everyone.")
    return {
        "name": name,
        "text": text,
        "language": language,
        "shortcut": shortcut,
        "visibility": visibility,
        "team_id": _team(conn, actor, visibility, team),
        "actions": msgspec.json.encode(actions).decode() if actions else "",
    }


def _check_snooze(action: str) -> None:
    """Words of a snooze mean something. Raises `Invalid`."""
    if action.startswith("snooze:"):
        try:
            snooze_of(action, now(), UTC)
        except snoozing.Unclear as error:
            raise Invalid(f"“snooze”: {error}") from error


def _team(conn: Connection, actor: Actor, visibility: str, team: int | None) -> int | None:
    if visibility != "team":
        return None
    known = team and conn.execute(sa.select(teams.c.id).where(teams.c.id == team)).first()
    if not known or not (actor.sees_all or team in actor.teams):
        raise Invalid("“team_id”: choose one of your teams.")
    return team


# ── using ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def for_conversation(conn: Connection, actor: Actor, conversation_id: int, q: str = "", most: int = 50) -> list[Filled]:
    """Those that hold the words of ``q`` in name, shortcut or text, filled in; the customer's language first. Raises `NotFound`."""
    home = access_conversation(conn, actor, conversation_id)
    if home is None:
        raise NotFound
    who = conn.execute(
        sa.select(customers.c.name, customers.c.attributes).where(customers.c.id == home.customer_id)
    ).one()
    known = msgspec.json.decode(who.attributes, type=dict[str, Any]) if who.attributes else {}
    speaks = speaking.of(conn, home.customer_id, known).language
    values = _values(who.name, actor, home)
    found = [(_rank(reply, fold(q), speaks), reply) for reply in listing(conn, actor)]
    best = sorted((pair for pair in found if pair[0] is not None), key=lambda pair: pair[0])  # type: ignore[arg-type,return-value]
    return [_filled(reply, values) for _, reply in best[:most]]


def _rank(reply: Reply, q: str, speaks: str) -> tuple[int, int] | None:
    """Where it stands in the list; None: not at all."""
    words = q.removeprefix("/").split()
    name, text = fold(f"{reply.name} {reply.shortcut}"), fold(reply.text)
    if not all(word in name or word in text for word in words):
        return None
    exact = 0 if words and reply.shortcut == q.removeprefix("/") else 1 if all(word in name for word in words) else 2
    if not speaks or not reply.language:
        return exact, 1
    return exact, 0 if reply.language.split("-")[0] == speaks.split("-")[0] else 2


def _values(customer: str, actor: Actor, home: Any) -> dict[str, str]:
    person = "" if "@" in customer or not any(c.isalpha() for c in customer) else customer.strip()
    return {
        "customer.name": person,
        "customer.first_name": person.split()[0] if person else "",
        "agent.name": actor.name,
        "agent.first_name": actor.name.split()[0] if actor.name.split() else "",
        "conversation.number": str(home.id),
        "conversation.subject": home.subject,
    }


def _filled(reply: Reply, values: Mapping[str, str]) -> Filled:
    text = _PLACE.sub(lambda found: values[found[1]] or "{{" + found[1] + "}}", reply.text)
    return Filled(reply, text, tuple(unfilled(text)))


def unfilled(text: str) -> list[str]:
    """The places in a text that still have to be filled, each once."""
    return list(dict.fromkeys(_PLACE.findall(text)))


def snooze_of(action: str, moment: int, place: tzinfo) -> Snooze:
    """Until when ``snooze:…`` means at ``moment`` (ms) in the zone ``place``: words, or a moment in ms. Raises `snoozing.Unclear`."""
    said = action.partition(":")[2]
    return (
        Snooze(int(said)) if said.isascii() and said.isdecimal() and len(said) > 11 else understand(said, moment, place)
    )


def refuse_unknown(actions: Sequence[str]) -> None:
    """Raises `CannotSend` for what nobody knows how to do."""
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise CannotSend(f"Nobody knows how to do “{action}”.")


def act(conn: Connection, actor: Actor, conversation_id: int, actions: Sequence[str], place: tzinfo = UTC) -> int:
    """Do what shall be done when a message is sent; the action that changed the status (0: none did). Of several statuses the last
    counts. ``place`` is the zone in which words of a snooze are meant. Raises `CannotSend` and whatever the deeds themselves raise.
    """
    refuse_unknown(actions)
    wanted = [action.removeprefix("tag:") for action in actions if action.startswith("tag:")]
    if wanted:
        there = conn.execute(sa.select(tags.c.tag).where(tags.c.conversation_id == conversation_id)).scalars()
        collaboration.set_tags(conn, actor, conversation_id, [*there, *wanted])
    home = conn.execute(sa.select(conversations.c.team_id).where(conversations.c.id == conversation_id)).one()
    for action in actions:
        kind, _, value = action.partition(":")
        if kind == "assign":
            employee = actor.id if value == "me" else int(value[1:]) if value[0] == "e" else None
            collaboration.assign(
                conn, actor, conversation_id, employee, int(value[1:]) if value[0] == "t" else home.team_id
            )
    last = next((action for action in reversed(actions) if action.startswith(("status:", "snooze:"))), "")
    if last.startswith("snooze:"):
        return _snooze(conn, actor, conversation_id, last, place)
    if last:
        return collaboration.set_status(conn, actor, conversation_id, last[7:])  # type: ignore[arg-type]  # the pattern knows them
    return 0


def _snooze(conn: Connection, actor: Actor, conversation_id: int, action: str, place: tzinfo) -> int:
    try:
        until = snooze_of(action, now(), place).until
    except snoozing.Unclear as error:
        raise CannotSend(str(error)) from error
    return collaboration.set_status(conn, actor, conversation_id, "snoozed", until, until_reply=until is None)
