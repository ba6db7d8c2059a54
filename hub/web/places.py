"""Where in the inbox somebody is: which list stands beside a conversation, and how its address is spelled."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Literal, cast, get_args
from urllib.parse import quote, urlencode

from msgspec import Struct

from hub.inbox import Filter, Sort
from hub.messages import Status
from hub.text import clean_line

Due = Literal["", "soon", "late"]
VIEWS = ("mine", "unassigned", "snoozed", "all", "drafts")


class Team(Struct, frozen=True):
    """A team as the sidebar shows it."""

    id: int
    slug: str
    name: str


class Place(Struct, frozen=True):
    """One list. ``view`` is one of `VIEWS` or "team"; ``slug`` names the team. The rest leaves only a part of it: ``who`` is an
    employee's id or "none", ``channel`` an id, ``due`` "soon" or "late", ``since`` the moment (ms) after which they began.
    """

    view: str = "mine"
    slug: str = ""
    status: Status = "open"
    sort: Sort = "newest"
    q: str = ""
    who: str = ""
    channel: int = 0
    due: str = ""
    since: int = 0

    @property
    def any_status(self) -> bool:
        """Are conversations of every status in the list?"""
        return bool(self.q or self.since or self.view == "drafts")

    @property
    def narrowed(self) -> bool:
        """Does the list hold only a part of the view?"""
        return bool(self.who or self.channel or self.due or self.since)

    @property
    def name(self) -> str:
        """As ``?in=`` says it: "mine", "team:service"."""
        return f"team:{self.slug}" if self.view == "team" else self.view

    @property
    def path(self) -> str:
        """The list's address without its query."""
        return f"/inbox/team/{quote(self.slug, safe='')}" if self.view == "team" else f"/inbox/{self.view}"

    def query(self, **changed: str) -> str:
        """The list's query with some things changed; what is as always is left out."""
        plain = {"status": "snoozed" if self.view == "snoozed" else "open", "sort": "newest", "q": ""}
        said = {"status": self.status, "sort": self.sort, "q": self.q, "who": self.who, "due": self.due}
        said |= {"channel": str(self.channel or ""), "since": str(self.since or "")} | changed
        return urlencode({key: value for key, value in said.items() if value and value != plain.get(key)})

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
        if self.view in ("mine", "snoozed"):
            assignee = "me"
        elif self.view == "unassigned":
            assignee = "none"
        elif self.who:
            assignee = "none" if self.who == "none" else int(self.who)
        return Filter(
            status="" if self.any_status else self.status,
            assignee=assignee,
            team=team.id if team else None,
            channel=self.channel or None,
            q=self.q,
            sort=self.sort,
            due=cast(Due, self.due),
            since=self.since,
            drafted=self.view == "drafts",
        )


@functools.lru_cache(512)  # a list asks for each of its rows
def _tail(place: Place, **more: str) -> str:
    return urlencode({"in": place.name}) + (f"&{rest}" if (rest := place.query(**more)) else "")


def read_place(name: str, query: Mapping[str, str]) -> Place | None:
    """The place of a name ("mine", "team:service") and a query; None when there is no such list."""
    view, _, slug = clean_line(name, 100).partition(":")
    if (view == "team") != bool(slug) or (view != "team" and view not in VIEWS):
        return None
    status = query.get("status", "")
    if view == "snoozed" or status not in get_args(Status):
        status = "snoozed" if view == "snoozed" else "open"
    sort: Sort = "waiting" if query.get("sort") == "waiting" and not query.get("q") else "newest"
    who, due = query.get("who", ""), query.get("due", "")
    return Place(
        view,
        slug,
        cast(Status, status),
        sort,
        clean_line(query.get("q", ""), 200),
        who if who == "none" or _number(who) else "",
        _number(query.get("channel", "")),
        due if due in get_args(Due) else "",
        _number(query.get("since", "")),
    )


def beside(query: Mapping[str, str]) -> Place:
    """The list beside a conversation, as the address says; one's own when it says nothing sensible."""
    return read_place(query.get("in", "all"), query) or Place("all")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0
