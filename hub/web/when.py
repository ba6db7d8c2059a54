"""Times in words, in the reader's language and zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.clock import now, rfc3339
from hub.i18n import Catalogue

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SHORT = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def zone(name: str) -> tzinfo:
    """The time zone of that name (IANA); UTC when there is none."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


class When:
    """Spells times. ``now_ms`` is fixed for a page, so that "today" means one day on all of it."""

    def __init__(self, words: Catalogue, place: tzinfo, now_ms: int = 0) -> None:
        self.words, self.place = words, place
        self.now = now_ms or now()
        self._spelled: dict[date, str] = {}
        self.today = self._at(self.now).date()

    def _at(self, ms: int) -> datetime:
        try:
            return datetime.fromtimestamp(ms / 1000, self.place)
        except (ValueError, OverflowError, OSError):
            return datetime(1970, 1, 1, tzinfo=self.place)

    def local_day(self, ms: int) -> date:
        """The day in the reader's zone."""
        return self._at(ms).date()

    def begin(self, day: date) -> int:
        """When a day begins in the reader's zone (ms)."""
        return int(datetime.combine(day, datetime.min.time(), self.place).timestamp() * 1000)

    def until(self, ms: int) -> str:
        """An end for people: the last day when it is midnight, else day and time: "24 Nov", "24 Nov, 13:30"."""
        at = self._at(ms)
        if (at.hour, at.minute) == (0, 0):
            return self.dated(at.date() - timedelta(days=1))
        return f"{self.dated(at.date())}, {at:%H:%M}"

    def dated(self, day: date) -> str:
        """A day without its time: "24 Nov", in another year "24 Nov 2027"."""
        if day.year == self.today.year:
            return self._dated(day, _SHORT)
        return self.words.text(
            "{day} {month} {year}", day=day.day, month=self.words.text(_SHORT[day.month - 1]), year=day.year
        )

    def month(self, day: date) -> str:
        """November 2026"""
        return f"{self.words.text(_MONTHS[day.month - 1])} {day.year}"

    def weekday(self, day: date) -> str:
        """Tuesday"""
        return self.words.text(_DAYS[day.weekday()])

    def iso(self, ms: int) -> str:
        """For machines: RFC 3339."""
        return rfc3339(ms) or ""

    def time(self, ms: int) -> str:
        """11:42"""
        return f"{self._at(ms):%H:%M}"

    def day_key(self, ms: int) -> str:
        """The day as 2026-11-23, to compare."""
        return self._at(ms).date().isoformat()

    def day(self, ms: int) -> str:
        """Today, Yesterday, or "Tuesday, 17 November" (with the year when it is another one)."""
        day = self._at(ms).date()
        if day == self.today:
            return self.words.text("Today")
        if day == self.today - timedelta(days=1):
            return self.words.text("Yesterday")
        _ = self.words.text
        dated = self._long(day) if day.year != self.today.year else self._dated(day, _MONTHS)
        return _("{weekday}, {date}", weekday=_(_DAYS[day.weekday()]), date=dated)

    def short(self, ms: int) -> str:
        """For lists: 11:42, "Yest.", "14 May", or "14 May 2024"."""
        at = self._at(ms)
        day = at.date()
        if day == self.today:
            return f"{at:%H:%M}"
        if day == self.today - timedelta(days=1):
            return self.words.text("Yest.")
        return (
            self._dated(day, _SHORT)
            if day.year == self.today.year
            else self.words.text("{day}/{month}/{year}").format(
                day=f"{day.day:02}", month=f"{day.month:02}", year=day.year
            )
        )

    def on(self, ms: int) -> str:
        """17 November 2026"""
        return self._long(self._at(ms).date())

    def full(self, ms: int) -> str:
        """With everything: "17 November 2026, 11:42 CET"."""
        at = self._at(ms)
        return f"{self._long(at.date())}, {at:%H:%M} {at.tzname() or ''}".strip()

    def _dated(self, day: date, months: list[str]) -> str:
        return self.words.text("{day} {month}", day=day.day, month=self.words.text(months[day.month - 1]))

    def _long(self, day: date) -> str:
        if day not in self._spelled:
            month = self.words.text(_MONTHS[day.month - 1])
            self._spelled[day] = self.words.text("{day} {month} {year}", day=day.day, month=month, year=day.year)
        return self._spelled[day]

    def ago(self, ms: int) -> str:
        """How long it has lasted: "14 min", "3 h", "2 days"."""
        return self.span(self.now - ms)

    def span(self, ms: int) -> str:
        """A length of time, cut: "14 min", "3 h", "2 days"."""
        minutes = max(ms, 0) // 60_000
        if minutes < 60:
            return self.words.text("{n} min", n=max(minutes, 1))
        if minutes < 60 * 24:
            return self.words.text("{n} h", n=minutes // 60)
        return self.words.plural("{n} day", "{n} days", minutes // 1440)

    def read_local(self, text: str) -> int | None:
        """Milliseconds of what a datetime-local field says ("2026-11-24T09:00") in the reader's zone, None for nonsense."""
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        try:
            return int((at if at.tzinfo else at.replace(tzinfo=self.place)).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            return None

    def local_field(self, ms: int) -> str:
        """The same way back: what a datetime-local field holds."""
        return f"{self._at(ms):%Y-%m-%dT%H:%M}"

    def tomorrow_morning(self) -> int:
        """Nine o'clock tomorrow, for "snooze until tomorrow"."""
        start = datetime.combine(self.today + timedelta(days=1), datetime.min.time(), self.place)
        return int(start.replace(hour=9).timestamp() * 1000)
