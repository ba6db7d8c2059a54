"""Texts of strangers with their web addresses as links. The only markup here; every piece of text is escaped."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_URL = re.compile(r"https?://[^\s<>\"'\u200b-\u200f\u202a-\u202e\u2060-\u2069]{4,2000}")
#: Signs that end a sentence rather than an address.
_END = ".,;:!?)]}'»“”"


def linked(text: str) -> Markup:
    """The text, its http(s) addresses as links that tell the other side nothing and open beside the hub."""
    made, at = Markup(), 0
    for found in _URL.finditer(text):
        url = found[0].rstrip(_END)
        if "(" in url and found[0][len(url) : len(url) + 1] == ")":
            url += ")"
        made += escape(text[at : found.start()])
        made += Markup('<a class="lnk" href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>').format(
            url, url
        )
        at = found.start() + len(url)
    return made + escape(text[at:])


_NUMBER = re.compile(r"#([0-9]{1,18})\b")


def numbered(text: str) -> Markup:
    """The text, the numbers of conversations in it (#4790) as links to them."""
    made, at = Markup(), 0
    for found in _NUMBER.finditer(text):
        made += escape(text[at : found.start()])
        made += Markup('<a class="lnk" href="/c/{0}">#{0}</a>').format(found[1])
        at = found.end()
    return made + escape(text[at:])
