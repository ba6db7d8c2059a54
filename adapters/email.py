"""E-mail: read from anywhere, fetched by IMAP, sent by SMTP.

Reading runs in a worker process (`hub.sandbox`), so the network libraries are imported only where they are used.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import structs

from adapters import _compose, _mime, _mime_headers, _tls
from adapters._oauth import Tokens
from hub.adapter import Adapter, ChannelConfig, Pull, Setting, Traits
from hub.messages import Envelope, Message, Outgoing, Party, Reading, Refused, Sent, TryLater, Unreadable
from hub.text import clean_line

if TYPE_CHECKING:
    from adapters._smtp import Mailer

_SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_TLS_HELP = {
    "en": "tls: encrypted from the start; starttls: upgraded; none: only for a server on this machine.",
    "de": "tls: von Anfang an verschlüsselt; starttls: danach; none: nur für einen Server auf diesem Rechner.",
}
#: Bytes of files from which composing a mail leaves the event loop.
_MUCH = 500_000
#: Bytes of a mail's beginning that the placeholder looks at.
_PLACEHOLDER_BYTES = 65_536


def _server_settings(which: str, en: str, de: str) -> tuple[Setting, ...]:
    return (
        Setting(f"{which}.host", "text", {"en": f"{en}: server", "de": f"{de}: Server"}),
        Setting(f"{which}.port", "integer", {"en": f"{en}: port", "de": f"{de}: Port"}),
        Setting(
            f"{which}.tls",
            "choice",
            {"en": f"{en}: encryption", "de": f"{de}: Verschlüsselung"},
            helps=_TLS_HELP,
            default="tls",
            choices=("tls", "starttls", "none"),
        ),
        Setting(f"{which}.user", "text", {"en": f"{en}: user (else the address)", "de": f"{de}: Benutzer"}),
        Setting(f"{which}.password", "secret", {"en": f"{en}: password", "de": f"{de}: Passwort"}),
    )


class Channel(Adapter):
    """A mailbox."""

    kind = "email"
    labels = {"en": "E-mail", "de": "E-Mail"}  # noqa: RUF012 - as the base class declares it
    pulls = True
    traits = Traits(
        address_kind="email",
        max_length=1_000_000,
        subject=True,
        html=True,
        cc=True,
        repeat="once",
        heavy=True,
        reply_in_thread=True,
    )
    settings = (
        Setting("address", "address", {"en": "Address", "de": "Adresse"}, required=True),
        Setting("display_name", "text", {"en": "Name shown to customers", "de": "Angezeigter Name"}),
        *_server_settings("imap", "Receiving (IMAP)", "Empfang (IMAP)"),
        Setting("imap.folder", "text", {"en": "Folder", "de": "Ordner"}, default="INBOX"),
        Setting(
            "imap.mark_seen",
            "boolean",
            {"en": "Mark fetched mail as read", "de": "Als gelesen markieren"},
            default=False,
        ),
        *_server_settings("smtp", "Sending (SMTP)", "Versand (SMTP)"),
        Setting("oauth.token_url", "url", {"en": "OAuth: token address", "de": "OAuth: Token-Adresse"}),
        Setting("oauth.client_id", "text", {"en": "OAuth: client id", "de": "OAuth: Client-ID"}),
        Setting("oauth.client_secret", "secret", {"en": "OAuth: client secret", "de": "OAuth: Client-Geheimnis"}),
        Setting("oauth.refresh_token", "secret", {"en": "OAuth: refresh token", "de": "OAuth: Refresh-Token"}),
        Setting("signature", "text", {"en": "Signature", "de": "Signatur"}),
        Setting(
            "allow_plain",
            "boolean",
            {"en": "Allow unencrypted connections", "de": "Unverschlüsselte Verbindungen erlauben"},
            default=False,
        ),
    )

    def __init__(self, channel: ChannelConfig) -> None:
        super().__init__(channel)
        self._tokens = Tokens(channel.settings)
        self._mailer: Mailer | None = None

    @staticmethod
    def check(settings: Mapping[str, Any]) -> None:
        """Raise ValueError for an address that is none, and for passwords that everybody on the way could read."""
        address = str(settings.get("address") or "")
        if address and not _mime_headers.valid_address(address):
            raise ValueError(f"“{clean_line(address, 100)}” is not an e-mail address.")
        for which in ("imap", "smtp"):
            _tls.check(settings, which)

    @staticmethod
    def read(envelope: Envelope) -> Reading:
        """The mail in the envelope; only one without a single byte is unreadable."""
        if not envelope.body.strip():
            raise Unreadable("The e-mail is empty.")
        return Reading(messages=(_mime.message(envelope),))

    @staticmethod
    def placeholder(envelope: Envelope, reason: str) -> Reading | None:
        """What can be said of a mail that nobody could read: who, when and about what, by its first 64 kB."""
        digest = hashlib.sha256(envelope.body).hexdigest()
        head = _mime.head(envelope.body[:_PLACEHOLDER_BYTES], digest)
        return Reading(
            messages=(
                Message(
                    provider_id="sha256:" + digest,
                    sender=head.sender,
                    kind="email",
                    text=f"This e-mail could not be read ({clean_line(reason, 200)}). The original can be downloaded.",
                    subject=head.subject,
                    at=head.at,
                    external_id=head.external_id,
                    to=head.to,
                    flags=("unreadable",),
                ),
            )
        )

    async def send(self, out: Outgoing) -> Sent:
        """Send by SMTP to ``out.recipients``. Raises `TryLater`, `Refused`; `_smtp.Unconfirmed` for "nobody knows"."""
        mailer = self._smtp()
        out = _signed(out, self.channel.text("signature"))
        own = Party("email:" + self.channel.text("address"), out.sender_name or self.channel.text("display_name"))
        troubles: dict[str, TryLater | Refused] = {}
        bare: dict[str, str] = {}
        for address in dict.fromkeys(out.recipients):
            try:
                bare[_compose.checked(address)] = address
            except Refused as no:
                troubles[address] = no
        if bare:
            much = sum(len(file.data) for file in out.files) > _MUCH
            composed = asyncio.to_thread(_compose.compose, out, own) if much else None
            raw, message_id = await composed if composed else _compose.compose(out, own)
            wrong = await mailer.send(_compose.checked(own.address), list(bare), raw)
            troubles |= {bare[address]: trouble for address, trouble in wrong.items()}
        else:
            message_id = ""
        _raise_if_all(troubles, out.recipients)
        return Sent(message_id, troubles)

    async def test(self) -> str:
        """Log in to both servers, as far as they are set up. Raises `Refused` with the server's words."""
        said = []
        try:
            if server := _tls.server(self.channel.settings, "imap", _IMAP_PORTS):
                from adapters._imap import log_in

                said.append(await log_in(server, self._tokens, self.channel.text("imap.folder") or "INBOX"))
            if _tls.server(self.channel.settings, "smtp", _SMTP_PORTS):
                await self._smtp().log_in()
                said.append("Sending works.")
        except (TryLater, TimeoutError) as error:
            raise Refused(clean_line(str(error), 500) or "The mail server did not answer in time.") from error
        if not said:
            raise Refused("Neither imap.host nor smtp.host is set.")
        return " ".join(said)

    async def pull(self, pull: Pull) -> None:
        """Fetch new mail for ever; see `_imap_pull`. Without an IMAP server there is nothing to do, for ever."""
        server = _tls.server(self.channel.settings, "imap", _IMAP_PORTS)
        if server is None:
            await asyncio.get_running_loop().create_future()
            return
        from adapters._imap_pull import run

        await run(self.channel, server, self._tokens, pull)

    async def close(self) -> None:
        mailer, self._mailer = self._mailer, None
        if mailer:
            await mailer.close()

    def _smtp(self) -> Mailer:
        if self._mailer is None:
            from adapters._smtp import Mailer

            server = _tls.server(self.channel.settings, "smtp", _SMTP_PORTS)
            if server is None:
                raise Refused("This channel has no server for sending (smtp.host).")
            own_name = self.channel.text("address").rpartition("@")[2]
            self._mailer = Mailer(server, self._tokens, own_name if own_name.isascii() else "localhost")
        return self._mailer


def _signed(out: Outgoing, signature: str) -> Outgoing:
    """The message with the channel's signature below it (RFC 3676 4.3)."""
    if not signature.strip():
        return out
    page = html.escape(signature.strip()).replace("\n", "<br>")
    return structs.replace(
        out,
        text=f"{out.text.rstrip()}\n\n-- \n{signature.strip()}",
        html=out.html and f"{out.html}<p>-- <br>{page}</p>",
    )


def _raise_if_all(troubles: Mapping[str, TryLater | Refused], recipients: tuple[str, ...]) -> None:
    """Nobody was served and all for the same kind of reason: that is the outcome of the whole attempt."""
    if not recipients:
        raise Refused("The message has no recipients.")
    if len(troubles) < len(set(recipients)) or len({type(trouble) for trouble in troubles.values()}) > 1:
        return
    raise next(iter(troubles.values()))
