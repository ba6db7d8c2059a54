"""What single kinds of entries show besides their text: calls, visits, mails as they were designed, files, quotations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from hub.messages import Call, Task, Visit
from hub.timeline import FileView, MessageView
from hub.web.stretches import Quote
from hub.web.when import When

#: Files that are shown as pictures or sound if their bytes say so too (see `hub.sniffing`), and the largest picture shown.
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
LARGEST_PICTURE = 10_000_000
#: Pixels above which a mail is folded, and that are kept free for a mail nobody has measured yet.
TALL, UNKNOWN = 400, 320
#: A line of a mail on the screen: so many characters, so many pixels.
_LINE, _PIXELS = 80, 21
#: HTML that says more than its text does: then it is shown as it was designed.
_DESIGNED = re.compile(
    r"<(?!/?(?:p|div|br|span|blockquote|wbr|center)\b)[a-z]|bgcolor=|background|dir=\"rtl", re.IGNORECASE
)
#: HTML that chose colours for white paper.
_COLOURED = re.compile(r"color|background|<font|<img|<table", re.IGNORECASE)


class CallView(Struct, frozen=True):
    """A call as its card shows it. ``title`` is the whole sentence; ``wave`` the path of its loudness; lengths are spelled."""

    title: str
    missed: bool
    waited: str
    talked: str
    queue: str
    wrap_up: str
    transcript: str
    wave: str


class TaskView(Struct, frozen=True):
    """A task as a line."""

    text: str
    due: str
    person: str
    done: bool


class VisitView(Struct, frozen=True):
    """A visit as its card shows it."""

    title: str
    facts: tuple[str, ...]
    task: TaskView | None


class QuoteView(Struct, frozen=True):
    """What a message answers."""

    who: str
    text: str


def length(seconds: int) -> str:
    """0:42, 4:31, 1:02:03"""
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def call_view(call: Call, out: bool, employees: Mapping[int, str], when: When) -> CallView:
    """A call in words."""
    words, agent = when.words, employees.get(call.agent_id, "")
    if call.outcome == "answered" and agent:
        title = (
            words.text("Outgoing call by {who}", who=agent)
            if out
            else words.text("Incoming call, answered by {who}", who=agent)
        )
    else:
        title = {
            ("answered", False): words.text("Incoming call"),
            ("answered", True): words.text("Outgoing call"),
            ("missed", False): words.text("Missed call"),
            ("missed", True): words.text("Outgoing call, nobody answered"),
            ("declined", False): words.text("Call declined"),
            ("declined", True): words.text("Outgoing call, declined"),
            ("voicemail", False): words.text("Voicemail"),
            ("voicemail", True): words.text("Outgoing call, message left"),
        }.get((call.outcome, out), words.text("The call failed"))
    return CallView(
        title,
        call.outcome in ("missed", "declined") and not out,
        length(call.waited_seconds) if call.waited_seconds or call.outcome != "answered" else "",
        length(call.talked_seconds) if call.talked_seconds else "",
        call.queue,
        call.wrap_up,
        call.transcript,
        wave_path(call.wave),
    )


def wave_path(wave: Sequence[int]) -> str:
    """One SVG path of upright bars in a box 300 wide and 24 high."""
    bars = [min(max(value, 0), 100) for value in wave[:120]]
    step = 300 / len(bars) if bars else 0
    return "".join(f"M{n * step + 1.5:.4g} {12 - h:.3g}v{2 * h:.3g}" for n, v in enumerate(bars) for h in [1 + v / 10])


def visit_view(visit: Visit, employees: Mapping[int, str], when: When) -> VisitView:
    """A visit in words."""
    words = when.words
    host = employees.get(visit.host_id, "") or visit.host
    purpose = visit.purpose or words.text("Visit")
    times = ""
    if visit.arrived_at is not None and visit.left_at is not None:
        times = f"{when.time(visit.arrived_at)}–{when.time(visit.left_at)}"
    elif visit.arrived_at is not None:
        times = words.text("since {time}", time=when.time(visit.arrived_at))
    ways = {
        "qr": words.text("checked in by QR code"),
        "kiosk": words.text("checked in at the kiosk"),
        "desk": words.text("checked in at the reception"),
        "app": words.text("logged by the employee"),
    }
    facts = (times, visit.location, ways.get(visit.signed_in, visit.signed_in))
    return VisitView(
        f"{purpose} · {host}" if host else purpose,
        tuple(fact for fact in facts if fact),
        task_view(visit.task, employees, when) if visit.task else None,
    )


def task_view(task: Task, employees: Mapping[int, str], when: When) -> TaskView:
    """A task in words."""
    due = when.until(task.due_at) if task.due_at is not None else ""
    return TaskView(task.text, due, employees.get(task.person_id, ""), task.done)


def quote_view(quote: Quote, employees: Mapping[int, str]) -> QuoteView:
    """What is quoted above an answer."""
    return QuoteView(employees.get(quote.author_id or 0, "") or quote.name, " ".join(quote.text.split()))


def is_designed(html: str) -> bool:
    """Does the HTML show more than its text?"""
    return bool(_DESIGNED.search(html))


def is_coloured(html: str) -> bool:
    """Is this HTML made for white paper? Other HTML may be shown on dark."""
    return bool(_COLOURED.search(html))


def text_height(text: str) -> int:
    """About how high a text is on the screen (pixels)."""
    return sum(1 + len(line) // _LINE for line in text.splitlines()) * _PIXELS


def split_files(said: MessageView) -> tuple[tuple[FileView, ...], tuple[FileView, ...], tuple[FileView, ...]]:
    """(pictures, sounds, other files) of a message, without pictures that stand in its HTML."""
    pictures, sounds, others = [], [], []
    for f in said.files:
        if f.inline_id and said.html:
            continue
        kind = f.type.partition(";")[0].strip().lower()
        if kind in PICTURES and f.size <= LARGEST_PICTURE:
            pictures.append(f)
        elif kind.startswith("audio/"):
            sounds.append(f)
        else:
            others.append(f)
    return tuple(pictures), tuple(sounds), tuple(others)


def page_of(said: MessageView) -> tuple[str, str]:
    """(address, how it is called) of the web page a visitor was on; empty when it is no address."""
    page = said.details.fields.get("page", "")
    try:
        parts = urlsplit(page)
        named = f"{parts.hostname or ''}{parts.path if parts.path != '/' else ''}"
    except ValueError:
        return "", ""
    return (page, named[:80]) if parts.scheme in ("http", "https") and parts.hostname else ("", "")
