"""Five visitors write while the server is killed: what their widgets showed as sent is in the timeline, once and in order."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from hub import administration
from hub.database import Database, open_database
from hub.migrations import upgrade
from hub.secretbox import SecretBox, load_keys
from tests.chaos.house import Process
from tests.fakes import until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

VISITORS, KILLS = 5, 4


class Widget:
    """A visitor who goes on writing, one message after the other, each again and again until the hub has it."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base, self.http = base, http
        self.token = ""
        self.sent: list[str] = []

    async def ask(self, path: str, body: Any) -> Any:
        """The answer, or None when there is none worth having."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            async with self.http.post(self.base + path, data=json.dumps(body), headers=headers) as answer:
                return json.loads(await answer.read()) if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def write(self) -> None:
        while not self.token:
            begun = await self.ask("/start", {})
            self.token = begun["token"] if begun else ""
        for number in itertools.count(1):
            text = f"{self.token[:6]} {number}"
            post = {"messages": [{"id": f"k{number}", "text": text}]}
            while await self.ask("/messages", post) is None:
                await asyncio.sleep(0.05)
            self.sent.append(text)
            await asyncio.sleep(0.1)


async def chat_key(database: Database, folder: Path) -> str:
    """A web chat in a fresh database; its key."""
    await upgrade(database)
    folder.mkdir()
    box = SecretBox(load_keys(folder / "secret.key"))
    row = await database.write(administration.add_channel, box, "webchat", "Chat", {})
    return row.config.key


async def test_nothing_a_widget_showed_as_sent_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    database = open_database(url)
    key = await chat_key(database, tmp_path / "data")
    await database.close()
    process = Process(tmp_path, {"HUB_DATA": str(tmp_path / "data"), "HUB_DATABASE": url}, "hub")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as http:
        widgets = [Widget(f"{process.base}/w/{key}", http) for _ in range(VISITORS)]
        writing = [asyncio.create_task(widget.write()) for widget in widgets]
        for _ in range(KILLS):
            await process.start()
            assert await process.ready(), process.log()
            before = [len(widget.sent) for widget in widgets]
            await until(
                lambda before=before: all(len(w.sent) > n + 3 for w, n in zip(widgets, before, strict=True)), 30
            )
            await process.kill()
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
    await process.start()
    assert await process.ready(), process.log()
    await process.kill(15)

    stored = await texts(url)
    for widget in widgets:
        mine = [text for text in stored if text.startswith(widget.token[:6])]
        assert mine[: len(widget.sent)] == widget.sent
        assert len(mine) <= len(widget.sent) + 1  # the last may have been kept without its answer
        assert len(set(mine)) == len(mine)
    assert sum(len(w.sent) for w in widgets) >= VISITORS * KILLS * 4


async def texts(url: str) -> list[str]:
    """All that visitors said, in the order of record."""
    database = open_database(url)
    try:
        return list(
            await database.read(lambda c: c.execute(sa.text("SELECT text FROM messages ORDER BY id")).scalars().all())
        )
    finally:
        await database.close()
