"""The screens one looks at: lists, a conversation, a customer, a search, oneself."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import quote, unquote

import msgspec
from aiohttp import web
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from hub import holds, reasons, segments, snoozing, timeline
from hub.access import RIGHTS, Actor
from hub.channels import Channels
from hub.collisions import Newer
from hub.drafts import Content, Kept, Mode
from hub.http import HOUSE, Problem
from hub.inbox import Row
from hub.outbox import NotFound
from hub.timeline import FileView, MessageView
from hub.web import further, onwards, reads, toasts
from hub.web.absent import away
from hub.web.answering import MODES, Taken, Written, domains, take_up
from hub.web.answering import chosen as chosen_way
from hub.web.mates import Mate
from hub.web.parts import bare
from hub.web.places import Place, read_place
from hub.web.places import beside as beside
from hub.web.reads import Listed, Opened
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import is_panes, number_in, positive
from hub.web.stretches import CATCH_UP, Look
from hub.web.views import acted
from hub.web.ways import Choice, ways
from hub.web.when import When

#: The seven-bit alphabet of SMS, for the client.
GSM = msgspec.json.encode(segments.alphabet()).decode()
#: The cookie with the name of the list that was looked at last.
LAST = "list"


class Composer(Struct, frozen=True):
    """What stands in the box. ``client_id`` names the act of sending in ``mode``; ``kept`` are files that are already here; ``said``
    is whom it goes to.

    ``drafts`` are what the server has kept; a form that comes back after a failure (``back``) holds what was in it instead. ``newer``
    is what colleagues were faster to say. ``taken`` is the entry that is taken up (`answering`).
    """

    client_id: str = ""
    mode: str = ""
    text: str = ""
    note: str = ""
    said: Written = Written()
    trouble: str = ""
    kept: tuple[FileView, ...] = ()
    actions: tuple[str, ...] = ()
    back: bool = False
    drafts: Mapping[str, Kept] = {}
    newer: tuple[Newer, ...] = ()

    def saved_at(self, mode: str) -> int:
        """When that draft was saved, 0: there is none."""
        kept = self.drafts.get(mode)
        return kept.saved_at if kept is not None and kept.alive else 0

    def version(self, mode: str) -> int:
        """The version of that draft."""
        kept = self.drafts.get(mode)
        return kept.version if kept is not None else 0


async def start(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /: the list that was looked at last, on this device; one's own when it is not there any more."""
    place = read_place(unquote(request.cookies.get(LAST, "mine"))[:100], {})
    house = request.app[HOUSE]
    if place is not None and place.view in ("team", "view"):
        there = await house.hub.db.read(reads.is_there, actor, place)
        place = place if there else None
    raise web.HTTPSeeOther(place.path if place else "/inbox/mine")


def _place(request: web.Request) -> Place:
    view, slug = request.match_info.get("view", ""), request.match_info.get("slug", "")
    kind = "view" if "saved" in request.match_info else "team"
    place = read_place(f"{kind}:{slug}" if slug else view, request.query)
    if place is None:
        raise NotFound
    return place


def title(words_name: str, rows: Sequence[Row], *more: str) -> str:
    """Subject · Mine · Company; the number of what waits stands before it in every page's head."""
    return " · ".join(part for part in (*more, words_name) if part)


async def list_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /inbox/<view>, and as a part: …/rows"""
    place, house = _place(request), request.app[HOUSE]
    part = request.path.endswith("/rows")
    listed = await _listed(request, actor, place, not part)
    place = listed.place
    toast = await toasts.of(request, actor)
    template = "rows.j2" if part else "inbox.j2"
    current = positive(request.query.get("c", ""))
    cursor = request.query.get("cursor", "")
    held = await house.hub.db.read(holds.latest, actor.id) if template == "inbox.j2" else None
    answer = show(
        request, template, actor, place=place, listed=listed, around=listed.around, current=current, cursor=cursor,
        nothing_next="none" in request.query, toast=toast, held=held,
        title=title(house.company, listed.rows, _list_name(request, actor, place, listed)),
    )  # fmt: skip
    if template == "inbox.j2":
        secure = house.public_url.startswith("https:")
        answer.set_cookie(
            LAST, quote(place.name), max_age=31_536_000, path="/", httponly=True, samesite="Lax", secure=secure
        )
    return answer


def _list_name(request: web.Request, actor: Actor, place: Place, listed: Listed | None) -> str:
    _ = words_for(request, actor).text
    if listed is not None and listed.view:
        return listed.view.name
    named = {
        "mine": _("Mine"),
        "mentions": _("Mentions"),
        "unassigned": _("Unassigned"),
        "snoozed": _("Snoozed"),
        "all": _("All"),
        "drafts": _("Drafts"),
    }
    return listed.team.name if listed and listed.team else named.get(place.view, "")


#: Lists that are looked at again at one time. Everybody's screen hears of a new conversation in the same moment; whoever opens one or
#: answers meanwhile must not wait behind fifty lists.
AGAIN = web.AppKey("lists-again", asyncio.Semaphore)


async def _listed(request: web.Request, actor: Actor, place: Place, whole: bool) -> Listed:
    try:
        rows = min(max(positive(request.query.get("n", "")), reads.ROWS), reads.MOST_ROWS)
        cursor = request.query.get("cursor", "")[:100]
        async with contextlib.nullcontext() if whole else request.app[AGAIN]:
            return await request.app[HOUSE].hub.db.read(reads.listed, actor, place, cursor, rows, whole)
    except ValueError as error:
        raise Problem(400, str(error)) from error


def _both(
    conn: Connection, actor: Actor, known: Channels, place: Place, number: int, look: Look, panes: bool
) -> tuple[Opened, Listed | None, Place]:
    """Conversation, list and which list that is, in one read. When the list is none of the actor's, all of theirs stands beside.

    ``panes``: the list stands on the screen already.
    """
    found = reads.opened(conn, actor, number, look, known)
    if panes:
        return found, None, place
    try:
        listed = reads.listed(conn, actor, place)
    except NotFound:
        listed = reads.listed(conn, actor, Place("all"))
    return found, listed, listed.place


async def conversation_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>, around one entry: …?item=<entry>, with the customer's whole history: …?history=all"""
    await further.remember_history(request, actor)
    return await show_conversation(request, actor, number_in(request), Composer())


async def show_conversation(
    request: web.Request,
    actor: Actor,
    number: int,
    composer: Composer,
    status: int = 200,
    seen: int = 0,
    ask: Mate | None = None,
) -> web.Response:
    """The page of a conversation, with what somebody was about to say. ``seen``: draw the line "new" after this message;
    ``ask``: whether it shall really go to somebody who is absent.
    """
    house, place = request.app[HOUSE], beside(request.query)
    look = further.look_in(request.query)
    opened, listed, place = await house.hub.db.read(
        _both, actor, house.hub.channels, place, number, look, is_panes(request)
    )
    row, stretch = opened.row, opened.timeline
    if row.merged_into is not None:  # it goes on elsewhere, which says so
        raise web.HTTPSeeOther(f"{place.conversation(row.merged_into)}&merged={row.id}")
    when = when_for(request, words_for(request, actor))
    toast = await toasts.of(request, actor)
    offered = ways(opened.ways, when, await away(request, opened))
    shown = _filled(request, composer, opened, actor, await _taken(request, actor, offered, when))
    whole, fresh = opened.history == "all", seen or _unread_from(opened)
    said = further.drawn_entries(stretch, opened.names, when, subject=row.subject, new_after=fresh, chapters=whole)
    return show(
        request, "conversation.j2" if listed else "panes.j2", actor, status=status, place=place, listed=listed, asked=opened.asked,
        known=opened.known, around=listed.around if listed else None, held=opened.held,
        current=number, cursor="", row=row, entries=said, older=stretch.older, customer=opened.customer,
        others=opened.others, people=opened.people, all_teams=opened.all_teams, latest=opened.latest,
        steps=reasons.each_in_words(row.reason, when.words.language, when.until), ask=ask,
        ways=offered, way=chosen_way(offered, shown.said), domains=domains(house.hub.channels, offered), gsm=GSM,
        gone=_gone(request, opened), composer=shown, acts=acted(shown.actions, opened.names, when),
        seen=row.last_message_id, newer=stretch.newer, history=opened.history, earlier=opened.earlier,
        standing=opened.standing, did=toasts.did(request, actor, number, place.conversation(number).partition("?")[2]),
        channel_names=opened.names.channels, employees=opened.names.employees,
        toast=toast, snoozes=snoozing.choices(when.now, when.place), merged=positive(request.query.get("merged", "")),
        may_reply=actor.role in RIGHTS["reply"], may_assign=actor.role in RIGHTS["assign"],
        title=title(house.company, listed.rows if listed else (), row.subject or row.customer, _list_name(request, actor, place, listed)),
    )  # fmt: skip


def _unread_from(opened: Opened) -> int:
    """The newest message that had been seen when the customer's unread ones came; 0 when all are seen."""
    inbound = [m.id for m in _inbound(opened)]
    count = opened.row.unread
    return inbound[-count] - 1 if 0 < count <= len(inbound) and len(opened.timeline.items) > count else 0


def _inbound(opened: Opened) -> list[MessageView]:
    """What the customer said in this very conversation, as far as it is on the page."""
    said = [i.message for i in opened.timeline.items if i.message]
    return [m for m in said if m.direction == "in" and m.conversation_id == opened.row.id]


async def _taken(request: web.Request, actor: Actor, offered: Sequence[Choice], when: When) -> Taken | None:
    """The entry that is to be answered or forwarded: ?mode=…&to=<message>."""
    mode, number = request.query.get("mode", ""), positive(request.query.get("to", ""))
    if request.method != "GET" or not number or mode not in MODES or actor.role not in RIGHTS["reply"]:
        return None
    house = request.app[HOUSE]
    message = await house.hub.db.read(timeline.message, actor, number)
    if message is None or message.direction not in ("in", "out"):
        raise NotFound
    return take_up(mode, message, house.hub.channels, offered, when)


def _filled(
    request: web.Request, composer: Composer, opened: Opened, actor: Actor, taken: Taken | None = None
) -> Composer:
    """The box with the drafts in it, unless it comes back with what somebody was just sending; and with an entry taken up."""
    possible = any(not way.why for way in opened.ways) and actor.role in RIGHTS["reply"]
    alive = {mode: kept for mode, kept in opened.drafts.items() if kept.alive}
    mode = composer.mode or request.query.get("mode", "") or _mode(request, opened, set(alive))
    reply, note = alive.get("reply"), alive.get("note")
    shown = structs.replace(
        composer,
        client_id=composer.client_id or secrets.token_urlsafe(12),
        mode="note" if mode == "note" or not possible else "reply",
        drafts=opened.drafts,
    )
    if reply and not (composer.back and composer.mode == "reply"):
        shown = structs.replace(shown, text=reply.content.text, kept=reply.files, actions=reply.content.actions)
        shown = structs.replace(shown, said=_addressed(reply.content))
    if note and not (composer.back and composer.mode == "note"):
        shown = structs.replace(shown, note=note.content.text)
    return shown if taken is None else _with(shown, taken)


def _with(shown: Composer, taken: Taken) -> Composer:
    """The box with an entry taken up: the recipients are the entry's; what stood there already goes before its words and files, which
    are not added a second time.
    """
    if (shown.said.about, shown.said.how) == (taken.said.about, taken.said.how):
        typed = shown.said.to if taken.said.how == "forward" else ""  # a forward names nobody by itself
        return structs.replace(shown, said=structs.replace(taken.said, to=taken.said.to or typed))
    text = shown.text.rstrip() + taken.text if shown.text.strip() else taken.text
    there = shown.drafts.get("reply")
    own = tuple(f for f in shown.kept if there is not None and f.id in there.uploads)
    return structs.replace(shown, text=text, said=taken.said, kept=(*own, *taken.files))


def _addressed(content: Content) -> Written:
    """Whom a draft goes to, as its form has it."""
    to, cc, bcc = (", ".join(bare(a) or a for a in some) for some in (content.to, content.cc, content.bcc))
    way = str(content.via) if content.via else ""
    theirs = to if content.sure else ""
    return Written(way, to, "", cc, bcc, content.subject, content.how, content.about, theirs)


def _mode(request: web.Request, opened: Opened, written: set[Mode]) -> Mode:
    """Who was mentioned is asked by a colleague, so they answer in a note; else as they chose here, else what they have begun."""
    if opened.asked:
        return "note"
    mentioned = beside(request.query).view == "mentions"
    return opened.mode or ("note" if mentioned or written == {"note"} else "reply")


def _gone(request: web.Request, opened: Opened) -> str:
    """The mode whose draft was just discarded and can be had again."""
    kept = opened.drafts.get(cast(Mode, request.query.get("gone", "")))
    return kept.mode if kept is not None and not kept.alive and not kept.content.empty else ""


async def items_part(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /c/<number>/items?after=<event id>&message=<id>,…: what is new"""
    number, house = number_in(request), request.app[HOUSE]
    when = when_for(request, words_for(request, actor))
    changed = [m for part in request.query.get("message", "").split(",")[:50] if (m := positive(part))]
    look = Look(after=positive(request.query.get("after", "")), history=further.look_in(request.query).history)
    news = await house.hub.db.read(reads.news, actor, number, look, changed)
    row, whole = news.row, news.history == "all"
    said = []
    for stretch in (*news.again, news.timeline):
        said += further.drawn_entries(stretch, news.names, when, subject=row.subject, chapters=whole)
    return show(
        request, "news.j2", actor, entries=said, row=row, seen=row.last_message_id, place=beside(request.query),
        people=news.people, all_teams=news.all_teams, may_assign=actor.role in RIGHTS["assign"],
        more=len(news.timeline.items) >= CATCH_UP, may_reply=actor.role in RIGHTS["reply"], ask=None,
        steps=reasons.each_in_words(row.reason, when.words.language, when.until), history=news.history,
        standing=news.standing, channel_names=news.names.channels, snoozes=snoozing.choices(when.now, when.place), hear=True,
    )  # fmt: skip


async def customer_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /customers/<id>; a merged one leads to the one it became."""
    number, house = number_in(request), request.app[HOUSE]
    person = await house.hub.db.read(reads.person, actor, number, further.look_in(request.query))
    if person.customer.id != number:
        raise web.HTTPSeeOther(f"/customers/{person.customer.id}")
    when = when_for(request, words_for(request, actor))
    said = further.drawn_entries(person.timeline, person.names, when, chapters=True)
    return show(
        request, "customer.j2", actor, customer=person.customer, known=person.known, entries=said, older=person.timeline.older,
        others=person.conversations, around=person.around, place=None, newer=person.timeline.newer, history="all",
        channel_names=person.names.channels,
        title=title(house.company, (), person.customer.name),
    )  # fmt: skip


async def me_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /me: language, appearance, sign out."""
    house = request.app[HOUSE]

    def look(conn: Connection) -> tuple[reads.Around, int | None, str]:
        return reads.around(conn, actor), holds.chosen(conn, actor.id), onwards.chosen(conn, actor)

    around, undo, after = await house.hub.db.read(look)
    name = words_for(request, actor).text("You")
    return show(
        request, "me.j2", actor, around=around, undo=undo, after=after, place=None, title=title(house.company, (), name)
    )


async def channels_page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /welcome/channels: how to connect the first channels."""
    house = request.app[HOUSE]
    ready = [(r.config.kind, r.config.name) for r in house.hub.channels.by_id.values()]
    return show(request, "channels.j2", actor, ready=ready, public_url=house.public_url)
