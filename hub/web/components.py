"""GET /dev/components: every part of the screens in its states, with long German samples, by the macros the screens use.

Only where the setting ``web.dev`` is on; what stands there is for developers and tests and needs no translation.
"""

from __future__ import annotations

from aiohttp import web
from msgspec import structs

from hub.access import Actor
from hub.http import HOUSE
from hub.inbox import Row
from hub.messages import Call, Reaction, Task, Visit
from hub.outbox import NotFound
from hub.timeline import DeliveryView, FileView
from hub.web import drawn, reads
from hub.web.entry import Entry
from hub.web.forms import Trouble
from hub.web.parts import LOOKS
from hub.web.places import Place
from hub.web.rendering import show, when_for, words_for
from hub.web.screens import screen
from hub.web.when import When

LONG = (
    "Sehr geehrte Damen und Herren, bezüglich der Photovoltaikanlagenüberspannungsschutzeinrichtung im Erdgeschoss möchten wir Sie "
    "bitten, uns den frühestmöglichen Wartungstermin mitzuteilen."
)
SUBJECT = "Wechselrichterüberwachungseinheit: Fehlermeldung 302 seit gestern Abend, Rückruf erbeten"
NAME = "Margarethe von der Heide-Schulenburg"
PICTURE = FileView(2, "Typenschild.jpg", "image/jpeg", 81_920, "", "")
VOICE = FileView(3, "Sprachnachricht.ogg", "audio/ogg", 40_960, "", "")
STATES = ("queued", "sending", "sent", "delivered", "read", "failed", "unconfirmed")


def add_routes(app: web.Application) -> None:
    """The one address."""
    app.router.add_get("/dev/components", screen(page))


async def page(request: web.Request, actor: Actor) -> web.StreamResponse:
    """GET /dev/components; a 404 like any other where it is not for developers."""
    house = request.app[HOUSE]
    if not house.dev:
        raise NotFound
    around = await house.hub.db.read(reads.around, actor)
    when = when_for(request, words_for(request, actor))
    return show(
        request, "components.j2", actor, around=around, place=Place("all"), rows=rows_of(when.now), entries=entries_of(when),
        chips=("", "ok", "warn", "bad", "acc"), buttons=("", "btn-p", "btn-g", "btn-n", "btn-x"), long=LONG, name=NAME,
        kinds=tuple(LOOKS), sizes=("av-xs", "av-s", "", "av-l"), states=("available", "busy", "away", "offline"),
        troubles=(Trouble("wrong", "Erwartet wird eine E-Mail-Adresse wie name@firma.example."), Trouble("", LONG)),
        loads=range(11), title="Components",
    )  # fmt: skip


def rows_of(now: int) -> list[Row]:
    """A row of the list in each of its states."""
    plain = Row(
        1, SUBJECT, "open", "", 1, NAME, 1, "Postfach", "email", (1,), None, "Service", None, "", "", (), LONG[:140], 0,
        None, None, 1, now - 60_000, now - 9_000_000,
    )  # fmt: skip
    changes: tuple[dict[str, object], ...] = (
        {},
        {"unread": 2, "channel_kind": "whatsapp", "waiting_since": now - 120_000},
        {"unread": 1200, "channel_kind": "voice", "waiting_since": now - 86_400_000},
        {"status": "snoozed", "snoozed_until": now + 86_400_000, "channel_kind": "sms"},
        {"status": "closed", "channel_kind": "telegram"},
        {
            "tags": ("Gewährleistungsangelegenheit",),
            "channel_kind": "webchat",
            "subject": "",
            "customer": "+49 4141 8802",
        },
        {"channel_kind": "visit", "preview": "", "customer": "Ö"},
    )
    return [structs.replace(plain, id=number, **change) for number, change in enumerate(changes, 1)]


def entries_of(when: When) -> list[Entry]:
    """Every kind of entry, long and short, in every state of its delivery."""
    at = when.now - 600_000
    mail = _entry(when, 1, "email", at, subject=SUBJECT, shown=LONG, whole=LONG, to=(f"{NAME} <name@post.example>",))
    mail = structs.replace(
        mail, cc=("zweite.adresse@post.example",), day=when.day(at), fresh=True, automatic=True, failed_checks="DMARC"
    )
    files = tuple(
        FileView(n, f"Anlagenplan-Erdgeschoss-{n}.pdf", "application/pdf", 20_480 * n, "", "") for n in (1, 2)
    )
    said = [mail, structs.replace(mail, id=2, message=2, day="", fresh=False, files=files, unreadable=True, shown="")]
    said += [_sent(when, 10 + n, at, state) for n, state in enumerate(STATES)]
    bubble = _entry(when, 30, "text", at, shown=LONG, quote=drawn.QuoteView(NAME, LONG[:80]))
    said += [
        structs.replace(bubble, reactions=(Reaction("+1", NAME),), edited=True),
        structs.replace(bubble, id=31, message=31, joined=True, quote=None, shown="Ja."),
        structs.replace(bubble, id=32, message=32, deleted=True, shown="", quote=None),
        structs.replace(bubble, id=34, message=34, quote=None, pictures=(PICTURE,), sounds=(VOICE,), shown=""),
        _entry(
            when, 33, "note", at, who="Tobias Krüger", shown=LONG, pieces=(("@Jonas Meier", "e2"), (" " + LONG, ""))
        ),
    ]
    return said + _met(when, at) + _happened(when, at)


def _entry(when: When, number: int, form: str, at: int, **more: object) -> Entry:
    icon, colour = {"email": LOOKS["email"], "note": ("lock", "note")}.get(form, LOOKS["webchat"])
    known: dict[str, object] = {"who": NAME, "via": "Postfach", "language": "de", "message": number, **more}
    return structs.replace(Entry(number, 1, form, at, when.day_key(at), icon, colour), **known)


def _sent(when: When, number: int, at: int, state: str) -> Entry:
    error = "550 5.1.1 Empfängerpostfach unbekannt" if state in ("failed", "queued") else ""
    copy = DeliveryView(number, "email:name@post.example", state, 1, error, "", at)
    return _entry(
        when, number, "text", at, out=True, who="Anna Becker", shown="Das sehen wir uns gleich an.", delivery=copy
    )


def _met(when: When, at: int) -> list[Entry]:
    """Calls and visits."""
    people = {1: "Elif Yılmaz"}
    answered = Call("answered", 42, 271, 1, "Service", LONG, LONG, tuple(abs(50 - n * 7 % 100) for n in range(80)))
    calls = (answered, Call("missed", 38), Call("voicemail", 20, 31, queue="Service"))
    task = Task("Ersatzteil bestellen und Termin vereinbaren", at + 86_400_000, 1)
    visit = Visit("Wartung", at - 2_700_000, at, 1, "", "Am Hafen 12, Stade", "qr", task)
    made = [
        structs.replace(_entry(when, 40 + n, "call", at, shown=LONG), call=drawn.call_view(c, False, people, when))
        for n, c in enumerate(calls)
    ]
    shown = drawn.visit_view(visit, people, when)
    return [*made, structs.replace(_entry(when, 50, "visit", at, shown=LONG), visit=shown)]


def _happened(when: When, at: int) -> list[Entry]:
    """Events, one and several."""
    one = Entry(
        60, 1, "event", at, when.day_key(at), "route", "ev", words=f"Regel „Wechselrichterstörungen“ → Service. {NAME}"
    )
    several = tuple(structs.replace(one, id=61 + n) for n in range(5))
    return [one, structs.replace(several[0], form="run", members=several)]
