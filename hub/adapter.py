"""What a channel is to the core: one class with a few methods, its traits and its settings.

A new channel is one file in adapters/ that defines ``class Channel(Adapter)``. Nothing registers it: `kinds` lists the files
and `load` imports one by name.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol

from msgspec import Struct

from hub.messages import Envelope, Outgoing, Reading, Sent, Template


class Secret(str):
    """A setting nobody should see: prints as ``***``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Setting(Struct, frozen=True):
    """One thing an administrator fills in. The CLI, the API and the settings page are all drawn from these.

    ``key`` may be dotted (``imap.host``). ``labels`` and ``helps`` are by language (en, de).
    """

    key: str
    type: Literal["text", "secret", "integer", "boolean", "choice", "address", "url"]
    labels: dict[str, str]
    helps: dict[str, str] = {}
    required: bool = False
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()


class Traits(Struct, frozen=True):
    """What the channel can do; the composer and the delivery worker believe this.

    ``repeat`` says what to do when an attempt ended without a clear answer: ``safe`` (the provider knows our idempotency key:
    try again), ``once`` (receivers mostly notice a second copy: one more try after ten minutes), ``never`` (show it as
    unconfirmed and let a person decide). ``heavy`` reads run in a killable worker process. ``reply_in_thread`` channels put
    a new message without a thread into a new conversation; the others continue the customer's current one.
    ``window_hours`` is how long after the customer's last message free text may be sent; 0 is for ever. ``templates``: prepared texts
    may be sent at any time, see `Adapter.templates`. ``segments`` is how many SMS one text may become; 0: they are not counted.
    ``max_file_bytes`` 0: no files; ``file_types`` are how the types it takes begin (none: all), such as ``image/``.
    """

    address_kind: str
    can_send: bool = True
    can_start: bool = True
    max_length: int = 100_000
    max_file_bytes: int = 25_000_000
    subject: bool = False
    html: bool = False
    cc: bool = False
    receipts: bool = False
    read_receipts: bool = False
    window_hours: int = 0
    templates: bool = False
    segments: int = 0
    file_types: tuple[str, ...] = ()
    repeat: Literal["safe", "once", "never"] = "never"
    heavy: bool = False
    reply_in_thread: bool = False


class ChannelConfig(Struct, frozen=True):
    """A configured channel: its row, with the settings decrypted and typed (secrets are `Secret`)."""

    id: int
    kind: str
    name: str
    key: str
    settings: Mapping[str, Any]

    def text(self, key: str) -> str:
        """The setting as text; empty when unset."""
        value = self.settings.get(key)
        return "" if value is None else str(value)


class Keep(Protocol):
    """How a pulling adapter hands over what it fetched: committed together with the new cursor, or not at all.

    Raises `LeaseLost` when another process has taken the channel over meanwhile.
    """

    async def __call__(self, envelopes: list[Envelope], cursor: Mapping[str, str]) -> None: ...


class LeaseLost(Exception):
    """Another process pulls this channel now; stop quietly."""


class Pull(Struct, frozen=True):
    """What a pulling adapter gets: the cursor as committed, `keep`, and `state` to say how it goes (empty text: well)."""

    cursor: Mapping[str, str]
    keep: Keep
    state: Callable[[str], Awaitable[None]]


class Adapter:
    """Base of every channel adapter. One instance per configured channel; `read` needs none."""

    kind: ClassVar[str]
    #: the file in webhooks/ that guards this channel's webhooks; empty: none
    provider: ClassVar[str] = ""
    #: the channel fetches for itself: `pull` is run under a lease
    pulls: ClassVar[bool] = False
    #: customers reach it by a page of the hub itself: /w/<channel key>
    widget: ClassVar[bool] = False
    traits: ClassVar[Traits]
    settings: ClassVar[tuple[Setting, ...]] = ()
    labels: ClassVar[dict[str, str]] = {}

    def __init__(self, channel: ChannelConfig) -> None:
        self.channel = channel

    @staticmethod
    def check(settings: Mapping[str, Any]) -> None:
        """Raise ValueError with one sentence when settings contradict each other."""

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        """Say what the envelope says. Pure: no network, no database, no clock. Raises `Unreadable`."""
        raise NotImplementedError

    @staticmethod
    def placeholder(envelope: Envelope, reason: str) -> Reading | None:
        """A message that stands for an envelope nobody could read, so that a person sees it; None: the journal is enough."""
        return None

    async def send(self, out: Outgoing) -> Sent:
        """Hand a message to the provider. Raises `TryLater` or `Refused`; anything else counts as "no clear answer"."""
        raise NotImplementedError

    async def templates(self) -> tuple[Template, ...]:
        """The prepared texts that the provider has approved. Raises `TryLater`, `Refused`."""
        return ()

    async def test(self) -> str:
        """Try the settings against the provider; one sentence of success. Raises `Refused` with the provider's words."""
        raise NotImplementedError

    async def pull(self, pull: Pull) -> None:
        """Fetch for ever. Returns or raises when the connection ends; the hub starts it again with backoff."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of connections."""


def kinds() -> list[str]:
    """Every kind there is, by file name."""
    folder = importlib.import_module("adapters")  # by name only: the core knows no channel

    return sorted(m.name for m in pkgutil.iter_modules(folder.__path__) if not m.name.startswith("_"))


@functools.cache
def load(kind: str) -> type[Adapter]:
    """The adapter of a kind. Raises ValueError naming the known kinds."""
    if kind not in kinds():
        raise ValueError(f"There is no channel kind “{kind}”. Known kinds: {', '.join(kinds())}.")
    found: type[Adapter] = importlib.import_module(f"adapters.{kind}").Channel
    if not issubclass(found, Adapter):
        raise TypeError(f"adapters/{kind}.py: Channel is not an Adapter")
    return found
