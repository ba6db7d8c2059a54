"""Business hours against a count minute by minute that is written from the definition and shares no code with them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import holidays
import msgspec
import pytest

from hub import hours
from hub.hours import Hours

MINUTE = 60_000
HOUR = 60 * MINUTE
#: Zones with the local dates around which the clocks change, forward and back; two without any change.
ZONES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "America/St_Johns": (date(2027, 3, 14), date(2027, 11, 7)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 30)),
    "Pacific/Apia": (date(2011, 12, 30), date(2011, 9, 24)),  # the day that never was
    "Asia/Kolkata": (date(2026, 12, 25), date(2026, 8, 15)),
    "UTC": (date(2026, 12, 28), date(2028, 2, 29)),
}
REGIONS = ["", "", "DE-NI", "US", "IN", "GB"]


def ms(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """A wall-clock time as milliseconds UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1000


def some_day(rng: random.Random) -> list[tuple[int, int]]:
    """Up to three intervals that do not overlap, the last one perhaps past midnight."""
    marks = sorted(rng.sample(range(0, 1440, rng.choice([1, 15, 30])), 2 * rng.randint(1, 3)))
    day = [(marks[i], marks[i + 1]) for i in range(0, len(marks), 2)]
    if rng.random() < 0.4:
        day[-1] = (day[-1][0], 1440 + rng.randint(0, day[-1][0]))
    return day


def some_hours(rng: random.Random, zone: str, around: date, *, region: str) -> Hours:
    """A random week with exceptions near ``around``, some of them on holidays."""
    week = tuple(tuple(some_day(rng)) if rng.random() < 0.75 else () for _ in range(7))
    near = [around + timedelta(days=rng.randint(-15, 15)) for _ in range(4)]
    special = {d.isoformat(): tuple(some_day(rng)) if rng.random() < 0.6 else () for d in near}
    return hours.check(Hours(1, "random", zone, region, week, special))


class Minutes:
    """Every minute of some weeks, open or not: what the definition says, one minute after the other."""

    def __init__(self, given: Hours, first: int, days: int) -> None:
        self.first, zone = first, ZoneInfo(given.zone)
        known = self._known(given, datetime.fromtimestamp(first / 1000, UTC).date(), days)
        flags = []
        for second in range(first // 1000, first // 1000 + days * 86_400, 60):
            local = datetime.fromtimestamp(second, zone)
            minute, day = local.hour * 60 + local.minute, local.toordinal()
            flags.append(minute in known[day] or minute + 1440 in known[day - 1])
        self.flags = flags
        self.sums = [0, *itertools.accumulate(flags)]

    @staticmethod
    def _known(given: Hours, first: date, days: int) -> dict[int, set[int]]:
        """The open minutes of each local date, up to the 2880th."""
        country, _, part = given.region.partition("-")
        years = range(first.year - 1, first.year + 3)
        free = holidays.country_holidays(country, subdiv=part or None, years=years) if country else {}
        known = {}
        for number in range(-3, days + 3):
            day = first + timedelta(days=number)
            spans: Sequence[tuple[int, int]] = () if day in free else given.week[day.weekday()]
            spans = given.exceptions.get(day.isoformat(), spans)
            known[day.toordinal()] = {m for start, end in spans for m in range(start, end)}
        return known

    def at(self, number: int) -> int:
        """When the minute begins."""
        return self.first + number * MINUTE

    def next(self, number: int, flag: bool) -> int | None:
        """The first minute from here on that is open (or closed)."""
        return next((n for n in range(number, len(self.flags)) if self.flags[n] is flag), None)


CASES = [(zone, change) for zone in ZONES for change in (0, 1)]


@pytest.mark.may_block
@pytest.mark.parametrize(("zone", "change"), CASES)
def test_business_time_equals_a_count_minute_by_minute(zone: str, change: int) -> None:
    rng = random.Random(f"{zone} {change}")
    around = ZONES[zone][change]
    begin = ms((around - timedelta(days=16)).isoformat()) + rng.randint(0, 1439) * MINUTE
    checked = 0
    for _ in range(3):
        given = some_hours(rng, zone, around, region=rng.choice(REGIONS))
        minutes = Minutes(given, begin, 32)
        most = len(minutes.flags)
        for _ in range(40):
            a = rng.randrange(most)
            b = min(most, a + rng.randint(0, 10 * 1440))
            assert hours.between(given, minutes.at(a), minutes.at(b)) == (minutes.sums[b] - minutes.sums[a]) * MINUTE
            _compare_one_minute(rng, given, minutes, a)
            checked += 1
    assert checked == 120  # of 1,920 over all zones


def _compare_one_minute(rng: random.Random, given: Hours, minutes: Minutes, a: int) -> None:
    """Open now? Until when, or when next? When will some open time have passed?"""
    at = minutes.at(a)
    assert hours.is_open(given, at) is minutes.flags[a]
    opening, closing = minutes.next(a, True), minutes.next(a, False)
    if opening is not None:
        assert hours.next_open(given, at) == minutes.at(opening)
    if not minutes.flags[a]:
        assert hours.closes_at(given, at) is None
    elif closing is not None:
        assert hours.closes_at(given, at) == minutes.at(closing)
    rest = minutes.sums[-1] - minutes.sums[a]
    if rest:
        wanted = rng.randint(1, rest)
        due = next(n for n in range(a + 1, len(minutes.sums)) if minutes.sums[n] - minutes.sums[a] == wanted)
        assert hours.add(given, at, wanted * MINUTE) == minutes.at(due)


def test_parts_of_minutes_count_to_the_millisecond() -> None:
    rng = random.Random(7)
    given = some_hours(rng, "Europe/Berlin", date(2026, 3, 29), region="DE")
    start = ms("2026-03-20")
    for _ in range(300):
        a, b, c = sorted(start + rng.randint(0, 20 * 24 * HOUR) for _ in range(3))
        assert hours.between(given, a, c) == hours.between(given, a, b) + hours.between(given, b, c)
        wanted = rng.randint(1, 50 * HOUR)
        due = hours.add(given, a, wanted)
        assert due is not None
        assert hours.between(given, a, due) == wanted
        assert hours.between(given, a, due - 1) == wanted - 1


def plain(**more: list[str]) -> Hours:
    """A house in Lower Saxony."""
    return hours.parse(1, "Office", "Europe/Berlin", "DE-NI", more, {"2026-12-31": ["08:00-12:00"]})


def test_a_night_shift_runs_into_a_holiday_but_none_begins_on_it() -> None:
    given = plain(fri=["22:00-06:00"], sat=["22:00-06:00"])  # Saturday 31 October 2026 is Reformation Day there

    assert hours.is_open(given, ms("2026-10-31T05:59", "Europe/Berlin"))
    assert not hours.is_open(given, ms("2026-10-31T06:00", "Europe/Berlin"))
    assert not hours.is_open(given, ms("2026-10-31T23:00", "Europe/Berlin"))
    assert hours.next_open(given, ms("2026-10-31T06:00", "Europe/Berlin")) == ms("2026-11-06T22:00", "Europe/Berlin")


def test_an_hour_that_comes_twice_is_open_twice_and_one_that_never_comes_is_not() -> None:
    given = hours.parse(1, "", "Europe/Berlin", "", {"sun": ["02:00-03:00"]}, {})

    assert hours.between(given, ms("2026-10-25"), ms("2026-10-26")) == 2 * HOUR
    assert hours.between(given, ms("2026-03-29"), ms("2026-03-30")) == 0
    assert hours.add(given, ms("2026-10-24"), 90 * MINUTE) == ms("2026-10-25T02:30", "Europe/Berlin", fold=1)


def test_an_exception_overrules_a_holiday_and_a_holiday_the_week() -> None:
    given = hours.parse(1, "", "Europe/Berlin", "DE", {"fri": ["08:00-17:00"]}, {"2026-12-25": ["10:00-11:00"]})

    assert hours.between(given, ms("2026-12-25"), ms("2026-12-26")) == HOUR
    assert hours.between(given, ms("2027-01-01"), ms("2027-01-02")) == 0
    assert hours.between(given, ms("2027-01-08"), ms("2027-01-09")) == 9 * HOUR


def test_no_hours_are_always_open_and_empty_ones_never() -> None:
    never = hours.parse(1, "", "UTC", "", {}, {})

    assert (hours.is_open(None, 5), hours.next_open(None, 5), hours.closes_at(None, 5)) == (True, 5, None)
    assert (hours.add(None, 5, 7), hours.between(None, 5, 7), hours.between(None, 7, 5)) == (12, 2, 0)
    assert (hours.is_open(never, 5), hours.next_open(never, 5), hours.closes_at(never, 5)) == (False, None, None)
    assert (hours.add(never, 5, 7), hours.add(never, 5, 0), hours.between(never, 5, 7)) == (None, 5, 0)


def test_hours_around_the_clock_never_close() -> None:
    given = hours.parse(1, "", "Asia/Kolkata", "", {day: ["00:00-24:00"] for day in hours.DAYS}, {})

    assert hours.closes_at(given, ms("2026-01-01")) is None
    assert hours.between(given, ms("2026-01-01"), ms("2026-03-01")) == 59 * 24 * HOUR


def test_the_json_form_comes_back_as_it_was_given() -> None:
    week = {"mon": ["08:00-12:00", "13:00-17:00"], "fri": ["22:00-06:00"], "sun": ["00:00-24:00"]}
    special = {"2026-12-24": ["08:00-12:00"], "2026-12-31": []}
    row = SimpleNamespace(
        id=3,
        name="N",
        zone="UTC",
        region="",
        week=msgspec.json.encode(week).decode(),
        exceptions=msgspec.json.encode(special).decode(),
    )

    given = hours.read(row)

    assert (given.id, given.name, given.week[4]) == (3, "N", ((1320, 1800),))
    assert (hours.week_form(given), hours.exceptions_form(given)) == (week, special)
    empty = hours.read(SimpleNamespace(id=1, name="", zone="UTC", region="", week="", exceptions=""))
    assert (empty.week, empty.exceptions) == (((),) * 7, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": "Europe/Hannover"}, "“zone”: “Europe/Hannover” is no time zone"),
        ({"zone": "../../etc/passwd"}, "“zone”: “../../etc/passwd” is no time zone"),
        ({"zone": ""}, "“zone”: “” is no time zone"),
        ({"zone": "localtime"}, "“zone”: “localtime” is no time zone"),
        ({"region": "DE-XX"}, "“region”: the holidays of “DE-XX” are not known"),
        ({"region": "DE-"}, "“region”: the holidays of “DE-” are not known"),
        ({"region": "Atlantis"}, "“region”: the holidays of “Atlantis” are not known"),
        ({"week": {"day": []}}, "“week”: “day” is no day"),
        ({"week": {"mon": ["8-12"]}}, "“week.mon”: “8-12” is no time from-to"),
        ({"week": {"mon": ["08:00-25:00"]}}, "“week.mon”: “08:00-25:00” is no time from-to"),
        ({"week": {"mon": ["24:00-06:00"]}}, "“week.mon”: “24:00-06:00” is no time from-to"),
        ({"week": {"tue": ["08:00-12:00", "11:59-13:00"]}}, "“week.tue”: 08:00-12:00, 11:59-13:00 overlap"),
        ({"exceptions": {"24.12.2026": []}}, "“exceptions”: “24.12.2026” is no date"),
        ({"exceptions": {"20261224": []}}, "“exceptions”: “20261224” is no date"),
        ({"exceptions": {"2026-02-30": []}}, "“exceptions”: “2026-02-30” is no date"),
        ({"exceptions": {"2026-12-24": ["x"]}}, "“exceptions.2026-12-24”: “x” is no time from-to"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_fields_name(changes: dict[str, object], words: str) -> None:
    given: dict[str, object] = {"zone": "UTC", "region": "", "week": {}, "exceptions": {}} | changes

    with pytest.raises(ValueError) as refusal:
        hours.parse(1, "", **given)  # type: ignore[arg-type]

    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize("interval", [(-1, 60), (1440, 1500), (60, 60), (60, 1501)])
def test_an_interval_outside_its_day_is_refused(interval: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"“week.mon”: an interval begins"):
        hours.check(Hours(1, "", "UTC", "", ((interval,), *((),) * 6), {}))
