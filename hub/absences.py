"""Absences: while somebody is away their deputy acts, and what was theirs comes back to them when they return.

planned → begun (their open conversations are being passed on) → on → over (what their deputies hold has been handed back).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, conversations, directory, events, hours
from hub.access import Actor, Forbidden
from hub.assignment import Again, reroute, told
from hub.clock import now
from hub.conversations import Current
from hub.events import NewEvent
from hub.outbox import NotFound
from hub.routing import Decision, Step
from hub.sql import allocate, among, lit
from hub.tables import absences, employees
from hub.tables import conversations as table
from hub.text import clean_line

#: Conversations that one run passes on; the next run does the next ones.
AT_ONCE = 200
#: Kinds of absence; ``sick`` is shown as absent to colleagues all the same.
KINDS = ("leave", "sick", "training", "other")


def listing(conn: Connection, employee_id: int | None = None, *, over: bool = False) -> list[Any]:
    """Absences by their beginning: of one employee or of all; those that are over only when asked for."""
    a = absences.c
    statement = sa.select(absences).order_by(a.starts_at, a.id)
    if employee_id is not None:
        statement = statement.where(a.employee_id == employee_id)
    if not over:
        statement = statement.where(a.state != lit("over"))
    return list(conn.execute(statement))


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
    if row.state != "planned" and new["starts_at"] != row.starts_at:
        raise accounts.Invalid("It has begun already: only its end and the deputy can change.")
    _check(conn, row.employee_id, new["starts_at"], new["ends_at"], new["kind"], new["deputy_id"])
    new["note"] = clean_line(new["note"], 200)
    conn.execute(sa.update(absences).where(absences.c.id == absence_id).values(new))
    _changed(conn, actor, row.employee_id, absence_id, "absence.changed")


def remove(conn: Connection, actor: Actor, absence_id: int) -> None:
    """Call off what has not begun; end now what has. Raises `NotFound`, `Forbidden`."""
    row = _one(conn, actor, absence_id)
    if row.state == "planned":
        conn.execute(sa.delete(absences).where(absences.c.id == absence_id))
    else:
        conn.execute(sa.update(absences).where(absences.c.id == absence_id).values(ends_at=now()))
    _changed(conn, actor, row.employee_id, absence_id, "absence.removed")


def _one(conn: Connection, actor: Actor, absence_id: int) -> Any:
    row = conn.execute(sa.select(absences).where(absences.c.id == absence_id)).first()
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
def turn(conn: Connection) -> int:
    """Begin and end absences whose time has come, pass on what the absent and those who left hold; how many moved."""
    at = now()
    _begin(conn, at)
    news = _pass_on(conn, at) + _hand_back(conn, at) + _leavers(conn)
    events.append(conn, news)
    return len(news)


def _begin(conn: Connection, at: int) -> None:
    a = absences.c
    due = sa.update(absences).where(a.state == lit("planned"), a.starts_at <= at)
    if conn.execute(due.values(state="begun")).rowcount:
        directory.bump(conn)


def _pass_on(conn: Connection, at: int) -> list[NewEvent]:
    """What the absent held when they went, once: what somebody gives them by hand afterwards stays with them."""
    a = absences.c
    begun = [
        row.employee_id
        for row in conn.execute(sa.select(a.employee_id).where(a.state == lit("begun"), a.starts_at <= at))
    ]
    if not begun:
        return []
    held = _open_of(conn, begun)
    names = directory.current(conn).employees
    news = reroute(conn, [Again(home, (("gone", names[home.assignee_id or 0].name),)) for home in held])
    if len(held) < AT_ONCE:
        conn.execute(sa.update(absences).where(a.state == lit("begun"), a.starts_at <= at).values(state="on"))
    return news


def _leavers(conn: Connection) -> list[NewEvent]:
    """What people hold who do not work here any more."""
    people = directory.current(conn).employees
    gone = sorted(number for number, person in people.items() if person.disabled)
    held = _open_of(conn, gone) if gone else []
    return reroute(conn, [Again(home) for home in held])


def _open_of(conn: Connection, people: Sequence[int]) -> list[Current]:
    """Their open conversations, held until the commit; at most `AT_ONCE`."""
    c = table.c
    theirs = sa.select(c.id).where(c.status == lit("open"), c.assignee_id.is_not(None), among(c.assignee_id, people))
    found = conversations.lock_for(conn, list(conn.execute(theirs.limit(AT_ONCE)).scalars()), [], [], 0)
    return [home for home in found if home.status == "open" and home.assignee_id in people]


def _hand_back(conn: Connection, at: int) -> list[NewEvent]:
    """What deputies hold for those who are back, unless it is closed."""
    a, c = absences.c, table.c
    ended = sa.select(a.id, a.employee_id).where(a.state != lit("over"), a.state != lit("planned"), a.ends_at <= at)
    rows = conn.execute(ended).all()
    d = directory.current(conn)
    back = sorted({row.employee_id for row in rows if d.absence(row.employee_id, at) is None})
    theirs = sa.select(c.id).where(c.covering_id.is_not(None), among(c.covering_id, back), c.status != lit("closed"))
    found = conversations.lock_for(conn, list(conn.execute(theirs.limit(AT_ONCE)).scalars()), [], [], 0) if back else []
    held = [home for home in found if home.covering_id in back and home.status != "closed"]
    for home in held:
        _give_back(d, home, at)
    conversations.save(conn, held)
    if rows and len(held) < AT_ONCE:
        conn.execute(sa.update(absences).where(among(a.id, [row.id for row in rows])).values(state="over"))
        directory.bump(conn)
    return [told(home) for home in held]


def _give_back(d: directory.Directory, home: Current, at: int) -> None:
    person = d.employees[home.covering_id or 0]
    steps: tuple[Step, ...] = (("back", person.name),)
    home.assignee_id, home.covering_id, home.assigned_at = person.id, None, at
    home.reason, home.touched = Decision(None, None, steps).reason, True


def silent(conn: Connection) -> int:
    """Pass on what its assignee has not answered within the team's limit of business time; how many moved."""
    d, at = directory.current(conn), now()
    asked: list[Again] = []
    for team in d.teams.values():
        opened = d.hours_of(team.hours_id)
        if team.silent_minutes and hours.is_open(opened, at):
            asked += _silent(conn, d, team, opened, at)
    news = reroute(conn, asked)
    events.append(conn, news)
    return len(news)


def _silent(
    conn: Connection, d: directory.Directory, team: directory.Team, opened: hours.Hours | None, at: int
) -> list[Again]:
    c, limit = table.c, team.silent_minutes * 60_000
    late = sa.select(c.id).where(
        c.team_id == team.id,
        c.status == lit("open"),
        c.assignee_id.is_not(None),
        c.waiting_since <= at - limit,
        c.assigned_at <= at - limit,
    )
    ids = list(conn.execute(late.order_by(c.waiting_since).limit(AT_ONCE)).scalars())
    found = []
    for home in conversations.lock_for(conn, ids, [], [], 0) if ids else []:
        since = max(home.waiting_since or at, home.assigned_at or at)
        if home.assignee_id in d.employees and hours.between(opened, since, at) >= limit:
            step: Step = ("silent", d.employees[home.assignee_id].name, team.silent_minutes)
            found.append(Again(home, (step,), frozenset({home.assignee_id})))
    return found
