"""Business hours: when a house is open, and how long a time is when only open time counts.

A moment is open when its wall-clock time in the zone lies in an interval of its local date, or in the rest past midnight of an
interval of the date before. Everything else follows from that, also the two days a year on which the clocks change: a wall-clock time
that comes twice is open twice, one that never comes is never open. Times are milliseconds UTC; hours of None are always open.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

#: (start, end) in minutes of the local day; an end over 1440 lies on the next one.
Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE = 60_000
DAY = 1440 * MINUTE
#: How far ahead the next opening is looked for (days).
AHEAD = 366
#: After so many days a deadline counts as never.
NEVER = 3660
#: The most exceptions that hours may have.
MOST_EXCEPTIONS = 1000
_EPOCH = date(1970, 1, 1).toordinal()
_TEXT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")


class Hours(Struct, frozen=True, eq=False):
    """When somebody is there. ``week`` holds the intervals of Monday to Sunday, ``exceptions`` those of single dates (ISO).

    ``region`` is a country or its subdivision (``DE``, ``DE-NI``) whose public holidays are closed, empty for none; an exception
    for that date overrules them. Compared and hashed by identity, so that what is computed of it can be kept.
    """

    id: int
    name: str
    zone: str
    region: str
    week: tuple[Intervals, ...]
    exceptions: Mapping[str, Intervals]


def is_open(hours: Hours | None, at: int) -> bool:
    """Is it open at this moment?"""
    if hours is None:
        return True
    spans = _spans(hours, at // DAY)
    place = bisect_right(spans, at, key=_start) - 1
    return place >= 0 and at < spans[place][1]


def next_open(hours: Hours | None, at: int) -> int | None:
    """The first open moment from ``at`` on, ``at`` itself when open; None when there is none within `AHEAD` days."""
    if hours is None:
        return at
    return next((max(start, at) for start, _ in _from(hours, at, AHEAD)), None)


def closes_at(hours: Hours | None, at: int) -> int | None:
    """When the time that is open at ``at`` ends; None when it is closed now, or never closes within `AHEAD` days."""
    if hours is None:
        return None
    closing: int | None = None
    for start, end in _from(hours, at, AHEAD):
        if start != closing and (closing is not None or start > at):
            break
        closing = end
    return closing if closing is not None and closing < (at // DAY + AHEAD + 1) * DAY else None


def add(hours: Hours | None, at: int, business_ms: int) -> int | None:
    """The earliest moment by which ``business_ms`` of open time have passed since ``at``; None when that is never (`NEVER`)."""
    if hours is None or business_ms <= 0:
        return at + max(business_ms, 0)
    if next_open(hours, at) is None:
        return None
    left = business_ms
    for start, end in _from(hours, at, NEVER):
        start = max(start, at)
        if left <= end - start:
            return start + left
        left -= end - start
    return None


def between(hours: Hours | None, a: int, b: int) -> int:
    """How much of the time from ``a`` to ``b`` is open (milliseconds); 0 when ``b`` is not later."""
    if b <= a:
        return 0
    if hours is None:
        return b - a
    first, last = a // DAY, (b - 1) // DAY
    if first == last:
        return _clipped(_spans(hours, first), a, b)
    total = _clipped(_spans(hours, first), a, b) + _clipped(_spans(hours, last), a, b)
    return total + sum(_total(hours, day) for day in range(first + 1, last))


def _clipped(spans: Intervals, a: int, b: int) -> int:
    return sum(min(end, b) - max(start, a) for start, end in spans if start < b and a < end)


def _start(span: Interval) -> int:
    return span[0]


def _from(hours: Hours, at: int, days: int) -> Iterator[Interval]:
    """What is open on the days (UTC) from ``at`` on and ends later than it."""
    first = at // DAY
    for span in _spans(hours, first):
        if span[1] > at:
            yield span
    for day in range(first + 1, first + days + 1):
        yield from _spans(hours, day)


# A day here is one of UTC, counted from 1970: it always has 24 hours and begins everywhere at once.
@functools.lru_cache(maxsize=16_384)
def _spans(hours: Hours, day: int) -> Intervals:
    """The open times of a UTC day in order, apart from each other (milliseconds UTC)."""
    found = []
    for begin, end, offset in _segments(hours.zone, day):
        for local in range((begin + offset) // DAY - 1, (end + offset - 1) // DAY + 1):
            for start, stop in _intervals(hours, local):
                a = max(begin, local * DAY + start * MINUTE - offset)
                b = min(end, local * DAY + stop * MINUTE - offset)
                if a < b:
                    found.append((a, b))
    return _merged(found)


@functools.lru_cache(maxsize=16_384)
def _total(hours: Hours, day: int) -> int:
    return sum(end - start for start, end in _spans(hours, day))


def _merged(spans: list[Interval]) -> Intervals:
    merged: list[Interval] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


@functools.lru_cache(maxsize=8192)
def _segments(zone: str, day: int) -> tuple[tuple[int, int, int], ...]:
    """The parts (begin, end, offset) of a UTC day between which the zone changes its offset; one on most days."""
    begin, end = day * DAY, (day + 1) * DAY
    before, after = _offset(zone, begin), _offset(zone, end - 1000)
    if before == after:
        return ((begin, end, before),)
    low, high = begin // 1000, end // 1000 - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle * 1000) == before else (low, middle)
    return (begin, high * 1000, before), (high * 1000, end, after)


def _offset(zone: str, at: int) -> int:
    moment = datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    assert moment is not None
    return int(moment.total_seconds()) * 1000


def _intervals(hours: Hours, local: int) -> Intervals:
    """What the hours say about a local date, counted in days from 1970."""
    if hours.exceptions:
        special = hours.exceptions.get(date.fromordinal(_EPOCH + local).isoformat())
        if special is not None:
            return special
    usual = hours.week[(local + 3) % 7]  # day 0 was a Thursday
    if usual and hours.region and _is_holiday(hours.region, local):
        return ()
    return usual


def _is_holiday(region: str, local: int) -> bool:
    day = date.fromordinal(_EPOCH + local)
    return day in _holidays(region, day.year)


@functools.lru_cache(maxsize=1024)
def _holidays(region: str, year: int) -> frozenset[date]:
    """The public holidays of a region. Raises NotImplementedError for one that nobody knows."""
    from holidays import country_holidays  # slow to load, and most houses need one country or none

    country, _, part = region.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))


# ── reading and writing ───────────────────────────────────────────────────────────────────────────────────────────────
def parse(
    number: int,
    name: str,
    zone: str,
    region: str,
    week: Mapping[str, Sequence[str]],
    exceptions: Mapping[str, Sequence[str]],
) -> Hours:
    """Hours from their JSON form: ``{"mon": ["08:00-12:00", "22:00-06:00"]}``, ``{"2026-12-24": []}``.

    An end that is not after its start is on the next day. Raises ValueError with one sentence that names the field.
    """
    if unknown := next((day for day in week if day not in DAYS), None):
        raise ValueError(f"“week”: “{unknown[:40]}” is no day; the days are {', '.join(DAYS)}.")
    days = tuple(_interval_list(f"week.{day}", week.get(day, ())) for day in DAYS)
    special = {day: _interval_list(f"exceptions.{day[:40]}", texts) for day, texts in exceptions.items()}
    return check(Hours(number, name, zone, region, days, special))


def _interval_list(field: str, texts: Sequence[str]) -> Intervals:
    return tuple(sorted(_interval(field, text) for text in texts))


def _interval(field: str, text: str) -> Interval:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"“{field}”: “{text[:40]}” is no time from-to; write it like 08:00-17:30.")
    hour, minute, *end = (int(part) for part in match.groups() if part is not None)
    start, stop = hour * 60 + minute, end[0] * 60 + end[1]
    return start, stop if stop > start else stop + 1440


def check(hours: Hours) -> Hours:
    """The hours themselves. Raises ValueError with one sentence that names the field which is wrong."""
    if len(hours.week) != len(DAYS):
        raise ValueError("“week” must hold the intervals of seven days.")
    _check_zone(hours.zone)
    _check_region(hours.region)
    if len(hours.exceptions) > MOST_EXCEPTIONS:
        raise ValueError(f"“exceptions”: at most {MOST_EXCEPTIONS} dates.")
    for name, day in zip(DAYS, hours.week, strict=True):
        _check_intervals(f"week.{name}", day)
    for text, day in hours.exceptions.items():
        _check_date(text)
        _check_intervals(f"exceptions.{text}", day)
    return hours


def _check_zone(zone: str) -> None:
    try:
        if zone == "localtime":  # another one on every machine
            raise ValueError(zone)
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"“zone”: “{zone[:60]}” is no time zone; write one like Europe/Berlin.") from error


def _check_region(region: str) -> None:
    if not region:
        return
    try:
        if region.endswith("-"):
            raise NotImplementedError(region)
        _holidays(region, 2026)
    except NotImplementedError as error:
        raise ValueError(
            f"“region”: the holidays of “{region[:40]}” are not known; write a country like DE or a part like DE-NI, or nothing."
        ) from error


def _check_date(text: str) -> None:
    try:
        fits = date.fromisoformat(text).isoformat() == text
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"“exceptions”: “{text[:40]}” is no date; write it like 2026-12-24.")


def _check_intervals(field: str, day: Intervals) -> None:
    for start, end in day:
        if not 0 <= start < 1440 or not start < end <= start + 1440:
            raise ValueError(
                f"“{field}”: an interval begins within its day and lasts more than 0 and at most 24 hours."
            )
    for (_, end), (start, _) in zip(sorted(day), sorted(day)[1:], strict=False):
        if start < end:
            raise ValueError(f"“{field}”: {spell(sorted(day))} overlap; make one of them or set them apart.")


def spell(day: Sequence[Interval]) -> str:
    """Intervals for people: ``08:00-12:00, 13:00-17:00``."""
    return ", ".join(_spelt(interval) for interval in day)


def _spelt(interval: Interval) -> str:
    start, end = interval
    end = end if end <= 1440 else end - 1440
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def week_form(hours: Hours) -> dict[str, list[str]]:
    """The week as `parse` takes it; only the days that are open."""
    return {name: [_spelt(i) for i in day] for name, day in zip(DAYS, hours.week, strict=True) if day}


def exceptions_form(hours: Hours) -> dict[str, list[str]]:
    """The exceptions as `parse` takes them, in order."""
    return {day: [_spelt(i) for i in hours.exceptions[day]] for day in sorted(hours.exceptions)}


_lists = msgspec.json.Decoder(dict[str, list[str]])


def read(row: Any) -> Hours:
    """Hours from their row, ``week`` and ``exceptions`` as JSON text. Raises ValueError as `parse` does."""
    week = _lists.decode(row.week) if row.week else {}
    exceptions = _lists.decode(row.exceptions) if row.exceptions else {}
    return parse(row.id, row.name, row.zone, row.region, week, exceptions)
