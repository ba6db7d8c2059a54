"""Which visitors are there, in whichever process: by a clock the test moves, over a bus that loses words when told to."""

from __future__ import annotations

import pytest

from hub.attendance import BEAT, LEASE, Attendance
from hub.bus import Bus

KIM, NORA = (1, "webchat:kim"), (1, "webchat:nora")


class Line(Bus):
    """Joins the buses of several processes in one."""

    def __init__(self, line: list[Line]) -> None:
        super().__init__()
        self.line, self.cut, self.said = line, False, 0
        line.append(self)

    def say(self, topic: str, text: str) -> None:
        self.said += 1
        for other in self.line:
            if other is not self and not self.cut:
                for ear in other._ears.get(topic, ()):
                    ear(text)


class Processes:
    """Some processes, and the clock of all of them."""

    def __init__(self, count: int) -> None:
        self.at, line = 0.0, list[Line]()
        self.buses = [Line(line) for _ in range(count)]
        self.all = [Attendance(bus, lambda: self.at) for bus in self.buses]

    def later(self, seconds: float) -> None:
        self.at += seconds
        for each in self.all:
            each.beat()


def test_a_visitor_is_there_in_every_process_until_they_leave() -> None:
    p = Processes(3)
    p.all[0].came(KIM)
    assert [each.here(KIM) for each in p.all] == [True, True, True]
    assert not p.all[1].here(NORA)
    p.all[0].left(KIM)
    assert [each.here(KIM) for each in p.all] == [False, False, False]


def test_whoever_begins_later_or_lost_a_word_asks_and_knows_all() -> None:
    p = Processes(2)
    p.buses[0].cut = True
    for n in range(350):
        p.all[0].came((1, f"webchat:{n}"))
    p.all[0].came(KIM)
    p.buses[0].cut = False
    assert not p.all[1].here(KIM)
    p.later(BEAT)
    assert p.all[1].here(KIM)
    assert p.all[1].here((1, "webchat:349"))

    p.buses[0].cut = True
    p.all[0].left(KIM)
    p.buses[0].cut = False
    p.later(BEAT)
    assert not p.all[1].here(KIM)


def test_a_process_that_falls_silent_is_forgotten() -> None:
    p = Processes(2)
    p.all[0].came(KIM)
    p.buses[0].cut = True
    p.at += LEASE
    assert not p.all[1].here(KIM)
    p.all[1].beat()
    assert p.all[1]._others == {}


def test_quiet_processes_say_one_word_in_each_beat_and_nobody_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.attendance.MOST", 50)
    p = Processes(2)
    p.later(BEAT)
    before = p.buses[0].said
    for _ in range(10):
        p.later(BEAT / 10)
    assert p.buses[0].said - before == 1
    for n in range(55):
        p.all[0].came((1, str(n)))
    assert len(p.all[1]._others[p.all[0]._name].visitors) == 50
    p.buses[0].say("visitors", "{")
