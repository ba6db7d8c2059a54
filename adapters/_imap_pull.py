"""Fetching a folder for ever: everything above the cursor, then wait for more.

The cursor is (UIDVALIDITY, UID) and moves in the same transaction that keeps the mails. When UIDVALIDITY changes, the whole
folder is fetched again; what is here already is recognised by its content. Nothing is skipped for being odd.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from typing import Any

from aioimaplib import aioimaplib as lib
from msgspec import Struct

from adapters import _tls
from adapters._imap import COMMAND_DEADLINE, Lost, Mailbox, gone_away, open_mailbox, trouble
from adapters._oauth import Tokens
from hub.adapter import ChannelConfig, LeaseLost, Pull
from hub.clock import now
from hub.messages import Envelope, Refused, TryLater

_log = logging.getLogger(__name__)

#: Mails per FETCH; the library is quadratic in them.
MOST_UIDS = 200
#: Bytes per FETCH, unless a single mail is larger.
BATCH_BYTES = 20_000_000
#: Mails above this are fetched without their body (bytes).
MAX_MAIL = 60_000_000
#: What a mail counts for whose size the server does not tell (bytes).
UNKNOWN_SIZE = 1_000_000
#: Bytes per second below which a fetch is given up.
SLOWEST = 50_000

_ITEM = re.compile(rb"\d+ FETCH \(")
_UID = re.compile(rb"\bUID (\d{1,20})")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,20})")


class Timing(Struct):
    """Seconds; tests shorten them.

    ``idle``: how long one IDLE may last (RFC 2177 wants less than 29 minutes, routers forget after ten). ``poll``: between
    looks at a server without IDLE. ``answer``: for a server to prove that it lives.
    """

    idle: float = 9 * 60
    poll: float = 30
    answer: float = 10


TIMING = Timing()


async def run(channel: ChannelConfig, server: _tls.Server, tokens: Tokens, pull: Pull) -> None:
    """Fetch until the connection ends. Raises `TryLater` or `Refused` with the reason, which `pull.state` has heard too;
    `LeaseLost` goes through."""
    folder = channel.text("imap.folder") or "INBOX"
    mailbox: Mailbox | None = None
    try:
        mailbox, validity = await open_mailbox(server, tokens, folder)
        fetcher = _Fetcher(channel, mailbox, folder, validity, pull)
        while True:
            await fetcher.catch_up()
            await pull.state("")
            await _wait(mailbox)
    except LeaseLost:
        raise
    except (TryLater, Refused) as error:
        await pull.state(error.reason)
        raise
    except (lib.AioImapException, OSError, TimeoutError) as error:
        found = gone_away(mailbox.protocol) if mailbox is not None and mailbox.protocol.lost else trouble(error)
        await pull.state(found.reason)
        raise found from error
    finally:
        if mailbox is not None:
            await mailbox.leave()


async def _wait(mailbox: Mailbox) -> None:
    """Until the mailbox may hold something new, or it is time to ask. Raises `Lost` when the server is gone."""
    protocol = mailbox.protocol
    if mailbox.can_idle:
        await _idle(mailbox)
    else:
        await _quiet(mailbox, TIMING.poll)
    if protocol.lost:
        raise gone_away(protocol)
    async with asyncio.timeout(TIMING.answer):
        await mailbox.noop()


async def _idle(mailbox: Mailbox) -> None:
    """IDLE, at most as long as a quiet connection may be trusted."""
    async with asyncio.timeout(TIMING.answer):
        idle = await mailbox.idle_start(timeout=TIMING.idle + TIMING.answer)
    await _quiet(mailbox, TIMING.idle)
    if mailbox.protocol.lost:
        raise gone_away(mailbox.protocol)
    mailbox.idle_done()
    async with asyncio.timeout(TIMING.answer):
        await idle
    while not mailbox.protocol.idle_queue.empty():
        mailbox.protocol.idle_queue.get_nowait()


async def _quiet(mailbox: Mailbox, seconds: float) -> None:
    """Wait for news, but no longer than ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await mailbox.protocol.news.wait()
    except TimeoutError:
        return


class _Fetcher:
    """One folder on one connection, and how far it has been fetched."""

    def __init__(self, channel: ChannelConfig, mailbox: Mailbox, folder: str, validity: str, pull: Pull) -> None:
        self._channel = channel
        self._mailbox = mailbox
        self._folder = folder
        self._validity = validity
        self._pull = pull
        self._mark_seen = bool(channel.settings.get("imap.mark_seen"))
        known = pull.cursor.get("uidvalidity") == validity and pull.cursor.get("uid", "").isdigit()
        #: the last UID that is kept
        self._done = int(pull.cursor["uid"]) if known else 0

    async def catch_up(self) -> None:
        """Keep everything above the cursor. What comes meanwhile sets ``news`` again."""
        protocol = self._mailbox.protocol
        protocol.news.clear()
        if protocol.lost:
            raise gone_away(protocol)
        uids = await self._search()
        for start in range(0, len(uids), MOST_UIDS):
            await self._some(uids[start : start + MOST_UIDS])

    async def _search(self) -> list[int]:
        async with asyncio.timeout(COMMAND_DEADLINE):
            answer = await self._mailbox.uid_search(f"UID {self._done + 1}:*", charset=None)
        if answer.result != "OK":
            raise Lost("The mail server cannot search its folder.")
        words = b" ".join(bytes(line) for line in answer.lines[:-1]).split()
        return sorted({uid for word in words if word.isdigit() and (uid := int(word)) > self._done})

    async def _some(self, uids: list[int]) -> None:
        """Keep at most `MOST_UIDS` mails, in order, in batches of bounded size."""
        said = await self._fetch(uids, "RFC822.SIZE")
        # one without a size is not there any more, or the server says less than it should: its batch asks
        sizes = dict.fromkeys(uids, UNKNOWN_SIZE) | {
            uid: int(size[1]) for uid, text, _ in said if (size := _SIZE.search(text))
        }
        for batch in _batches(uids, sizes):
            await self._batch(batch, sizes)

    async def _batch(self, uids: list[int], sizes: dict[int, int]) -> None:
        large = sizes[uids[0]] > MAX_MAIL
        what = "BODY.PEEK[HEADER]" if large else "BODY.PEEK[]"
        total = 100_000 * len(uids) if large else sum(sizes[uid] for uid in uids)
        bodies = {uid: body for uid, _, body in await self._fetch(uids, what, total) if body is not None}
        envelopes = []
        for uid in uids:
            if uid not in bodies and not await self._is_there(uid):
                continue
            facts = {"folder": self._folder, "uid": str(uid), "uidvalidity": self._validity}
            if large:
                facts["truncated"] = str(sizes[uid])
            envelopes.append(Envelope(self._channel.id, bodies.get(uid, b""), "imap", now(), facts))
        await self._keep(envelopes, uids[-1])
        if self._mark_seen:
            await self._seen(uids)

    async def _keep(self, envelopes: list[Envelope], last: int) -> None:
        await self._pull.keep(envelopes, {"uidvalidity": self._validity, "uid": str(last)})
        self._done = last

    async def _is_there(self, uid: int) -> bool:
        """Whether a mail that came without a body still exists: then it is kept empty, for a person to see."""
        async with asyncio.timeout(COMMAND_DEADLINE):
            answer = await self._mailbox.uid_search(f"UID {uid}", charset=None)
        return str(uid).encode() in b" ".join(bytes(line) for line in answer.lines[:-1]).split()

    async def _fetch(self, uids: list[int], what: str, total: int = 0) -> list[tuple[int, bytes, bytes | None]]:
        """What the server says about some mails: UID, text and literal of each."""
        async with asyncio.timeout(COMMAND_DEADLINE + total / SLOWEST):
            answer = await self._mailbox.uid("fetch", ",".join(map(str, uids)), f"(UID {what})")
        if answer.result != "OK":
            raise Lost("The mail server cannot give its mails.")
        return list(_items(answer.lines[:-1]))

    async def _seen(self, uids: list[int]) -> None:
        """Best effort: the mails are kept, whatever becomes of their flag."""
        try:
            async with asyncio.timeout(TIMING.answer):
                await self._mailbox.uid("store", ",".join(map(str, uids)), "+FLAGS.SILENT", r"(\Seen)")
        except (lib.AioImapException, TimeoutError) as error:
            _log.info("mails of channel %s could not be marked as read: %s", self._channel.id, type(error).__name__)


def _batches(uids: list[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    """Runs of mails that together stay below `BATCH_BYTES`; a large one comes alone."""
    batch: list[int] = []
    room = BATCH_BYTES
    for uid in uids:
        if batch and sizes[uid] > room:
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(uid)
        room -= sizes[uid]
    if batch:
        yield batch


def _items(lines: list[Any]) -> Iterator[tuple[int, bytes, bytes | None]]:
    """The answers in a FETCH response; lines are bytes, literals are bytearrays."""
    text, literal = b"", None
    for line in lines:
        if isinstance(line, bytearray):
            literal = bytes(line)
            continue
        if _ITEM.match(line):
            if uid := _UID.search(text):
                yield int(uid[1]), text, literal
            text, literal = b"", None
        text += b" " + line
    if uid := _UID.search(text):
        yield int(uid[1]), text, literal
