"""The HTML of a mail as its frame shows it: cut before the quotation, remote pictures by our proxy, links that say where they lead.

What comes in is what the reading of mails left (`nh3`'s one canonical spelling: every attribute in double quotes, every ``<`` that is
no tag escaped), so tags are found without a second parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import quote, urlsplit

from hub.secretbox import SecretBox

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)([^<>]*)>")
_REMOTE = re.compile(r' data-remote-src="([^"]{1,4000})"')
_LINK = re.compile(r"<a( [^<>]*)?>(.{0,3000}?)</a>", re.DOTALL)
_HREF = re.compile(r' href="([^"]{0,8000})"')
_TITLE = re.compile(r' title="[^"]*"')
#: A text that looks like an address: with scheme or www, or nothing but a host and its path.
_HOST = re.compile(
    r"\s*(?:(?:https?://|www\.)([^\s/?#:]{1,200})|((?:[\w-]{1,63}\.)+[a-z]{2,12}))(?=[/?#:\s]|$)", re.IGNORECASE
)
#: Characters of an answer that must be found again in the HTML, before a cut is trusted.
_SURE = 2


def cut(html: str, visible: str) -> int:
    """Where the newly written part ends in the HTML; 0 when that is not certain. ``visible`` is that part as text.

    The letters and digits of both are counted: they are the same in either spelling. Where the text was written by hand (a mail
    offers both), the first quotation counts if nothing but quotations follow it.
    """
    wanted = _letters(visible)
    if len(wanted) < _SURE:
        return 0
    seen = 0
    at = 0
    for tag in [*_TAG.finditer(html), None]:
        text = _letters(unescape(html[at : tag.start() if tag else len(html)]))
        if not wanted.startswith(text, seen):
            break
        seen += len(text)
        at = tag.end() if tag else len(html)
        if seen == len(wanted):
            rest = _letters(unescape(_TAG.sub("", html[at:])))
            return at if rest else 0
    return _before_quotation(html)


def _before_quotation(html: str) -> int:
    start = html.find("<blockquote")
    if start <= 0 or not _letters(unescape(_TAG.sub("", html[:start]))):
        return 0
    depth, at = 0, start
    outside = []
    for tag in _TAG.finditer(html, start):
        if not depth:
            outside.append(html[at : tag.start()])
        if tag[2] == "blockquote":
            depth += -1 if tag[1] else 1
        at = tag.end()
    outside.append(html[at:])
    return 0 if _letters(unescape("".join(outside))) else start


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


def mark(box: SecretBox, message: int, url: str) -> str:
    """What a picture's address carries, so that the proxy fetches only what stands in a mail."""
    return box.sign(f"picture {message} {url}")


def is_mark(box: SecretBox, message: int, url: str, given: str) -> bool:
    """Was this made by `mark`?"""
    return box.verify(f"picture {message} {url}", given)


def with_remote_pictures(html: str, box: SecretBox, message: int) -> str:
    """Remote pictures by our proxy."""

    def address(found: re.Match[str]) -> str:
        url = unescape(found[1])
        query = f"m={message}&s={mark(box, message, url)}&u={quote(url, safe='')}"
        return f' src="{escape(f"/proxy/image?{query}")}" loading="lazy"'

    return _REMOTE.sub(address, html)


def with_hosts(html: str, warning: Callable[[str], str]) -> str:
    """Every link says its host when it is pointed at or has the focus; one whose text names another host gets a warning."""

    def named(found: re.Match[str]) -> str:
        attributes, inside = found[1] or "", found[2]
        href = _HREF.search(attributes)
        host = host_of(unescape(href[1])) if href else ""
        if not host:
            return found[0]
        attributes = _TITLE.sub("", attributes) + f' title="{escape(host)}" data-host="{escape(host)}"'
        said = _HOST.match(unescape(_TAG.sub("", inside)))
        claimed = (said[1] or said[2]).lower() if said else ""
        tail = f'<span class="elsewhere">{escape(warning(host))}</span>' if claimed and not _same(claimed, host) else ""
        return f"<a{attributes}>{inside}</a>{tail}"

    return _LINK.sub(named, html)


def host_of(url: str) -> str:
    """The host a link leads to, or the address it writes to; "" when it is no link."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme == "mailto":
        return parts.path[:200]
    if parts.scheme not in ("http", "https"):
        return ""
    try:
        return host.encode("idna").decode()[:200]  # what looks like another name is shown as what it is
    except UnicodeError:
        return host[:200]


def _same(claimed: str, host: str) -> bool:
    claimed, host = claimed.removeprefix("www."), host.partition("@")[2] or host
    host = host.removeprefix("www.")
    try:
        claimed = claimed.encode("idna").decode()
    except UnicodeError:
        return False
    return claimed == host or host.endswith(f".{claimed}") or claimed.endswith(f".{host}")
