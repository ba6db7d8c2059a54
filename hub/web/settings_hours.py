"""/settings/hours: when the house is open, written as people write it, with what that means for the next seven days."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import hours, levels
from hub.access import Actor, require
from hub.accounts import Invalid
from hub.clock import now
from hub.hours import Hours
from hub.http import HOUSE, Form, read_form
from hub.outbox import NotFound
from hub.web import forms, settings
from hub.web.forms import Trouble, Wrong
from hub.web.rendering import words_for
from hub.web.screens import number_in

PATH = "/settings/hours"
FIELDS = ("name", "zone", "region", *hours.DAYS, "exceptions")
#: What is offered for the zone; any other may be typed.
ZONES = (
    "Europe/Berlin", "Europe/Vienna", "Europe/Zurich", "Europe/London", "Europe/Paris", "Europe/Amsterdam", "Europe/Madrid",
    "Europe/Rome", "Europe/Warsaw", "Europe/Stockholm", "Europe/Helsinki", "Europe/Athens", "Europe/Istanbul",
    "America/New_York", "America/Chicago", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney", "UTC",
)  # fmt: skip
_LINE = re.compile(r"\s*(\d{4}-\d{2}-\d{2})\s*[: ]\s*(.*)")
CLOSED = ("", "-", "–", "closed", "geschlossen", "zu")


class Line(Struct, frozen=True):
    """Business hours in the list."""

    hours: Hours
    open: bool
    week: tuple[tuple[str, str], ...]


class Day(Struct, frozen=True):
    """A day of the preview and when it is open, in the zone of the hours."""

    day: date
    spans: str


def next_days(found: Hours, moment: int, count: int = 7) -> tuple[Day, ...]:
    """When it is open on the next days, beginning with today."""
    zone = ZoneInfo(found.zone)
    today = datetime.fromtimestamp(moment / 1000, zone).date()
    days = []
    for day in (today + timedelta(days=n) for n in range(count)):
        begin, end = (
            int(datetime.combine(d, datetime.min.time(), zone).timestamp() * 1000)
            for d in (day, day + timedelta(days=1))
        )
        spans, at = [], begin
        while (start := hours.next_open(found, at)) is not None and start < end:
            stop = hours.closes_at(found, start) or end
            spans.append(f"{_clock(start, zone)}-{_clock(stop, zone) if stop < end else '24:00'}")
            at = stop
            if stop >= end:
                break
        days.append(Day(day, ", ".join(spans)))
    return tuple(days)


def _clock(ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, zone):%H:%M}"


async def hours_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/hours"""
    require(actor, "routing")
    found = await request.app[HOUSE].hub.db.read(levels.all_hours)
    moment = now()
    lines = [Line(h, hours.is_open(h, moment), _week(h)) for h in found]
    name = words_for(request, actor).text("Business hours")
    return await settings.page(request, actor, "hours.j2", "hours", name, lines=lines)


def _week(found: Hours) -> tuple[tuple[str, str], ...]:
    """Days that are alike together: (first–last, when)."""
    groups: list[list[Any]] = []
    for name, day in zip(hours.DAYS, found.week, strict=True):
        said = hours.spell(day)
        if groups and groups[-1][2] == said:
            groups[-1][1] = name
        else:
            groups.append([name, name, said])
    return tuple((first if first == last else f"{first}-{last}", said) for first, last, said in groups)


def _one(conn: Connection, number: int) -> Hours:
    found = levels.one_hours(conn, number)
    if found is None:
        raise NotFound
    return found


async def one_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /settings/hours/<id> and /settings/hours/new"""
    require(actor, "routing")
    return await _form(request, actor)


async def _form(
    request: web.Request,
    actor: Actor,
    form: Form | None = None,
    troubles: tuple[Trouble, ...] = (),
    preview: Hours | None = None,
) -> web.Response:
    words = words_for(request, actor)
    found = None
    if "number" in request.match_info:
        found = await request.app[HOUSE].hub.db.read(_one, number_in(request))
    usual = dict.fromkeys(hours.DAYS[:5], "09:00-17:00")
    plain: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"zone": request.cookies.get("tz", "")[:60].replace("%2F", "/")}
    plain |= usual
    if found is not None:
        plain = {"name": found.name, "zone": found.zone, "region": found.region}
        plain |= {day: hours.spell(spans) for day, spans in zip(hours.DAYS, found.week, strict=True)}
        special = hours.exceptions_form(found)
        plain["exceptions"] = "\n".join(f"{day}: {', '.join(s) or words.text('closed')}" for day, s in special.items())
    shown = preview or (found if not troubles else None)
    return await settings.page(
        request, actor, "hours_form.j2", "hours", found.name if found else words.text("New business hours"),
        status=422 if troubles else 200, troubles=troubles, found=found, zones=ZONES,
        v=settings.given(form, plain, forms.kept(form) if form else {}), zone=shown.zone if shown else "",
        preview=next_days(shown, now()) if shown else (),
    )  # fmt: skip


def _spans(given: str) -> list[str]:
    """Intervals as `hours.parse` wants them, of what people write: “8-12, 13:00 – 17:30”."""
    found = []
    for part in forms.parts(given):
        pieces = re.split(r"\s*(?:-|–|—|bis|to)\s*", part.strip().removesuffix("Uhr").strip())
        found.append("-".join(_time(piece) for piece in pieces))
    return found


def _time(text: str) -> str:
    hour, _, minute = text.strip().replace(".", ":").partition(":")
    return f"{hour.zfill(2)}:{minute or '00'}" if hour.isdecimal() else text


def _read(form: Form) -> dict[str, Any]:
    """What the form says, as `levels` takes it. Raises `Wrong`."""
    week = {day: spans for day in hours.DAYS if (spans := _spans(_unless_closed(forms.word(form, day))))}
    exceptions: dict[str, list[str]] = {}
    for line in forms.text(form, "exceptions").splitlines():
        if not line.strip():
            continue
        match = _LINE.fullmatch(line if ":" in line[10:] or " " in line.strip() else f"{line.strip()}:")
        if match is None:
            raise Wrong(
                "exceptions", "Begin each line with a date, like 2026-12-24: 08:00-12:00 or 2026-12-31: closed."
            )
        exceptions[match[1]] = _spans(_unless_closed(match[2]))
    return {
        "name": forms.word(form, "name", 120),
        "zone": forms.word(form, "zone", 60),
        "region": forms.word(form, "region", 20).upper(),
        "week": week,
        "exceptions": exceptions,
    }


def _unless_closed(given: str) -> str:
    return "" if given.strip().lower() in CLOSED else given


async def save(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/hours/<id> and …/new; with ``preview`` nothing is kept."""
    require(actor, "routing")
    form = await read_form(request)
    fresh = "number" not in request.match_info

    def work(conn: Connection) -> None:
        given = _read(form)
        if fresh:
            levels.add_hours(conn, **given, actor_id=actor.id)
        elif not levels.change_hours(conn, number_in(request), given, actor.id):
            raise NotFound

    try:
        if "preview" in form:
            given = _read(form)
            shown = hours.parse(0, **{**given, "name": given["name"] or "?"})
            return await _form(request, actor, form, preview=shown)
        await request.app[HOUSE].hub.db.write(work)
    except (Wrong, ValueError) as error:
        wrong = forms.trouble(words_for(request, actor), error, FIELDS)
        return await _form(request, actor, form, (wrong,))
    return await settings.changed(request, PATH, "added" if fresh else "saved")


async def remove(request: web.Request, actor: Actor) -> web.StreamResponse:
    """POST /settings/hours/<id>/remove"""
    require(actor, "routing")
    try:
        if not await request.app[HOUSE].hub.db.write(levels.remove_hours, number_in(request), actor.id):
            raise NotFound
    except Invalid as error:
        wrong = forms.trouble(words_for(request, actor), error, ())
        return await _form(request, actor, None, (wrong,))
    return await settings.changed(request, PATH, "removed")
