"""What an employee's program wants to say, made into a draft: addresses spelled the hub's way, HTML made harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from secrets import token_hex
from typing import Annotated

import nh3
from msgspec import Meta, Struct
from selectolax.lexbor import LexborHTMLParser

from hub import addresses, templating
from hub.api.once import client_id
from hub.api.wire import Call
from hub.http import Problem
from hub.messages import Party
from hub.outbox import Draft


class Prepared(Struct, forbid_unknown_fields=True):
    """A template of the channel, with what goes into its places, by their number or name."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    language: Annotated[str, Meta(min_length=1, max_length=20)]
    values: Annotated[dict[str, Annotated[str, Meta(max_length=templating.LONGEST)]], Meta(max_length=50)] = {}


async def draft(
    call: Call,
    *,
    text: str,
    html: str,
    channel: int,
    to: Sequence[str],
    cc: Sequence[str],
    subject: str,
    attachments: Sequence[str],
    act: str | None,
    seen: str | None = None,
    bcc: Sequence[str] = (),
    forward: str | None = None,
    template: Prepared | None = None,
    actions: Sequence[str] = (),
) -> Draft:
    """A draft for the outbox. HTML without text gets the text it shows. Raises `Problem` 422."""
    if html:
        html, shown = await asyncio.to_thread(_harmless, html)
        text = text or shown
    filled = None
    if template is not None:
        if text or html:
            raise Problem(422, "Say “text” or “template”, not both.", field="template")
        ready = call.hub.channels.by_id.get(channel)
        if ready is None:
            raise Problem(422, "This channel is not in use any more. Choose another one to reply by.", field="via")
        filled, text = await templating.chosen(ready, template.name, template.language, template.values)
    return Draft(
        text=text,
        client_id=client_id(call, act) or token_hex(16),
        html=html,
        via=channel,
        to=parties(call, channel, to, "to"),
        cc=parties(call, channel, cc, "cc"),
        subject=subject,
        files=tuple(map(int, attachments)),
        seen=int(seen or 0),
        actions=tuple(actions),
        bcc=parties(call, channel, bcc, "bcc"),
        how="forward" if forward else "reply",
        about=int(forward or 0),
        template=filled,
    )


def _harmless(html: str) -> tuple[str, str]:
    safe = nh3.clean(html, url_schemes={"http", "https", "mailto", "tel"}, link_rel="noopener noreferrer")
    body = LexborHTMLParser(safe).body
    return safe, body.text(separator="\n", strip=True) if body is not None else ""


def parties(call: Call, channel_id: int, written: Sequence[str], field: str) -> tuple[Party, ...]:
    """Addresses as people write them, with the channel's kind in front. Raises `Problem` 422."""
    ready = call.hub.channels.by_id.get(channel_id)
    if ready is None or not written:
        return ()
    try:
        return tuple(Party(addresses.normal(text, ready.adapter.traits.address_kind)) for text in written)
    except ValueError as error:
        raise Problem(422, str(error), field=field) from error
