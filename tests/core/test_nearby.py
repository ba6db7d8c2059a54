"""Who is where, by a clock the test moves; and the words that travel between processes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from hub.bus import Bus
from hub.nearby import LEASE, MOST_TABS, Nearby, Word
from hub.pgbus import MOST_BYTES, PostgresBus
from hub.redisbus import RedisBus
from tests.fakes import until

HERE = (900, None, frozenset[int]())


class Known(Nearby):
    """With a clock that stands still, and what it told."""

    def __init__(self, bus: Bus) -> None:
        self.moment = 0.0
        super().__init__(bus, lambda: self.moment)
        self.told: list[tuple[int, list[tuple[str, str]]]] = []
        self.typed: list[Word] = []
        self.listen(lambda number, _place: self.told.append((number, self.names(number))), self.typed.append)

    def names(self, number: int) -> list[tuple[str, str]]:
        return [(one.name, one.state) for one in self.people(number)]

    def word(self, person: int = 1, name: str = "Anna", number: int = 7, **more: Any) -> None:
        self.say(Word(number, HERE, person, name, **more))


def test_saying_it_again_tells_nothing_and_prolongs_the_stay() -> None:
    known = Known(Bus())
    known.word()
    known.moment += LEASE - 1
    known.word()
    known.moment += LEASE - 1
    known.sweep()

    assert known.told == [(7, [("Anna", "viewing")])]
    known.moment += 2
    known.sweep()
    assert known.told[1:] == [(7, [])]
    assert known.place(7) is None


def test_somebody_with_two_tabs_is_there_once_and_answers_if_one_does() -> None:
    known = Known(Bus())
    known.word(tab="a")
    known.word(tab="b", state="replying")
    known.word(tab="a")
    assert known.names(7) == [("Anna", "replying")]

    known.word(tab="b", state="gone")

    assert known.names(7) == [("Anna", "viewing")]
    assert [names for _, names in known.told] == [[("Anna", "viewing")], [("Anna", "replying")], [("Anna", "viewing")]]


def test_whoever_answers_stands_first_and_a_customer_is_nobody_of_the_house() -> None:
    known = Known(Bus())
    known.word(1, "Anna")
    known.word(2, "Zoe", state="replying")
    known.word(0, "Katrin", typing=True)

    assert known.names(7) == [("Zoe", "replying"), ("Anna", "viewing")]
    assert [word.name for word in known.typed] == ["Katrin"]


def test_nobody_fills_the_memory() -> None:
    known = Known(Bus())
    for n in range(3 * MOST_TABS):
        known.word(tab=f"t{n}")

    assert known._count == MOST_TABS
    known.moment += LEASE
    known.sweep()
    assert (known._count, known._there) == (0, {})


@pytest.fixture(params=["redis", "postgresql"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Bus, Bus]]:
    """Two processes' buses over one Redis, or over the database."""
    made: tuple[Bus, Bus]
    if request.param == "redis":
        url = request.getfixturevalue("own_redis").url()
        made = first, second = RedisBus(url), RedisBus(url)
        ready = lambda: all("$" not in bus._last.values() for bus in (first, second))  # noqa: E731
    else:
        where = make_url(request.getfixturevalue("postgres").url("postgres"))
        made = one, other = PostgresBus(where), PostgresBus(where)
        ready = lambda: all(bus._connection is not None for bus in (one, other))  # noqa: E731
    tasks = [asyncio.create_task(bus.run(lambda: None)) for bus in made]
    await until(ready)
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for bus in made:
        await bus.close()


async def test_two_processes_tell_each_other_and_nobody_hears_themselves(two: tuple[Bus, Bus]) -> None:
    here, there = Known(two[0]), Known(two[1])

    here.word(state="replying", via="Shop")
    await until(lambda: there.names(7) == [("Anna", "replying")])
    there.word(2, "Jonas")
    await until(lambda: len(here.names(7)) == 2)
    here.word(state="gone")

    await until(lambda: there.names(7) == [("Jonas", "viewing")])
    assert [len(names) for _, names in here.told] == [1, 2, 1]


async def test_a_word_of_another_version_harms_nobody(two: tuple[Bus, Bus]) -> None:
    known = Known(two[0])

    two[1].say("nearby", "{")
    two[1].say("unheard of", "x")
    Known(two[1]).word()

    await until(lambda: known.names(7) == [("Anna", "viewing")])


async def test_a_hint_reaches_the_other_process_and_not_oneself_twice(two: tuple[Bus, Bus]) -> None:
    looks: list[str] = []
    two[0].listen(lambda: looks.append("here"))
    two[1].listen(lambda: looks.append("there"))

    two[0].publish()

    await until(lambda: "there" in looks)
    assert looks[0] == "here"


@pytest.mark.rest
async def test_much_at_once_fits_into_a_few_notifications_and_a_lost_connection_is_made_again(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = make_url(postgres.url("postgres"))
    one, other, heard = PostgresBus(where), PostgresBus(where), list[str]()
    other.hear("much", heard.append)
    tasks = [asyncio.create_task(bus.run(lambda: None)) for bus in (one, other)]
    try:
        await until(lambda: one._connection is not None and other._connection is not None)
        for n in range(900):
            one.say("much", f"{n} " + "x" * 100)
        one.say("much", "x" * (MOST_BYTES + 1))
        one.say("much", "last")
        await until(lambda: heard[-1:] == ["last"])
        assert len(heard) == 901

        before, looks = other._connection, list[str]()
        other.listen(lambda: looks.append("at what was missed"))
        before.terminate()
        await until(lambda: other._connection not in (None, before))
        await until(lambda: bool(looks))
        one.say("much", "again")
        await until(lambda: heard[-1] == "again")
        assert await other.alive()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for bus in (one, other):
            await bus.close()
