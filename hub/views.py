"""Saved views: a filter with a name, for oneself, a team or everybody, in an order of its own."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import events, finding
from hub.access import Actor, Forbidden, require
from hub.accounts import Invalid
from hub.clock import now
from hub.events import NewEvent
from hub.filters import STATUSES, Filter, Sort
from hub.outbox import NotFound
from hub.sql import allocate, among, hold
from hub.tables import saved_views, teams
from hub.text import clean_line

Visibility = Literal["mine", "team", "everyone"]
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
Due = Literal["", "soon", "late"]

#: So many may be kept in a house, and so many stand in somebody's sidebar with their counts.
MOST, SHOWN = 500, 30
#: What a view's picture may be.
ICONS = (
    "filter", "star", "clock", "alert", "bell", "tag", "inbox", "user", "users", "phone", "mail", "chat", "sms", "whatsapp",
    "telegram", "visit", "globe", "shield", "cal", "pulse", "eye", "file", "note", "moon",
)  # fmt: skip
#: Between the places of two neighbours; a third one finds room.
GAP = 1024


class Content(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a view holds. ``status`` empty: every status. ``assignee``: "me" (whoever looks), "none" or an id; ``waited``: minutes
    that the customer waits already; ``q`` as in the search field.
    """

    status: str = "open"
    assignee: str = ""
    team: int = 0
    channel: int = 0
    tag: str = ""
    q: str = ""
    due: Due = ""
    unread: bool = False
    waited: int = 0
    sort: Sort = "waiting"

    def filter(self) -> Filter:
        """What it asks of the inbox."""
        who = cast(Literal["me", "none"], self.assignee) if self.assignee in ("me", "none") else int(self.assignee or 0)
        return Filter(
            status=self.status,
            assignee=who or None,
            team=self.team or None,
            channel=self.channel or None,
            tag=self.tag,
            q=self.q,
            sort=self.sort,
            due=self.due,
            unread=self.unread,
            waited=self.waited * 60_000,
            rest=True,
        )


class View(Struct, frozen=True):
    """A saved view. ``team_id`` goes with the visibility "team", ``owner_id`` is who made it."""

    id: int
    name: str
    icon: str
    visibility: Visibility
    owner_id: int | None
    team_id: int | None
    position: int
    content: Content
    changed_at: int = 0


_v = saved_views.c


def _seen_by(actor: Actor) -> sa.ColumnElement[bool]:
    """Everybody's, those of one's teams, and one's own."""
    theirs = sa.and_(_v.visibility == "team", sa.true() if actor.sees_all else among(_v.team_id, sorted(actor.teams)))
    return sa.or_(_v.visibility == "everyone", theirs, _v.owner_id == actor.id)


def _read(row: Any) -> View:
    content = msgspec.json.decode(row.filter, type=Content) if row.filter else Content()
    return View(
        row.id, row.name, row.icon, row.visibility, row.owner_id, row.team_id, row.position, content, row.changed_at
    )


def listing(conn: Connection, actor: Actor, most: int = MOST) -> list[View]:
    """All that the actor may use, in their order."""
    return [_read(row) for row in conn.execute(_listing(actor), {"most": most})]


@functools.lru_cache(1000)
def _listing(actor: Actor) -> sa.Select[*tuple[Any, ...]]:
    every = sa.select(saved_views).where(_seen_by(actor)).order_by(_v.position, _v.id)
    return every.limit(sa.bindparam("most"))


def one(conn: Connection, actor: Actor, number: int) -> View:
    """One of them. Raises `NotFound`."""
    row = conn.execute(sa.select(saved_views).where(_v.id == number, _seen_by(actor))).first()
    if row is None:
        raise NotFound
    return _read(row)


def may_change(actor: Actor, view: View) -> bool:
    """One's own; what others use too, also those who run the house."""
    return view.owner_id == actor.id or (actor.sees_all and view.visibility != "mine")


def countable(conn: Connection, actor: Actor, views: Sequence[View]) -> dict[str, Filter]:
    """The filters of these by “view:<id>”, operators looked up; those that search in messages are left out."""
    found = {}
    for view in views:
        wanted = view.content.filter()
        if wanted.q:
            sought = finding.resolve(conn, actor, wanted)
            if sought.in_messages:
                continue
            wanted = sought.wanted
        found[f"view:{view.id}"] = wanted
    return found


# ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def add(conn: Connection, actor: Actor, given: Mapping[str, Any]) -> int:
    """Keep a new one, behind the others; its id. Raises `Invalid`, `access.Forbidden`."""
    row = _checked(conn, actor, given)
    count, last = conn.execute(sa.select(sa.func.count(), sa.func.max(_v.position)).select_from(saved_views)).one()
    if count >= MOST:
        raise Invalid(f"There are {MOST} views already; remove some first.")
    number = allocate(conn, "views", 1)[0]
    moment = now()
    place = {"position": (last or 0) + GAP, "owner_id": actor.id, "created_at": moment, "changed_at": moment}
    conn.execute(sa.insert(saved_views).values(id=number, **row, **place))
    _tell(conn, actor, "view.added", number)
    return number


def change(conn: Connection, actor: Actor, number: int, given: Mapping[str, Any]) -> None:
    """Change what is given of one. Raises `NotFound`, `Invalid`, `access.Forbidden`."""
    view = _mine(conn, actor, number)
    before = {name: getattr(view, name) for name in ("name", "icon", "visibility", "team_id", "content")}
    row = _checked(conn, actor, {**before, **given})
    conn.execute(sa.update(saved_views).where(_v.id == number).values(**row, changed_at=now()))
    _tell(conn, actor, "view.changed", number)


def remove(conn: Connection, actor: Actor, number: int) -> None:
    """Remove one. Raises `NotFound`, `access.Forbidden`."""
    _mine(conn, actor, number)
    conn.execute(sa.delete(saved_views).where(_v.id == number))
    _tell(conn, actor, "view.removed", number)


def move(conn: Connection, actor: Actor, number: int, to: int) -> None:
    """Give it the ``to``-th place (1 is the first) of those the actor sees; nobody else's order changes but by this one.

    Raises `NotFound`, `access.Forbidden`.
    """
    _mine(conn, actor, number)
    hold(conn, "views")
    others = [view for view in listing(conn, actor) if view.id != number]
    place = min(max(to, 1), len(others) + 1) - 1
    if _room(others, place) is None:
        _spread(conn)
        others = [view for view in listing(conn, actor) if view.id != number]
    position = _room(others, place)
    assert position is not None
    conn.execute(sa.update(saved_views).where(_v.id == number).values(position=position, changed_at=now()))
    _tell(conn, actor, "view.changed", number)


def _room(others: Sequence[View], place: int) -> int | None:
    """A position between two neighbours; None when there is none left."""
    if not others:
        return GAP
    if place >= len(others):
        return others[-1].position + GAP
    before = others[place - 1].position if place else others[0].position - 2 * GAP
    middle = (before + others[place].position) // 2
    return middle if before < middle < others[place].position else None


def _spread(conn: Connection) -> None:
    """Make room between all of them again."""
    ids = conn.execute(sa.select(_v.id).order_by(_v.position, _v.id)).scalars().all()
    for place, number in enumerate(ids, 1):
        conn.execute(sa.update(saved_views).where(_v.id == number).values(position=place * GAP))


def _mine(conn: Connection, actor: Actor, number: int) -> View:
    view = one(conn, actor, number)
    if not may_change(actor, view):
        raise Forbidden("Only who made a view, supervisors and administrators may change it.")
    return view


def _tell(conn: Connection, actor: Actor, kind: str, number: int) -> None:
    events.append(conn, [NewEvent(kind, actor_id=actor.id, data={"view": str(number)})])


def _checked(conn: Connection, actor: Actor, given: Mapping[str, Any]) -> dict[str, Any]:
    """The row, or `Invalid` with the field in front."""
    name, icon = clean_line(given.get("name", ""), 60), given.get("icon") or "filter"
    visibility, content = given.get("visibility", "mine"), given.get("content") or Content()
    if not name:
        raise Invalid("“name”: give it a name by which it is found.")
    if icon not in ICONS:
        raise Invalid(f"“icon”: choose one of {', '.join(ICONS)}.")
    if visibility not in VISIBILITIES:
        raise Invalid("“visibility”: mine, team or everyone.")
    if visibility != "mine":
        require(actor, "reply")
    return {
        "name": name,
        "icon": icon,
        "visibility": visibility,
        "team_id": _team(conn, actor, visibility, given.get("team_id")),
        "filter": msgspec.json.encode(checked(content)).decode(),
    }


def checked(content: Content) -> Content:
    """The content when it makes sense. Raises `Invalid`."""
    if content.status not in ("", *STATUSES):
        raise Invalid(f"“status”: one of {', '.join(STATUSES)}, or empty for all.")
    if content.assignee not in ("", "me", "none") and not (content.assignee.isascii() and content.assignee.isdecimal()):
        raise Invalid("“assignee”: me, none or somebody's id.")
    if not 0 <= content.waited <= 525_600 or min(content.team, content.channel) < 0:
        raise Invalid("“waited”: minutes, at most a year of them.")
    return msgspec.structs.replace(content, tag=clean_line(content.tag, 60), q=clean_line(content.q, 200))


def _team(conn: Connection, actor: Actor, visibility: str, team: int | None) -> int | None:
    if visibility != "team":
        return None
    known = team and conn.execute(sa.select(teams.c.id).where(teams.c.id == team)).first()
    if not known or not (actor.sees_all or team in actor.teams):
        raise Invalid("“team_id”: choose one of your teams.")
    return team
