"""Who would get this? The resolver's answer for a contact that nobody has made. Nothing is written."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import adapter, assignment, directory, identity, routing, situations
from hub.accounts import Invalid
from hub.clock import now
from hub.directory import Directory
from hub.routing import Decision, Missing, Situation, Staff
from hub.situations import Person


class Contact(Struct, frozen=True):
    """What somebody might write. ``sender``: an address, with or without its kind; ``at`` in ms, None: now."""

    channel_id: int
    sender: str = ""
    subject: str = ""
    text: str = ""
    customer_id: int | None = None
    language: str = ""
    fields: dict[str, str] = {}
    priority: str = ""
    at: int | None = None


def ask(conn: Connection, contact: Contact) -> tuple[Decision, Directory]:
    """The decision for a new conversation, and the directory it was made with. Raises `Invalid` for what does not exist.

    Hours and absences count as at ``contact.at``; what people are doing and how much they have is that of now.
    """
    d, moment = directory.current(conn), now()
    s = _situation(conn, d, contact, moment)
    staff: Staff = {}
    while True:
        try:
            return routing.decide(d, s, staff), d
        except Missing as gap:
            staff |= assignment.standings(conn, d, gap.ids - staff.keys(), moment)


def _situation(conn: Connection, d: Directory, contact: Contact, moment: int) -> Situation:
    channel = d.channels.get(contact.channel_id)
    if channel is None:
        raise Invalid(f"“channel”: there is no channel “{contact.channel_id}”.")
    sender = _address(channel.kind, contact.sender)
    customer = contact.customer_id
    if customer is None:
        known = identity.find(conn, [sender]).get(sender) if sender else None
        customer = known.id if known else 0
    people = situations.people(conn, [customer]) if customer else {}
    if contact.customer_id is not None and not people:
        raise Invalid(f"“customer”: there is no customer “{contact.customer_id}”.")
    return situations.situation(
        d,
        people.get(customer, Person()),
        moment if contact.at is None else contact.at,
        channel.id,
        channel.team_id,
        customer_id=customer,
        sender=sender,
        subject=contact.subject,
        text=contact.text,
        language=contact.language,
        fields=contact.fields,
        priority=contact.priority,
    )


def _address(kind: str, given: str) -> str:
    """The address with its kind in front, as messages have it."""
    if not given or ":" in given or kind not in adapter.kinds():
        return given
    front = adapter.load(kind).traits.address_kind
    return f"{front}:{given.lower() if front == 'email' else given}"
