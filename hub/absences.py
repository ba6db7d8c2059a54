"""Absences: while somebody is away their deputy acts, and what was theirs comes back to them when they return.

planned → begun (their open conversations are being passed on) → on → over (what their deputies hold has been handed back).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import accounts, assignment, conversations, directory, events, hours
from hub.access import Actor, Forbidden
from hub.assignment import Again, reroute, told
from hub.clock import now, parse_time
from hub.conversations import Current
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.routing import Decision, Step
from hub.sql import allocate, among, is_postgres, lit
from hub.tables import absences, employees
from hub.tables import conversations as table
from hub.text import clean_line

#: Conversations that one run passes on; the next run does the next ones.
AT_ONCE = 200
#: Kinds of absence; ``sick`` is shown as absent to colleagues all the same.
KINDS = ("leave", "sick", "training", "other")
#: Absences shown at once.
MOST = 5000
#: No moment may be later than this (the end of the year 9998).
LATEST = 253_370_764_800_000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def listing(
    conn: Connection, employee_id: int | None = None, *, over: bool = False, since: int = 0, until: int | None = None
) -> list[Any]:
    """Absences by their beginning: of one employee or of all; those that are over only when asked for.

    Only those that have not ended at ``since`` and begin before ``until``.
    """
    a = absences.c
    statement = sa.select(absences).order_by(a.starts_at, a.id)
    if employee_id is not None:
        statement = statement.where(a.employee_id == employee_id)
    if not over:
        statement = statement.where(a.state != lit("over"))
    if since:
        statement = statement.where(sa.or_(a.ends_at.is_(None), a.ends_at > since))
    if until is not None:
        statement = statement.where(a.starts_at < until)
    return list(conn.execute(statement.limit(MOST)))


def one(conn: Connection, absence_id: int) -> Any | None:
    """An absence's row, also one that is over."""
    return conn.execute(sa.select(absences).where(absences.c.id == absence_id)).first()


def zone_of(d: directory.Directory, employee_id: int | None = None) -> str:
    """The time zone in which somebody's days begin: that of their team's business hours, or else of the house's first; UTC."""
    own = [team.hours_id for team in d.teams.values() if employee_id in team.members]
    found = [d.hours[number] for number in (*own, *sorted(d.hours)) if number in d.hours]
    return found[0].zone if found else "UTC"


def read_moment(text: str, zone: str, *, end: bool = False) -> int | None:
    """Milliseconds of an RFC 3339 time or of a plain date: when that day begins in the zone (``end``: ends). None for anything else."""
    if not _DATE.fullmatch(text.strip()):
        at = parse_time(text)
        return at if at is not None and 0 < at < LATEST else None
    try:
        day = date.fromisoformat(text.strip()) + timedelta(days=1 if end else 0)
        at = int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    return at if 0 < at < LATEST else None


def add(
    conn: Connection,
    actor: Actor,
    employee_id: int,
    starts_at: int,
    ends_at: int | None,
    *,
    kind: str = "leave",
    note: str = "",
    deputy_id: int | None = None,
) -> int:
    """Plan an absence; its id. Raises `accounts.Invalid`, `NotFound`, `Forbidden`: others' only supervisors may plan."""
    _may(actor, employee_id)
    _check(conn, employee_id, starts_at, ends_at, kind, deputy_id)
    number = allocate(conn, "people", 1)[0]
    conn.execute(
        sa.insert(absences).values(
            id=number,
            employee_id=employee_id,
            deputy_id=deputy_id,
            kind=kind,
            note=clean_line(note, 200),
            starts_at=starts_at,
            ends_at=ends_at,
            state="planned",
            created_at=now(),
        )
    )
    _changed(conn, actor, employee_id, number, "absence.added")
    return number


def change(conn: Connection, actor: Actor, absence_id: int, values: dict[str, Any]) -> None:
    """Change starts_at, ends_at, kind, note or deputy_id. Raises as `add`; what is over stays as it was."""
    row = _one(conn, actor, absence_id)
    new = {name: values.get(name, getattr(row, name)) for name in ("starts_at", "ends_at", "kind", "note", "deputy_id")}
    moved = new["starts_at"] != row.starts_at
    if moved and _has_begun(row):
        raise accounts.Invalid("It has begun already: only its end and the deputy can change.")
    _check(conn, row.employee_id, new["starts_at"], new["ends_at"], new["kind"], new["deputy_id"])
    new["note"] = clean_line(new["note"], 200)
    if moved:
        new["created_at"] = now()  # since then the house knows it so, see `assignment.lost`
    conn.execute(sa.update(absences).where(absences.c.id == absence_id).values(new))
    _changed(conn, actor, row.employee_id, absence_id, "absence.changed")


def remove(conn: Connection, actor: Actor, absence_id: int) -> None:
    """Call off what has not begun; end now what has. Raises `NotFound`, `Forbidden`."""
    row = _one(conn, actor, absence_id)
    if not _has_begun(row):
        conn.execute(sa.delete(absences).where(absences.c.id == absence_id))
    elif row.ends_at is None or row.ends_at > now():
        conn.execute(sa.update(absences).where(absences.c.id == absence_id).values(ends_at=now()))
    _changed(conn, actor, row.employee_id, absence_id, "absence.removed")


def _has_begun(row: Any) -> bool:
    """By the clock: whoever decides looks at that too, even before `turn` has come by."""
    return bool(row.state != "planned" or row.starts_at <= now())


def _one(conn: Connection, actor: Actor, absence_id: int) -> Any:
    """Held until the commit, as `turn` holds what it looks at."""
    statement = sa.select(absences).where(absences.c.id == absence_id)
    row = conn.execute(statement.with_for_update() if is_postgres(conn) else statement).first()
    if row is None or row.state == "over":
        raise NotFound
    _may(actor, row.employee_id)
    return row


def _may(actor: Actor, employee_id: int) -> None:
    if employee_id != actor.id and not actor.sees_all:
        raise Forbidden("Your own absences you plan yourself; those of others a supervisor or administrator plans.")


def _check(
    conn: Connection, employee_id: int, starts_at: int, ends_at: int | None, kind: str, deputy_id: int | None
) -> None:
    if kind not in KINDS:
        raise accounts.Invalid(f"There is no kind of absence “{kind}”. There are: {', '.join(KINDS)}.")
    if ends_at is not None and ends_at <= starts_at:
        raise accounts.Invalid("The absence ends before it begins; give an end after its start, or none.")
    if deputy_id == employee_id:
        raise accounts.Invalid("Nobody is their own deputy; choose somebody else.")
    wanted = {employee_id, *([deputy_id] if deputy_id is not None else [])}
    e = employees.c
    known = set(conn.execute(sa.select(e.id).where(among(e.id, sorted(wanted)), e.disabled_at.is_(None))).scalars())
    if missing := wanted - known:
        raise accounts.Invalid(f"There is no active employee {', '.join(str(n) for n in sorted(missing))}.")


def _changed(conn: Connection, actor: Actor, employee_id: int, absence_id: int, kind: str) -> None:
    directory.bump(conn)
    data = {"employee": str(employee_id), "absence": str(absence_id)}
    events.append(conn, [NewEvent(kind, actor_id=actor.id, data=data)])


# ── what time brings ──────────────────────────────────────────────────────────────────────────────────────────────────
class _Due(Struct, frozen=True):
    """What is to be done now: absences that begin and end, who is gone with them, who is back, who does not work here any more."""

    begun: tuple[int, ...]
    ended: tuple[int, ...]
    gone: tuple[int, ...]
    back: tuple[int, ...]
    left: tuple[int, ...]


def turn(conn: Connection) -> int:
    """Begin and end absences whose time has come, pass on what the absent and those who left hold; how many events that made.

    What the absent held when they went is passed on once; what somebody gives them by hand afterwards stays with them.
    """
    at = now()
    due = _due(conn, at)
    d = directory.current(conn)
    theirs, covered = _held_by(conn, (*due.gone, *due.left)), _covered_for(conn, due.back)
    held = conversations.lock_for(conn, [*theirs, *covered], [], [], 0) if theirs or covered else []
    returned = [home for home in held if home.covering_id in due.back]
    for home in returned:
        _give_back(d, home, at)
    conversations.save(conn, returned)
    asked = [
        Again(home, (("gone", d.employees[home.assignee_id or 0].name),) if home.assignee_id in due.gone else ())
        for home in held
        if home.status == "open" and home.assignee_id in (*due.gone, *due.left) and assignment.lost(d, home, at)
    ]
    _finish(conn, due, all_gone=len(theirs) < AT_ONCE or not asked, all_back=len(covered) < AT_ONCE)
    news = [told(home) for home in returned if home.moved] + reroute(conn, asked)
    events.append(conn, news)
    return len(news)


def _due(conn: Connection, at: int) -> _Due:
    """Looked up, and held in the order absences, directory, so that nobody changes them meanwhile."""
    a = absences.c
    statement = sa.select(absences).where(
        a.state != lit("over"),
        sa.or_(
            sa.and_(a.state == lit("planned"), a.starts_at <= at),
            a.state == lit("begun"),
            sa.and_(a.state == lit("on"), a.ends_at <= at),
        ),
    )
    if is_postgres(conn):
        statement = statement.with_for_update()
    rows = conn.execute(statement.order_by(a.id)).all()
    if rows:
        directory.bump(conn)
    fresh = [row.id for row in rows if row.state == "planned"]
    if fresh:
        conn.execute(sa.update(absences).where(among(a.id, fresh)).values(state="begun"))
    d = directory.current(conn)
    begun = [row for row in rows if row.state != "on"]
    ended = [row for row in rows if row.ends_at is not None and row.ends_at <= at]
    return _Due(
        tuple(row.id for row in begun),
        tuple(row.id for row in ended),
        tuple(sorted({row.employee_id for row in begun if d.absence(row.employee_id, at) is not None})),
        tuple(sorted({row.employee_id for row in ended if d.absence(row.employee_id, at) is None})),
        tuple(sorted(number for number, person in d.employees.items() if person.disabled)),
    )


def _finish(conn: Connection, due: _Due, *, all_gone: bool, all_back: bool) -> None:
    """Note how far the absences have come; where something is left to pass on, the next run goes on."""
    for ids, state, done in ((due.begun, "on", all_gone), (due.ended, "over", all_back)):
        if ids and done:
            conn.execute(sa.update(absences).where(among(absences.c.id, ids)).values(state=state))


def _held_by(conn: Connection, people: Sequence[int]) -> list[int]:
    """Their open conversations, those they have had longest first; at most `AT_ONCE`."""
    c = table.c
    theirs = sa.select(c.id).where(c.status == lit("open"), c.assignee_id.is_not(None), among(c.assignee_id, people))
    longest = theirs.order_by(sa.func.coalesce(c.assigned_at, 0), c.id).limit(AT_ONCE)
    return list(conn.execute(longest).scalars()) if people else []


def _covered_for(conn: Connection, people: Sequence[int]) -> list[int]:
    """What others have in their name; at most `AT_ONCE`."""
    c = table.c
    covered = sa.select(c.id).where(c.covering_id.is_not(None), among(c.covering_id, people))
    return list(conn.execute(covered.order_by(c.id).limit(AT_ONCE)).scalars()) if people else []


def _give_back(d: directory.Directory, home: Current, at: int) -> None:
    """It is theirs again; what is closed, or was of somebody who cannot take it any more, stays where it is."""
    person = d.employees[home.covering_id or 0]
    home.covering_id, home.touched = None, True
    if home.status != "closed" and not person.disabled and person.role != "light":
        steps: tuple[Step, ...] = (("back", person.name),)
        assignment.give(home, Decision(person.id, home.team_id, steps), at)


def silent(conn: Connection) -> int:
    """Pass on what its assignee has not answered within the team's limit of business time; how many events that made."""
    d, at = directory.current(conn), now()
    ids: list[int] = []
    for team in d.teams.values():
        if team.silent_minutes and hours.is_open(d.hours_of(team.hours_id), at):
            ids += _waiting_long(conn, team, at)
    asked = [
        Again(home, (step,), frozenset({home.assignee_id or 0}))
        for home in (conversations.lock_for(conn, ids, [], [], 0) if ids else ())
        if (step := _silence(d, home, at)) is not None
    ]
    news = reroute(conn, asked)
    events.append(conn, news)
    return len(news)


def _waiting_long(conn: Connection, team: directory.Team, at: int) -> list[int]:
    c, limit = table.c, team.silent_minutes * 60_000
    late = sa.select(c.id).where(
        c.team_id == team.id,
        c.status == lit("open"),
        c.assignee_id.is_not(None),
        c.waiting_since <= at - limit,
        sa.or_(c.assigned_at.is_(None), c.assigned_at <= at - limit),
    )
    return list(conn.execute(late.order_by(c.waiting_since).limit(AT_ONCE)).scalars())


def _silence(d: directory.Directory, home: Current, at: int) -> Step | None:
    """Has the assignee been silent too long, in business time? Looked at once more behind the lock."""
    team, person = d.teams.get(home.team_id or 0), d.employees.get(home.assignee_id or 0)
    if team is None or person is None or home.status != "open" or home.waiting_since is None:
        return None
    since = max(home.waiting_since, home.assigned_at or 0)
    limit = team.silent_minutes
    if not limit or hours.between(d.hours_of(team.hours_id), since, at) < limit * 60_000:
        return None
    return ("silent", person.name, limit)
