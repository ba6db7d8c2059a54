"""What routing must know of a contact, out of the database: for messages that just came, and for conversations that exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.conversations import Current
from hub.directory import Directory
from hub.routing import Situation
from hub.sql import among, lit
from hub.tables import conversations, customers, messages

#: How many of a customer's last conversations are looked at for the one they spoke with last.
LOOKED_BACK = 5


class Person(Struct, frozen=True):
    """What routing knows of a customer; ``open_with_id``: who works on an open conversation of theirs."""

    owner_id: int | None = None
    company_owner_id: int | None = None
    last_agent_id: int | None = None
    open_with_id: int | None = None
    attributes: dict[str, str] = {}


def _people_statement() -> sa.Select[Any]:
    c, v = customers.alias("c"), conversations.alias("v")
    # a company that was merged into another one is that one; two merges deep at most
    firm, into, last_one = customers.alias("firm"), customers.alias("into"), customers.alias("last_one")
    firms_owner = sa.case(
        (last_one.c.id.is_not(None), last_one.c.owner_id),
        (into.c.id.is_not(None), into.c.owner_id),
        else_=firm.c.owner_id,
    )
    recent = (
        # whoever stands in for somebody does so in the customer's next matter too, and gives it back with the first one
        sa.select(
            sa.func.coalesce(v.c.covering_id, v.c.assignee_id).label("assignee_id"), v.c.status, v.c.last_message_id
        )
        .where(v.c.customer_id == c.c.id)
        .order_by(v.c.last_message_id.desc())
        .limit(LOOKED_BACK)
        .correlate(c)
        .subquery("recent")
    )
    last = sa.select(recent.c.assignee_id).where(recent.c.assignee_id.is_not(None))
    last = last.order_by(recent.c.last_message_id.desc()).limit(1).correlate(c)
    running = last.where(recent.c.status.in_(("open", "waiting")))
    return (
        sa.select(c.c.id, c.c.owner_id, firms_owner, last.scalar_subquery(), running.scalar_subquery(), c.c.attributes)
        .outerjoin_from(c, firm, firm.c.id == c.c.company_id)
        .outerjoin(into, into.c.id == firm.c.merged_into)
        .outerjoin(last_one, last_one.c.id == into.c.merged_into)
        .where(among(c.c.id, "ids"))
    )


_people = _people_statement()


def people(conn: Connection, ids: Sequence[int]) -> dict[int, Person]:
    """What is known of these customers. One statement."""
    return {
        number: Person(owner, company_owner, last, running, _texts(attributes))
        for number, owner, company_owner, last, running, attributes in conn.execute(_people, {"ids": list(ids)})
    }


def _texts(attributes: str) -> dict[str, str]:
    if not attributes:
        return {}
    return {str(key): str(value) for key, value in msgspec.json.decode(attributes).items() if value is not None}


def situation(
    d: Directory,
    person: Person,
    at: int,
    channel_id: int,
    team_id: int | None,
    *,
    customer_id: int = 0,
    assignee_id: int | None = None,
    sender: str = "",
    subject: str = "",
    text: str = "",
    language: str = "",
    fields: dict[str, str] | None = None,
    priority: str = "",
    excluded: frozenset[int] = frozenset(),
) -> Situation:
    """The contact of a person; language and region are the customer's attributes unless the message says more."""
    channel = d.channels.get(channel_id)
    return Situation(
        at,
        channel.kind if channel else "",
        channel_id,
        team_id,
        customer_id,
        person.owner_id,
        person.company_owner_id,
        assignee_id if assignee_id is not None else person.open_with_id,
        person.last_agent_id,
        sender,
        subject,
        text,
        language or person.attributes.get("language", ""),
        person.attributes.get("region", ""),
        priority,
        person.attributes,
        fields or {},
        excluded,
        assignee_id is not None,
    )


def _first_statement() -> sa.Select[Any]:
    m, v = messages.alias("m"), conversations.alias("v")
    first = sa.select(sa.func.min(m.c.id)).where(m.c.conversation_id == v.c.id, m.c.direction == lit("in"))
    said = messages.alias("said")
    return (
        sa.select(v.c.id, said.c.sender, said.c.subject, said.c.visible_text, said.c.text, said.c.details)
        .select_from(v)
        .join(said, said.c.id == first.correlate(v).scalar_subquery())
        .where(among(v.c.id, "ids"))
    )


_first = _first_statement()


def of_conversations(
    conn: Connection, d: Directory, homes: Sequence[Current], at: int | None = None
) -> list[Situation]:
    """The contacts that began these conversations, as if they came at ``at`` (None: when they did). Two statements."""
    known = people(conn, list({home.customer_id for home in homes}))
    first = {row[0]: row for row in conn.execute(_first, {"ids": [home.id for home in homes]})}
    found = []
    for home in homes:
        _, sender, subject, visible, text, details = first.get(home.id, (0, "", "", "", "", ""))
        channel = d.channels.get(home.channel_id)
        said: dict[str, Any] = msgspec.json.decode(details) if details else {}
        found.append(
            situation(
                d,
                known.get(home.customer_id, Person()),
                home.created_at if at is None else at,
                home.channel_id,
                channel.team_id if channel else home.team_id,
                customer_id=home.customer_id,
                assignee_id=home.assignee_id,
                sender=sender,
                subject=subject or home.subject,
                text=visible or text,
                language=said.get("language", ""),
                fields=said.get("fields"),
            )
        )
    return found
