"""One deed on one or many conversations, set-based: close, snooze, assign, tag, give it a priority, mark as read or unread.

Everything that people (or jobs of theirs) change about a conversation besides answering goes through `do`, in batches of at most
`BATCH`: the rows are held, changed and saved together, the events written, the clocks brought in line. What was before and what is
after comes back as a `Change` for each conversation, so that `hub.actions` can undo exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import assignment, conversations, directory, events, sla, staff
from hub.access import Actor, may_see, require
from hub.clock import now
from hub.conversations import Current
from hub.directory import Directory
from hub.events import NewEvent
from hub.messages import Status
from hub.outbox import CannotSend
from hub.sla import Clock
from hub.sql import among, insert_into
from hub.sql import hold as hold_counter
from hub.tables import conversations as table
from hub.tables import tags
from hub.text import clean_line

Kind = Literal["status", "assign", "tags", "priority", "unread", "read"]
#: What `do` does, and what `hub.merging` does to two of them.
Doing = Literal["status", "assign", "tags", "priority", "unread", "read", "merge", "split", "move"]
Priority = Literal["low", "normal", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("low", "normal", "high", "urgent")

#: Conversations in one transaction.
BATCH = 100
#: Tags of one conversation, and characters of one.
MOST_TAGS, LONGEST_TAG = 100, 60


class Deed(Struct, frozen=True, omit_defaults=True):
    """What is to be done. Only the fields that belong to ``kind`` count.

    ``status`` with ``until`` (ms; a snooze without it lasts until the customer replies) and ``closed_as`` ("spam", "blocked").
    ``employee``, ``team`` (both None: nobody), ``why``, ``anyway`` (also to somebody absent). ``add`` and ``remove`` tags, or with
    ``only`` exactly those of ``add``. ``join`` names a merge or split (see `hub.merging`), ``other`` where it goes on. ``block`` are
    the addresses that were blocked with it and are heard again when it is undone.
    """

    kind: Doing
    status: Status = "open"
    until: int | None = None
    closed_as: str = ""
    employee: int | None = None
    team: int | None = None
    why: str = ""
    anyway: bool = False
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    only: bool = False
    priority: Priority = "normal"
    join: int = 0
    other: int = 0
    block: tuple[str, ...] = ()


class State(Struct, frozen=True):
    """What deeds change about a conversation, at one moment."""

    status: str
    snoozed_until: int | None
    closed_at: int | None
    closed_as: str
    waiting_since: int | None
    unread: int
    assignee_id: int | None
    team_id: int | None
    covering_id: int | None
    assigned_at: int | None
    reason: str
    priority: str
    tags: tuple[str, ...]


class Change(Struct, frozen=True):
    """One conversation before and after a deed; ``clocks`` as they stood before (None: nothing is promised to anybody)."""

    conversation_id: int
    before: State
    after: State
    clocks: tuple[Clock, ...] | None = None


class Absent(CannotSend):
    """Somebody is away until ``until`` (ms, None: until further notice); ``deputy_id`` acts for them (None: nobody can)."""

    def __init__(self, name: str, until: int | None, deputy_id: int | None, deputy: str) -> None:
        instead = f"{deputy} stands in" if deputy_id else "nobody stands in"
        super().__init__(f"{name} is absent; {instead}. Choose somebody else, or say that you want it anyway.")
        self.name, self.until, self.deputy_id, self.deputy = name, until, deputy_id, deputy


def check(conn: Connection, actor: Actor, deed: Deed) -> None:
    """May they do it at all, and can it be done? Raises `access.Forbidden`, `CannotSend`, `Absent`."""
    require(actor, "note" if deed.kind in ("read", "unread") else "assign")
    if deed.kind == "status" and deed.status == "snoozed" and deed.until is not None and deed.until <= now():
        raise CannotSend("To snooze, say until when: a time in the future.")
    if deed.kind == "assign":
        _check_holder(directory.current(conn), deed)
    if deed.kind == "priority" and deed.priority not in PRIORITIES:
        raise CannotSend("There is no such priority.")


def _check_holder(d: Directory, deed: Deed) -> None:
    person = d.employees.get(deed.employee or 0)
    if deed.employee is not None and (person is None or person.disabled):
        raise CannotSend(f"There is no active employee {deed.employee}.")
    if deed.team is not None and deed.team not in d.teams:
        raise CannotSend(f"There is no team {deed.team}.")


def refuse_absent(conn: Connection, actor: Actor, deed: Deed) -> None:
    """Somebody absent gets nothing new unless it is wanted. Raises `Absent`."""
    who, at = deed.employee, now()
    if deed.kind != "assign" or who is None or deed.anyway or who == actor.id:
        return
    d = directory.current(conn)
    absence = d.absence(who, at)
    if absence is not None:
        deputy = staff.stand_in(d, who, at)
        raise Absent(d.employees[who].name, absence.ends_at, deputy, d.employees[deputy].name if deputy else "")


def do(conn: Connection, actor: Actor, deed: Deed, ids: Sequence[int]) -> list[Change]:
    """Do it to those of the conversations (at most `BATCH`) that the actor may see and where it changes anything.

    A fixed number of statements. Raises as `check`.
    """
    check(conn, actor, deed)
    d = directory.current(conn)
    homes = hold(conn, actor, ids)
    if deed.kind == "assign" and any(home.assignee_id != deed.employee for home in homes):
        refuse_absent(conn, actor, deed)
    before = states(conn, homes)
    clocks = (
        sla.clocks_of_all(conn, [h.id for h in homes]) if d.policies and deed.kind in ("status", "priority") else None
    )
    after = {home.id: _after(deed, before[home.id]) for home in homes}
    changed = [home for home in homes if _differs(before[home.id], after[home.id])]
    write(conn, d, changed, after, {n: s.tags for n, s in before.items()}, told=_teller(deed, actor, before, after))
    if deed.kind == "status" and deed.status == "snoozed" and changed:
        by = {"snoozed_by": actor.id, "snoozed_at": now()}
        conn.execute(sa.update(table).where(among(table.c.id, [h.id for h in changed])).values(**by))
    return [
        Change(h.id, before[h.id], after[h.id], None if clocks is None else tuple(clocks.get(h.id, ())))
        for h in changed
    ]


def hold(conn: Connection, actor: Actor, ids: Sequence[int], also: Collection[int] = ()) -> list[Current]:
    """Those of them that the actor may see (or that are ``also`` theirs to change) and that were not merged into another one,
    held until the commit.
    """
    found = conversations.lock_for(conn, list(ids), [], [], 0)
    mine = [h for h in found if h.id in also or may_see(actor, h.team_id, h.assignee_id)]
    return [h for h in mine if h.merged_into is None]


def put_clocks_back(conn: Connection, before: Mapping[int, tuple[Clock, ...] | None]) -> None:
    """Let clocks stand as they stood before a deed that is being undone; `write` comes next."""
    known = {number: clocks for number, clocks in before.items() if clocks is not None}
    if known:
        hold_counter(conn, "ids")  # clocks change behind it
        sla.put_back_all(conn, known)


_more = sa.select(table.c.id, table.c.priority, table.c.closed_as).where(among(table.c.id, "ids"))
_tags = sa.select(tags.c.conversation_id, tags.c.tag).where(among(tags.c.conversation_id, "ids")).order_by(tags.c.tag)
_OF_HOME = tuple(f for f in State.__struct_fields__ if f not in ("priority", "closed_as", "tags"))


def states(conn: Connection, homes: Sequence[Current]) -> dict[int, State]:
    """What deeds may change, as it is now. Two statements."""
    if not homes:
        return {}
    ids = [home.id for home in homes]
    marks: dict[int, list[str]] = {}
    for number, tag in conn.execute(_tags, {"ids": ids}):
        marks.setdefault(number, []).append(tag)
    more = {row[0]: (row[1] or "normal", row[2]) for row in conn.execute(_more, {"ids": ids})}
    found = {}
    for home in homes:
        priority, closed_as = more[home.id]
        own = {name: getattr(home, name) for name in _OF_HOME}
        own |= {"closed_as": closed_as if home.status == "closed" else "", "priority": priority}
        found[home.id] = State(**own, tags=tuple(sorted(marks.get(home.id, ()))))
    return found


def _differs(before: State, after: State) -> bool:
    return structs.astuple(before) != structs.astuple(after)


def _after(deed: Deed, s: State) -> State:
    match deed.kind:
        case "status":
            return _status(deed, s)
        case "assign":
            return _assigned(deed, s)
        case "tags":
            kept = () if deed.only else (t for t in s.tags if t not in deed.remove)
            return structs.replace(s, tags=tuple(sorted({*kept, *_clean(deed.add)}))[:MOST_TAGS])
        case "priority":
            return structs.replace(s, priority=deed.priority)
        case "unread":
            return structs.replace(s, unread=max(s.unread, 1))
        case "read":
            return structs.replace(s, unread=0)
        case "merge" | "split" | "move":
            raise CannotSend("Only two conversations can be merged, and only one split.")


def _clean(wanted: Sequence[str]) -> set[str]:
    return {clean_line(tag, LONGEST_TAG) for tag in wanted} - {""}


def _status(deed: Deed, s: State) -> State:
    until = deed.until if deed.status == "snoozed" else None
    closed_as = deed.closed_as if deed.status == "closed" else ""
    if (s.status, s.snoozed_until, s.closed_as) == (deed.status, until, closed_as):
        return s
    if deed.status == "closed":
        closed_at = s.closed_at if s.status == "closed" else now()
        return structs.replace(
            s,
            status="closed",
            snoozed_until=None,
            closed_at=closed_at,
            closed_as=closed_as,
            waiting_since=None,
            unread=0,
        )
    return structs.replace(s, status=deed.status, snoozed_until=until, closed_at=None, closed_as="")


def _assigned(deed: Deed, s: State) -> State:
    team = deed.team if deed.team is not None else (s.team_id if deed.employee is not None else None)
    if (s.assignee_id, s.team_id) == (deed.employee, team):
        return s
    return structs.replace(
        s,
        assignee_id=deed.employee,
        team_id=team,
        covering_id=None,
        assigned_at=now() if deed.employee is not None else None,
        reason=f"text:{clean_line(deed.why)}" if deed.why else "assigned",
    )


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
Teller = Callable[[Current], list[NewEvent]]


def write(
    conn: Connection,
    d: Directory,
    homes: Sequence[Current],
    after: dict[int, State],
    tags_before: dict[int, tuple[str, ...]],
    *,
    told: Teller,
) -> None:
    """Write the new states of held conversations, their events and their clocks. The caller has put old clocks back, if any."""
    if not homes:
        return
    moved = [home for home in homes if home.assignee_id != after[home.id].assignee_id]
    over = [home for home in homes if home.status != "closed" and after[home.id].status == "closed"]
    for home in homes:
        for name in _OF_HOME:
            setattr(home, name, getattr(after[home.id], name))
        home.touched = True
    conversations.save(conn, homes)
    _write_more(conn, homes, after)
    _write_tags(conn, {h.id: (tags_before[h.id], after[h.id].tags) for h in homes})
    assignment.withdraw_all(conn, list({home.id for home in (*moved, *over)}))
    events.append(conn, [new for home in homes for new in told(home)])
    events.append(conn, sla.follow(conn, d, homes))


def _write_more(conn: Connection, homes: Sequence[Current], after: dict[int, State]) -> None:
    """What `conversations.save` leaves alone: one statement for each pair of values that occurs."""
    together: dict[tuple[str, str], list[int]] = {}
    for home in homes:
        state = after[home.id]
        together.setdefault((state.priority, state.closed_as), []).append(home.id)
    for (priority, closed_as), ids in together.items():
        values: dict[str, Any] = {"priority": priority, "closed_as": closed_as}
        conn.execute(sa.update(table).where(among(table.c.id, ids)).values(**values))


def _write_tags(conn: Connection, pairs: dict[int, tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
    gone = [(n, tag) for n, (old, new) in pairs.items() for tag in old if tag not in new]
    fresh = [(n, tag) for n, (old, new) in pairs.items() for tag in new if tag not in old]
    if gone:
        t = tags.c
        one = sa.delete(tags).where(t.conversation_id == sa.bindparam("number"), t.tag == sa.bindparam("word"))
        conn.execute(one, [{"number": number, "word": tag} for number, tag in gone])
    insert_into(conn, "tags", ("conversation_id", "tag"), fresh, known="ignored")


def _teller(deed: Deed, actor: Actor, before: dict[int, State], after: dict[int, State]) -> Teller:
    return lambda home: tell(home, before[home.id], after[home.id], actor, why=deed.why)


def tell(
    home: Current, before: State, after: State, actor: Actor, *, undo: bool = False, why: str = ""
) -> list[NewEvent]:
    """The events that say what became of a conversation; ``undo``: it is as it was before."""
    news: list[tuple[str, dict[str, Any]]] = []
    if (before.status, before.snoozed_until, before.closed_as) != (after.status, after.snoozed_until, after.closed_as):
        data: dict[str, Any] = {"before": before.status, "status": after.status}
        if after.status == "snoozed":
            data["until"] = after.snoozed_until
        if after.closed_as:
            data["as"] = after.closed_as
        news.append(("conversation.status", data))
    if (before.assignee_id, before.team_id) != (after.assignee_id, after.team_id):
        news.append(("conversation.assigned", assignment.holder(home)))
    if before.tags != after.tags:
        news.append(("conversation.tagged", {"tags": list(after.tags)}))
    if before.priority != after.priority:
        news.append(("conversation.priority", {"before": before.priority, "priority": after.priority}))
    if not news and before.unread != after.unread:
        news.append(("conversation.unread" if after.unread else "conversation.seen", {}))
    mark = {"undo": True} if undo else {}
    return [NewEvent(kind, home.id, home.customer_id, actor_id=actor.id, data=data | mark) for kind, data in news]
