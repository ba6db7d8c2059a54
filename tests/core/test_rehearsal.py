"""The simulated staff: who is open, who is full, who was spoken with last, as time goes by."""

from msgspec import structs

from hub import hours
from hub.directory import ChannelFacts, Conditions, Directory, Employee, Question, Rule, Settings, Target, Team
from hub.rehearsal import MOST_EXAMPLES, NEVER, Contact, Held, Place, Rehearsal, Table
from hub.routing import Situation

MINUTE = 60_000
#: Monday 2026-11-23, 00:00 UTC.
MONDAY = 1_795_392_000_000
ANNA, BEN = 1, 2
DAYTIME = hours.parse(1, "Day", "UTC", "", {day: ["08:00-16:00"] for day in ("mon", "tue")}, {})


def rules(*kinds: Question) -> tuple[Rule, ...]:
    return tuple(Rule(n, kind) for n, kind in enumerate(kinds, 1))


def house(
    *, capacity: int = 2, kinds: tuple[Question, ...] = ("owner", "channel"), strategy: str = "round_robin"
) -> Directory:
    """Anna and Ben in one team that is open by day, with a channel of the kind ``api`` and one for calls."""
    team = Team(10, "Service", (ANNA, BEN), strategy, 1)  # type: ignore[arg-type]
    people = {n: Employee(n, name, capacity=capacity) for n, name in ((ANNA, "Anna"), (BEN, "Ben"))}
    return Directory(
        people,
        {10: team},
        rules(*kinds),
        hours={1: DAYTIME},
        channels={n: ChannelFacts(n, kind, kind, 10) for n, kind in ((5, "api"), (6, "voice"))},
        settings=Settings(weights={"api": 1, "voice": 2}),
    )


def contact(
    hour: float, *, until: float | None = None, customer: int = 0, kind: str = "api", **more: object
) -> Contact:
    """A contact so many hours after Monday's midnight that is ended after ``until`` of them."""
    at = MONDAY + int(hour * 60 * MINUTE)
    ends = NEVER if until is None else MONDAY + int(until * 60 * MINUTE)
    last = more.pop("last", None)
    channel = {"api": 5, "voice": 6}[kind]
    s = Situation(at, kind, channel, 10, customer or at, **more)  # type: ignore[arg-type]
    return Contact(int(hour * 100), s, 1, ends, last)  # type: ignore[arg-type]


def places(table: Table, *contacts: Contact) -> list[Place]:
    return [table.decide(one)[0] for one in contacts]


def test_what_has_ended_leaves_its_place_to_the_next() -> None:
    nine = [contact(9 + n / 100, until=10 if n < 2 else None) for n in range(5)]

    found = places(Table(house()), *nine, contact(9.9), contact(10), contact(10.1), contact(10.2))

    queue = Place(None, 10)
    assert found == [Place(ANNA), Place(BEN), Place(ANNA), Place(BEN), queue, queue, Place(ANNA), Place(BEN), queue]


def test_outside_its_hours_a_team_has_only_its_queue_and_a_call_finds_nobody() -> None:
    night = contact(7.9, owner_id=ANNA, kind="voice")
    day = contact(8, owner_id=ANNA, kind="voice")
    mail = contact(16.5, owner_id=BEN)
    evening = contact(17)
    next_day = contact(24 + 8)

    found = places(Table(house()), night, day, mail, evening, next_day)

    assert found == [Place(None, 10), Place(ANNA), Place(BEN), Place(None, 10), Place(BEN)]


def test_whoever_is_in_no_team_is_always_there() -> None:
    d = house()
    alone = structs.replace(d, teams={10: structs.replace(d.teams[10], members=())})

    assert places(Table(alone), contact(3, owner_id=ANNA, kind="voice")) == [Place(ANNA)]


def test_the_last_one_spoken_with_is_the_simulated_one_and_before_that_the_real_one() -> None:
    table = Table(house(capacity=9, kinds=("last", "channel")))

    found = places(
        table,
        contact(9, customer=7, last=BEN),
        contact(10, customer=8),
        contact(11, customer=8, last=BEN),
    )

    assert found == [Place(BEN), Place(ANNA), Place(ANNA)]


def test_what_somebody_had_before_the_beginning_counts_until_it_ended() -> None:
    table = Table(house())
    table.hold(Held(ANNA, "voice", MONDAY + 9 * 60 * MINUTE))
    table.hold(Held(999, "voice", NEVER))  # somebody nobody knows any more

    found = places(table, contact(8.5, owner_id=ANNA), contact(9, owner_id=ANNA))

    assert found == [Place(BEN), Place(ANNA)]


def test_a_peak_is_the_most_at_once() -> None:
    table = Table(house(capacity=9, kinds=("owner",)))
    places(table, *(contact(9 + n, until=10.5 + n, owner_id=ANNA) for n in range(4)))

    load = table.loads[Place(ANNA)]

    assert (load.conversations, load.messages, load.peak) == (4, 4, 2)


def test_examples_are_a_fair_choice_and_the_same_at_every_run() -> None:
    d = house(capacity=10_000, kinds=("owner",))
    rule = Rule(9, "rule", "All to Ben", True, Conditions(), Target(employee=str(BEN)))
    after = structs.replace(d, rules=(rule,))

    def run() -> Rehearsal:
        rehearsal = Rehearsal(d, after)
        for n in range(2000):
            rehearsal.play(contact(9 + n / 1000, owner_id=ANNA))
        return rehearsal

    first, second = run().result(), run().result()

    assert first == second
    assert (first.changed, len(first.examples)) == (2000, MOST_EXAMPLES)
    numbers = [e.conversation_id for e in first.examples]
    assert numbers == sorted(numbers)
    assert sum(n < 1000 for n in numbers) in range(70, 131)  # the first half has about half of them
