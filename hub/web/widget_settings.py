"""What a web chat is told by its settings: whose pages may show it, how it looks, what it says, whom it does not serve."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

from hub.channels import Ready
from hub.colour import TEXT, WHITE, contrast
from hub.i18n import Catalogue

#: Quick replies beside the greeting.
QUICK = 6


class Form(Struct, frozen=True):
    """What is asked before the chat: off, optional or required."""

    name: str = "off"
    email: str = "off"
    consent: bool = False

    @property
    def asks(self) -> bool:
        """Is there a form at all?"""
        return self.name != "off" or self.email != "off" or self.consent


class Look(Struct, frozen=True):
    """How the widget looks and what it says, in one language. ``quick`` are answers to press; ``invite``: greet on the page after so
    many seconds (0: never), on ``invite_pages`` only (paths, “*” stands for anything; none: on all).
    """

    title: str
    greeting: str
    away: str
    colour: str
    side: str
    privacy_url: str
    form: Form
    quick: tuple[str, ...] = ()
    invite: int = 0
    invite_pages: tuple[str, ...] = ()


def look(ready: Ready, words: Catalogue, company: str) -> Look:
    """The widget's look in the visitor's language; what is not set is said in the house's own words."""
    said = ready.config.text
    lang = words.language

    def text(key: str) -> str:
        return said(f"{key}.{lang}") or said(f"{key}.en") or said(f"{key}.de")

    return Look(
        title=text("title") or company,
        greeting=text("greeting") or words.text("Hello! How can we help?"),
        away=text("away")
        or words.text("Nobody is here right now. Write to us anyway: we answer here as soon as we are back."),
        colour=legible(said("colour") or "#2c53d6"),
        side=said("side") or "right",
        privacy_url=said("privacy_url"),
        quick=tuple(part for piece in text("quick").split("|") if (part := piece.strip()))[:QUICK],
        invite=int(said("invite.seconds") or 0),
        invite_pages=tuple(said("invite.pages").split()),
        form=Form(said("form.name") or "off", said("form.email") or "off", said("form.consent") == "True"),
    )


# ── whose pages ───────────────────────────────────────────────────────────────────────────────────────────────────────
def origins(ready: Ready) -> tuple[str, ...]:
    """The web sites that may show the chat, besides the hub itself."""
    return tuple(ready.config.text("allowed_origins").lower().split())


def origin_of(address: str) -> str:
    """``https://example.com:8443`` of a whole address; empty for what is none."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme in ("http", "https") and parts.netloc else ""
    except ValueError:
        return ""


def is_allowed(allowed: Sequence[str], origin: str) -> bool:
    """May pages of this origin show the chat?"""
    return any(_matches(pattern, origin.lower()) for pattern in allowed)


def _matches(pattern: str, origin: str) -> bool:
    if pattern in ("*", origin):
        return True
    scheme, _, host = pattern.partition("://")
    return host.startswith("*.") and origin.startswith(f"{scheme}://") and origin.endswith(host[1:])


def ancestors(allowed: Sequence[str]) -> str:
    """The same for the browser: ``frame-ancestors`` of the Content-Security-Policy."""
    return "frame-ancestors " + ("*" if "*" in allowed else " ".join(["'self'", *allowed]))


# ── whom not ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def is_blocked(ready: Ready, visitor: str, address: str) -> bool:
    """Is this visitor, or where they come from, on the channel's block list?"""
    names, networks = _block_list(ready.config.text("blocked"))
    if visitor in names:
        return True
    try:
        return bool(networks) and any(ip_address(address) in network for network in networks)
    except ValueError:
        return False


@functools.lru_cache(64)
def _block_list(text: str) -> tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]:
    names, networks = set(), []
    for word in text.split():
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            names.add(word)
    return frozenset(names), tuple(networks)


# ── colour ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@functools.lru_cache(64)
def legible(colour: str) -> str:
    """The colour, darkened until white text can be read on it."""
    while contrast(colour, WHITE) < TEXT:
        colour = "#" + "".join(f"{int(int(colour[place : place + 2], 16) * 0.96):02x}" for place in (1, 3, 5))
    return colour
