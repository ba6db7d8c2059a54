"""Whatever happens in whatever order, the hub's promises hold: a state machine over the real core on SQLite.

    python -m tests.prop.state_machine --quick
    python -m tests.prop.state_machine --mutant no-lattice     (must fail)

Customers write (again, in batches, in any order), colleagues answer, assign, close and merge, the provider takes messages or does
not, receipts come early and late, the process dies and starts again. After every step the invariants are read from the database.
"""

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import hypothesis
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from hub import (
    accounts,
    channels,
    collaboration,
    customers,
    delivery,
    entries,
    ingest,
    journal,
    outbox,
    receipts,
    store,
)
from hub.access import Actor
from hub.blobs import Blobs
from hub.bus import Bus
from hub.channels import Channels
from hub.core import Hub
from hub.database import SqliteDatabase
from hub.delivery import Outcome
from hub.ingest import Ingest
from hub.journal import Entry, Kept
from hub.messages import Envelope, Reading
from hub.migrations import upgrade
from hub.parcel import Parcel
from hub.receipts import RANK
from hub.repeats import OtherWords
from hub.sandbox import Sandbox
from hub.secretbox import SecretBox, load_keys
from hub.tables import conversations, deliveries
from hub.tasks import Supervisor
from tests.chaos import mutants
from tests.prop.promises import Promises

T = TypeVar("T")

_FORGET = sa.update(deliveries).where(deliveries.c.state == "sending").values(state="sent")
#: The sabotage → what it does to which module.
MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "no-unique": (entries, "dedupe_key", lambda channel, number: f"{channel}:{number}:{secrets.token_hex(4)}"),
    "no-lattice": (receipts, "climbs", lambda before, after: before != after),
    "no-early-receipts": (receipts, "park", lambda conn, early: None),
    "no-sweep": (journal, "claim_orphans", lambda conn, lease, most: []),
    "no-recovery": (delivery, "free_leases", lambda conn: conn.execute(_FORGET) and None),
}

NUMBERS = st.integers(0, 11)


class Template:
    """A migrated database with an employee and a channel, to copy for every run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hub-machine-"))
        self.keys = load_keys(self.folder / "secret.key")
        asyncio.run(self._make())

    async def _make(self) -> None:
        database = SqliteDatabase(self.folder / "template.db")
        box = SecretBox(self.keys)
        await upgrade(database)
        number = await database.write(accounts.add_employee, "a@x.example", "Agent", "admin", None)
        found = await database.read(accounts.actor, number)
        assert found is not None
        self.actor: Actor = found
        row = await database.write(channels.add, box, "api", "Provider", {"url": "http://127.0.0.1:9", "secret": "s"})
        self.channel = row.config.id
        await database.close()

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


TEMPLATE: list[Template] = []


def template() -> Template:
    """The one template of this process."""
    if not TEMPLATE:
        TEMPLATE.append(Template())
    return TEMPLATE[0]


class Machine(Promises, RuleBasedStateMachine):
    """The hub's core, its provider and its people."""

    def __init__(self) -> None:
        super().__init__()
        base = template()
        self.base = base
        self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=base.folder))
        shutil.copyfile(base.folder / "template.db", self.folder / "hub.db")
        self.runner = asyncio.Runner()
        self.acked: set[str] = set()
        self.poison: set[str] = set()
        #: what this process holds in memory: kept, not stored
        self.ready: list[tuple[Entry, Any]] = []
        self.carried: list[Parcel] = []
        #: what it was sending when it died
        self.lost_parcels: list[Parcel] = []
        self.replies: dict[str, int] = {}
        self.homes: dict[str, int] = {}
        #: idempotency key → the provider's id; the provider's id → the best state it told
        self.keys: dict[str, str] = {}
        self.sent: set[str] = set()
        self.told: dict[str, str] = {}
        self.seen_states: dict[int, str] = {}
        self.paged: dict[int, list[int]] = {}
        self.do(self._open())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        return self.runner.run(work)

    async def _open(self) -> None:
        database = SqliteDatabase(self.folder / "hub.db", readers=1)
        for engine in (database._write_engine, database._read_engine):

            @event.listens_for(engine, "connect")
            def _quick(raw: Any, _record: object) -> None:
                raw.execute("PRAGMA synchronous=OFF").close()  # no power fails here, and there are thousands of runs

        blobs = Blobs(self.folder / "blobs")
        self.hub = Hub(database, Bus(), blobs, SecretBox(self.base.keys), Channels(), Supervisor(), Sandbox())
        await self._start()

    async def _start(self) -> None:
        """What a start does on SQLite."""
        self.ready, self.carried = [], []
        self.ingest = Ingest(self.hub)
        await self.hub.db.write(journal.free_leases)
        await self.hub.db.write(delivery.free_leases)
        await self.hub.load_channels()

    # ── customers ─────────────────────────────────────────────────────────────────────────────────────────────────
    @initialize()
    def begin(self) -> None:
        """Three customers wrote and one was answered, so that there is something to do."""
        self.deliver([0, 1, 2], False)
        self.store(1, False)
        self.reply(0, 0)
        self.claim(1)

    @rule(numbers=st.lists(NUMBERS, min_size=1, max_size=3), poison=st.booleans())
    def deliver(self, numbers: list[int], poison: bool) -> None:
        """A webhook with some messages, maybe some that came before, maybe a poisonous one alone; acknowledged."""
        said: list[dict[str, Any]] = [
            {"id": f"m{n}", "from": {"address": f"c{n % 3}"}, "text": f"message {n}"} for n in numbers
        ]
        if poison and numbers == [7]:
            said = [{"id": "p7", "from": {"address": "c9"}, "text": "POISON"}]
            self.poison.add("p7")
        self.do(self._keep({"messages": said}))
        self.acked |= {m["id"] for m in said if m["text"] != "POISON"}

    async def _keep(self, body: dict[str, Any]) -> None:
        envelope = Envelope(self.base.channel, json.dumps(body).encode(), "webhook", 1)
        reading = ingest.read_now("api", envelope)
        assert isinstance(reading, Reading)
        (number,) = await self.hub.db.write(journal.write, [Kept(envelope)], 60_000)
        self.ready.append((Entry(number, envelope), reading))

    @precondition(lambda self: self.ready)
    @rule(many=st.integers(1, 4), turned=st.booleans())
    def store(self, many: int, turned: bool) -> None:
        """Some of what waits is stored in one batch, maybe in the wrong order."""
        batch, self.ready = self.ready[:many], self.ready[many:]
        self.do(self._store(batch[::-1] if turned else batch))

    async def _store(self, batch: list[tuple[Entry, Any]]) -> None:
        await self.ingest._store(*await self.ingest._read(batch))

    @rule()
    def sweep(self) -> None:
        """Entries whose process died are picked up."""
        self.do(self._sweep())

    async def _sweep(self) -> int:
        found = await self.ingest.sweep()
        while not self.ingest._ready.empty():
            self.ready.append(self.ingest._ready.get_nowait())
        return found

    @rule()
    def crash(self) -> None:
        """The process dies and starts again: what it had in memory is gone; what it was sending may still end."""
        self.lost_parcels += self.carried
        self.do(self._start())

    @precondition(lambda self: self.lost_parcels)
    @rule(state=st.sampled_from(["sent", "failed", "queued"]))
    def late_outcome(self, state: str) -> None:
        """A process thought dead writes down its outcome after all; what was taken over since is none of its business."""
        self._settled(self.lost_parcels.pop(0), state)

    # ── colleagues ────────────────────────────────────────────────────────────────────────────────────────────────
    def _conversation(self, pick: int) -> int | None:
        found = self.do(self.hub.db.read(lambda c: c.execute(sa.select(conversations.c.id)).scalars().all()))
        return sorted(found)[pick % len(found)] if found else None

    @rule(pick=NUMBERS, act=st.integers(0, 5))
    def reply(self, pick: int, act: int) -> None:
        """An answer; the same act twice is one message, in another conversation it is refused."""
        number = self._conversation(pick)
        if number is None:
            return
        draft = outbox.Draft(f"answer {act}", f"act-{act}")
        work = self.hub.db.write(outbox.reply, self.base.actor, self.hub.channels, 0, number, draft)
        try:
            made, fresh = self.do(work)
        except OtherWords:
            assert self.homes.get(draft.client_id, number) != number, "a repeat was taken for something else"
            return
        self.homes.setdefault(draft.client_id, number)
        assert fresh == (draft.client_id not in self.replies), "an act became two messages, or none"
        assert self.replies.setdefault(draft.client_id, made) == made

    @rule(pick=NUMBERS, to=st.booleans())
    def assign(self, pick: int, to: bool) -> None:
        """Somebody takes it, or gives it back."""
        if number := self._conversation(pick):
            employee = self.base.actor.id if to else None
            self.do(self.hub.db.write(collaboration.assign, self.base.actor, number, employee, None))

    @rule(pick=NUMBERS, status=st.sampled_from(["open", "waiting", "closed", "seen"]))
    def status(self, pick: int, status: Any) -> None:
        """Closed, opened again, or just read."""
        if number := self._conversation(pick):
            if status == "seen":
                self.do(self.hub.db.write(collaboration.mark_seen, self.base.actor, number))
            else:
                self.do(self.hub.db.write(collaboration.set_status, self.base.actor, number, status))

    @rule(one=st.integers(0, 2), other=st.integers(0, 2))
    def merge(self, one: int, other: int) -> None:
        """Two customers are one person."""
        self.do(self._merge(f"api:c{one}", f"api:c{other}"))

    async def _merge(self, *addresses: str) -> None:
        from hub import identity

        known = await self.hub.db.read(identity.find, addresses)
        ids = [known[a].id for a in addresses if a in known]
        if len(set(ids)) == 2:
            await self.hub.db.write(customers.merge, self.base.actor, ids[0], ids[1], "they said so")

    @rule()
    def unmerge(self) -> None:
        """The newest merge was a mistake."""
        self.do(self._unmerge())

    async def _unmerge(self) -> None:
        from hub.tables import merges

        newest = (
            sa.select(merges.c.id, merges.c.winner_id).where(merges.c.undone_at.is_(None)).order_by(merges.c.id.desc())
        )
        row = await self.hub.db.read(lambda c: c.execute(newest).first())
        if row is not None:
            await self.hub.db.write(customers.unmerge, self.base.actor, row.winner_id, row.id)

    # ── the provider ──────────────────────────────────────────────────────────────────────────────────────────────
    @rule(many=st.integers(1, 3), lost=st.booleans())
    def claim(self, many: int, lost: bool = False) -> None:
        """The delivery worker takes what is due; the provider gets it, whatever becomes of its answer, or dies before (lost)."""
        parcels = self.do(self.hub.db.write(delivery.claim, self.hub, many))
        lines = [(p.conversation_id, p.recipient) for p in [*self.carried, *parcels]]
        assert len(set(lines)) == len(lines), "two of one line are on their way at once"
        self.carried += [] if lost else parcels
        for parcel in parcels:
            if not lost:
                self.sent.add(parcel.out.idempotency_key)
            self.keys.setdefault(parcel.out.idempotency_key, f"out-{len(self.keys)}")
        if lost:
            self.crash()

    @precondition(lambda self: self.carried)
    @rule(state=st.sampled_from(["sent", "sent", "sent", "queued", "failed", "unconfirmed"]), first=st.booleans())
    def settle(self, state: str, first: bool) -> None:
        """The provider's answer is written down; a queued one is due again at once."""
        self._settled(self.carried.pop(0 if first else -1), state)

    def _settled(self, parcel: Parcel, state: str) -> None:
        number = self.keys[parcel.out.idempotency_key] if state == "sent" else ""
        self.do(self.hub.db.write(delivery.settle, [Outcome(parcel, state, provider_id=number)]))

    @precondition(lambda self: self.keys)
    @rule(pick=NUMBERS, state=st.sampled_from(["delivered", "read", "failed"]), soon=st.booleans())
    def receipt(self, pick: int, state: Any, soon: bool) -> None:
        """News about something sent: early, late, twice, backwards; stored at once or when its turn comes."""
        name = f"out-{pick % len(self.keys)}"
        self.do(self._keep({"receipts": [{"id": name, "state": state}]}))
        if soon:
            self.do(self._store([self.ready.pop()]))
        if RANK[state] > RANK.get(self.told.get(name, ""), -1):
            self.told[name] = state

    # ── what must always be true ──────────────────────────────────────────────────────────────────────────────────
    @invariant()
    def promises(self) -> None:
        """P2, P4 and everything that can be said at any moment."""
        self.do(self.hub.db.read(self._check))

    def teardown(self) -> None:
        """In the end nothing acknowledged is missing, however often the process died."""
        try:
            self.do(self._finish())
        finally:
            self.do(self.hub.db.close())
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _finish(self) -> None:
        await self._start()  # it may have died with everything in memory
        while await self._sweep() or self.ready:
            batch, self.ready = self.ready, []
            await self._store(batch)
        while parcels := await self.hub.db.write(delivery.claim, self.hub, 10):
            for p in parcels:
                self.sent.add(p.out.idempotency_key)
                self.keys.setdefault(p.out.idempotency_key, f"out-{len(self.keys)}")
            done = [Outcome(p, "sent", provider_id=self.keys[p.out.idempotency_key]) for p in parcels]
            await self.hub.db.write(delivery.settle, done)
        self.paged.clear()
        await self.hub.db.read(self._check)
        await self.hub.db.read(self._check_end)


def run(examples: int, steps: int, mutant: str = "", seconds: float = 0) -> str:
    """Run the machine; what went wrong in one line, empty when nothing did. ``seconds``: stop quietly after so long."""
    began = time.monotonic()

    class Limited(Machine):
        def __init__(self) -> None:
            hypothesis.assume(not seconds or time.monotonic() - began < seconds)
            super().__init__()

    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=examples < 1000,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if mutant else [Phase.generate, Phase.shrink],
        print_blob=False,
        report_multiple_bugs=False,
    )
    patches = [mock.patch.object(*MUTANTS[mutant])] if mutant else []
    row = store.message_row
    mutants.poison()
    try:
        for patch in patches:
            patch.start()
        run_state_machine_as_test(Limited if seconds else Machine, settings=settings)
    except Exception as error:
        if not mutant:
            raise
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:150]}"
    finally:
        for patch in patches:
            patch.stop()
        store.message_row = row
        while TEMPLATE:
            TEMPLATE.pop().close()
    return ""


def main() -> int:
    """The command line: prints one line for people, one for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const=(40, 25), dest="size", default=(40, 25))
    size.add_argument("--night", action="store_const", const=(500, 30), dest="size")
    size.add_argument("--release", action="store_const", const=(20_000, 50), dest="size")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="")
    given = parser.parse_args()
    began = time.monotonic()
    runs, steps = given.size
    said = ""
    try:
        said = run(runs, steps, given.mutant)
    except AssertionError as error:
        import traceback

        traceback.print_exc()
        said = str(error).partition("\n")[0][:200] or "AssertionError"
    took = time.monotonic() - began
    words = f"state_machine mutant={given.mutant or '-'} runs={runs} steps={steps} wall={took:.1f}s {said or 'nothing wrong'}"
    print(words, "FAIL" if said else "PASS")
    figures = {"mutant": given.mutant, "runs": runs, "steps": steps, "wall": round(took, 1), "said": said}
    print(json.dumps({"name": "state_machine", "pass": not said, **figures}))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
