"""Where in the inbox somebody is: which list stands beside a conversation, and how its address is spelled."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal, cast, get_args
from urllib.parse import quote, urlencode

from msgspec import Struct, structs

from hub.inbox import Filter, Sort
from hub.messages import Status
from hub.text import clean_line
from hub.views import Content

Due = Literal["", "soon", "late"]
VIEWS = ("mine", "unassigned", "mentions", "snoozed", "all", "drafts")
#: What a list's address may say beside its name, in this order.
KEYS = ("status", "sort", "q", "who", "team", "channel", "tag", "unread", "waited", "due", "since")
#: Minutes that somebody may choose to have waited.
WAITS = (30, 60, 120, 240, 1440)


class Team(Struct, frozen=True):
    """A team as the sidebar shows it."""

    id: int
    slug: str
    name: str


class Place(Struct, frozen=True):
    """One list. ``view`` is one of `VIEWS`, "team" or "view"; ``slug`` names the team or is the saved view's id. The rest leaves only
    a part of it: ``who`` is an employee's id, "me" or "none", ``team`` and ``channel`` ids, ``due`` "soon" or "late", ``since`` the
    moment (ms) after which they began, ``waited`` minutes. ``status`` empty: every one.

    ``base`` is what a saved view says by itself; until it was looked up (`opened`), what the address says is in ``given``.
    """

    view: str = "mine"
    slug: str = ""
    status: str = "open"
    sort: Sort = "waiting"
    q: str = ""
    who: str = ""
    channel: int = 0
    due: str = ""
    since: int = 0
    team: int = 0
    tag: str = ""
    unread: bool = False
    waited: int = 0
    base: tuple[tuple[str, str], ...] = ()
    given: tuple[tuple[str, str], ...] = ()

    @property
    def any_status(self) -> bool:
        """Are conversations of every status in the list?"""
        if self.view == "view":
            return not self.status
        return bool(self.q or self.since or not self.status or self.view in ("drafts", "mentions"))

    @property
    def narrowed(self) -> bool:
        """Does the list hold only a part of the view?"""
        parts = (self.who, self.team, self.channel, self.due, self.since, self.tag, self.unread, self.waited)
        return any(parts) or bool(self.q)

    @property
    def changed(self) -> bool:
        """Does the address say anything else than the saved view?"""
        return bool(self.base and self.query())

    @property
    def name(self) -> str:
        """As ``?in=`` says it: "mine", "team:service", "view:7"."""
        return f"{self.view}:{self.slug}" if self.view in ("team", "view") else self.view

    @property
    def path(self) -> str:
        """The list's address without its query."""
        if self.view in ("team", "view"):
            return f"/inbox/{self.view}/{quote(self.slug, safe='')}"
        return f"/inbox/{self.view}"

    def said(self) -> dict[str, str]:
        """Everything the list says of itself, as in an address."""
        numbers = {key: str(getattr(self, key) or "") for key in ("team", "channel", "waited", "since")}
        words = {key: str(getattr(self, key)) for key in ("sort", "q", "who", "tag", "due")}
        return {**words, **numbers, "status": self.status or "any", "unread": "1" if self.unread else ""}

    def query(self, **changed: str) -> str:
        """The list's query with some things changed; what is as always is left out."""
        if self.view == "view" and not self.base:
            return urlencode(dict(self.given) | changed)
        said = self.said() | changed
        plain = dict(self.base) or {"status": _status(self.view), "sort": _sort(self.view, said["status"], said["q"])}
        parts = {key: said[key] for key in KEYS if said[key] != plain.get(key, "") and (said[key] or self.base)}
        return urlencode(parts)

    def url(self, **changed: str) -> str:
        """The list's address with some things changed."""
        query = self.query(**changed)
        return f"{self.path}?{query}" if query else self.path

    def conversation(self, number: int, **more: str) -> str:
        """A conversation's address that keeps this list beside it."""
        return f"/c/{number}?{_tail(self, **more)}"

    def filter(self, team: Team | None) -> Filter:
        """What the list asks of the inbox."""
        assignee: int | Literal["me", "none"] | None = None
        if self.view in ("mine", "snoozed") or self.who == "me":
            assignee = "me"
        elif self.view == "unassigned" or self.who == "none":
            assignee = "none"
        elif self.who:
            assignee = int(self.who)
        return Filter(
            status="" if self.any_status else self.status,
            assignee=assignee,
            team=team.id if team else self.team or None,
            channel=self.channel or None,
            tag=self.tag,
            q=self.q,
            sort=self.sort,
            due=cast(Due, self.due),
            since=self.since,
            drafted=self.view == "drafts",
            mentioned=self.view == "mentions",
            unread=self.unread,
            waited=self.waited * 60_000,
            rest=True,
        )

    def content(self, team: Team | None) -> Content:
        """The same to be kept as a view."""
        wanted = self.filter(team)
        return Content(
            wanted.status,
            str(wanted.assignee or ""),
            wanted.team or 0,
            self.channel,
            self.tag,
            self.q,
            cast(Due, self.due),
            self.unread,
            self.waited,
            self.sort,
        )

    def opened(self, content: Content) -> Place:
        """A saved view's list, with what the address wants otherwise."""
        base = {
            "status": content.status or "any",
            "sort": content.sort,
            "q": content.q,
            "who": content.assignee,
            "team": str(content.team or ""),
            "channel": str(content.channel or ""),
            "tag": content.tag,
            "unread": "1" if content.unread else "",
            "waited": str(content.waited or ""),
            "due": content.due,
        }
        found = _read("view", self.slug, base | dict(self.given))
        return structs.replace(found, base=tuple(base.items()), given=self.given)


@functools.lru_cache(512)  # a list asks for each of its rows
def _tail(place: Place, **more: str) -> str:
    return urlencode({"in": place.name}) + (f"&{rest}" if (rest := place.query(**more)) else "")


def _status(view: str) -> str:
    return "snoozed" if view == "snoozed" else "open"


def _sort(view: str, status: str, q: str) -> Sort:
    """What a list is sorted by when nobody says otherwise: who has waited longest comes first."""
    return "waiting" if status == "open" and not q and view in ("mine", "unassigned", "all", "team") else "newest"


def read_place(name: str, query: Mapping[str, str]) -> Place | None:
    """The place of a name ("mine", "team:service", "view:7") and a query; None when there is no such list."""
    view, _, slug = clean_line(name, 100).partition(":")
    if (view in ("team", "view")) != bool(slug) or (view not in ("team", "view") and view not in VIEWS):
        return None
    if view == "view":
        if not _number(slug):
            return None
        return Place("view", slug, given=tuple((key, query[key]) for key in KEYS if key in query))
    return _read(view, slug, query)


def _read(view: str, slug: str, query: Mapping[str, str]) -> Place:
    status = query.get("status", "")
    if view == "snoozed" or (status not in get_args(Status) and status != "any"):
        status = _status(view)
    q = clean_line(query.get("q", ""), 200)
    sort = query.get("sort", "")
    who, due = query.get("who", ""), query.get("due", "")
    return Place(
        view,
        slug,
        "" if status == "any" else status,
        cast(Sort, sort) if sort in get_args(Sort) else _sort(view, status, q),
        q,
        who if who in ("none", "me") or _number(who) else "",
        _number(query.get("channel", "")),
        due if due in get_args(Due) else "",
        _number(query.get("since", "")),
        _number(query.get("team", "")),
        clean_line(query.get("tag", ""), 60),
        query.get("unread", "") == "1",
        min(_number(query.get("waited", "")), 525_600),
    )


def beside(query: Mapping[str, str]) -> Place:
    """The list beside a conversation, as the address says; one's own when it says nothing sensible."""
    return read_place(query.get("in", "all"), query) or Place("all")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
