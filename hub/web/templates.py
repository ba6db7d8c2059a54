"""The templates: one Jinja environment for each language, its words compiled in.

Asking for each word on each page took longer than the rest of the page. Loaded when the first page is asked for, or a moment after
the doors opened: Jinja and two hundred templates take longer to load than the whole rest of the hub.
"""

from __future__ import annotations

import functools
import secrets
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from hub.access import RIGHTS
from hub.i18n import LANGUAGES, Catalogue, catalogue
from hub.views import ICONS
from hub.web import cared, filterbar, panel
from hub.web.assets import Assets
from hub.web.compiled import Kept
from hub.web.keys import for_page
from hub.web.linked import linked, numbered
from hub.web.parts import LOOKS, OTHER, bare, hue, icon, initials, size
from hub.web.rowcache import DrawnRows

#: Icon and colour by the kind of an address.
ADDRESS_LOOKS = {"email": LOOKS["email"], "tel": LOOKS["voice"], **LOOKS}


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
def pages(assets: Assets) -> dict[str, Pages]:
    """The environments by language; made once per process."""
    with resources.as_file(resources.files("templates")) as path:
        return {language: _pages(catalogue(language), assets, path) for language in LANGUAGES}


@functools.cache
def compiled(assets: Assets) -> int:
    """Compile every template now, or read what was compiled before; how many. Blocking, for a second the first time."""
    known = pages(assets).values()
    return len([page.get_template(name) for page in known for name in page.list_templates(extensions=["j2"])])


def _pages(words: Catalogue, assets: Assets, path: Path) -> Pages:
    made_of = (
        repr((sorted(words.texts.items()), icon(assets["icons.svg"], "any"))).encode() + Path(__file__).read_bytes()
    )
    pages = Pages(
        words,
        assets,
        loader=jinja2.FileSystemLoader(path),
        bytecode_cache=Kept(path, words.language, made_of),
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
        "keys_for": for_page,
        "size": size,
        "look": lambda kind: LOOKS.get(kind, OTHER),
        "address_look": lambda address: ADDRESS_LOOKS.get(address.partition(":")[0], OTHER),
        "bare": bare,
        "fresh_id": lambda: secrets.token_urlsafe(12),
        "languages": LANGUAGES,
        "chips": filterbar.chips,
        "orders": filterbar.orders,
        "waits": filterbar.waits,
        "kept": filterbar.kept,
        "told": filterbar.told,
        "view_icons": ICONS,
        "drawn": DrawnRows(),
        "may": lambda actor, right: actor.role in RIGHTS[right],
        "linked_text": linked,
        "numbered": numbered,
        "spoken": panel.LANGUAGES,
        "language_name": lambda language: panel.language_name(language, words),
        "day_due": cared.day_due,
        "money": lambda amount, currency: cared.money(amount, currency, words),
        "reasons_of": lambda evidence: panel.reasons(evidence, words),
        "quote": lambda text: quote(text, safe=""),
    }
    return pages
