"""What the delivery worker carries: a claimed delivery with everything its adapter needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.conversations import make_token
from hub.core import Hub
from hub.messages import Details, File, Outgoing, Party
from hub.sql import among
from hub.tables import attachments, deliveries, messages

#: External ids of the thread sent along at the most (RFC 5322 3.6.4 leaves the number to us).
REFERENCES = 12


class Parcel(Struct, frozen=True):
    """One claimed delivery. ``interrupted``: a process died while sending it before. ``state_before``: before the claim."""

    delivery_id: int
    message_id: int
    conversation_id: int
    customer_id: int
    channel_id: int
    recipient: str
    fence: int
    attempt: int
    created_at: int
    state_before: str
    out: Outgoing
    file_rows: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def interrupted(self) -> bool:
        return self.state_before == "sending"

    @property
    def has_files(self) -> bool:
        return bool(self.file_rows)


_answered = messages.alias("answered")
_load = (
    sa.select(
        deliveries.c.id.label("delivery_id"),
        deliveries.c.recipient,
        deliveries.c.fence,
        deliveries.c.attempts,
        deliveries.c.idempotency_key,
        deliveries.c.created_at,
        deliveries.c.channel_id.label("carrier"),
        messages,
        _answered.c.provider_id.label("answered_provider_id"),
        _answered.c.external_id.label("answered_external_id"),
        _answered.c.details.label("answered_details"),
    )
    .join(messages, messages.c.id == deliveries.c.message_id)
    .outerjoin(
        _answered, sa.and_(_answered.c.id == messages.c.reply_to_id, _answered.c.channel_id == deliveries.c.channel_id)
    )
)


def load_parcels(conn: Connection, hub: Hub, ids: Sequence[int], before: Mapping[int, str]) -> list[Parcel]:
    """The claimed deliveries with their messages, in order. Two statements."""
    rows = conn.execute(_load.where(among(deliveries.c.id, ids)).order_by(deliveries.c.id)).all()
    numbers = sorted({row.id for row in rows})
    a = attachments.c
    files: dict[int, list[tuple[str, str, str, str]]] = {}
    for row in conn.execute(
        sa.select(a.message_id, a.name, a.type, a.sha256, a.inline_id).where(among(a.message_id, numbers))
    ):
        files.setdefault(row[0], []).append((row[1], row[2], row[3], row[4]))
    return [_parcel(hub, row, before[row.delivery_id], tuple(files.get(row.id, ()))) for row in rows]


def _parcel(hub: Hub, row: Any, before: str, files: tuple[tuple[str, str, str, str], ...]) -> Parcel:
    details = msgspec.json.decode(row.details, type=Details) if row.details else Details()
    answered = msgspec.json.decode(row.answered_details, type=Details) if row.answered_details else Details()
    references = (
        *answered.references[-REFERENCES:],
        *((row.answered_external_id,) if row.answered_external_id else ()),
    )
    out = Outgoing(
        id=str(row.id),
        conversation=str(row.conversation_id),
        idempotency_key=row.idempotency_key,
        token=make_token(hub.box, row.conversation_id, row.id),
        to=tuple(Party(a, n) for a, n in details.to),
        cc=tuple(Party(a, n) for a, n in details.cc),
        recipients=(row.recipient,),
        text=row.text,
        html=row.html,
        subject=row.subject,
        sender_name=row.sender_name,
        reply_to=row.answered_external_id or row.answered_provider_id or "",
        references=tuple(dict.fromkeys(references)),
        attempt=row.attempts,
        at=row.at,
        template=details.template,
    )
    return Parcel(
        row.delivery_id,
        row.id,
        row.conversation_id,
        row.customer_id,
        row.carrier,
        row.recipient,
        row.fence,
        row.attempts,
        row.created_at,
        before,
        out,
        files,
    )


def with_files(hub: Hub, group: Sequence[Parcel]) -> Outgoing:
    """What the adapter gets: the message with its files' bytes, for all recipients of the group. Blocking when there are files."""
    first = group[0]
    files = tuple(File(name, kind, hub.blobs.get(digest), inline) for name, kind, digest, inline in first.file_rows)
    return msgspec.structs.replace(first.out, recipients=tuple(p.recipient for p in group), files=files)
