"""What shall leave at a later time, as it waits for it: whole drafts with a moment. Knowing only; deeds are in `hub.planning`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub.clock import now
from hub.fitting import Draft
from hub.messages import Party
from hub.sql import allocate, among, insert_rows, lit
from hub.tables import attachments, employees, plan_files, plans
from hub.timeline import FileView

#: What has become of it: ``given up`` is what could not leave, which stands in the timeline as failed. ``aside`` has no time: a draft
#: that made room for another one, which only its writer sees.
State = Literal["waiting", "aside", "sent", "withdrawn", "given up"]
#: What is over is remembered so long (ms), so that a late repeat of the planning is known.
MEMORY = 30 * 86_400_000
#: What was set aside is kept as long as a draft (ms).
ASIDE = 90 * 86_400_000
#: Messages of one conversation that may wait.
MOST = 50


class Plan(Struct, frozen=True):
    """A message that leaves at ``due_at`` (ms). ``zone`` is where its author was: words of a snooze are meant there. ``message_id``:
    what has become of it.
    """

    id: int
    conversation_id: int
    author_id: int
    author: str
    draft: Draft
    zone: str
    due_at: int
    state: State
    message_id: int | None
    files: tuple[FileView, ...] = ()


_p, _f, _e = plans.c, plan_files.c, employees.c
_COLUMNS = (_p.id, _p.conversation_id, _p.author_id, _e.name, _p.draft, _p.zone, _p.due_at, _p.state, _p.message_id)
_waiting = _p.state == lit("waiting")
_unsaid = _p.state.in_((lit("waiting"), lit("aside")))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Draft).decode


def add(
    conn: Connection,
    conversation_id: int,
    author_id: int,
    client_key: str,
    draft: Draft,
    zone: str,
    due_at: int,
    state: State = "waiting",
) -> int:
    """Keep a new one; its id."""
    number, moment = allocate(conn, "ids", 1)[0], now()
    row = {
        "id": number,
        "conversation_id": conversation_id,
        "author_id": author_id,
        "client_key": client_key,
        "draft": _encode(draft).decode(),
        "zone": zone,
        "due_at": due_at,
        "state": state,
        "created_at": moment,
        "changed_at": moment,
    }
    insert_rows(conn, plans, [row])
    insert_rows(conn, plan_files, [{"plan_id": number, "attachment_id": file} for file in sorted(set(draft.files))])
    return number


def _where(condition: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    statement = sa.select(*_COLUMNS).join(employees, _e.id == _p.author_id).where(condition)
    return statement.order_by(_p.due_at, _p.id).limit(MOST)


_by_id = _where(_p.id == sa.bindparam("wanted"))
_by_name = _where(_p.client_key == sa.bindparam("wanted"))
_own = sa.and_(_p.state == lit("aside"), _p.author_id == sa.bindparam("reader"))
_by_home = _where(sa.and_(_p.conversation_id == sa.bindparam("wanted"), sa.or_(_waiting, _own)))


def _found(conn: Connection, statement: sa.Select[*tuple[Any, ...]], wanted: int | str, **more: int) -> list[Plan]:
    found = [_read(row) for row in conn.execute(statement, {"wanted": wanted, **more})]
    if not any(plan.draft.files for plan in found):
        return found
    files: dict[int, list[FileView]] = {}
    a = attachments.c
    names = sa.select(_f.plan_id, a.id, a.name, a.type, a.size, a.sha256, a.inline_id)
    of = names.join(attachments, a.id == _f.attachment_id).where(among(_f.plan_id, [plan.id for plan in found]))
    for row in conn.execute(of.order_by(a.id)):
        files.setdefault(row[0], []).append(FileView(*list(row)[1:]))
    return [structs.replace(plan, files=tuple(files.get(plan.id, ()))) for plan in found]


def _read(row: Any) -> Plan:
    number, home, author, name, draft, zone, due_at, state, message = row
    said = _decode(draft) if draft else Draft("", "")
    return Plan(number, home, author, name, said, zone, due_at, state, message)


def one(conn: Connection, number: int) -> Plan | None:
    """One of them, whatever has become of it."""
    return next(iter(_found(conn, _by_id, number)), None)


def named(conn: Connection, client_key: str) -> Plan | None:
    """The one that was made of this act."""
    return next(iter(_found(conn, _by_name, client_key)), None)


def set_aside(conn: Connection, conversation_id: int, author_id: int, said: Mapping[str, Any]) -> int:
    """Keep a draft (the fields of `drafts.Content`) that makes room for another one; its id."""
    name = token_hex(16)
    whom = {field: tuple(Party(address) for address in said[field]) for field in ("to", "cc", "bcc")}
    draft = Draft(client_id=name, **{**said, **whom})
    return add(conn, conversation_id, author_id, f"aside:{name}", draft, "", now(), "aside")


def of_conversation(conn: Connection, conversation_id: int, reader_id: int = 0) -> list[Plan]:
    """What waits there, the next one first, and what the reader has set aside there."""
    return _found(conn, _by_home, conversation_id, reader=reader_id)


def due(conn: Connection, most: int = 50) -> list[int]:
    """Those whose time has come."""
    statement = sa.select(_p.id).where(_waiting, _p.due_at <= now()).order_by(_p.due_at, _p.id)
    return list(conn.execute(statement.limit(most)).scalars())


def end(conn: Connection, number: int, state: State, message_id: int | None = None) -> bool:
    """It does not wait any more; False when it did not. Of two at once only one is told True: call it before whatever follows."""
    waits = sa.update(plans).where(_p.id == number, _unsaid)
    values = {"state": state, "message_id": message_id, "changed_at": now()}
    return bool(conn.execute(waits.values(**values)).rowcount)


def became(conn: Connection, number: int, message_id: int | None) -> None:
    """The message it was made into, or None for a draft; its words are there now."""
    conn.execute(sa.update(plans).where(_p.id == number).values(message_id=message_id, draft=""))
    conn.execute(sa.delete(plan_files).where(_f.plan_id == number))


def put_off(conn: Connection, number: int, due_at: int) -> bool:
    """Another time; False when it does not wait any more."""
    waits = sa.update(plans).where(_p.id == number, _waiting)
    return bool(conn.execute(waits.values(due_at=due_at, changed_at=now())).rowcount)


def move(conn: Connection, source: int, target: int, those: Sequence[int] | None = None) -> tuple[int, ...]:
    """What waits in one conversation, or only ``those`` of it, goes on in another; which."""
    which = sa.and_(_p.conversation_id == source, _unsaid, sa.true() if those is None else among(_p.id, those))
    found = tuple(conn.execute(sa.select(_p.id).where(which).order_by(_p.id)).scalars())
    conn.execute(sa.update(plans).where(which).values(conversation_id=target))
    return found


def let_go(conn: Connection, files: sa.Select[tuple[int]]) -> None:
    """These files will not be there any more."""
    conn.execute(sa.delete(plan_files).where(_f.attachment_id.in_(files)))


def forget(conn: Connection, conversation_ids: Sequence[int]) -> None:
    """Leave nothing of what was planned in these conversations."""
    _remove(conn, among(_p.conversation_id, conversation_ids))


def prune(conn: Connection) -> int:
    """Forget what is long over; how many."""
    over = sa.and_(~_unsaid, _p.changed_at < now() - MEMORY)
    return _remove(conn, sa.or_(over, sa.and_(_p.state == lit("aside"), _p.changed_at < now() - ASIDE)))


def _remove(conn: Connection, which: sa.ColumnElement[bool]) -> int:
    conn.execute(sa.delete(plan_files).where(_f.plan_id.in_(sa.select(_p.id).where(which))))
    return conn.execute(sa.delete(plans).where(which)).rowcount
