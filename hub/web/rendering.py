"""Pages out of templates: one Jinja environment, and for every request what its templates may use.

Autoescape is always on; nothing is marked safe anywhere, so a text of a stranger cannot become markup.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import secrets
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from aiohttp import web

from hub.access import Actor
from hub.http import HOUSE, NONCE
from hub.i18n import LANGUAGES, Catalogue, catalogue, chosen
from hub.web.assets import Assets
from hub.web.when import When, zone

ASSETS = web.AppKey("assets", Assets)
_PAGES = web.AppKey("pages", jinja2.Environment)

#: Icon and colour of a channel kind; kinds that are not named here look like the last one.
LOOKS = {
    "email": ("mail", "email"),
    "sms": ("sms", "sms"),
    "voice": ("phone", "phone"),
    "whatsapp": ("whatsapp", "whatsapp"),
    "telegram": ("telegram", "telegram"),
    "webchat": ("chat", "chat"),
    "visit": ("visit", "visit"),
    "api": ("link", "chat"),
}
#: The same by the kind of an address.
ADDRESS_LOOKS = {"email": LOOKS["email"], "tel": LOOKS["voice"], **LOOKS}
OTHER = ("globe", "social")


def setup(app: web.Application) -> None:
    """Give the application its static files and templates."""
    app[ASSETS], app[_PAGES] = _loaded()
    app.on_startup.append(_warm)


async def _warm(app: web.Application) -> None:
    """Compile every template now, in a thread: the first page of the day should not wait for it."""
    await asyncio.to_thread(_compiled)


@functools.cache
def _compiled() -> int:
    environment = _loaded()[1]
    return len([environment.get_template(name) for name in environment.list_templates(extensions=["j2"])])


@functools.cache
def _loaded() -> tuple[Assets, jinja2.Environment]:
    """Read the files; once per process."""
    assets = Assets()
    folder = resources.files("templates")
    with resources.as_file(folder) as path:
        loader = jinja2.FileSystemLoader(path)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {
        "asset": assets.__getitem__,
        "hue": hue,
        "initials": initials,
        "size": size,
        "look": lambda kind: LOOKS.get(kind, OTHER),
        "address_look": lambda address: ADDRESS_LOOKS.get(address.partition(":")[0], OTHER),
        "bare": bare,
        "fresh_id": lambda: secrets.token_urlsafe(12),
        "languages": LANGUAGES,
        "quote": lambda text: quote(text, safe=""),
    }
    return assets, environment


def hue(name: str) -> int:
    """The colour class of somebody's avatar, always the same for the same name."""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=2).digest()[0] % 12


def initials(name: str) -> str:
    """ "KV" for "Katrin Vogel"; empty when there is no letter or digit."""
    words = [w for w in name.replace("@", " ").split() if w[0].isalnum()]
    return "".join(w[0] for w in [*words[:1], *(words[-1:] if len(words) > 1 else [])]).upper()


def size(count: int) -> str:
    """A number of bytes for people: 812 B, 14 kB, 2.5 MB."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.1f} MB"


def bare(address: str) -> str:
    """An address without its kind."""
    return address.partition(":")[2]


def words_for(request: web.Request, actor: Actor | None) -> Catalogue:
    """The employee's language; before login the browser's, else the firm's."""
    if actor is not None:
        return catalogue(actor.language)
    house = request.app[HOUSE]
    return catalogue(chosen(request.headers.get("Accept-Language", ""), house.language))


def when_for(request: web.Request, words: Catalogue) -> When:
    """Times in the zone that the browser's script left in a cookie; the first page of all is in UTC."""
    return When(words, zone(request.cookies.get("tz", "").replace("%2F", "/")[:60]))


def show(
    request: web.Request, template: str, actor: Actor | None = None, *, status: int = 200, **values: Any
) -> web.Response:
    """A page or a part of one. ``values`` are plain frozen values."""
    words = words_for(request, actor)
    house = request.app[HOUSE]
    context = {
        "_": words.text,
        "n_": words.plural,
        "lang": words.language,
        "when": when_for(request, words),
        "me": actor,
        "nonce": request[NONCE],
        "company": house.company,
        "version": house.version,
        **values,
    }
    text = request.app[_PAGES].get_template(template).render(context)
    answer = web.Response(text=text, status=status, content_type="text/html", headers={"Cache-Control": "no-store"})
    if len(text) > 4000:
        answer.enable_compression()
    return answer
