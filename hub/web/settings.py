"""What the pages under /settings share: their navigation, what was done, and forms that come back with what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from msgspec import Struct

from hub.access import RIGHTS, Actor
from hub.http import HOUSE, Form
from hub.i18n import Catalogue
from hub.web import reads
from hub.web.forms import Trouble
from hub.web.pages import title
from hub.web.rendering import show, words_for


class Section(Struct, frozen=True):
    """One page of the settings in the navigation."""

    name: str
    path: str
    icon: str
    label: str


def sections(actor: Actor, words: Catalogue) -> list[Section]:
    """The sections somebody of this role may see."""
    _ = words.text
    everybody = [
        Section("people", "/settings/people", "user", _("People")),
        Section("teams", "/settings/teams", "users", _("Teams")),
        Section("absences", "/settings/absences", "cal", _("Absences")),
        Section("replies", "/settings/replies", "canned", _("Saved replies")),
        Section("views", "/settings/views", "filter", _("Views")),
        Section("keyboard", "/settings/keyboard", "kbd", _("Keyboard")),
        Section("notifications", "/settings/notifications", "bell", _("Notifications")),
    ]
    if actor.role not in RIGHTS["routing"]:
        return everybody
    return [
        *everybody,
        *(
            [Section("channels", "/settings/channels", "link", _("Channels"))]
            if actor.role in RIGHTS["channels"]
            else []
        ),
        Section("routing", "/settings/routing", "route", _("Routing")),
        Section("hours", "/settings/hours", "clock", _("Business hours")),
        Section("sla", "/settings/sla", "bell", _("Service levels")),
        Section("blocked", "/settings/blocked", "shield", _("Blocked senders")),
    ]


#: What was done, by the word in ``?done=``.
DONE = {
    "saved": "Saved.",
    "added": "Added.",
    "removed": "Removed.",
    "ended": "Ended. What a deputy holds comes back within seconds.",
    "moved": "Moved.",
    "on": "Switched on.",
    "off": "Switched off.",
    "disabled": "This person cannot sign in any more; what they held is passed on.",
    "enabled": "This person can sign in again.",
    "draft": "The draft begins as a copy of the table in force. Nothing counts before you put it into force.",
    "published": "The draft is in force now.",
    "discarded": "The draft is gone; the table in force stays as it is.",
    "cancelled": "Called off.",
    "blocked": "Blocked.",
    "heard": "This sender is heard again; what they wrote meanwhile stays where it is.",
    "tried": "A test is on its way to your devices.",
}


async def page(
    request: web.Request,
    actor: Actor,
    template: str,
    section: str,
    name: str,
    *,
    status: int = 200,
    troubles: Sequence[Trouble] = (),
    **values: Any,
) -> web.Response:
    """A page of the settings; ``name`` is its heading."""
    house = request.app[HOUSE]
    around = await house.hub.db.read(reads.around, actor)
    words = words_for(request, actor)
    done = DONE.get(request.query.get("done", ""), "")
    return show(
        request, template, actor, status=status, around=around, place=None, section=section, heading=name,
        sections=sections(actor, words), done=words.text(done) if done else "", troubles=tuple(troubles),
        title=title(house.company, (), name, words.text("Settings")), **values,
    )  # fmt: skip


def there(path: str, done: str = "") -> web.Response:
    """To a page, which says what was done."""
    return web.Response(status=303, headers={"Location": f"{path}?done={done}" if done else path})


async def changed(request: web.Request, path: str, done: str = "saved") -> web.Response:
    """It was done: tell every process, then back to the page."""
    request.app[HOUSE].hub.bus.publish()
    return there(path, done)


def given(form: Form | None, plain: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    """What the fields show: what was typed when the form comes back, else what is."""
    return plain if form is None else {**dict.fromkeys(plain, ""), **typed}
