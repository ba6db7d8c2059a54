"""What a visitor may do when the chat has ended: say how it was, have all of it sent by e-mail, and open it as a page."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Meta, Struct
from sqlalchemy.engine import Connection

from hub import aftercare, housemail
from hub.channels import Ready
from hub.core import Hub
from hub.http import HOUSE, Problem, client_address
from hub.i18n import Catalogue
from hub.text import clean_line
from hub.visitors import Shown
from hub.web.rendering import show, words_for
from hub.web.when import When, zone
from hub.web.widget_doors import MAIL, body_of, limited, said, visitor_of
from hub.web.widget_settings import look

#: Ratings of one visitor and transcripts to one visitor, each within the doors' window; transcripts from one address.
RATES, TRANSCRIPTS, TRANSCRIPTS_ADDRESS = 10, 2, 6
_PLACE = re.compile(r"([a-z0-9]{24})-([0-9]{1,18})-([a-z2-7]{16})")


class Rating(Struct):
    """How it was."""

    score: Annotated[int, Meta(ge=1, le=5)]


class Wish(Struct):
    """Where the transcript goes (empty: to the address the visitor gave before), and the visitor's time zone (IANA)."""

    email: Annotated[str, Meta(max_length=254)] = ""
    zone: Annotated[str, Meta(max_length=60)] = ""


async def rate(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/rating: how the visitor found the conversation that has ended."""
    visitor = visitor_of(request, ready)
    given = await body_of(request, Rating)
    limited(request, {f"rates {ready.id} {visitor}": RATES})
    hub = request.app[HOUSE].hub
    if not await hub.db.write(aftercare.rate, ready.id, visitor, given.score):
        raise Problem(409, "The conversation goes on; say how it was when it has ended.")
    hub.bus.publish()
    return said({"rated": given.score})


async def transcript(request: web.Request, ready: Ready) -> web.StreamResponse:
    """POST /w/<key>/transcript: everything the visitor saw of the conversation, by e-mail."""
    visitor = visitor_of(request, ready)
    wish = await body_of(request, Wish)
    mail = wish.email.strip().lower()
    words, house = words_for(request, None), request.app[HOUSE]
    if mail and not MAIL.fullmatch(mail):
        raise Problem(422, "Please check the e-mail address; it looks like name@example.com.")
    if housemail.mailbox(house.hub.channels) is None:
        raise Problem(409, "There is no e-mail here to send it by.")
    limited(
        request,
        {f"transcript {visitor}": TRANSCRIPTS, f"transcript {client_address(request)}": TRANSCRIPTS_ADDRESS},
    )
    title = look(ready, words, house.company).title
    address, when = f"email:{mail}" if mail else "", When(words, zone(wish.zone))
    sent = await house.hub.db.write(_send, house.hub, ready, visitor, address, title, when, wish.zone)
    if not sent:
        raise Problem(422, "Please check the e-mail address; it looks like name@example.com.")
    house.hub.bus.publish()
    return said({"sent": sent.partition(":")[2]})


def _send(
    conn: Connection, hub: Hub, ready: Ready, visitor: str, address: str, title: str, when: When, place: str
) -> str:
    """Queue the transcript; the address it goes to, empty when none is known."""
    home = aftercare.home_of(conn, ready.id, visitor)
    mailbox = housemail.mailbox(hub.channels, home.team_id if home else None)
    if home is None or mailbox is None:
        return ""
    address = address or housemail.address_of(conn, home.id, home.customer_id)
    shown = aftercare.said(conn, ready.id, visitor, home.id)
    if not address or not shown:
        return ""
    mark = hub.box.sign(_named(ready, visitor, home.id))
    asked = urlencode({"tz": place, "lang": when.words.language})
    link = f"{hub.options.public_url}/w/{ready.config.key}/transcript/{visitor}-{home.id}-{mark}?{asked}"
    subject = when.words.text("Your conversation with {firm}", firm=title)
    lines = [f"{_who(m, when.words, title)} · {when.day(m.at)}, {when.time(m.at)}\n{_what(m)}" for m in shown]
    key = f"{shown[-1].id}:{address}"
    aftercare.send(conn, mailbox, home, clean_line(address, 300), subject, lines, link, key)
    return address


def _named(ready: Ready, visitor: str, conversation: int) -> str:
    return f"transcript {ready.config.key} {visitor} {conversation}"


def _who(message: Shown, words: Catalogue, title: str) -> str:
    return words.text("You") if message.mine else message.name or title


def _what(message: Shown) -> str:
    return "\n".join([*([message.text] if message.text else []), *(f"[{name}]" for _, name, _, _ in message.files)])


async def page(request: web.Request, ready: Ready) -> web.StreamResponse:
    """GET /w/<key>/transcript/<token>: the same as a page to read, print or keep."""
    match = _PLACE.fullmatch(request.match_info["token"])
    house, words = request.app[HOUSE], words_for(request, None)
    if match is None or not house.hub.box.verify(_named(ready, match[1], int(match[2])), match[3]):
        raise Problem(404, "There is no such conversation.")
    shown = await house.hub.db.read(aftercare.said, ready.id, match[1], int(match[2]))
    if not shown:
        raise Problem(404, "There is no such conversation.")
    title = look(ready, words, house.company).title
    when = When(words, zone(request.query.get("tz", "")[:60]))
    lines = [(_who(m, words, title), f"{when.day(m.at)}, {when.time(m.at)}", _what(m), m.mine) for m in shown]
    colours = f":root{{--brand:{look(ready, words, '').colour}}}"
    answer = show(request, "widget_transcript.j2", firm=title, lines=lines, colours=colours)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
