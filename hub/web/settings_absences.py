"""/settings/absences: who is away when and who stands in; one's own, and for supervisors everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import absences, directory
from hub.access import Actor
from hub.accounts import Invalid
from hub.directory import Directory
from hub.http import HOUSE, Form, read_form
from hub.outbox import NotFound
from hub.tables import absences as table
from hub.text import by_name
from hub.web import forms, settings
from hub.web.forms import Trouble, Wrong
from hub.web.rendering import when_for, words_for
from hub.web.screens import number_in, positive
from hub.web.settings_people import colleagues
from hub.web.when import When

PATH = "/settings/absences"
FIELDS = ("who", "from", "until", "from_time", "until_time", "kind", "note", "deputy")
#: Absences of one month that are drawn.
MOST = 1000
DAY = 86_400_000


class Cell(Struct, frozen=True):
    """One field of the calendar, ``span`` days wide. ``away``: the absence's row; ``before`` and ``after``: it goes on there."""

    span: int = 1
    weekend: bool = False
    today: bool = False
    away: Any = None
    deputy: str = ""
    before: bool = False
    after: bool = False


class Lane(Struct, frozen=True):
    """One line of the calendar; the first of a person's carries the name and says how many there are."""

    name: str
    rows: int
    cells: tuple[Cell, ...]


class Month(Struct, frozen=True):
    """A month as a table: its days, and who is away when."""

    first: date
    days: tuple[Cell, ...]
    lanes: tuple[Lane, ...]
    before: str
    after: str


def _month_of(text: str, today: date) -> date:
    try:
        found = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError:
        return today.replace(day=1)
    return found if 2000 <= found.year < 2100 else today.replace(day=1)


def _next(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def draw(month: date, rows: Sequence[Any], d: Directory, when: When) -> Month:
    """The calendar of a month. What overlaps of one person stands in lines below each other."""
    days = [month + timedelta(days=n) for n in range((_next(month) - month).days)]
    plain = tuple(Cell(weekend=day.weekday() > 4, today=day == when.today) for day in days)
    spans: dict[int, list[tuple[int, int, Any]]] = {}
    for row in rows:
        first, last = (
            when.local_day(row.starts_at),
            when.local_day(row.ends_at - 1) if row.ends_at is not None else date.max,
        )
        start, stop = max((first - month).days, 0), min((last - month).days, len(days) - 1)
        if start <= stop:
            spans.setdefault(row.employee_id, []).append((start, stop, row))
    lanes: list[Lane] = []
    for number in sorted(spans, key=lambda n: (by_name(d.employees[n].name), n)):
        rows_of = _apart(sorted(spans[number], key=lambda s: (s[0], s[1])))
        for place, line in enumerate(rows_of):
            cells = _cells(line, plain, d, month, when)
            lanes.append(Lane(d.employees[number].name if place == 0 else "", len(rows_of), cells))
    before = month - timedelta(days=1)
    return Month(month, plain, tuple(lanes), f"{before:%Y-%m}", f"{_next(month):%Y-%m}")


def _apart(spans: list[tuple[int, int, Any]]) -> list[list[tuple[int, int, Any]]]:
    """The spans in as few lines as keep them from overlapping."""
    lines: list[list[tuple[int, int, Any]]] = []
    for span in spans:
        line = next((found for found in lines if found[-1][1] < span[0]), None)
        if line is None:
            lines.append([span])
        else:
            line.append(span)
    return lines


def _cells(
    line: list[tuple[int, int, Any]], plain: tuple[Cell, ...], d: Directory, month: date, when: When
) -> tuple[Cell, ...]:
    cells: list[Cell] = []
    at = 0
    for start, stop, row in line:
        cells += plain[at:start]
        deputy = row.deputy_id or d.employees[row.employee_id].deputy_id
        name = d.employees[deputy].name if deputy in d.employees else ""
        last = when.local_day(row.ends_at - 1) if row.ends_at is not None else date.max
        goes_on = last >= _next(month)
        cells.append(
            Cell(stop - start + 1, away=row, deputy=name, before=when.local_day(row.starts_at) < month, after=goes_on)
        )
        at = stop + 1
    return (*cells, *plain[at:])


class Listed(Struct, frozen=True):
    """What the page shows: the month's absences, and what is running or planned."""

    d: Directory
    month: list[Any]
    coming: list[Any]


def _listed(conn: Connection, actor: Actor, first: int, last: int) -> Listed:
    a = table.c
    mine = None if actor.sees_all else actor.id
    within = sa.select(table).where(a.starts_at < last, sa.or_(a.ends_at.is_(None), a.ends_at > first))
    if mine is not None:
        within = within.where(a.employee_id == mine)
    d = directory.current(conn)
    rows = [
        row for row in conn.execute(within.order_by(a.starts_at, a.id).limit(MOST)) if row.employee_id in d.employees
    ]
    coming = [row for row in absences.listing(conn, mine) if row.employee_id in d.employees]
    return Listed(d, rows, coming[:MOST])


async def absences_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/absences?month=2026-11"""
    words = words_for(request, actor)
    when = when_for(request, words)
    month = _month_of(request.query.get("month", ""), when.today)
    first, last = when.begin(month), when.begin(_next(month))
    found = await request.app[HOUSE].hub.db.read(_listed, actor, first, last)
    return await settings.page(
        request, actor, "absences.j2", "absences", words.text("Absences"), month=draw(month, found.month, found.d, when),
        coming=found.coming, d=found.d, all_of_them=actor.sees_all,
    )  # fmt: skip


# ── one absence ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def absence_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/absences/<id> and /settings/absences/new"""
    return await _absence(request, actor)


def _one(conn: Connection, actor: Actor, number: int) -> Any:
    row = conn.execute(sa.select(table).where(table.c.id == number)).first()
    if row is None or row.state == "over" or not (actor.sees_all or row.employee_id == actor.id):
        raise NotFound
    return row


async def _absence(
    request: web.Request, actor: Actor, form: Form | None = None, troubles: tuple[Trouble, ...] = ()
) -> web.Response:
    db, words = request.app[HOUSE].hub.db, words_for(request, actor)
    when = when_for(request, words)
    d = await db.read(directory.current)
    row = await db.read(_one, actor, number_in(request)) if "number" in request.match_info else None
    plain: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"kind": "leave", "from": when.today.isoformat()}
    plain["who"] = positive(request.query.get("who", "")) or actor.id
    if row is not None:
        plain |= {"who": row.employee_id, "kind": row.kind, "note": row.note, "deputy": row.deputy_id or ""}
        plain |= {"from": when.local_day(row.starts_at).isoformat(), "from_time": _time(when, row.starts_at)}
    if row is not None and row.ends_at is not None:
        time = _time(when, row.ends_at)
        plain |= {"until": when.local_day(row.ends_at if time else row.ends_at - 1).isoformat(), "until_time": time}
    person = d.employees.get(int(plain["who"]))
    name = (
        words.text("Absence of {who}", who=person.name) if row is not None and person else words.text("Plan an absence")
    )
    return await settings.page(
        request, actor, "absence.j2", "absences", name, status=422 if troubles else 200, troubles=troubles, row=row,
        v=settings.given(form, plain, forms.kept(form) if form else {}), people=colleagues(d), d=d,
        all_of_them=actor.sees_all, kinds=absences.KINDS,
    )  # fmt: skip


def _time(when: When, ms: int) -> str:
    """The time of day for its field; empty at midnight: then it is the whole day."""
    time = when.time(ms)
    return "" if time == "00:00" else time


def _moment(form: Form, when: When, name: str) -> int | None:
    """What a date and, if given, its time say. A day without a time counts whole. Raises `Wrong`."""
    day, time = forms.word(form, name, 10), forms.word(form, f"{name}_time", 5)
    if not day:
        return None
    try:
        first = date.fromisoformat(day)
    except ValueError as error:
        raise Wrong(name, "This is no date; write it like 2026-11-24.") from error
    if not 2000 <= first.year < 2100:
        raise Wrong(name, "This is no date; write it like 2026-11-24.")
    found = when.read_local(f"{first.isoformat()}T{time or '00:00'}")
    if found is None:
        raise Wrong(f"{name}_time", "This is no time; write it like 13:30.")
    return found if time or name == "from" else when.begin(first + timedelta(days=1))


async def save_absence(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/absences/<id> and /settings/absences/new"""
    form, words = await read_form(request), words_for(request, actor)
    when = when_for(request, words)
    fresh = "number" not in request.match_info

    def work(conn: Connection) -> None:
        starts, ends = _moment(form, when, "from"), _moment(form, when, "until")
        if starts is None:
            raise Wrong("from", "Say on which day it begins.")
        given = {
            "kind": forms.word(form, "kind", 20),
            "note": forms.word(form, "note"),
            "deputy_id": forms.chosen(form, "deputy"),
        }
        if fresh:
            absences.add(conn, actor, forms.chosen(form, "who") or actor.id, starts, ends, **given)  # type: ignore[arg-type]
        else:
            absences.change(conn, actor, number_in(request), {**given, "starts_at": starts, "ends_at": ends})

    try:
        await request.app[HOUSE].hub.db.write(work)
    except (Invalid, Wrong) as error:
        wrong = forms.trouble(words, error, FIELDS)
        said = str(error)
        guess = "deputy" if "deputy" in said else "kind" if "kind" in said else "from" if "begun" in said else "until"
        return await _absence(request, actor, form, (Trouble(wrong.field or guess, wrong.words),))
    return await settings.changed(request, PATH, "added" if fresh else "saved")


async def end_absence(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/absences/<id>/end: what has begun ends now, what has not is called off."""
    number = number_in(request)

    def work(conn: Connection) -> bool:
        planned = bool(_one(conn, actor, number).state == "planned")
        absences.remove(conn, actor, number)
        return planned

    planned = await request.app[HOUSE].hub.db.write(work)
    return await settings.changed(request, PATH, "cancelled" if planned else "ended")
