"""When to look again, said in words of both languages (acceptance A7)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hub.i18n import catalogue
from hub.snoozing import AMBIGUOUS, EXPECTED, FAR, NO_DATE, PAST, TWO_ORDERS, Unclear, choices, understand

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    """A wall clock's moment in Berlin."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


#: A Wednesday.
NOW = ms("2026-11-18T10:07")

ENGLISH = {
    "later today": "2026-11-18T13:15",
    "tomorrow": "2026-11-19T08:00",
    "Tomorrow 8:00": "2026-11-19T08:00",
    "tomorrow morning": "2026-11-19T08:00",
    "tomorrow at 5pm": "2026-11-19T17:00",
    "the day after tomorrow": "2026-11-20T08:00",
    "tonight": "2026-11-18T18:00",
    "this afternoon": "2026-11-18T14:00",
    "3pm": "2026-11-18T15:00",
    "9:00": "2026-11-19T09:00",
    "Monday": "2026-11-23T08:00",
    "Friday 14:30": "2026-11-20T14:30",
    "wednesday": "2026-11-25T08:00",
    "next week": "2026-11-23T08:00",
    "next week Tuesday 9": "2026-11-24T09:00",
    "next month": "2026-12-01T08:00",
    "on the weekend": "2026-11-21T08:00",
    "in 3 h": "2026-11-18T13:07",
    "in 90 minutes": "2026-11-18T11:37",
    "in half an hour": "2026-11-18T10:37",
    "in two weeks": "2026-12-02T08:00",
    "in 2 days at 9": "2026-11-20T09:00",
    "in a month": "2026-12-18T08:00",
    "2026-12-20": "2026-12-20T08:00",
    "2026-12-20 10:00": "2026-12-20T10:00",
    "2026-12-20T10:00": "2026-12-20T10:00",
    "20 December": "2026-12-20T08:00",
    "Dec 20 at 3pm": "2026-12-20T15:00",
    "January 5th": "2027-01-05T08:00",
}
GERMAN = {
    "später heute": "2026-11-18T13:15",
    "morgen": "2026-11-19T08:00",
    "morgen 9": "2026-11-19T09:00",
    "morgen früh": "2026-11-19T08:00",
    "Morgen Nachmittag um 3": "2026-11-19T15:00",
    "übermorgen": "2026-11-20T08:00",
    "heute Abend": "2026-11-18T18:00",
    "heute 17 Uhr": "2026-11-18T17:00",
    "um 9 Uhr": "2026-11-19T09:00",
    "Montag": "2026-11-23T08:00",
    "am Montag um 10": "2026-11-23T10:00",
    "freitag nachmittag": "2026-11-20T14:00",
    "Freitagnachmittag": "2026-11-20T14:00",
    "Freitag morgen": "2026-11-20T08:00",
    "Fr 14.30 Uhr": "2026-11-20T14:30",
    "nächste Woche": "2026-11-23T08:00",
    "nächsten Monat": "2026-12-01T08:00",
    "am Wochenende": "2026-11-21T08:00",
    "in 3 Std": "2026-11-18T13:07",
    "in einer halben Stunde": "2026-11-18T10:37",
    "in 2 wochen": "2026-12-02T08:00",
    "in drei Tagen um 9:30": "2026-11-21T09:30",
    "in einem Monat": "2026-12-18T08:00",
    "20.12.": "2026-12-20T08:00",
    "20.12. 10 Uhr": "2026-12-20T10:00",
    "bis 20.12.2027": "2027-12-20T08:00",
    "20. Dezember 2026 10 Uhr": "2026-12-20T10:00",
    "5. März": "2027-03-05T08:00",
}
REPLY = [
    "until the customer replies", "until they reply", "when the customer answers", "until reply", "bis zur Antwort",
    "bis der Kunde antwortet", "wenn der Kunde antwortet", "bis zur nächsten Antwort",
]  # fmt: skip


@pytest.mark.parametrize(("words", "moment"), [*ENGLISH.items(), *GERMAN.items()])
def test_words_of_both_languages_mean_a_moment_in_the_readers_zone(words: str, moment: str) -> None:
    assert understand(words, NOW, BERLIN).until == ms(moment)


@pytest.mark.parametrize("words", REPLY)
def test_until_the_customer_replies_has_no_moment(words: str) -> None:
    assert understand(words, NOW, BERLIN).until is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", EXPECTED),
        ("nonsense", EXPECTED),
        ("gestern", EXPECTED),
        ("tomorrow 9 or so", EXPECTED),
        ("at", EXPECTED),
        ("\x00 9" * 300, EXPECTED),
        ("next Friday", AMBIGUOUS),
        ("nächsten Freitag", AMBIGUOUS),
        ("12/20", TWO_ORDERS),
        ("2020-01-01", PAST),
        ("heute 8 Uhr", PAST),
        ("in 0 h", PAST),
        ("31.2.", NO_DATE),
        ("99:99", NO_DATE),
        ("morgen 25 Uhr", NO_DATE),
        ("in 9999 Wochen", FAR),
        ("in 9999 Monaten", FAR),
        ("9999-12-31", FAR),
        ("9", "Is that a day or an hour? Write “9:00” or a date like “20.12.”."),
    ],
)
def test_what_is_over_unknown_or_can_mean_two_things_is_asked_back(words: str, sentence: str) -> None:
    with pytest.raises(Unclear) as refused:
        understand(words, NOW, BERLIN)

    assert str(refused.value) == sentence
    assert catalogue("de").sentence(sentence) != sentence


@pytest.mark.parametrize(
    ("now", "words", "moment"),
    [
        ("2026-03-28T20:00", "tomorrow 9", "2026-03-29T09:00"),  # the night the clocks go forward
        ("2026-03-28T20:00", "in 2 weeks", "2026-04-11T08:00"),
        ("2026-10-24T20:00", "morgen 9", "2026-10-25T09:00"),  # and back
        ("2026-10-24T23:30", "in 4 h", "2026-10-25T02:30+01:00"),
        ("2026-03-28T23:30", "in 4 h", "2026-03-29T04:30"),
        ("2026-03-28T20:00", "29.3. 2:30", "2026-03-29T03:30"),  # a time that night does not have
    ],
)
def test_a_change_to_summer_time_moves_the_clock_and_not_the_hours(now: str, words: str, moment: str) -> None:
    at = datetime.fromisoformat(moment)
    wanted = int((at if at.tzinfo else at.replace(tzinfo=BERLIN)).timestamp() * 1000)

    assert understand(words, ms(now), BERLIN).until == wanted


def test_quick_choices_have_each_moment_once() -> None:
    middle = [(c.key, c.until) for c in choices(NOW, BERLIN)]
    monday = [c.key for c in choices(ms("2026-11-23T09:00"), BERLIN)]
    late = [c.key for c in choices(ms("2026-11-20T22:00"), BERLIN)]

    assert middle == [
        ("later", ms("2026-11-18T13:15")),
        ("tomorrow", ms("2026-11-19T08:00")),
        ("monday", ms("2026-11-23T08:00")),
        ("week", ms("2026-11-25T08:00")),
    ]
    assert monday == ["later", "tomorrow", "monday"]
    assert late == ["tomorrow", "monday", "week"]
