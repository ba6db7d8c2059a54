"""The keys: one table (keys.json) for the handler, the help sheet, the tooltips and the palette; and everybody's own changes of it.

A key is written as the browser names it (``event.key``), so a Z is the key printed Z; "g m" is one after the other, "mod" is
Ctrl or ⌘. Single keys can be changed and switched off (WCAG 2.2, 2.1.4).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Literal

import msgspec
from msgspec import Struct

from hub.i18n import LANGUAGES, catalogue

#: Typed with AltGr on a German, French or Polish keyboard.
ALTGR = frozenset("[]{}@\\|~")

Scope = Literal["everywhere", "conversation", "composer"]


class Binding(Struct, frozen=True):
    """What ``keys`` do: the action ``id``, described by ``label`` (a text of the catalogue), where ``scope`` says."""

    id: str
    keys: tuple[str, ...]
    scope: Scope
    label: str

    @property
    def single(self) -> bool:
        """Is it typed without Ctrl or ⌘? Only these can be changed and switched off."""
        return not any(key.startswith("mod+") for key in self.keys)


class Own(Struct, frozen=True, omit_defaults=True):
    """Somebody's changes: ``off`` switches single keys off, ``keys`` says another key by action (empty: none)."""

    off: bool = False
    keys: Mapping[str, str] = {}


class Refused(Exception):
    """This key cannot be used for this action; the values fill the sentence."""

    def __init__(self, action: str, sentence: str, **values: str) -> None:
        super().__init__(sentence)
        self.action, self.sentence, self.values = action, sentence, values


@functools.cache
def table() -> tuple[Binding, ...]:
    """The standard keys."""
    raw = (resources.files("hub.web") / "keys.json").read_bytes()
    return msgspec.json.decode(raw, type=tuple[Binding, ...])


def clashes(bindings: tuple[Binding, ...]) -> list[tuple[str, str, str]]:
    """(key, action, other action) wherever one key would mean two things in one place, or begins a sequence of keys."""
    found = []
    for at, one in enumerate(bindings):
        for other in bindings[:at]:
            if "everywhere" not in (one.scope, other.scope) and one.scope != other.scope:
                continue
            found += [(a, one.id, other.id) for a in one.keys for b in other.keys if _same(a, b)]
    return found


def _same(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other} ") or other.startswith(f"{one} ")


def mine(own: Own) -> tuple[Binding, ...]:
    """The table with somebody's changes."""
    changed = []
    for b in table():
        keys = b.keys
        if b.single and b.id in own.keys:
            keys = (own.keys[b.id],) if own.keys[b.id] else ()
        changed.append(Binding(b.id, () if own.off and b.single and b.id != "leave" else keys, b.scope, b.label))
    return tuple(changed)


def check(own: Own) -> None:
    """Raises `Refused`."""
    labels = {b.id: b.label for b in table()}
    for action, key in own.keys.items():
        parts = key.split(" ")
        if key and (len(parts) > 2 or not all(len(part.removeprefix("Shift+")) == 1 for part in parts)):
            sentence = "This is not one key. Type one letter, digit or sign, or a sequence such as “g m”."
            raise Refused(action, sentence)
        if bad := next((c for c in key if c in ALTGR), ""):
            raise Refused(action, "“{key}” needs AltGr on some keyboards. Choose another one.", key=bad)
    for key, one, other in clashes(mine(Own(False, own.keys))):
        changed, kept = (one, other) if one in own.keys else (other, one)
        raise Refused(changed, "“{key}” is taken by “{other}”.", key=key, other=labels[kept])


def decoded(kept: str) -> Own:
    """What the database keeps of somebody."""
    return msgspec.json.decode(kept, type=Own) if kept else Own()


@functools.lru_cache(500)
def for_page(language: str, kept: str) -> str:
    """The keys for the client, as JSON: with their words, and the words of the other languages for the palette's search."""
    words = catalogue(language)
    others = [catalogue(other) for other in LANGUAGES if other != language]
    said = [
        {
            "id": b.id,
            "keys": b.keys,
            "scope": b.scope,
            "label": words.text(b.label),
            "also": " ".join(other.text(b.label) for other in others),
        }
        for b in mine(decoded(kept))
    ]
    names = {"mod": words.text("Ctrl"), "Shift": words.text("Shift"), "then": words.text("then")}
    return msgspec.json.encode({"keys": said, "names": names}).decode()
