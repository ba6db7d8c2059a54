"""HTML of strangers: made harmless, and made into text. Every step is bounded before a parser sees the input.

The caps exist because HTML parsers are quadratic in nesting depth and in attributes per tag. What is over a cap is
shown as text instead; the original mail stays downloadable.
"""

from __future__ import annotations

import html
import re
import secrets

import nh3

#: Characters of HTML that are looked at; longer bodies are shown as text.
MAX_HTML = 1_000_000
MAX_TAGS = 20_000
MAX_DEPTH = 500
#: Characters within one tag (attributes).
MAX_TAG = 10_000
MAX_ENTITIES = 50_000


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DATA_URI = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,[a-z0-9+/=\s%]*", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)[^<>]*>?")
_ANY_TAG = re.compile(r"<[^<>]*>")
#: Elements that cannot nest in themselves without a counted parent, or have no content.
_FLAT = _names(
    "p li td tr th dt dd option thead tbody tfoot br hr img input meta link col wbr area base html head body"
)
_BLOCKS = _names(
    "p div blockquote pre ul ol li dl dt dd table tr h1 h2 h3 h4 h5 h6 hr center figure figcaption caption"
)
#: Blocks with an empty line around them.
_SPACED = _names("p blockquote pre ul ol dl table h1 h2 h3 h4 h5 h6")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(r"  +")
#: Elements whose text is not for people.
_SILENT = ("script", "style", "title", "head")

_TAGS = _names(
    "a abbr acronym b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span "
    "strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
)
_ATTRIBUTES = {
    "*": {"dir", "lang", "style", "align", "valign", "bgcolor", "width", "height", "title"},
    "a": {"href"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start", "type"},
    "table": {"cellpadding", "cellspacing", "border"},
    "font": {"color", "size", "face"},
}
_STYLES = _names(
    "color background-color font-size font-weight font-style font-family text-align text-decoration text-indent "
    "vertical-align line-height white-space list-style-type border-collapse width height max-width padding "
    "padding-left padding-right padding-top padding-bottom margin margin-left margin-right margin-top margin-bottom "
    "border border-left border-right border-top border-bottom border-color border-width border-style"
)
_BAD_STYLE = re.compile(r"url|expression|import|[@\\<>\"]|/\*", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://[^/]|mailto:|tel:)", re.IGNORECASE)
_REMOTE = re.compile(r"https?://[^/]", re.IGNORECASE)
_CID = re.compile(r"cid:", re.IGNORECASE)
#: Stands before the address of a remote picture while nh3 runs. It changes with every process and never leaves it, so
#: nobody can write it into a mail.
_MARK = f"x-remote-{secrets.token_hex(16)}:"


def _style(value: str) -> str | None:
    """The harmless declarations of a style attribute, by property name and by value."""
    kept = []
    for declaration in value[:5000].split(";")[:100]:
        name, _, said = declaration.partition(":")
        name = name.strip().lower()
        if name in _STYLES and said and not _BAD_STYLE.search(said):
            if name.startswith("margin") and "-" in said:
                continue  # a negative margin moves text over its neighbours
            kept.append(f"{name}:{said.strip()}")
    return ";".join(kept) or None


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "style":
        return _style(value)
    if tag == "a" and name == "href":
        return value if _LINK.match(value.strip()) else None
    if tag == "img" and name == "src":
        value = value.strip()
        if _CID.match(value):
            return "cid:" + value[4:].strip("<> ")
        return _MARK + value if _REMOTE.match(value) else None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(_TAGS),
    clean_content_tags={"script", "style", "title"},
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def too_much(text: str) -> bool:
    """Whether a parser would spend more than a fraction of a second on this HTML."""
    if len(text) > MAX_HTML or text.count("<") > MAX_TAGS or text.count("&") > MAX_ENTITIES:
        return True
    depth, most, opened = 0, 0, dict[str, int]()
    for found in _TAG.finditer(text):
        if found.end() - found.start() > MAX_TAG:
            return True
        name = found[2].lower()
        if name in _FLAT:
            continue
        if not found[1]:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            most = max(most, depth)
        elif opened.get(name, 0):
            opened[name] -= 1
            depth -= 1
    return most > MAX_DEPTH


def without_data_uris(text: str) -> str:
    """The HTML without pictures written into it: they would be dropped anyway and are longer than everything else."""
    return _DATA_URI.sub("data:,", text) if "base64," in text else text


def sanitise(text: str) -> str:
    """Harmless HTML: no scripts, forms, frames, fetches. Empty when the input is over a cap or says nothing.

    Pictures inside the mail keep ``cid:<id>``; the address of a remote picture moves from ``src`` to
    ``data-remote-src``, so that nothing is fetched before somebody asks for it.
    """
    text = without_data_uris(text)
    if too_much(text):
        return ""
    return _CLEANER.clean(text).replace(f' src="{_MARK}', ' data-remote-src="').strip()


def to_text(sanitised: str) -> str:
    """Readable text of what `sanitise` returned: line breaks where a browser has them, ``> `` before quotations.

    nh3 writes one canonical spelling (every ``<`` and ``>`` that is not a tag is escaped), so tags are found without
    a second parser.
    """
    writer = _Writer()
    at = 0
    for found in _TAG.finditer(sanitised):
        writer.say(sanitised[at : found.start()])
        writer.tag(found[2].lower(), closing=bool(found[1]))
        at = found.end()
    writer.say(sanitised[at:])
    return writer.finish()


class _Writer:
    """Collects text between tags into lines."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quote = 0
        self._pre = 0

    def say(self, text: str) -> None:
        if not text:
            return
        text = html.unescape(text)
        if self._pre:
            first, *rest = text.split("\n")
            self._line.append(first)
            for line in rest:
                self._break()
                self._line.append(line)
        else:
            self._line.append(_SPACE.sub(" ", text))

    def tag(self, name: str, closing: bool) -> None:
        if name == "br":
            self._break()
        elif name in _BLOCKS:
            if self._line:
                self._break()
            if name == "blockquote" and closing:
                self._quote = max(self._quote - 1, 0)
            if name in _SPACED and self._lines and self._lines[-1].strip("> "):
                self._lines.append(">" * min(self._quote, 5))
            if name == "blockquote" and not closing:
                self._quote += 1
            elif name == "pre":
                self._pre = max(self._pre + (-1 if closing else 1), 0)
            elif name == "li" and not closing:
                self._line.append("- ")
        elif name in ("td", "th") and closing:
            self._line.append(" ")

    def finish(self) -> str:
        if self._line:
            self._break()
        while self._lines and not self._lines[-1].strip("> "):
            self._lines.pop()
        return "\n".join(self._lines).strip("\n")

    def _break(self) -> None:
        line = "".join(self._line)
        line = line.rstrip() if self._pre else _SPACES.sub(" ", line).strip(" ")
        self._lines.append("> " * min(self._quote, 5) + line)
        self._line.clear()


def crude_text(text: str) -> str:
    """The text of HTML that is over a cap, without a parser: tags cut out, entities read."""
    text = text[: 4 * MAX_HTML]
    for name in _SILENT:
        text = _cut(text, name)
    text = _ANY_TAG.sub(" ", re.sub(r"<(?:br|p|div|tr|li)\b[^<>]*>", "\n", text, flags=re.IGNORECASE))
    lines = (" ".join(line.split()) for line in html.unescape(text[:MAX_HTML]).split("\n"))
    return "\n".join(line for line in lines if line)


def _cut(text: str, name: str) -> str:
    """Text without the content of every ``<name>`` element; linear, since each search starts where the last ended."""
    lower, kept, at = text.lower(), [], 0
    if len(lower) != len(text):
        return text
    while (start := lower.find(f"<{name}", at)) >= 0:
        kept.append(text[at:start])
        end = lower.find(f"</{name}", start)
        if end < 0:
            return "".join(kept)
        at = end + len(name) + 2
    kept.append(text[at:])
    return "".join(kept)
