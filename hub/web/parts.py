"""Small things that every page shows many times: icons, avatars, times. In Python, for as macros they were half of a page's time.

The only markup that does not come from a template; every value in it is escaped here.
"""

from __future__ import annotations

import functools
import hashlib

from markupsafe import Markup, escape

from hub.i18n import Catalogue
from hub.inbox import Row
from hub.web.promises import Promise, promise
from hub.web.when import When

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
OTHER = ("globe", "social")
_DOTS = {"open": "a", "waiting": "w", "snoozed": "n", "closed": ""}


@functools.lru_cache(4096)
def hue(name: str) -> int:
    """The colour class of somebody's avatar, always the same for the same name."""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=2).digest()[0] % 12


def initials(name: str) -> str:
    """ "KV" for "Katrin Vogel"; empty when there is no letter or digit."""
    words = [w for w in name.replace("@", " ").split() if w[0].isalnum()]
    return "".join(w[0] for w in [*words[:1], *(words[-1:] if len(words) > 1 else [])]).upper()


@functools.lru_cache(512)
def icon(sheet: str, name: str, more: str = "") -> Markup:
    """An icon out of the sheet at that address; ``more`` are further classes."""
    return Markup('<svg class="i {}" aria-hidden="true"><use href="{}#i-{}"/></svg>').format(more, sheet, name)


@functools.lru_cache(4096)
def avatar(sheet: str, name: str, more: str = "", kind: str = "") -> Markup:
    """Somebody's initials on their colour; with ``kind`` also by which kind of channel they wrote."""
    inside = escape(initials(name)) or icon(sheet, "user")
    if kind:
        look = LOOKS.get(kind, OTHER)
        inside += Markup('<span class="chb c-{}">{}</span>').format(look[1], icon(sheet, look[0]))
    return Markup('<span class="av h{} {}" aria-hidden="true">{}</span>').format(hue(name), more, inside)


class Parts:
    """The parts for one page: in its language, with its times. Templates know it as ``p``."""

    def __init__(self, sheet: str, words: Catalogue, when: When) -> None:
        self.sheet, self.words, self.when = sheet, words, when

    def ic(self, name: str, more: str = "") -> Markup:
        """An icon."""
        return icon(self.sheet, name, more)

    def av(self, name: str, more: str = "", kind: str = "") -> Markup:
        """An avatar."""
        return avatar(self.sheet, name, more, kind)

    def stamp(self, ms: int, more: str = "") -> Markup:
        """A time of day that tells the whole moment when pointed at."""
        when = self.when  # spelled out, for Markup.format takes ten times as long
        full, more = escape(when.full(ms)), escape(more)
        return Markup(f'<time class="{more}" datetime="{when.iso(ms)}" title="{full}">{when.time(ms)}</time>')  # noqa: S704 - escaped above

    def promise(self, row: Row, brief: bool = False) -> Promise | None:
        """What was promised in a conversation, as a chip; see `promises.promise`."""
        return promise(row, self.when, brief=brief) if row.level is not None else None

    def due(self, promised: Promise, more: str = "") -> Markup:
        """What is inside of the chip of a promise, and what the page needs to count the time down by itself."""
        clock = Markup(' data-end="{}" data-half="{}" data-stop="{}" data-say="{}"').format(
            promised.end, promised.half, promised.stop, promised.say
        )
        inside = icon(self.sheet, "alert" if promised.tone == "bad" else "clock" if promised.end else "pause")
        return Markup('<span class="chip {} {}"{}{}>{}{}</span>').format(
            promised.tone, more, clock if promised.end else "", Markup(' title="{}"').format(promised.about) if not more else "",
            inside, promised.words,
        )  # fmt: skip

    def capped(self, n: int) -> str:
        """A number with at most three digits."""
        return "999+" if n > 999 else str(n)

    def status_word(self, status: str) -> str:
        """A status as people say it."""
        words = self.words
        said = {
            "open": words.text("Open"),
            "waiting": words.text("Waiting"),
            "snoozed": words.text("Snoozed"),
            "closed": words.text("Closed"),
        }
        return said[status]

    def status_dot(self, status: str) -> Markup:
        """The dot in the colour of a status."""
        return Markup('<span class="dot {}"></span>').format(_DOTS[status])


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
