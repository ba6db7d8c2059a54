"""GET /dev/components/<state>: the screen of a conversation with made-up data in one of its states, by the templates it is made of.

What only a script opens is opened by the page itself (`State.opens`), so that it stands there for developers and for tests alike.
``?c=<number>`` names a conversation of the house: its lists then answer to what is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from msgspec import Struct, structs

from hub import snoozing
from hub.access import Actor
from hub.acquaintances import Facts
from hub.adapter import Traits
from hub.chapters import Chapter, Earlier
from hub.collisions import Newer
from hub.http import HOUSE
from hub.messages import Template
from hub.outbox import NotFound
from hub.timeline import FileView
from hub.ways import HOUR, Way
from hub.web import reads
from hub.web.answering import Written
from hub.web.answering import chosen as chosen_way
from hub.web.components import LONG, NAME, PICTURE, entries_of, rows_of
from hub.web.mates import Mate
from hub.web.pages import GSM, Composer
from hub.web.panel import Panel
from hub.web.places import Place
from hub.web.reads import Customer, Identity, Listed
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import positive, screen
from hub.web.standing import Standing
from hub.web.templating import offer
from hub.web.toasts import Did, Toast
from hub.web.ways import ways
from hub.web.when import When

FILE = FileView(1, "Anlagenplan-Erdgeschoss-mit-Überspannungsschutz.pdf", "application/pdf", 20_480, "", "")
TEMPLATES = (
    Template("wartungstermin", "de", "Guten Tag {{1}}, Ihr Termin ist am {{datum}}.", category="utility"),
    Template("rueckfrage_zur_anlage", "de", LONG),
)
MAIL = Traits("email", subject=True, cc=True)
#: Ways by what chooses them: the mailbox, a messenger within its window and one after it, SMS.
MAILBOX, CHAT, LIMITED, SMS = "1 email:name@post.example", "2 whatsapp:+494141", "3 whatsapp:+494142", "5 sms:+494141"


class State(Struct, frozen=True):
    """What a state shows. ``opens``: selectors of what is opened, pressed or uncovered, in turn (``@<event>`` is told to the page,
    ``?`` is a key that is pressed); ``way`` is chosen and has ``left`` ms of its window; ``values`` replace what the page is given;
    ``base`` is the screen.
    """

    opens: tuple[str, ...] = ()
    way: str = MAILBOX
    left: int = 20 * HOUR
    composer: Composer = Composer(mode="reply", text=LONG, kept=(FILE,))
    values: Mapping[str, Any] = {}
    base: str = "conversation.j2"


_written = Written(MAILBOX, "name@post.example, zweite@post.example", "", NAME, "chef@firma.example", "Ihre Anfrage")
_newer = (Newer(1, "Anna Becker", 1, LONG, False), Newer(2, "Tobias Krüger", 2, LONG, True))
_did = Did("Sie beobachten diese Unterhaltung", "/c/1/watch")
STATES: Mapping[str, State] = {
    "reply": State(),
    "via": State((".viabox",)),
    "recipients": State(composer=Composer(mode="reply", text=LONG, said=_written, kept=(FILE,), trouble=LONG)),
    "doubts": State(("[data-doubt]", "[data-no-file]", "[data-outside]", "[data-missing]", "#newer", "#jumpnew")),
    "send": State((".split .menu",)),
    "note": State(composer=Composer(mode="note", note=LONG)),
    "mentions": State(("[data-mention]",), composer=Composer(mode="note")),
    "replies": State(("[data-picker]",), composer=Composer(mode="reply")),
    "window": State(way=CHAT),
    "amber": State(way=CHAT, left=HOUR),
    "red": State(way=CHAT, left=HOUR // 6),
    "limited": State(way=LIMITED),
    "blocked": State(composer=Composer(mode="note"), values={"way": None}),
    "sms": State(way=SMS, composer=Composer(mode="reply", text=LONG * 2 + "😀")),
    "offline": State(("@hub:offline",)),
    "version": State(("#version",)),
    "collision": State(("#replying", "#again"), composer=Composer(mode="reply", text=LONG, newer=_newer)),
    "toast": State(values={"did": _did}),
    "action": State(values={"toast": Toast(1, "12 Unterhaltungen erledigt", 600_000, True, False, 12, 12)}),
    "progress": State(values={"toast": Toast(1, "Wird erledigt", 600_000, False, True, 40, 1200)}),
    "bulk": State(("#selecting", "#c2 .pick", "#c3 .pick"), base="inbox.j2"),
    "palette": State(("[data-act=palette]",)),
    "help": State(("?",)),
    "assign": State((".sub details:has([data-act=assign])",)),
    "snooze": State(("details[data-snooze]",)),
    "tags": State((".sub details[data-tags]",)),
    "more": State(("details[data-more]",)),
    "mail": State((".card .mh > .menu", ".card .who2")),
    "picture": State(("[data-picture]",)),
    "customer": State(("#cust", "#cust .attred")),
    "menu": State(("#side",)),
    "away": State(values={"ask": Mate(2, NAME, "offline", until=0, deputy_id=3, deputy="Anna Becker")}),
}


def add_routes(app: web.Application) -> None:
    """One address for each state, and "templates": the prepared texts are a page of their own."""
    app.router.add_get(r"/dev/components/{state:[a-z]+}", screen(page))


async def page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /dev/components/<state>; a 404 where it is not for developers."""
    house, name = request.app[HOUSE], request.match_info["state"]
    state = STATES.get(name)
    if not house.dev or (state is None and name != "templates"):
        raise NotFound
    around = await house.hub.db.read(reads.around, actor)
    when = when_for(request, words_for(request, actor))
    given = _given(when, state or State(), positive(request.query.get("c", "")) or 1)
    given["listed"] = Listed(around, rows_of(when.now), "more", None)
    given["offers"] = [offer(t) for t in TEMPLATES]
    template = "templates.j2" if state is None else "components_talk.j2"
    return show(request, template, actor, around=around, title=name, act="made-up", **given)


def _given(when: When, state: State, number: int) -> dict[str, Any]:
    """What the screen of a conversation is drawn from."""
    offered = ways(_ways(when.now, state.left), when, frozenset({"6 webchat:ab"}))
    row = structs.replace(
        rows_of(when.now)[0], id=number, tags=("Gewährleistungsangelegenheit", "VIP"), priority="urgent"
    )
    said = state.composer.said if state.composer.said.way else Written(state.way)
    composer = structs.replace(state.composer, client_id="made-up", said=said)
    mate = Mate(2, NAME, "busy", True, 4, 6, when.now + 86_400_000, 3, "Anna Becker")
    pictured = structs.replace(
        entries_of(when)[-5], id=90, message=90, pictures=(PICTURE, PICTURE), form="text", call=None
    )
    given: dict[str, Any] = {
        "place": Place("all"), "row": row, "entries": [entries_of(when)[0], pictured], "composer": composer,
        "ways": offered, "way": chosen_way(offered, said), "domains": ["firma.example"], "gsm": GSM,
        "customer": _customer(), "known": _known(when.now, mate), "others": rows_of(when.now)[1:4],
        "standing": Standing(True, ("email:name@post.example",), (), tuple(rows_of(when.now)[4:6])),
        "people": (mate, Mate(3, "Anna Becker", "available", False)), "all_teams": (), "steps": [LONG, "Anna Becker"],
        "earlier": Earlier((Chapter(7, LONG, "", "closed", (), 12, 1, when.now - 86_400_000),), True),
        "ask": None, "acts": [("status:closed", "Erledigen")], "held": None, "gone": "", "did": None, "toast": None,
        "snoozes": snoozing.choices(when.now, when.place), "history": "one", "merged": 12, "asked": True,
        "older": True, "newer": False, "latest": 0, "seen": 0, "current": number, "cursor": "", "channel_names": {},
        "employees": {}, "may_reply": True, "may_assign": True, "trouble": "", "opens": state.opens, "base": state.base,
    }  # fmt: skip
    return given | dict(state.values)


def _ways(now: int, left: int) -> list[Way]:
    """A channel of each kind: within its window, after it, closed, without an address, disturbed, counted, away."""
    messenger, sms = Traits("whatsapp", window_hours=24, templates=True), Traits("sms", segments=3, max_file_bytes=1)
    last = now - HOUR
    return [
        Way(1, "email", "Postfach des Kundendienstes", "email:name@post.example", MAIL, last, who=NAME),
        Way(2, "whatsapp", "WhatsApp", "whatsapp:+494141", messenger, last, now + left),
        Way(3, "whatsapp", "WhatsApp Vertrieb", "whatsapp:+494142", messenger, last, now - HOUR, limited=True),
        Way(4, "telegram", "Telegram", "telegram:1", structs.replace(messenger, templates=False), last, 1, "closed"),
        Way(5, "sms", "SMS", "sms:+494141", sms, 0),
        Way(6, "webchat", "Chat auf der Website", "webchat:ab", Traits("webchat"), last),
        Way(7, "email", "Zweites Postfach", "email:alt@post.example", MAIL, last, None, "", "550", last),
        Way(8, "telegram", "Telegram Vertrieb", "", Traits("telegram"), 0, None, "no address"),
    ]


def _customer() -> Customer:
    faces = ("email:name@post.example", "sms:+494141", "whatsapp:+494141")
    return Customer(1, NAME, 1, tuple(Identity(a, NAME, not n) for n, a in enumerate(faces)))


def _known(now: int, owner: Mate) -> Panel:
    return Panel(
        Facts(1200, 3, now - 86_400_000 * 400), 5, "Photovoltaikanlagenbau Unterelbe GmbH & Co. KG", "Geschäftsführerin", "09:41",
        {"email:name@post.example": now - HOUR}, "sms:+494141", True, owner, True, (("Kundennummer", "4711"), ("Anlage", LONG)),
    )  # fmt: skip
