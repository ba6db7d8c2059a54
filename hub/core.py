"""The Hub: the few collaborators everything else needs, passed along by hand."""

from __future__ import annotations

import asyncio
import secrets
import time

from msgspec import Struct, field

from hub.blobs import Blobs
from hub.bus import Bus
from hub.channels import Channels, Ready, all_rows
from hub.database import Database, Unavailable
from hub.sandbox import Sandbox
from hub.secretbox import SecretBox
from hub.tasks import Supervisor
from hub.thumbnails import Thumbnails


class Options(Struct, frozen=True):
    """What the core lets itself be told; filled from the settings by config/app.py.

    ``public_url`` without trailing slash. ``reopen_days``: how long after closing a customer's new message continues the
    conversation. ``show_drafts``: colleagues may see what somebody is writing. ``undo_seconds``: how long a message waits before it
    leaves. ``send_at_once``: parallel sends per process.
    """

    public_url: str = "http://localhost:8080"
    reopen_days: float = 7
    show_drafts: bool = True
    undo_seconds: float = 0
    send_at_once: int = 64
    lease_seconds: float = 20
    give_up_hours: float = 48


class Hub(Struct):
    """One running process's view of the hub. ``node`` is this process's name in leases."""

    db: Database
    bus: Bus
    blobs: Blobs
    box: SecretBox
    channels: Channels
    tasks: Supervisor
    sandbox: Sandbox
    options: Options = Options()
    node: str = ""
    channels_loaded_at: float = 0.0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    def __post_init__(self) -> None:
        self.node = self.node or secrets.token_hex(6)

    async def load_channels(self) -> None:
        """Bring the channels in memory up to date with the database."""
        self.channels_loaded_at = time.monotonic()
        await self.channels.refresh(await self.db.read(all_rows, self.box))

    async def ready(self, channel_id: int) -> Ready | None:
        """The channel, if it is in use; looked up again when this process has not heard of it yet. Raises `Unavailable`."""
        if channel_id not in self.channels.by_id:
            await self.load_channels()
        return self.channels.by_id.get(channel_id)

    async def look_again(self) -> None:
        """The same for a stranger who asks for a channel nobody knows: at most once a second for all of them, never an error.

        Whoever asks within that second waits for its end: the channel may have been made since the last look.
        """
        asked = time.monotonic()
        async with self.looking:
            if self.channels_loaded_at >= asked:
                return  # somebody else has looked since
            await asyncio.sleep(max(0.0, self.channels_loaded_at + 1 - time.monotonic()))
            try:
                await self.load_channels()
            except Unavailable:
                pass
