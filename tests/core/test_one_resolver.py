"""One story through three doors: a mail, a call and a visit of the same customer, whose owner is on leave.

Calls and visits are played by stand-in adapters that ask the hub as the real ones will: the call before anything is kept, for a
telephone is ringing; the visit as a message like any other.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import absences, accounts, adapter, administration, assignment, channels, customers, events, presence, reasons
from hub.access import Actor
from hub.adapter import Adapter, Traits
from hub.clock import now
from hub.messages import Envelope, Message, Party, Reading
from hub.routing import Decision
from tests.core.conftest import Rig, message, numbers

DAY = 86_400_000


class Voice(Adapter):
    """A telephone line: the envelope says who calls, the answer says whom to ring."""

    kind = "voice"
    traits = Traits("tel", can_send=False)

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        said = msgspec.json.decode(envelope.body)
        return Reading((Message(said["id"], Party(said["from"]), kind="call", fields=said.get("fields", {})),))

    @staticmethod
    def answer(envelope: Envelope, responsible: Decision) -> bytes:
        """What the provider is told at once."""
        return msgspec.json.encode({"ring": responsible.assignee_id, "queue": responsible.team_id})


class Visit(Adapter):
    """A reception desk."""

    kind = "visit"
    traits = Traits("tel", can_send=False)

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        said = msgspec.json.decode(envelope.body)
        return Reading((Message(said["id"], Party(said["from"]), kind="visit", text=said["matter"]),))


@pytest.fixture
def standins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two more files in adapters/, as far as the hub can tell."""
    for channel in (Voice, Visit):
        module: Any = types.ModuleType(f"adapters.{channel.kind}")
        module.Channel = channel
        monkeypatch.setitem(sys.modules, f"adapters.{channel.kind}", module)
    known = [*adapter.kinds(), "voice", "visit"]
    monkeypatch.setattr(adapter, "kinds", lambda: known)
    yield
    adapter.load.cache_clear()


class Firm:
    """Anna is responsible for Katrin and on leave, Jonas her deputy; both are in Service, with Mia."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.db = rig, rig.hub.db
        self.people: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self.team = self.boss_id = 0

    async def open(self) -> None:
        """Everybody arrives."""
        await self.db.write(self._open)
        await self.rig.hub.load_channels()

    def _open(self, conn: Connection) -> None:
        for name in ("anna", "jonas", "mia"):
            self.people[name] = accounts.add_employee(conn, f"{name}@firm.example", name.title(), "agent", None)
        self.boss_id = accounts.add_employee(conn, "boss@firm.example", "Boss", "supervisor", None)
        self.team = administration.add_team(conn, "Service")
        administration.set_members(conn, self.team, list(self.people.values()))
        for kind in ("email", "voice", "visit"):
            given = {"address": f"box{next(numbers)}@firm.example"} if kind == "email" else {}
            row = channels.add(conn, self.rig.hub.box, kind, kind, given, self.team)
            events.append(conn, [events.NewEvent("channel.added", channel_id=row.config.id)])
            self.lines[kind] = row.config.id
        addresses = ["email:katrin@home.example", "tel:+494141100"]
        customers.add(conn, self.boss(conn), "Katrin", addresses, self.people["anna"], {})
        for person in self.people.values():
            presence.choose(conn, person, "available")

    def boss(self, conn: Connection) -> Actor:
        """Who plans absences."""
        found = accounts.actor(conn, self.boss_id)
        assert found is not None
        return found

    def leave(self, conn: Connection) -> int:
        """Anna goes for a week."""
        anna, jonas = self.people["anna"], self.people["jonas"]
        return absences.add(conn, self.boss(conn), anna, now() - 1000, now() + 7 * DAY, deputy_id=jonas)

    async def rings(self, caller: str = "tel:+494141100") -> tuple[int | None, str]:
        """Whom a call rings, and why."""
        envelope = Envelope(self.lines["voice"], msgspec.json.encode({"id": "c1", "from": caller}), "webhook", now())
        sender = Voice.read(envelope).messages[0].sender.address
        responsible = await self.db.read(assignment.ask, envelope.channel_id, sender)
        return msgspec.json.decode(Voice.answer(envelope, responsible))["ring"], reasons.in_words(responsible.reason)

    async def lands(self, kind: str, who: str, **more: Any) -> dict[str, Any]:
        """Who has the conversation that a mail or a visit began, and why."""
        if kind == "visit":
            body = msgspec.json.encode({"id": f"v{next(numbers)}", "from": who, "matter": "Samples"})
            said = Visit.read(Envelope(self.lines[kind], body, "form", now())).messages[0]
        else:
            said = message("Error 302", who=who, kind="email", **more)
        await self.rig.hear(self.lines[kind], said)
        query = "SELECT id, assignee_id, team_id, covering_id, reason FROM conversations ORDER BY id DESC LIMIT 1"
        return (await self.rig.rows(query))[0]


@pytest.fixture
async def firm(rig: Rig, standins: None) -> Firm:
    made = Firm(rig)
    await made.open()
    return made


async def test_mail_call_and_visit_reach_the_owner_and_during_leave_the_deputy_for_the_same_reason(firm: Firm) -> None:
    anna, jonas = firm.people["anna"], firm.people["jonas"]
    assert (await firm.rings())[0] == anna
    absence = await firm.db.write(firm.leave)

    first, why = await firm.rings()
    mail = await firm.lands("email", "email:katrin@home.example")
    words = reasons.in_words(mail["reason"])
    assert (first, why) == (jonas, words)
    assert (mail["assignee_id"], mail["covering_id"]) == (jonas, anna)
    assert words.startswith("Anna is responsible for this customer → Anna is absent until ")
    assert words.endswith(" → Jonas stands in for Anna")
    assert reasons.in_words(mail["reason"], "de").endswith(" → Jonas vertritt Anna")

    # the customer's mail is open with Jonas now, in Anna's place: so are their call and their visit
    _, _, rest = words.partition(" → ")
    assert await firm.rings() == (jonas, f"Anna is already working on it → {rest}")
    visit = await firm.lands("visit", "tel:+494141100")
    assert (visit["assignee_id"], visit["covering_id"]) == (jonas, anna)
    assert reasons.in_words(visit["reason"]) == f"Anna is already working on it → {rest}"

    await firm.db.write(lambda c: absences.remove(c, firm.boss(c), absence))
    await firm.db.write(absences.turn)
    held = await firm.rig.rows("SELECT assignee_id, covering_id FROM conversations")
    assert {(h["assignee_id"], h["covering_id"]) for h in held} == {(anna, None)}
    assert (await firm.rings())[0] == anna


async def test_a_deputy_on_the_phone_is_not_rung_but_gets_the_mail(firm: Firm) -> None:
    jonas, mia = firm.people["jonas"], firm.people["mia"]
    await firm.db.write(firm.leave)
    await firm.db.write(lambda c: presence.call(c, jonas, begins=True))

    rung, words = await firm.rings()
    assert rung == mia
    assert "Jonas is busy" in words
    assert (await firm.lands("email", "email:katrin@home.example"))["assignee_id"] == jonas

    await firm.db.write(lambda c: presence.call(c, jonas, begins=False))
    assert (await firm.rings())[0] == jonas


async def test_when_everybody_is_away_the_call_waits_in_the_queue_and_is_nobodys(firm: Firm) -> None:
    for person in firm.people.values():
        await firm.db.write(presence.choose, person, "away")

    rung, words = await firm.rings("tel:+49777")
    assert (rung, words.rpartition(" → ")[2]) == (None, "Waits in the queue of Service")
    visit = await firm.lands("visit", "tel:+49777")
    assert (visit["assignee_id"], visit["team_id"]) == (None, firm.team)


async def test_asking_writes_nothing(firm: Firm) -> None:
    async def everything() -> list[Any]:
        return await firm.db.read(
            lambda c: [
                list(c.execute(sa.text(f"SELECT * FROM {t}")))
                for t in ("presence", "events", "counters", "conversations")
            ]
        )

    before = await everything()
    for _ in range(3):
        await firm.rings()

    assert await everything() == before
