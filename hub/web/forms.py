"""What forms hold and what is wrong with it: read without trusting, and said at the field and above the form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from hub.http import Form
from hub.i18n import Catalogue
from hub.text import clean, clean_line
from hub.web.screens import positive

_NAMED = re.compile(r"“([\w.-]+)”: ?(.*)", re.S)


class Trouble(Struct, frozen=True):
    """What is wrong, in the reader's words; ``field`` names the form's field, empty: the form as a whole."""

    field: str
    words: str


class Wrong(Exception):
    """Something in the form cannot be; ``field`` is where, the text an English sentence of the catalogue."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def word(form: Form, name: str, most: int = 200) -> str:
    """One line."""
    value = form.get(name)
    return clean_line(value, most) if isinstance(value, str) else ""


def text(form: Form, name: str, most: int = 20_000) -> str:
    """Several lines."""
    value = form.get(name)
    return clean(value, most).replace("\r\n", "\n") if isinstance(value, str) else ""


def words(form: Form, name: str, most: int = 1000) -> tuple[str, ...]:
    """Everything of that name: check boxes, lists."""
    found = (clean_line(v, 200) for v in form.getall(name, [])[:most] if isinstance(v, str))
    return tuple(v for v in found if v)


def parts(given: str) -> tuple[str, ...]:
    """What stands between commas and line breaks."""
    return tuple(part for piece in re.split(r"[,\n]", given) if (part := piece.strip()))


def chosen(form: Form, name: str) -> int | None:
    """The id chosen in a list; None for the empty choice."""
    return positive(word(form, name, 20)) or None


def number(form: Form, name: str) -> int:
    """A whole number; an empty field is 0. Raises `Wrong`."""
    given = word(form, name, 20)
    if given and not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise Wrong(name, "Write a whole number here, like 15.")
    return int(given or 0)


def pairs(form: Form, name: str) -> dict[str, str]:
    """Lines like “name = value”. Raises `Wrong`."""
    found = {}
    for line in text(form, name).splitlines():
        key, sign, value = line.partition("=")
        if not line.strip():
            continue
        if not sign or not key.strip() or not value.strip():
            raise Wrong(name, "Write each line as name = value.")
        found[key.strip()] = value.strip()
    return found


def kept(form: Form) -> dict[str, str | list[str]]:
    """What somebody typed, to fill the form with it again."""
    found: dict[str, str | list[str]] = {}
    for name in set(form):
        values = [clean(v, 20_000) for v in form.getall(name) if isinstance(v, str)]
        found[name] = values if len(values) > 1 else values[0] if values else ""
    return found


def trouble(
    catalogue: Catalogue, error: Exception, fields: Iterable[str], other: Mapping[str, str] | None = None
) -> Trouble:
    """What a refusal says, at the field it names: “conditions.domains” is the field “domains”. ``other``: fields by another name."""
    said = str(error)
    translated = catalogue.sentence(said)
    named = _NAMED.fullmatch(said)
    if isinstance(error, Wrong):
        return Trouble(error.field, translated)
    if named is None:
        return Trouble("", translated)
    path = named[1].split(".")
    field = next((part for part in (*reversed(path), *path[:1]) if part in fields), "")
    field = (other or {}).get(named[1], (other or {}).get(path[0], field))
    found = re.fullmatch(r"[„“][\w.-]+[“”]: ?(.*)", translated, re.S)
    plain = found[1] if found else translated
    return Trouble(field, plain[:1].upper() + plain[1:])
