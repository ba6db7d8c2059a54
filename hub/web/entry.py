"""One entry of a timeline as templates show it."""

from __future__ import annotations

from msgspec import Struct

from hub.caring import Todo
from hub.chapters import Chapter
from hub.messages import Reaction, Spot
from hub.timeline import DeliveryView, FileView
from hub.web.drawn import CallView, QuoteView, VisitView


class Entry(Struct, frozen=True):
    """One entry, ready to be shown.

    ``form`` says by which template: email, text, call, visit, note, task (``todo``), event or run (``members`` are its events).
    ``day`` is the heading before it, ``chapter`` the conversation that begins, ``fresh`` the line "new". ``shown`` is what one
    reads at first, ``whole`` what is folded below it, the quotation (empty: there is none); ``cut`` when even that is longer.
    ``language``: what the message says of itself. ``designed``: the HTML is shown in a frame ``height`` high (0: nobody has
    measured it). ``late``: when it was written, if that was on another day than it came; ``arrived``: when it came, if it came late
    and stands where it belongs; ``stands``: the time it is put in order by. ``act``: by which its writer's screen knows it, soon after.
    """

    id: int
    conversation: int | None
    form: str
    at: int
    day_key: str
    icon: str
    colour: str
    day: str = ""
    fresh: bool = False
    joined: bool = False
    out: bool = False
    who: str = ""
    address: str = ""
    via: str = ""
    words: str = ""
    message: int = 0
    subject: str = ""
    shown: str = ""
    whole: str = ""
    language: str = ""
    cut: bool = False
    html: bool = False
    blocked: bool = False
    unreadable: bool = False
    automatic: bool = False
    failed_checks: str = ""
    original: bool = False
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    forwarded: bool = False
    files: tuple[FileView, ...] = ()
    delivery: DeliveryView | None = None
    pieces: tuple[tuple[str, str], ...] = ()
    chapter: Chapter | None = None
    designed: bool = False
    coloured: bool = False
    pictured: bool = False
    height: int = 0
    tall: bool = False
    late: str = ""
    arrived: str = ""
    stands: int = 0
    page: tuple[str, str] = ("", "")
    pictures: tuple[FileView, ...] = ()
    sounds: tuple[FileView, ...] = ()
    call: CallView | None = None
    visit: VisitView | None = None
    spot: Spot | None = None
    quote: QuoteView | None = None
    reactions: tuple[Reaction, ...] = ()
    edited: bool = False
    deleted: bool = False
    members: tuple[Entry, ...] = ()
    act: str = ""
    todo: Todo | None = None

    @property
    def begins(self) -> int:
        """The number of the first thing in it, in the order of record."""
        return min((e.id for e in self.members), default=self.id)
