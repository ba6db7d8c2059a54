"""What was promised to a customer, as a chip: how much of the time is left, in words, a colour, and what a page counts down by."""

from __future__ import annotations

from msgspec import Struct

from hub.inbox import Row
from hub.promised import ClockView
from hub.web.when import When

#: In a list a solution is only spoken of when it is so near (ms of business time).
NEARLY = 3_600_000
#: Below this, seconds are spelled (ms).
SECONDS = 120_000


class Promise(Struct, frozen=True):
    """``tone`` is the colour, ``about`` everything in one line, ``facts`` the same as (what, value).

    The page counts to ``end``, where the time is up if nothing closes before (0: it does not count); from ``half`` on it is amber. At
    ``stop`` the calendar closes (0: not before), and the page has to ask anew. ``say`` is the sentence around the time that is left.
    """

    tone: str
    words: str
    about: str
    facts: tuple[tuple[str, str], ...] = ()
    end: int = 0
    half: int = 0
    stop: int = 0
    say: str = ""


def promise(row: Row, when: When, *, brief: bool = False) -> Promise | None:
    """The reply that is due while the customer waits, else the solution; None when nothing is promised now.

    ``brief``: the solution only when it is nearly due or late, and nothing that rests.
    """
    if row.level is None or row.status == "closed":
        return None
    clocks = {clock.target: clock for clock in row.level.clocks}
    reply = clocks.get("next") or clocks.get("first")
    if reply is not None and row.waiting_since is not None and _counts(reply, row.waiting_since):
        return _chip(reply, row.level.policy, when)
    solution = clocks.get("resolution")
    if solution is None:
        return None
    if _counts(solution, 0):
        near = solution.state == "breached" or (solution.left_ms or 0) <= NEARLY
        return _chip(solution, row.level.policy, when) if near or not brief else None
    return _resting(solution, row.level.policy, when) if solution.state == "paused" and not brief else None


def _counts(clock: ClockView, since: int) -> bool:
    """Does it run, or is it overdue? One that was due before this wait began is over."""
    return clock.due_at is not None and clock.due_at >= since and clock.state in ("running", "breached")


def _chip(clock: ClockView, policy: str, when: When) -> Promise:
    _, due = when.words.text, clock.due_at or when.now
    solved = clock.target == "resolution"
    facts = _facts(clock, policy, when)
    about = " · ".join(f"{name}: {value}" for name, value in facts)
    if clock.state == "breached":
        said = _("{time} overdue", time="{time}")
        late = when.span(when.now - due)
        return Promise("bad", said.replace("{time}", late), about, facts, due, due, 0, said)
    left = clock.left_ms or 0
    tone = "ok" if left * 2 > clock.total_ms else "warn"
    if clock.opens_at is not None:
        words = _("Paused until {time}", time=_moment(clock.opens_at, when))
        return Promise("", words, about, facts)
    said = _("Solve in {time}", time="{time}") if solved else _("Reply in {time}", time="{time}")
    # the same however often it is asked, so that a row that says nothing new stays as it is
    end = due if clock.closes_at is None else (when.now + left + 5000) // 10_000 * 10_000
    near = _("{n} s", n=max(left // 1000, 1)) if left < SECONDS else when.span(left)
    words = said.replace("{time}", near)
    return Promise(tone, words, about, facts, end, end - clock.total_ms // 2, clock.closes_at or 0, said)


def _resting(clock: ClockView, policy: str, when: When) -> Promise:
    """It waits with the customer."""
    facts = _facts(clock, policy, when)
    about = " · ".join(f"{name}: {value}" for name, value in facts)
    return Promise("", when.words.text("Paused: the customer has to answer"), about, facts)


def _facts(clock: ClockView, policy: str, when: When) -> tuple[tuple[str, str], ...]:
    """Target, start, calendar and rule of a clock."""
    _ = when.words.text
    kind = {"first": _("First answer"), "next": _("Next answer")}.get(clock.target, _("Solution"))
    target = _("{what} within {time}", what=kind, time=when.span(clock.total_ms)) if clock.total_ms else kind
    due = ((_("Due"), when.full(clock.due_at)),) if clock.due_at else ()
    started = (_("Since"), when.full(clock.started_at))
    calendar = (_("Hours"), clock.hours or _("Around the clock"))
    return ((_("Promised"), target), *due, started, calendar, (_("Rule"), policy))


def _moment(at: int, when: When) -> str:
    """08:00 today, else with its day: "Wednesday, 25 November, 08:00"."""
    return when.time(at) if when.local_day(at) == when.today else f"{when.day(at)}, {when.time(at)}"
