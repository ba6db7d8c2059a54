"""Pages out of templates: one Jinja environment, and for every request what its templates may use.

Autoescape is always on, and templates mark nothing as safe, so a text of a stranger cannot become markup. Each language has
its templates with its words compiled into them: asking for each word on each page took longer than the rest of the page.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import secrets
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
from aiohttp import web
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from hub.access import RIGHTS, Actor
from hub.http import HOUSE, NONCE
from hub.i18n import LANGUAGES, Catalogue, catalogue, chosen
from hub.web.assets import Assets
from hub.web.parts import LOOKS, OTHER, Parts, hue, icon, initials
from hub.web.when import When, zone

ASSETS = web.AppKey("assets", Assets)
_PAGES: web.AppKey[dict[str, Pages]] = web.AppKey("pages")

#: Icon and colour by the kind of an address.
ADDRESS_LOOKS = {"email": LOOKS["email"], "tel": LOOKS["voice"], **LOOKS}


def setup(app: web.Application) -> None:
    """Give the application its static files and templates."""
    app[ASSETS], app[_PAGES] = _loaded()
    app.on_startup.append(_warm)


async def _warm(app: web.Application) -> None:
    """Compile every template now, in a thread: the first page of the day should not wait for it."""
    await asyncio.to_thread(_compiled)


@functools.cache
def _compiled() -> int:
    pages = _loaded()[1].values()
    return len([page.get_template(name) for page in pages for name in page.list_templates(extensions=["j2"])])


class _Constants(NodeTransformer):
    """Replaces what is the same on every page of a language: the words that have no holes, icons."""

    def __init__(self, words: Catalogue, sheet: str) -> None:
        self.words, self.sheet = words, sheet

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        given = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        if not given or len(given) < len(node.args) or node.kwargs or node.dyn_args or node.dyn_kwargs:
            return node
        match node.node:
            case nodes.Name(name="_"):
                return nodes.Const(self.words.text(*given), lineno=node.lineno)
            case nodes.Getattr(node=nodes.Name(name="p"), attr="ic"):
                return nodes.Const(icon(self.sheet, *given), lineno=node.lineno)
        return node


class Pages(jinja2.Environment):
    """The templates in one language."""

    def __init__(self, words: Catalogue, assets: Assets, **options: Any) -> None:
        super().__init__(**options)
        self._constants = _Constants(words, assets["icons.svg"])

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = self._constants.visit(super()._parse(source, name, filename))
        return tree


@functools.cache
def _loaded() -> tuple[Assets, dict[str, Pages]]:
    """Read the files; once per process."""
    assets = Assets()
    folder = resources.files("templates")
    with resources.as_file(folder) as path:
        loader = jinja2.FileSystemLoader(path)
    return assets, {language: _pages(catalogue(language), assets, loader) for language in LANGUAGES}


def _pages(words: Catalogue, assets: Assets, loader: jinja2.BaseLoader) -> Pages:
    pages = Pages(
        words,
        assets,
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    pages.globals |= {
        "asset": assets.__getitem__,
        "hue": hue,
        "initials": initials,
        "size": size,
        "look": lambda kind: LOOKS.get(kind, OTHER),
        "address_look": lambda address: ADDRESS_LOOKS.get(address.partition(":")[0], OTHER),
        "bare": bare,
        "fresh_id": lambda: secrets.token_urlsafe(12),
        "languages": LANGUAGES,
        "may": lambda actor, right: actor.role in RIGHTS[right],
        "quote": lambda text: quote(text, safe=""),
    }
    return pages


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
    house, when = request.app[HOUSE], when_for(request, words)
    context = {
        "_": words.text,
        "n_": words.plural,
        "lang": words.language,
        "when": when,
        "p": Parts(request.app[ASSETS]["icons.svg"], words, when),
        "me": actor,
        "nonce": request[NONCE],
        "company": house.company,
        "version": house.version,
        **values,
    }
    text = request.app[_PAGES][words.language].get_template(template).render(context)
    headers = {"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Encoding"}
    body = text.encode("utf-8", "replace")
    if len(body) > 4000 and "gzip" in request.headers.get("Accept-Encoding", ""):
        # the lowest level costs a third of the usual one, and less than handing it to a thread
        body, headers["Content-Encoding"] = gzip.compress(body, 1, mtime=0), "gzip"
    return web.Response(body=body, status=status, headers=headers)
