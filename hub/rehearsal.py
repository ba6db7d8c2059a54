"""What past traffic would have got: the same contacts through two tables of questions, each with its own simulated staff.

A new conversation is what is decided about; messages that joined it went where it was. What people were doing then is not known,
so it is assumed (`ASSUMED`), the same for both tables. Pure: `hub.traffic` reads what goes in.
"""

from __future__ import annotations

import heapq
import random

from msgspec import Struct, structs

from hub import hours, routing
from hub.directory import Directory, Rule, Settings
from hub.routing import Decision, Situation, Staff, Standing, Step

MOST_EXAMPLES, MOST_MOVES = 200, 500
#: A moment that never comes.
NEVER = 1 << 62

#: What a simulation takes for granted, in words.
ASSUMED = (
    "Everybody is available while one of their teams is open, and takes what is offered; absences are those entered for the time.",
    "A conversation takes its place of somebody's capacity until it was closed, or until its last message when it only waits.",
    "What waits in a queue takes nobody's capacity.",
    "Teams, skills, hours, deputies and who is responsible for whom are those of today.",
)


class Asked(Struct, frozen=True):
    """What is to be tried: conversations begun from ``since`` until before ``until``; ``rules`` is the whole changed table."""

    since: int
    until: int
    rules: tuple[Rule, ...]
    settings: Settings | None = None


class Place(Struct, frozen=True):
    """Where a conversation goes: to a person, or else into a team's queue, or else it is open to everybody."""

    employee_id: int | None = None
    team_id: int | None = None


class Move(Struct, frozen=True):
    """So many conversations go elsewhere with the changed table, with all customers' messages in them."""

    before: Place
    after: Place
    conversations: int
    messages: int


class Load(Struct):
    """What somebody, or a queue, would have got. ``peak``: the most of their capacity that was taken at once."""

    conversations: int = 0
    messages: int = 0
    peak: int = 0


class Share(Struct, frozen=True):
    """Somebody's, or a queue's, load with the present and the changed table."""

    place: Place
    before: Load
    after: Load


class Example(Struct, frozen=True):
    """One conversation that goes elsewhere, and the steps of both decisions."""

    conversation_id: int
    before: Place
    after: Place
    steps_before: tuple[Step, ...]
    steps_after: tuple[Step, ...]


class Result(Struct, frozen=True):
    """Everything a simulation found. ``moves`` and ``loads`` the largest first, ``examples`` by time."""

    conversations: int
    messages: int
    changed: int
    changed_messages: int
    waiting_before: int
    waiting_after: int
    moves: tuple[Move, ...]
    moves_left_out: int
    loads: tuple[Share, ...]
    examples: tuple[Example, ...]


class Contact(Struct, frozen=True):
    """A conversation as it began. ``messages``: the customer's messages in it; ``until``: how long it takes somebody's capacity."""

    conversation_id: int
    situation: Situation
    messages: int
    until: int
    last_agent_id: int | None = None


class Held(Struct, frozen=True):
    """A conversation that somebody had before the beginning."""

    employee_id: int
    kind: str
    until: int


# ── one table ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Table:
    """One table of questions with its staff, moving through time: each decision counts for the ones after it."""

    def __init__(self, d: Directory) -> None:
        self.d = d
        self.staff: Staff = {number: Standing("available") for number in d.employees}
        self.loads: dict[Place, Load] = {}
        self._lasts: dict[int, int] = {}
        self._ending: list[tuple[int, int, int]] = []
        self._shift_until = 0
        self._teams: dict[int, list[int | None]] = {}
        for team in d.teams.values():
            for member in team.members:
                self._teams.setdefault(member, []).append(team.hours_id)

    def hold(self, held: Held) -> None:
        """Somebody has this already."""
        if held.employee_id in self.staff:
            self._take(held.employee_id, self.d.weight(held.kind), held.until)

    def decide(self, contact: Contact) -> tuple[Place, Decision]:
        """Who gets it, and why; contacts come in the order of time."""
        at, customer = contact.situation.at, contact.situation.customer_id
        self._go_on(at)
        last = self._lasts.get(customer, contact.last_agent_id)
        s = contact.situation
        if s.last_agent_id != last:
            s = structs.replace(s, last_agent_id=last)
        decision = routing.decide(self.d, s, self.staff)
        routing.take(self.d, s, self.staff, decision)
        person = decision.assignee_id
        place = Place(person) if person is not None else Place(None, decision.team_id)
        load = self.loads.setdefault(place, Load())
        load.conversations += 1
        load.messages += contact.messages
        if person is not None:
            self._lasts[customer] = person
            load.peak = max(load.peak, self.staff[person].load)
            heapq.heappush(self._ending, (contact.until, person, self.d.weight(s.kind)))
        return place, decision

    def _take(self, employee_id: int, weight: int, until: int) -> None:
        self.staff[employee_id].load += weight
        heapq.heappush(self._ending, (until, employee_id, weight))

    def _go_on(self, at: int) -> None:
        """What has ended by now takes nobody's capacity any more; who is open now is here."""
        while self._ending and self._ending[0][0] <= at:
            _, person, weight = heapq.heappop(self._ending)
            self.staff[person].load -= weight
        if at >= self._shift_until:
            self._change_shift(at)

    def _change_shift(self, at: int) -> None:
        wanted = {hours_id for team in self._teams.values() for hours_id in team}
        opened, changes = {}, [NEVER]
        for hours_id in wanted:
            h = self.d.hours_of(hours_id)
            opened[hours_id] = hours.is_open(h, at)
            change = hours.closes_at(h, at) if opened[hours_id] else hours.next_open(h, at)
            changes += [change] if change is not None else []
        for number, standing in self.staff.items():
            theirs = self._teams.get(number)
            standing.state = "available" if theirs is None or any(opened[h] for h in theirs) else "offline"
        self._shift_until = min(changes)


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Rehearsal:
    """The present table beside the changed one."""

    def __init__(self, before: Directory, after: Directory) -> None:
        self.before, self.after = Table(before), Table(after)
        self._moves: dict[tuple[Place, Place], list[int]] = {}
        self._examples: list[tuple[int, Example]] = []
        self._chance = random.Random(0)  # a fair choice of examples, the same at every run
        self._conversations = self._messages = self._changed = self._changed_messages = 0

    def hold(self, held: Held) -> None:
        """Somebody had this before the beginning."""
        self.before.hold(held)
        self.after.hold(held)

    def play(self, contact: Contact) -> None:
        """One contact through both tables."""
        old, decided = self.before.decide(contact)
        new, changed = self.after.decide(contact)
        self._conversations += 1
        self._messages += contact.messages
        if old == new:
            return
        count = self._moves.setdefault((old, new), [0, 0])
        count[0] += 1
        count[1] += contact.messages
        self._changed_messages += contact.messages
        self._show(Example(contact.conversation_id, old, new, decided.steps, changed.steps))

    def _show(self, example: Example) -> None:
        """Keep a fair choice of all examples: each has the same chance, however many come."""
        self._changed += 1
        if len(self._examples) < MOST_EXAMPLES:
            self._examples.append((self._changed, example))
        elif (place := self._chance.randrange(self._changed)) < MOST_EXAMPLES:
            self._examples[place] = (self._changed, example)

    def result(self) -> Result:
        """What was found so far."""
        moves = [Move(old, new, *count) for (old, new), count in self._moves.items()]
        moves.sort(key=lambda m: (-m.conversations, _order(m.before), _order(m.after)))
        before, after = self.before.loads, self.after.loads
        loads = [Share(place, before.get(place, Load()), after.get(place, Load())) for place in {*before, *after}]
        loads.sort(key=lambda s: (-max(s.before.conversations, s.after.conversations), _order(s.place)))
        return Result(
            self._conversations,
            self._messages,
            self._changed,
            self._changed_messages,
            sum(load.conversations for place, load in before.items() if place.employee_id is None),
            sum(load.conversations for place, load in after.items() if place.employee_id is None),
            tuple(moves[:MOST_MOVES]),
            max(0, len(moves) - MOST_MOVES),
            tuple(loads),
            tuple(example for _, example in sorted(self._examples, key=lambda pair: pair[0])),
        )


def _order(place: Place) -> tuple[int, int]:
    return place.employee_id or 0, place.team_id or 0
