"""What somebody wants to say, and whether a channel can carry it. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub import consents, segments, ways
from hub.access import Actor, visible
from hub.adapter import Traits
from hub.channels import Ready
from hub.messages import Filled, Party
from hub.sql import among
from hub.tables import attachments, conversations, messages
from hub.text import clean_line

#: An answer goes to the customer, a forward to whom it is shown.
How = Literal["reply", "forward"]


class CannotSend(ValueError):
    """The channel cannot carry this message; the text says why and what to do."""


class Gone(CannotSend):
    """Whom the screen showed as the recipient is not the customer any more, and takes no part in the conversation."""


class Draft(Struct, frozen=True):
    """What an employee wants to say. ``seen`` is the newest message id their screen shows (0: do not check).

    ``client_id`` names this very act: a second draft with the same one is the same message. ``via`` is the channel's id; 0 means
    the conversation's own. ``to``, ``cc`` and ``bcc`` are addresses with their kind; an empty ``to`` means the customer (see
    `ways.to`). ``sure``: the screen showed ``to`` as the customer's, so it has to be theirs still. ``actions`` are only
    remembered, for the case that it is taken back. ``minds``: what of what came after ``seen`` keeps it from being sent: everything,
    or only what colleagues said (to the customer or in a note). ``about`` is the message that is answered or forwarded (0: the
    recipient's newest); ``template``: a prepared text is sent, whose words are ``text``.
    """

    text: str
    client_id: str
    html: str = ""
    via: int = 0
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()
    subject: str = ""
    files: tuple[int, ...] = ()
    seen: int = 0
    actions: tuple[str, ...] = ()
    minds: Literal["everything", "colleagues"] = "everything"
    sure: bool = False
    how: How = "reply"
    about: int = 0
    template: Filled | None = None


def check(traits: Traits, name: str, draft: Draft, to: Sequence[Party]) -> None:
    """Do text and addresses fit the channel called ``name``? Raises `CannotSend`."""
    if not draft.text.strip() and not draft.html and not draft.files:
        raise CannotSend("The message is empty.")
    if len(draft.text) > traits.max_length:
        raise CannotSend(f"“{name}” carries at most {traits.max_length} characters; these are {len(draft.text)}.")
    if traits.segments and (parts := segments.count(draft.text).parts) > traits.segments:
        raise CannotSend(f"“{name}” carries at most {traits.segments} SMS at once; this text takes {parts}.")
    if (draft.cc or draft.bcc) and not traits.cc:
        raise CannotSend(f"“{name}” knows no cc.")
    if draft.template is not None and not traits.templates:
        raise CannotSend(f"“{name}” knows no templates.")
    if draft.template is not None and (draft.files or draft.html):
        raise CannotSend("A template is sent as it is: without files and without other words.")
    prefix = f"{traits.address_kind}:"
    for party in (*to, *draft.cc, *draft.bcc):
        if (
            not party.address.startswith(prefix)
            or len(party.address) > 400
            or clean_line(party.address) != party.address
        ):
            raise CannotSend(f"“{party.address}” is no address for “{name}”; it must begin with {prefix}")


def check_window(
    conn: Connection, customer_id: int, ready: Ready, draft: Draft, to: Sequence[Party], at: int = 0
) -> None:
    """May free text be sent now, or at that later moment (ms)? Raises `CannotSend`."""
    if draft.template is not None or draft.how == "forward":
        return
    traits, name = ready.adapter.traits, ready.config.name
    if any(ways.closed(conn, customer_id, ready, party.address, at) for party in to):
        instead = "Choose a template, or reply" if traits.templates else "Reply"
        hours = f"{traits.window_hours} hours after the customer's last message"
        raise CannotSend(f"“{name}” takes free text only for {hours}. {instead} by another channel.")


def check_consent(conn: Connection, kind: str, name: str, addresses: Sequence[str]) -> None:
    """Does everybody want to be written to by this kind of channel? ``name`` is the channel's. Raises `CannotSend`."""
    refused = consents.out(conn, addresses)
    for address in addresses:
        if (address, kind) in refused:
            bare = address.partition(":")[2]
            raise CannotSend(
                f"“{bare}” has opted out of “{name}”. Reply by another channel, or write down that they agree again."
            )


def own_files(conn: Connection, actor: Actor, draft: Draft, ready: Ready) -> list[Any]:
    """The rows of the attachments: uploads of their own that wait, or files of the message this is about, which may be seen.

    Raises `CannotSend` when one is missing or the channel does not take it.
    """
    if not draft.files:
        return []
    a, m, c = attachments.c, messages.c, conversations.c
    waiting = sa.and_(a.message_id.is_(None), a.uploader_id == actor.id)
    seen = sa.exists().where(m.id == a.message_id, m.id == draft.about, c.id == m.conversation_id, visible(actor))
    statement = sa.select(attachments).where(
        among(a.id, draft.files), sa.or_(waiting, seen) if draft.about else waiting
    )
    found = {row.id: row for row in conn.execute(statement)}
    missing = [str(f) for f in draft.files if f not in found]
    if missing:
        raise CannotSend(f"The attachments {', '.join(missing)} do not exist or are already sent. Upload them again.")
    rows = [found[number] for number in dict.fromkeys(draft.files)]
    for row in rows:
        _check_file(ready.adapter.traits, ready.config.name, row.name, row.type, row.size)
    return rows


def waiting_files(conn: Connection, actor: Actor, ids: Sequence[int]) -> list[Any]:
    """Those of the attachments that are the actor's own uploads and wait for a message."""
    a = attachments.c
    own = sa.select(attachments).where(among(a.id, ids), a.message_id.is_(None), a.uploader_id == actor.id)
    return list(conn.execute(own)) if ids else []


def _check_file(traits: Traits, name: str, file: str, kind: str, size: int) -> None:
    if size > traits.max_file_bytes:
        most = f"at most {traits.max_file_bytes:,} bytes".replace(",", " ")
        limit = f"“{name}” takes {most} a file" if traits.max_file_bytes else f"“{name}” takes no files"
        raise CannotSend(f"“{file}” cannot be sent: {limit}. Remove it, or reply by another channel.")
    if not takes(traits, kind):
        allowed = ", ".join(traits.file_types)
        raise CannotSend(f"“{file}” cannot be sent: “{name}” takes only {allowed}.")


def takes(traits: Traits, kind: str) -> bool:
    """Does the channel take files of this type?"""
    kind = kind.partition(";")[0].strip().lower()
    return not traits.file_types or kind.startswith(traits.file_types)
