"""The words of the hub: what arrives, what it says, what leaves. Plain frozen values, no behaviour worth testing.

All times are integers: milliseconds since 1970 UTC. An *address* is a normalised string with its kind in front:
``email:a@b.de``, ``tel:+493012345``, ``api:customer-7``.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

MessageKind = Literal["text", "email", "call", "visit", "note"]
Direction = Literal["in", "out", "internal"]
Status = Literal["open", "waiting", "snoozed", "closed"]
ReceiptState = Literal["sent", "delivered", "read", "failed"]
Role = Literal["admin", "supervisor", "agent", "light"]
CallOutcome = Literal["answered", "missed", "declined", "voicemail", "failed"]

#: Flags a message may carry: set by adapters, shown to people, never a reason to drop anything.
Flag = Literal["auto_reply", "bounce", "bulk", "unreadable", "truncated"]
#: What a mail server asks of a sender (RFC 7208, 6376, 7489).
Check = Literal["spf", "dkim", "dmarc"]


class Envelope(Struct, frozen=True):
    """What arrived, byte for byte, before anybody tried to understand it.

    ``source`` says through which door: webhook, lmtp, smtp, imap, form, widget. ``headers`` are facts of the transport
    (HTTP headers, SMTP sender and recipients, IMAP UID), never part of ``body``.
    """

    channel_id: int
    body: bytes
    source: str
    received_at: int
    headers: dict[str, str] = {}


class Party(Struct, frozen=True):
    """Somebody at an address. ``name`` is what they call themselves; nobody has checked it."""

    address: str
    name: str = ""


class File(Struct, frozen=True):
    """An attachment with its bytes. ``name`` is the sender's and only ever shown, never used as a path.

    ``inline_id`` is the Content-ID without angle brackets of a picture that the HTML body refers to, else empty.
    """

    name: str
    type: str
    data: bytes
    inline_id: str = ""


class Call(Struct, frozen=True, omit_defaults=True):
    """A telephone call. Seconds waited until somebody answered (or the caller gave up) and talked; ``agent_id`` is the employee who
    talked, ``queue`` where the caller waited. The recording is the message's first file of sound; ``wave`` is how loud it is from
    beginning to end, 0 to 100, at most 120 values.
    """

    outcome: CallOutcome = "answered"
    waited_seconds: int = 0
    talked_seconds: int = 0
    agent_id: int = 0
    queue: str = ""
    wrap_up: str = ""
    transcript: str = ""
    wave: tuple[int, ...] = ()


class Task(Struct, frozen=True, omit_defaults=True):
    """Something to be done: by whom (an employee's id, 0: nobody yet) and until when."""

    text: str
    due_at: int | None = None
    person_id: int = 0
    done: bool = False


class Visit(Struct, frozen=True, omit_defaults=True):
    """Somebody met somebody. ``purpose`` is the kind of visit in words, ``host_id`` an employee, ``signed_in`` how (qr, kiosk, desk,
    app, or words); what came of it is the message's text, photographs and the signature are its files.
    """

    purpose: str = ""
    arrived_at: int | None = None
    left_at: int | None = None
    host_id: int = 0
    host: str = ""
    location: str = ""
    signed_in: str = ""
    task: Task | None = None


class Spot(Struct, frozen=True, omit_defaults=True):
    """A place on the earth that somebody sent; degrees."""

    latitude: float
    longitude: float
    name: str = ""


class Reaction(Struct, frozen=True):
    """A sign somebody put under a message."""

    sign: str
    who: str = ""


class Message(Struct, frozen=True):
    """One message as its adapter understood it.

    ``provider_id`` is unique within the channel; a second message with the same one is the same message.
    ``tokens`` are candidates for the hub's own thread tokens (see `hub.conversations`), in order of trust;
    ``reply_to`` is the provider's id of the message this one answers. ``at`` is the provider's time, shown but never
    used for order; None when unknown. ``html`` is already sanitised; ``visible_text`` is the newly written part.
    ``external_id`` is an id that people or other servers use for it (Message-ID without angle brackets).
    ``also`` are further addresses the sender claims to own, unverified. ``language`` is what the message says of itself (de, en-GB);
    ``fields`` are choices the customer made (a form's field, a number pressed), by name. A call has ``call``, a visit ``visit``, a
    place that was sent ``spot``, a mail the ``failed_checks`` of its sender: only channels that know of such things from a provider
    they trust fill them.
    """

    provider_id: str
    sender: Party
    kind: MessageKind = "text"
    text: str = ""
    visible_text: str = ""
    html: str = ""
    subject: str = ""
    at: int | None = None
    reply_to: str = ""
    external_id: str = ""
    references: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    also: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    flags: tuple[Flag, ...] = ()
    language: str = ""
    fields: dict[str, str] = {}
    call: Call | None = None
    visit: Visit | None = None
    spot: Spot | None = None
    failed_checks: tuple[Check, ...] = ()


class Template(Struct, frozen=True):
    """A text that a provider has approved for sending at any time. ``body`` has places to fill in, numbered or named: {{1}}, {{name}}.
    One name may stand for several languages (de, en_US).
    """

    name: str
    language: str
    body: str
    category: str = ""


class Filled(Struct, frozen=True):
    """A template with what was put into its places, by their number or name."""

    name: str
    language: str
    values: dict[str, str] = {}


class Details(Struct, frozen=True, omit_defaults=True):
    """What a message has besides its columns; JSON in `messages.details`. ``edited_at`` and ``deleted_at``: by whoever wrote it;
    ``mentions``: (begin, end, "e7" or "t3") in the text. ``bcc`` is for colleagues' eyes only. ``forwarded`` is the message that was
    shown to somebody by this one; ``template`` the prepared text that was sent.
    """

    to: tuple[tuple[str, str], ...] = ()
    cc: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    reply_to: str = ""
    language: str = ""
    fields: dict[str, str] = {}
    call: Call | None = None
    visit: Visit | None = None
    spot: Spot | None = None
    reactions: tuple[Reaction, ...] = ()
    edited_at: int | None = None
    deleted_at: int | None = None
    mentions: tuple[tuple[int, int, str], ...] = ()
    bcc: tuple[tuple[str, str], ...] = ()
    forwarded: int = 0
    template: Filled | None = None
    failed_checks: tuple[Check, ...] = ()


class Receipt(Struct, frozen=True):
    """The provider's news about a message we sent, found again by the provider's id."""

    provider_id: str
    state: ReceiptState
    at: int | None = None
    error: str = ""


class Refusal(Struct, frozen=True):
    """One item of an envelope that could not be understood: its position and why, in words for a person."""

    index: int
    reason: str


class Reading(Struct, frozen=True):
    """Everything an envelope says."""

    messages: tuple[Message, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    refused: tuple[Refusal, ...] = ()


class Outgoing(Struct, frozen=True):
    """One message on its way out, with everything an adapter needs and nothing of the database.

    ``to`` and ``cc`` are what the message says; ``recipients`` (addresses) are whom this attempt is for. ``token`` is
    the thread token to hide in the reply address or message id. ``reply_to`` is the provider's id of the message
    answered, ``references`` the external ids of the thread, oldest first. ``idempotency_key`` is the same for every
    attempt at the same recipient and message. ``quote`` is the text being answered, for channels that quote. With ``template`` a
    prepared text is sent, whose words are ``text``.
    """

    id: str
    conversation: str
    idempotency_key: str
    token: str
    to: tuple[Party, ...]
    recipients: tuple[str, ...]
    text: str
    html: str = ""
    subject: str = ""
    cc: tuple[Party, ...] = ()
    sender_name: str = ""
    reply_to: str = ""
    references: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    attempt: int = 1
    at: int = 0
    template: Filled | None = None


class TryLater(Exception):
    """Not now: the same attempt may succeed after ``seconds`` (0: the hub chooses its own backoff)."""

    def __init__(self, reason: str, seconds: float = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.seconds = seconds


class Refused(Exception):
    """No, and trying again will not help. ``reason`` holds the provider's own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(Exception):
    """The envelope makes no sense to its adapter; the text says why, for a person."""


class Sent(Struct, frozen=True):
    """The provider took the message, except for the recipients in ``troubles`` (address → what went wrong)."""

    provider_id: str
    troubles: dict[str, TryLater | Refused] = {}
