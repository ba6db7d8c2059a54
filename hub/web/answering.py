"""Whom an answer goes to, on the screens: read from the form as it was shown there, and filled in for an answer to one entry.

The chosen way (channel and address) stands in the form, so what arrives meanwhile changes nothing. ``to`` counts when somebody has
changed it; ``was`` is what the page had put there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from hub import addresses
from hub.channels import Channels, Ready
from hub.fitting import CannotSend, Gone, How
from hub.http import Form
from hub.i18n import Catalogue
from hub.messages import Party
from hub.timeline import FileView, MessageView
from hub.web.forms import parts, word
from hub.web.parts import bare
from hub.web.screens import positive
from hub.web.ways import Choice
from hub.web.when import When

#: How an entry may be taken up, as ``?mode=…&to=<message>`` says it.
MODES = ("reply", "all", "forward", "again")
#: Characters of a mail that are quoted below a forward.
LONGEST_QUOTE = 50_000


class Written(Struct, frozen=True):
    """The recipients as they stand in the box. ``way`` is the chosen line of "Reply via": channel and address; ``was`` what the
    page had put into ``to``; ``theirs`` what a draft had there as the customer's.
    """

    way: str = ""
    to: str = ""
    was: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    how: How = "reply"
    about: int = 0
    theirs: str = ""

    @property
    def via(self) -> int:
        """The channel; 0: the conversation's own."""
        return positive(self.way.partition(" ")[0])


class Recipients(Struct, frozen=True):
    """For `fitting.Draft`. ``sure``: the screen showed ``to`` as the customer's."""

    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()
    sure: bool = False


def written(form: Form) -> Written:
    """What a form says. Recipients nobody has changed are those of the chosen way."""
    way, to, was = word(form, "via", 450), word(form, "to", 4000), word(form, "was", 4000)
    return Written(
        way,
        "" if to == was and " " in way else to,
        was,
        word(form, "cc", 4000),
        word(form, "bcc", 4000),
        word(form, "subject", 500),
        "forward" if word(form, "how", 10) == "forward" else "reply",
        positive(word(form, "about", 20)),
        word(form, "theirs", 450),
    )


def recipients(channels: Channels, said: Written) -> Recipients:
    """Whom it goes to. Raises `CannotSend` for what is no address, `Gone` where the screen showed somebody else than the way has."""
    ready = channels.by_id.get(said.via)
    if ready is None:
        return Recipients()
    several, address = ready.adapter.traits.cc, said.way.partition(" ")[2]
    cc, bcc = (_parties(ready, said.cc), _parties(ready, said.bcc)) if several else ((), ())
    if said.how == "forward":
        return Recipients(_parties(ready, said.to), cc, bcc)
    if said.to and (several or not address):
        return Recipients(_parties(ready, said.to), cc, bcc, said.to == said.theirs)
    if said.to and said.to not in (bare(address), address):
        raise Gone(f"“{said.to}” is not the customer's address any more. Nothing was sent: choose whom to write to.")
    return Recipients((Party(address),) if address else (), cc, bcc, bool(address))


def _parties(ready: Ready, text: str) -> tuple[Party, ...]:
    try:
        found = [addresses.normal(part, ready.adapter.traits.address_kind) for part in parts(text)]
    except ValueError as error:
        raise CannotSend(str(error)) from error
    return tuple(Party(address) for address in dict.fromkeys(found))


def chosen(found: Sequence[Choice], said: Written) -> Choice | None:
    """The line of "Reply via" that is chosen: the one that was said, else the first that can be used."""
    usable = [way for way in found if not way.blocked]
    exact = (way for way in found if way.key == said.way)
    typed = (way for way in usable if way.id == said.via and said.to in (way.address, way.key.partition(" ")[2]))
    same = (way for way in usable if way.id == said.via)
    return next((way for some in (exact, typed, same, usable) for way in some), None)


def domains(channels: Channels, found: Sequence[Choice]) -> list[str]:
    """Whose mail is expected to go where: the house's and the customer's domains. Any other one in a copy is asked about."""
    known = [*own(channels), *(way.key for way in found if way.cc)]
    return sorted({address.rpartition("@")[2].lower() for address in known if "@" in address})


# ── taking up an entry ────────────────────────────────────────────────────────────────────────────────────────────────
class Taken(Struct, frozen=True):
    """What is put into the box when an entry is taken up."""

    said: Written
    text: str = ""
    files: tuple[FileView, ...] = ()


def take_up(mode: str, message: MessageView, channels: Channels, found: Sequence[Choice], when: When) -> Taken:
    """An answer to the sender, to everybody, a forward, or the same words by another way; after a forward all go on with whom it was
    shown to.
    """
    if message.direction == "out" and message.details.forwarded and mode != "forward":
        return _shown_on(mode, message, found)
    whom = [message.sender] if message.direction == "in" else [address for address, _ in message.details.to]
    said = Written(f"{message.channel_id or 0} {whom[0] if whom else ''}".rstrip(), about=message.id)
    if len(whom) > 1 or not any(way.key == said.way for way in found):
        said = structs.replace(said, way=str(message.channel_id or 0), to=", ".join(bare(a) for a in whom))
    if mode == "again":
        other = next((w for w in found if not w.blocked and not w.limited and w.id != message.channel_id), None)
        subject = message.subject if other and other.subject else ""
        return Taken(
            structs.replace(said, way=other.key if other else "", to="", subject=subject), message.text, message.files
        )
    if mode == "forward":
        subject = forwarded(message.subject, when.words)
        files = tuple(f for f in message.files if not f.inline_id)
        said = structs.replace(said, way=_mailbox(message, found), subject=subject, how="forward")
        return Taken(said, quoted(message, when), files)
    if mode == "all":
        said = structs.replace(said, cc=", ".join(bare(a) for a in everybody_else(message, own(channels))))
    return Taken(said)


def _shown_on(mode: str, message: MessageView, found: Sequence[Choice]) -> Taken:
    """To those who were shown something by a forward: they are not the customer, who is not answered by it."""
    to, cc = (", ".join(bare(a) for a, _ in some) for some in (message.details.to, message.details.cc))
    said = Written(_mailbox(message, found), to, subject=message.subject, how="forward", about=message.id)
    if mode == "again":
        return Taken(structs.replace(said, cc=cc), message.text, message.files)
    return Taken(structs.replace(said, cc=cc) if mode == "all" else said)


def _mailbox(message: MessageView, found: Sequence[Choice]) -> str:
    """The way a forward takes: by the channel the message came by, else by any that carries mail."""
    ids = [way.id for way in found if way.cc]
    return str(message.channel_id if message.channel_id in ids else ids[0]) if ids else ""


def own(channels: Channels) -> frozenset[str]:
    """The addresses of the house's own channels."""
    return frozenset(
        f"{ready.adapter.traits.address_kind}:{ready.config.text('address').lower()}"
        for ready in channels.by_id.values()
    )


def everybody_else(message: MessageView, ours: frozenset[str]) -> list[str]:
    """Who got a mail besides its sender, its first recipient where it is ours, and the house itself."""
    d, out = message.details, message.direction == "out"
    others = [address for address, _ in (*(d.to[1:] if out else d.to), *d.cc)]
    return [a for a in dict.fromkeys(others) if a.lower() not in ours and a != message.sender]


def forwarded(subject: str, words: Catalogue) -> str:
    """The subject of a forward, in the writer's language; one that is a forward already stays."""
    if subject.lower().startswith(("fwd:", "fw:", "wg:")):
        return subject
    return words.text("Fwd: {subject}", subject=subject).rstrip()


def quoted(message: MessageView, when: When) -> str:
    """A mail as it stands below what is written about it."""
    words, d = when.words, message.details
    sender = f"{message.sender_name} <{bare(message.sender)}>" if message.sender else message.sender_name
    facts: Mapping[str, str] = {
        words.text("From"): sender,
        words.text("Date"): when.full(message.received_at),
        words.text("Subject"): message.subject,
        words.text("To"): ", ".join(bare(a) for a, _ in d.to),
        words.text("Cc"): ", ".join(bare(a) for a, _ in d.cc),
    }
    head = "\n".join(f"{name}: {value}" for name, value in facts.items() if value)
    line = words.text("Forwarded message")
    return f"\n\n---------- {line} ----------\n{head}\n\n{message.text.strip()[:LONGEST_QUOTE]}"
