"""When to look at a conversation again, said in words: "tomorrow", "freitag nachmittag", "in 3 h", "20.12. 10 Uhr".

Both languages at once, whoever reads what. Days are days of the reader's zone: "in 2 weeks" means the wall clock there, also across a
change to summer time; "in 3 h" means hours that really pass. What can mean two things is asked back, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct

from hub.text import fold

#: When a day begins that is named without a time, and what the parts of a day are called.
MORNING = time(8)
_PARTS = {
    "fruh": time(8),
    "frueh": time(8),
    "morning": time(8),
    "vormittag": time(10),
    "vormittags": time(10),
    "noon": time(12),
    "midday": time(12),
    "mittag": time(12),
    "mittags": time(12),
    "afternoon": time(14),
    "nachmittag": time(14),
    "nachmittags": time(14),
    "evening": time(18),
    "night": time(18),
    "abend": time(18),
    "abends": time(18),
}
_DAYS = {
    **{
        name: n for n, name in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
    },
    **{
        name: n
        for n, name in enumerate(["montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"])
    },
    **{name: n for n, name in enumerate(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])},
    **{name: n for n, name in enumerate(["mo", "di", "mi", "do", "fr", "sa", "so"])},
    "tues": 1,
    "weds": 2,
    "thur": 3,
    "thurs": 3,
    "sonnabend": 5,
}
_MONTHS = {
    name: n
    for names in (
        "january february march april may june july august september october november december",
        "januar februar marz april mai juni juli august september oktober november dezember",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "jan feb maerz apr mai jun jul aug sept okt nov dez",
        "janner feber mrz apr mai jun jul aug sep okt nov dez",
    )
    for n, name in enumerate(names.split(), 1)
}
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "ein": 1, "eine": 1, "einem": 1, "einer": 1, "einen": 1, "two": 2, "zwei": 2, "three": 3, "drei": 3,
    "four": 4, "vier": 4, "five": 5, "funf": 5, "six": 6, "sechs": 6, "seven": 7, "sieben": 7, "eight": 8, "acht": 8, "ten": 10,
    "zehn": 10,
}  # fmt: skip
_UNITS = {
    "minute": "min", "minutes": "min", "minuten": "min", "min": "min", "mins": "min", "m": "min",
    "hour": "h", "hours": "h", "h": "h", "hr": "h", "hrs": "h", "std": "h", "stunde": "h", "stunden": "h",
    "day": "d", "days": "d", "d": "d", "tag": "d", "tage": "d", "tagen": "d",
    "week": "w", "weeks": "w", "w": "w", "wk": "w", "woche": "w", "wochen": "w",
    "month": "m", "months": "m", "monat": "m", "monate": "m", "monaten": "m",
}  # fmt: skip
#: “freitagnachmittag” and “freitag morgen”, “2026-12-20T10:00”.
_GLUED = re.compile(
    "(" + "|".join(name for name in _DAYS if len(name) > 5) + r"|heute)(vormittag|nachmittag|mittag|abend|fruh)"
)
_WEEKDAY_MORNING = re.compile("(" + "|".join(_DAYS) + r") ?morgen(?![\w])")
_FILLERS = re.compile(r"\b(?:until|till|til|bis|on|at|am|um|im|zum|zur|gegen|the|den|dem|der|snooze|and|und)\b")
_REPLY = re.compile(
    r"(?:(?:until|till|when|bis|wenn) )?(?:(?:the|der|zur|ein) )?(?:(?:next|nachsten) )?"
    r"(?:(?:customer|kunde|kundin|they|reply|replies|answer|answers|antwort|antwortet|response|responds)\b[ ]?)+"
)
#: Longest wait (days): what is meant for later is no snooze any more.
LONGEST = 5 * 366


class Unclear(ValueError):
    """The words do not say one moment in the future; the text is a sentence of the catalogue that says what is expected."""


EXPECTED = "Say it like “tomorrow 9”, “Friday 14:30”, “in 3 h”, “20.12. 10:00” or “until the customer replies”."
PAST = "That is over already: say a time in the future, like “tomorrow 9”."
AMBIGUOUS = "That can mean two days. Write a weekday or a date, like “Friday” or “20.12.”."
NO_HOUR = "Is that a day or an hour? Write “{said}:00” or a date like “20.12.”."
FAR = "That is more than five years away. Say a nearer time."
NO_DATE = "There is no such day or time: look at the numbers."
TWO_ORDERS = "Is the day or the month first? Write “20.12.” or “2026-12-20”."


class Snooze(Struct, frozen=True):
    """``until`` in ms; None: until the customer replies."""

    until: int | None


class Choice(Struct, frozen=True):
    """One of the quick choices: ``key`` is later, tomorrow, monday or week."""

    key: str
    until: int


def understand(words: str, now: int, place: tzinfo = UTC) -> Snooze:
    """The moment somebody in the zone ``place`` means at ``now`` (ms). Raises `Unclear`."""
    said = " ".join(fold(words[:200]).replace(",", " ").split())
    said = _WEEKDAY_MORNING.sub(r"\1 fruh", _GLUED.sub(r"\1 \2", said))
    said = re.sub(r"(\d{4}-\d{1,2}-\d{1,2})t(\d)", r"\1 \2", said)
    if not said:
        raise Unclear(EXPECTED)
    if _REPLY.fullmatch(said):
        return Snooze(None)
    until = _Reading(said, now, place).moment()
    if until <= now:
        raise Unclear(PAST)
    if until > now + LONGEST * 86_400_000:
        raise Unclear(FAR)
    return Snooze(until)


def choices(now: int, place: tzinfo) -> list[Choice]:
    """The quick choices with their moments, each moment once."""
    here = datetime.fromtimestamp(now / 1000, place)
    week = here.date() + timedelta(days=7 if here.weekday() < 5 else 7 - here.weekday())
    wanted = [
        ("later", _later(here)),
        ("tomorrow", _at(here.date() + timedelta(days=1), MORNING, place)),
        ("monday", _at(here.date() + timedelta(days=7 - here.weekday()), MORNING, place)),
        ("week", _at(week, MORNING, place)),
    ]
    found: dict[int, Choice] = {}
    for key, until in wanted:
        if until is not None:
            found.setdefault(until, Choice(key, until))
    return list(found.values())


def _later(here: datetime) -> int | None:
    """Three hours on, at a full quarter; None when the day ends before."""
    later = datetime.fromtimestamp(here.timestamp() + 3 * 3600, here.tzinfo)
    minute = -(-later.minute // 15) * 15
    full = later.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=minute)
    return int(full.timestamp() * 1000) if full.date() == here.date() else None


def _at(day: date, at: time, place: tzinfo) -> int:
    """A wall clock's moment (ms). One that a change to summer time leaves out is as much later."""
    try:
        return int(datetime.combine(day, at, place).timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise Unclear(NO_DATE) from error


class _Reading:
    """One phrase being read: what has been understood is taken out of ``left``."""

    def __init__(self, said: str, now: int, place: tzinfo) -> None:
        self.left, self.now, self.place = f" {said} ", now, place
        self.here = datetime.fromtimestamp(now / 1000, place)
        self.today = self.here.date()

    def take(self, pattern: str) -> re.Match[str] | None:
        found = re.search(rf"(?<![\w.:/-]){pattern}(?![\w:/])", self.left)
        if found:
            self.left = f"{self.left[: found.start()]} {self.left[found.end() :]}"
        return found

    def moment(self) -> int:
        passing = self._passing()
        if passing is not None:
            self._nothing_left()
            return passing
        day, at = self._day(), None
        at = self._time(day is not None)
        self._nothing_left()
        if day is not None:
            return _at(day, at or MORNING, self.place)
        assert at is not None
        today = _at(self.today, at, self.place)
        return today if today > self.now else _at(self.today + timedelta(days=1), at, self.place)

    def _nothing_left(self) -> None:
        if _FILLERS.sub(" ", self.left).strip(" .!"):
            raise Unclear(EXPECTED)

    # ── so much from now ──────────────────────────────────────────────────────────────────────────────────────────
    def _passing(self) -> int | None:
        """ "in 3 h", "in half an hour", "later today": hours that really pass, days of the calendar with their morning."""
        if self.take(r"(?:later today|later|spater heute|heute spater|spater)"):
            later = _later(self.here)
            if later is None:
                raise Unclear(PAST)
            return later
        if self.take(r"in (?:half an hour|einer halben stunde)"):
            return self.now + 1_800_000
        if self.take(r"in (?:anderthalb stunden|eineinhalb stunden|an hour and a half)"):
            return self.now + 5_400_000
        units = "|".join(_UNITS)
        found = self.take(rf"(?:in )?(\d{{1,4}}) ?({units})\b") or self.take(
            "(?:in )?(" + "|".join(_NUMBERS) + f") ({units})"
        )
        if found is None:
            return None
        many = int(found[1]) if found[1].isdecimal() else _NUMBERS[found[1]]
        unit = _UNITS[found[2]]
        if unit in ("min", "h"):
            return self.now + many * (60_000 if unit == "min" else 3_600_000)
        day = self._on(many, unit)
        return _at(day, self._time(True) or MORNING, self.place)

    def _on(self, many: int, unit: str) -> date:
        try:
            if unit != "m":
                return self.today + timedelta(days=many * (7 if unit == "w" else 1))
            year, month = divmod(self.today.year * 12 + self.today.month - 1 + many, 12)
            last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
            return date(year, month + 1, min(self.today.day, last))
        except (ValueError, OverflowError) as error:
            raise Unclear(FAR) from error

    # ── which day ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _day(self) -> date | None:
        for found in self._days():
            if found is not None:
                return found
        return None

    def _days(self) -> Iterator[date | None]:
        yield self._dated()
        if self.take(r"(?:day after tomorrow|ubermorgen|uebermorgen)"):
            yield self.today + timedelta(days=2)
        if self.take(r"(?:tomorrow|tmrw|tmr)") or self._morgen():
            yield self.today + timedelta(days=1)
        if self.take(r"(?:next week|nachste woche|nachster woche|naechste woche|kommende woche)"):
            named = self.take("(" + "|".join(_DAYS) + r")\.?")
            yield self._monday() + timedelta(days=_DAYS[named[1]] if named else 0)
        if self.take(r"(?:next month|nachsten monat|nachster monat|naechsten monat)"):
            yield self._on(1, "m").replace(day=1)
        if self.take(r"(?:weekend|this weekend|wochenende)"):
            yield self.today + timedelta(days=(5 - self.today.weekday()) % 7 or 7)
        if self.take(r"(?:next|nachsten|nachster|nachste|naechsten) (?:" + "|".join(_DAYS) + r")\b\.?"):
            raise Unclear(AMBIGUOUS)
        if named := self.take(r"(?:this |diesen |kommenden )?(" + "|".join(_DAYS) + r")\.?"):
            yield self.today + timedelta(days=(_DAYS[named[1]] - self.today.weekday()) % 7 or 7)
        elif self.take(r"(?:tonight|heute abend|heute nacht)"):
            self.left += " evening "
            yield self.today
        elif self.take(r"(?:today|heute|this(?= (?:morning|afternoon|evening)))"):
            yield self.today

    def _morgen(self) -> bool:
        """In German “morgen” is tomorrow; “heute morgen” is this morning."""
        if self.take(r"heute morgen"):
            self.left += " today morning "
            return False
        return self.take(r"morgens?") is not None

    def _monday(self) -> date:
        return self.today + timedelta(days=7 - self.today.weekday())

    def _dated(self) -> date | None:
        if found := self.take(r"(\d{4})-(\d{1,2})-(\d{1,2})"):
            return self._date(int(found[3]), int(found[2]), int(found[1]))
        if found := self.take(r"(\d{1,2})\. ?(\d{1,2})\.(?: ?(\d{4}|\d{2})(?!\d|:|\.| ?uhr| ?h\b))?"):
            year = int(found[3]) if found[3] else 0
            return self._date(int(found[1]), int(found[2]), year + 2000 if 0 < year < 100 else year)
        if self.take(r"\d{1,2}/\d{1,2}(?:/\d{2,4})?"):
            raise Unclear(TWO_ORDERS)
        months = "|".join(sorted(_MONTHS, key=len, reverse=True))
        if found := self.take(rf"(\d{{1,2}})(?:\.|st|nd|rd|th)? ?({months})\.?(?: (\d{{4}}))?"):
            return self._date(int(found[1]), _MONTHS[found[2]], int(found[3] or 0))
        if found := self.take(rf"({months})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?: (\d{{4}}))?"):
            return self._date(int(found[2]), _MONTHS[found[1]], int(found[3] or 0))
        return None

    def _date(self, day: int, month: int, year: int) -> date:
        """The day; without a year the next one of that name."""
        try:
            if year:
                return date(year, month, day)
            this = date(self.today.year, month, day)
            return this if this >= self.today else this.replace(year=this.year + 1)
        except ValueError as error:
            raise Unclear(NO_DATE) from error

    # ── at what time ──────────────────────────────────────────────────────────────────────────────────────────────
    def _time(self, dated: bool) -> time | None:
        part = self.take("(?:in the )?(" + "|".join(_PARTS) + ")")
        found = self.take(r"(\d{1,2})[:.](\d{2})(?: ?(uhr|am|pm|h)\b)?") or self.take(r"(\d{1,2})() ?(uhr|am|pm)\b")
        found = found or (self.take(r"(\d{1,2})()()(?!\d|\.)") if dated else None)
        if found is None:
            if part is None and not dated:
                lonely = re.fullmatch(r"\s*(?:at |um |am |on )?(\d{1,2})\s*", self.left)
                fits = lonely is not None and 0 < int(lonely[1]) < 24
                raise Unclear(NO_HOUR.format(said=lonely[1]) if fits and lonely else EXPECTED)
            return _PARTS[part[1]] if part else None
        hour, minute = int(found[1]), int(found[2] or 0)
        half = found[3] if found[3] in ("am", "pm") else ""
        later = part is not None and _PARTS[part[1]] >= time(14) and hour < 12
        try:
            if half and not 1 <= hour <= 12:
                raise ValueError(hour)
            if half:
                hour = hour % 12 + (12 if half == "pm" else 0)
            return time(hour + 12 if later else hour, minute)
        except ValueError as error:
            raise Unclear(NO_DATE) from error
