"""Messages that leave later: planned, had back, put off, sent at their time, or given up where that cannot be done any more.

Until its time a planned message is no message: nobody is answered, nothing is promised, the customer's clock runs on. When its time
comes it becomes one, in one transaction with the end of its waiting, so that no crash and no second process sends it twice.
"""

from __future__ import annotations

import logging
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, conversations, drafts, events, identity, outbox, plans, repeats, replies, snoozing
from hub.access import Actor, Forbidden, access_conversation, require
from hub.channels import Channels
from hub.clock import now
from hub.conversations import Current
from hub.core import Hub
from hub.database import is_passing
from hub.drafts import Content, Kept
from hub.events import NewEvent
from hub.fitting import CannotSend, Draft
from hub.outbox import NotFound
from hub.plans import MOST, Plan
from hub.repeats import OtherWords
from hub.sql import among
from hub.tables import attachments
from hub.undo import TooLate

log = logging.getLogger(__name__)


def plan(
    conn: Connection,
    actor: Actor,
    channels: Channels,
    conversation_id: int,
    draft: Draft,
    due_at: int,
    place: str = "UTC",
) -> tuple[int, bool]:
    """Let it leave at ``due_at`` (ms): (the plan's id, False if it was already there). ``place`` is the author's time zone (IANA).

    It is weighed as if it left now, free text also against the end of the channel's window at that time. Raises as `outbox.reply`.
    """
    require(actor, "reply")
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    key = repeats.client_key(actor, draft.client_id)
    identity.lock(conn, [f"client:{key}"])
    home = conversations.lock_one(conn, conversation_id)
    assert home is not None
    if earlier := plans.named(conn, key):
        return _same(earlier, draft), False
    _refuse_time(due_at)
    replies.refuse_unknown(draft.actions)
    if len(plans.of_conversation(conn, home.id)) >= MOST:
        raise CannotSend(f"{MOST} messages are planned here already; send or take back some of them first.")
    settled = outbox.weigh(conn, actor, channels, home, draft, due_at)
    number = plans.add(conn, home.id, actor.id, key, settled, place, due_at)
    _tell(conn, "plan.added", home.id, home.customer_id, actor.id, number)
    return number, True


def _same(earlier: Plan, draft: Draft) -> int:
    """Raises `OtherWords`, `CannotSend` where it is no repeat."""
    if earlier.state == "withdrawn":
        raise CannotSend("This message was taken back. Send it again as a new one.")
    if earlier.state == "waiting" and earlier.draft.text.split() != draft.text.split():
        raise OtherWords(earlier.message_id or 0, earlier.conversation_id, earlier.draft.text)
    return earlier.id


def _refuse_time(due_at: int) -> None:
    if due_at <= now():
        raise CannotSend(snoozing.PAST)
    if due_at > now() + snoozing.LONGEST * 86_400_000:
        raise CannotSend(snoozing.FAR)


def _tell(conn: Connection, kind: str, home: int, customer: int, actor_id: int | None, number: int) -> None:
    events.append(conn, [NewEvent(kind, home, customer, actor_id=actor_id, data={"plan": str(number)})])


def view(conn: Connection, actor: Actor, number: int) -> Plan:
    """One of a conversation they may see, while it waits or after. Raises `NotFound`."""
    found = plans.one(conn, number)
    if found is None or access_conversation(conn, actor, found.conversation_id) is None:
        raise NotFound
    if found.state == "aside" and found.author_id != actor.id:
        raise NotFound
    return found


def listing(conn: Connection, actor: Actor, conversation_id: int) -> list[Plan]:
    """What waits in a conversation, the next one first. Raises `NotFound`."""
    if access_conversation(conn, actor, conversation_id) is None:
        raise NotFound
    return plans.of_conversation(conn, conversation_id, actor.id)


def take_back(conn: Connection, actor: Actor, number: int) -> Kept:
    """It does not leave; what it said is the actor's draft, whoever planned it. Raises `TooLate`, `NotFound`."""
    require(actor, "reply")
    view(conn, actor, number)
    held = _held(conn, number)
    if held is None or not plans.end(conn, number, "withdrawn"):
        raise TooLate
    found, home = held
    plans.became(conn, number, None)
    a, said = attachments.c, found.draft
    own = sa.and_(among(a.id, said.files), a.message_id.is_(None))
    if said.files:
        conn.execute(sa.update(attachments).where(own).values(uploader_id=actor.id, created_at=now()))
    to, cc, bcc = (tuple(party.address for party in some) for some in (said.to, said.cc, said.bcc))
    content = Content(
        said.text, said.via, to, cc, said.subject, said.files, said.actions, bcc, said.how, said.about, said.sure
    )
    kept = drafts.bring_back(conn, actor, home.id, "reply", content)
    _tell(conn, "plan.withdrawn", home.id, home.customer_id, actor.id, number)
    return kept


def _held(conn: Connection, number: int) -> tuple[Plan, Current] | None:
    """It and its conversation, which is held: also when that was merged into another one just now."""
    found = plans.one(conn, number)
    while found is not None:
        home = conversations.lock_one(conn, found.conversation_id)
        again = plans.one(conn, number)
        if home is not None and again is not None and again.conversation_id == home.id:
            return again, home
        found = again
    return None


def put_off(conn: Connection, actor: Actor, number: int, due_at: int) -> None:
    """Another time for it. Raises `TooLate`, `NotFound`, `CannotSend`."""
    require(actor, "reply")
    found = view(conn, actor, number)
    _refuse_time(due_at)
    home = conversations.lock_one(conn, found.conversation_id)
    assert home is not None
    if not plans.put_off(conn, number, due_at):
        raise TooLate
    _tell(conn, "plan.changed", home.id, home.customer_id, actor.id, number)


def send_now(conn: Connection, actor: Actor, channels: Channels, number: int) -> int:
    """Do not wait any longer: the message's id. In the name of whoever planned it. Raises `TooLate`, and as `outbox.reply`."""
    require(actor, "reply")
    view(conn, actor, number)
    message = leave(conn, channels, number, at_once=True)
    if not message:
        raise TooLate
    return message


# ── at its time ───────────────────────────────────────────────────────────────────────────────────────────────────────
def leave(conn: Connection, channels: Channels, number: int, *, at_once: bool = False) -> int:
    """Make a message of it: its id, 0 when somebody was faster or its time has been changed. Raises as `outbox.reply`."""
    found = plans.one(conn, number)
    if found is None or found.state != "waiting":
        return 0
    author = accounts.actor(conn, found.author_id)
    if author is None:
        raise CannotSend(f"{found.author} planned this and is not with the house any more.")
    identity.lock(conn, [f"client:{repeats.client_key(author, found.draft.client_id)}"])
    conversations.lock_one(conn, found.conversation_id)
    again = plans.one(conn, number)  # behind the lock: it may have been merged or put off
    if again is None or again.conversation_id != found.conversation_id or (again.due_at > now() and not at_once):
        return 0
    if not plans.end(conn, number, "sent"):
        return 0
    home = found.conversation_id
    message, _ = outbox.reply(conn, author, channels, 0, home, found.draft, by_itself=True)
    plans.became(conn, number, message)
    place = ZoneInfo(found.zone)
    if actions := [action for action in found.draft.actions if not _is_over(action, place)]:
        replies.act(conn, author, home, actions, place)
    return message


def _is_over(action: str, place: ZoneInfo) -> bool:
    """Is it a snooze until a moment that has come before the message left? Nothing is to be done then."""
    if not action.startswith("snooze:"):
        return False
    try:
        until = replies.snooze_of(action, now(), place).until
    except snoozing.Unclear:
        return True
    return until is not None and until <= now()


def give_up(conn: Connection, number: int, reason: str) -> int:
    """It could not leave: a failed message with the reason stands where it would have stood; its id, 0 when somebody was faster."""
    held = _held(conn, number)
    if held is None or held[0].due_at > now() or not plans.end(conn, number, "given up"):  # it may have been put off
        return 0
    found, home = held
    author = Actor(found.author_id, found.author, "", "light")
    message = outbox.refuse(conn, author, home, found.draft, reason)
    plans.became(conn, number, message)
    return message


async def turn(hub: Hub) -> None:
    """Send what is due, each by itself: one that cannot be sent keeps no other one."""
    moved = 0
    for number in await hub.db.read(plans.due):
        try:
            moved += await hub.db.write(leave, hub.channels, number)
        except Exception as error:
            if is_passing(error):
                raise
            moved += await _refused(hub, number, _why(error, number))
    if moved:
        hub.bus.publish()


async def _refused(hub: Hub, number: int, reason: str) -> int:
    try:
        return await hub.db.write(give_up, number, reason)
    except Exception as error:
        if is_passing(error):
            raise
        # even saying so fails: it waits no longer, or nothing behind it would ever leave
        log.exception("what was planned (%d) cannot even be shown as not sent: %s", number, reason)
        return int(await hub.db.write(plans.end, number, "given up"))


def _why(error: Exception, number: int) -> str:
    if isinstance(error, (CannotSend, Forbidden, OtherWords)):
        return str(error)
    if isinstance(error, NotFound):
        return "Whoever planned this may not write in this conversation any more."
    log.error("what was planned (%d) cannot be sent", number, exc_info=error)
    return "Our fault: it could not be sent. Try again, or send it another way."
