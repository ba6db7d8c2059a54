"""What somebody did to conversations, remembered so that it can be undone; and what is done to very many, step by step.

An action is a row, with a step for each conversation that says what was before and what is after. What fits into one batch is done at
once, in the transaction that remembers it. More is queued: its steps are to do, and one process at a time works them off, batch by
batch, each in one transaction with what it did. So a crash loses nothing and does nothing twice.

Undoing is an action too. It puts back what nobody has changed since, conversation by conversation, and says how many it left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import accounts, blocking, directory, merging, shifting, work
from hub.access import Actor, Forbidden, access_conversation
from hub.clock import now
from hub.outbox import CannotSend, NotFound
from hub.shifting import Move
from hub.sql import allocate, among, insert_into, is_postgres, lit
from hub.tables import action_steps, actions
from hub.work import BATCH, Change, Deed, Doing, State

#: Conversations of one job, and jobs of one person that may wait.
MOST, MOST_WAITING = 10_000, 5
#: How long something can be undone (ms).
MEMORY = 86_400_000

_a, _s = actions.c, action_steps.c
_unfinished = _a.state.in_((lit("queued"), lit("running")))


class Undone(Exception):
    """It was undone already."""

    def __init__(self) -> None:
        super().__init__("This has been undone already.")


class Action(Struct, frozen=True):
    """``state``: queued, running, done, cancelled or failed. ``done`` conversations were changed, ``skipped`` left as they were
    (nothing to change, not the actor's, or, when undoing, changed by somebody since). ``conversation``: when it is about one only.
    """

    id: int
    kind: str
    deed: Deed
    state: str
    undo_of: int
    total: int
    done: int
    skipped: int
    created_at: int
    changed_at: int
    undone_at: int | None
    conversation: int | None = None

    @property
    def running(self) -> bool:
        """Is there still something to do?"""
        return self.state in ("queued", "running")

    @property
    def undoable(self) -> bool:
        """Can it be undone?"""
        return self.undone_at is None and not self.undo_of and bool(self.done or self.running)


_COLUMNS = [_a[name] for name in Action.__struct_fields__ if name != "conversation"]


# ── doing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def one(conn: Connection, actor: Actor, deed: Deed, conversation_id: int) -> int:
    """Do it to one conversation; the action's id, 0 when that changed nothing. Raises `NotFound` and as `work.check`."""
    work.check(conn, actor, deed)
    home = access_conversation(conn, actor, conversation_id)
    if home is None:
        raise NotFound
    if home.merged_into is not None:
        raise CannotSend(f"This conversation was merged into #{home.merged_into}; work there.")
    changes = work.do(conn, actor, deed, [conversation_id])
    return _remember(conn, actor, deed, changes, 0) if changes else 0


def many(conn: Connection, actor: Actor, deed: Deed, ids: Sequence[int]) -> int:
    """Do it to many: at once when they are few, else as a job; the action's id. Raises as `work.check`, and `CannotSend`."""
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise CannotSend("Select the conversations first.")
    if len(ids) > MOST:
        raise CannotSend(f"At most {MOST} conversations at once; select fewer.")
    work.check(conn, actor, deed)
    if len(ids) <= BATCH:
        changes = work.do(conn, actor, deed, ids)
        return _remember(conn, actor, deed, changes, len(ids) - len(changes))
    work.refuse_absent(conn, actor, deed)
    _refuse_too_many(conn, actor)
    return _queue(conn, actor, deed.kind, deed, ids)


def _refuse_too_many(conn: Connection, actor: Actor) -> None:
    waiting = sa.select(sa.func.count()).select_from(actions).where(_unfinished, _a.actor_id == actor.id)
    if conn.execute(waiting).scalar_one() >= MOST_WAITING:
        raise CannotSend(f"{MOST_WAITING} jobs of yours are running already; let one end first.")


def _remember(conn: Connection, actor: Actor, deed: Deed, changes: Sequence[Change], skipped: int) -> int:
    total = len(changes) + skipped
    number = _insert(conn, actor, deed.kind, deed, "done", 0, total, len(changes), skipped)
    rows = [(number, c.conversation_id, "done", msgspec.json.encode(c).decode()) for c in changes]
    insert_into(conn, "action_steps", ("action_id", "conversation_id", "state", "change"), rows)
    return number


def _queue(conn: Connection, actor: Actor, kind: str, deed: Deed, ids: Sequence[int], undo_of: int = 0) -> int:
    number = _insert(conn, actor, kind, deed, "queued", undo_of, len(ids), 0, 0)
    rows = [(number, n, "todo", "") for n in ids]
    insert_into(conn, "action_steps", ("action_id", "conversation_id", "state", "change"), rows)
    return number


def _insert(
    conn: Connection, actor: Actor, kind: str, deed: Deed, state: str, undo_of: int, total: int, done: int, skipped: int
) -> int:
    number, moment = allocate(conn, "ids", 1)[0], now()
    counts = {"total": total, "done": done, "skipped": skipped}
    conn.execute(
        sa.insert(actions).values(
            id=number,
            actor_id=actor.id,
            kind=kind,
            deed=msgspec.json.encode(deed).decode(),
            state=state,
            undo_of=undo_of,
            created_at=moment,
            changed_at=moment,
            **counts,
        )
    )
    return number


def merge(conn: Connection, actor: Actor, source: int, target: int, across: bool = False) -> int:
    """Merge a conversation into another one; the action's id. Raises as `merging.merge`."""
    join = merging.merge(conn, actor, source, target, across)
    return _remember_join(conn, actor, Deed("merge", join=join, other=target), source)


def split(conn: Connection, actor: Actor, conversation_id: int, message_id: int) -> int:
    """Begin a new conversation from a message on; the action's id, whose deed names it. Raises as `merging.split`."""
    join, home = merging.split(conn, actor, conversation_id, message_id)
    return _remember_join(conn, actor, Deed("split", join=join, other=home), conversation_id)


def move(conn: Connection, actor: Actor, conversation_id: int, wanted: Move) -> int:
    """Move messages to another or a new conversation; the action's id, whose deed names it. Raises as `shifting.move`."""
    join, home = shifting.move(conn, actor, conversation_id, wanted)
    kind: Doing = "move" if wanted.into else "split"
    return _remember_join(conn, actor, Deed(kind, join=join, other=home), conversation_id)


def _remember_join(conn: Connection, actor: Actor, deed: Deed, conversation_id: int) -> int:
    number = _insert(conn, actor, deed.kind, deed, "done", 0, 1, 1, 0)
    rows = [(number, conversation_id, "done", "")]
    insert_into(conn, "action_steps", ("action_id", "conversation_id", "state", "change"), rows)
    return number


# ── undoing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def undo(conn: Connection, actor: Actor, number: int) -> int:
    """Put back what nobody has changed since; the id of the action that does it. What is still running stops where it is.

    Only one's own, and only for `MEMORY`. Raises `NotFound`, `Undone`.
    """
    row = _held(conn, number)
    if row is None or row.actor_id != actor.id or row.undo_of or row.created_at < now() - MEMORY:
        raise NotFound
    if row.undone_at is not None:
        raise Undone
    state = "cancelled" if row.state in ("queued", "running") else row.state
    moment = now()
    conn.execute(sa.update(actions).where(_a.id == number).values(undone_at=moment, changed_at=moment, state=state))
    conn.execute(sa.delete(action_steps).where(_s.action_id == number, _s.state == lit("todo")))
    mine = sa.select(_s.conversation_id).where(_s.action_id == number, _s.state == lit("done"))
    ids = list(conn.execute(mine.order_by(_s.conversation_id)).scalars())
    deed = msgspec.json.decode(row.deed, type=Deed)
    if len(ids) > BATCH:
        return _queue(conn, actor, "undo", deed, ids, number)
    changes = _separated(conn, actor, deed, ids) if deed.join else _put_back(conn, actor, number, ids)
    blocking.unblock(conn, deed.block)
    done = _insert(conn, actor, "undo", deed, "done", number, len(ids), len(changes), len(ids) - len(changes))
    rows = [(done, n, "done" if n in changes else "skipped", "") for n in ids]
    insert_into(conn, "action_steps", ("action_id", "conversation_id", "state", "change"), rows)
    return done


def _separated(conn: Connection, actor: Actor, deed: Deed, ids: Sequence[int]) -> set[int]:
    """Undo a merge or a split; nothing when somebody has done so already."""
    try:
        if deed.kind == "move":
            shifting.put_back(conn, actor, deed.join)
        else:
            merging.separate(conn, actor, deed.join)
    except NotFound:
        return set()
    return set(ids)


def _held(conn: Connection, number: int) -> Any | None:
    """The action's row, held until the commit; before any conversation's."""
    statement = sa.select(actions).where(_a.id == number)
    return conn.execute(statement.with_for_update() if is_postgres(conn) else statement).first()


#: What must still be as the deed left it; the rest is put back where it is.
_KEYS = frozenset(
    ["status", "snoozed_until", "closed_at", "closed_as", "assignee_id", "team_id", "assigned_at", "priority", "tags"]
)


def _put_back(conn: Connection, actor: Actor, number: int, ids: Sequence[int]) -> set[int]:
    """Undo the action in these conversations (at most `BATCH`); those where it could be done."""
    steps = sa.select(_s.conversation_id, _s.change).where(_s.action_id == number, among(_s.conversation_id, ids))
    changes = {row[0]: msgspec.json.decode(row[1], type=Change) for row in conn.execute(steps)}
    d = directory.current(conn)
    gone = {e.id for e in d.employees.values() if e.disabled}
    homes = [h for h in work.hold(conn, actor, ids, also=_given(changes)) if h.id in changes]
    there = work.states(conn, homes)
    after: dict[int, State] = {}
    for home in homes:
        restored = _restored(changes[home.id], there[home.id])
        if restored is not None and restored.assignee_id not in gone:
            after[home.id] = restored
    homes = [home for home in homes if home.id in after]
    if d.policies:
        work.put_clocks_back(conn, {h.id: changes[h.id].clocks for h in homes})
    work.write(
        conn,
        d,
        homes,
        after,
        {n: s.tags for n, s in there.items()},
        told=lambda home: work.tell(home, there[home.id], after[home.id], actor, undo=True),
    )
    return set(after)


def _given(changes: dict[int, Change]) -> set[int]:
    """What the deed gave away: the actor may not see it any more, but may take the deed back."""
    return {
        n
        for n, c in changes.items()
        if c.before.assignee_id != c.after.assignee_id or c.before.team_id != c.after.team_id
    }


def _restored(change: Change, there: State) -> State | None:
    """How it was before, with what has happened since; None when somebody has changed what the deed changed."""
    before, after = structs.asdict(change.before), structs.asdict(change.after)
    present = structs.asdict(there)
    moved = [name for name in before if before[name] != after[name]]
    keys = [name for name in moved if name in _KEYS] or moved
    if any(present[name] != after[name] for name in keys):
        return None
    return structs.replace(
        there, **{name: before[name] for name in moved if name in keys or present[name] == after[name]}
    )


# ── working off ───────────────────────────────────────────────────────────────────────────────────────────────────────
def waiting(conn: Connection) -> int | None:
    """The next action with something to do."""
    return conn.execute(sa.select(sa.func.min(_a.id)).where(_unfinished)).scalar()


def advance(conn: Connection, number: int) -> bool:
    """Do the next batch of an action; False when nothing is left of it. Doing the same batch twice is impossible: its steps are
    marked in the transaction that does it.
    """
    row = _held(conn, number)
    if row is None or row.state not in ("queued", "running"):
        return False
    todo = sa.select(_s.conversation_id).where(_s.action_id == number, _s.state == lit("todo"))
    ids = list(conn.execute(todo.order_by(_s.conversation_id).limit(BATCH)).scalars())
    actor = accounts.actor(conn, row.actor_id)
    if not ids or actor is None:
        finish(conn, number, "done" if actor else "failed")
        return False
    try:
        done = _batch(conn, actor, row, ids)
    except (CannotSend, Forbidden):  # whoever it should go to has left, or the actor's role is another one now
        finish(conn, number, "failed")
        return False
    counts = {"done": _a.done + len(done), "skipped": _a.skipped + len(ids) - len(done)}
    over = len(ids) < BATCH
    conn.execute(
        sa.update(actions)
        .where(_a.id == number)
        .values(state="done" if over else "running", changed_at=now(), **counts)
    )
    return not over


_mark = (
    sa.update(action_steps)
    .where(_s.action_id == sa.bindparam("action"), _s.conversation_id == sa.bindparam("number"))
    .values(state=sa.bindparam("new_state"), change=sa.bindparam("what"))
)


def _batch(conn: Connection, actor: Actor, row: Any, ids: Sequence[int]) -> set[int]:
    if row.undo_of:
        said = dict.fromkeys(_put_back(conn, actor, row.undo_of, ids), "")
    else:
        deed = structs.replace(msgspec.json.decode(row.deed, type=Deed), anyway=True)  # asked when it was begun
        changes = work.do(conn, actor, deed, ids)
        said = {c.conversation_id: msgspec.json.encode(c).decode() for c in changes}
    marks = [
        {"action": row.id, "number": n, "new_state": "done" if n in said else "skipped", "what": said.get(n, "")}
        for n in ids
    ]
    conn.execute(_mark, marks)
    return set(said)


def finish(conn: Connection, number: int, state: str) -> None:
    """It ends here."""
    conn.execute(sa.update(actions).where(_a.id == number, _unfinished).values(state=state, changed_at=now()))


def cancel(conn: Connection, actor: Actor, number: int) -> None:
    """Do no more of it; what was done stays. Raises `NotFound`."""
    row = _held(conn, number)
    if row is None or row.actor_id != actor.id:
        raise NotFound
    finish(conn, number, "cancelled")


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def view(conn: Connection, actor: Actor, number: int) -> Action:
    """One of the actor's own. Raises `NotFound`."""
    row = conn.execute(sa.select(*_COLUMNS).where(_a.id == number, _a.actor_id == actor.id)).first()
    if row is None:
        raise NotFound
    return _read(conn, [row])[0]


def latest(conn: Connection, actor: Actor, before: int = 2**62, most: int = 50) -> list[Action]:
    """The actor's own actions, the newest first."""
    statement = sa.select(*_COLUMNS).where(_a.actor_id == actor.id, _a.id < before).order_by(_a.id.desc())
    return _read(conn, list(conn.execute(statement.limit(most)).all()))


def _read(conn: Connection, rows: Sequence[Any]) -> list[Action]:
    single = [row.id for row in rows if row.total == 1]
    steps = sa.select(_s.action_id, _s.conversation_id).where(among(_s.action_id, single))
    about = {row[0]: row[1] for row in conn.execute(steps)} if single else {}
    found = [Action(row[0], row[1], msgspec.json.decode(row[2], type=Deed), *row[3:]) for row in rows]
    return [structs.replace(action, conversation=about.get(action.id)) for action in found]


def prune(conn: Connection, most: int = 20) -> int:
    """Forget what can be undone no more, a few actions at a time; how many."""
    old = sa.select(_a.id).where(_a.created_at < now() - MEMORY, ~_unfinished).order_by(_a.created_at).limit(most)
    ids = list(conn.execute(old).scalars())
    if ids:
        conn.execute(sa.delete(action_steps).where(among(_s.action_id, ids)))
        conn.execute(sa.delete(actions).where(among(_a.id, ids)))
    return len(ids)
