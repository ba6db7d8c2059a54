"""A web chat under test, and visitors who use it by hand."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import sqlalchemy as sa

from hub import administration, channels, outbox
from hub.accounts import actor
from tests.fakes import until
from tests.web.conftest import Site


class Visitor:
    """Somebody's widget: a token, and what its stream told."""

    def __init__(self, chat: "Chat") -> None:
        self.chat = chat
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10))
        self.token = ""
        self.heard: list[tuple[str, Any]] = []
        self._answer: aiohttp.ClientResponse | None = None
        self._ear: asyncio.Task[None] | None = None

    async def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        given = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
        given |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given |= {key.replace("_", "-"): value for key, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(f"{self.chat.base}{path}", data=io.BytesIO(data), headers=given) as answer:
            return answer.status, json.loads(await answer.read())

    async def begin(self, **form: Any) -> tuple[int, Any]:
        status, said = await self.ask("/start", form)
        self.token = said.get("token", "")
        return status, said

    async def say(self, *texts: str, prefix: str = "k", **more: Any) -> tuple[int, Any]:
        lines = [{"id": f"{prefix}{n}", "text": text} for n, text in enumerate(texts, 1)]
        return await self.ask("/messages", {"messages": lines, **more})

    async def typing(self) -> int:
        headers = {"Authorization": f"Bearer {self.token}", "Sec-Fetch-Site": "same-origin"}
        async with self.http.post(f"{self.chat.base}/typing", headers=headers) as answer:
            return answer.status

    async def listen(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await self.http.get(f"{self.chat.base}/events", headers=headers, timeout=aiohttp.ClientTimeout(60))
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        self._answer = answer
        self._ear = asyncio.create_task(self._hear(answer))
        await until(lambda: any(kind == "all" for kind, _ in self.heard))

    async def _hear(self, answer: aiohttp.ClientResponse) -> None:
        kind = ""
        try:
            async for line in answer.content:
                if line.startswith(b"event: "):
                    kind = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    self.heard.append((kind, json.loads(line[6:])))
        except (aiohttp.ClientError, OSError):
            pass

    @property
    def shown(self) -> list[str]:
        """The texts on the widget's screen, each once."""
        found: dict[str, str] = {}
        for kind, said in self.heard:
            for message in said["messages"] if kind == "all" else [said] if kind == "said" else []:
                found[message["id"]] = message["text"]
        return [found[number] for number in sorted(found, key=int)]

    async def close(self) -> None:
        if self._answer is not None and self._ear is not None:
            self._answer.close()
            await self._ear
        await self.http.close()


class Chat:
    """The server under test with a web chat on it."""

    def __init__(self, site: Site, row: channels.ChannelRow) -> None:
        self.site, self.row = site, row
        self.base = f"{site.base}/w/{row.config.key}"
        self.visitors: list[Visitor] = []

    def visitor(self) -> Visitor:
        self.visitors.append(Visitor(self))
        return self.visitors[-1]

    async def known(self) -> Visitor:
        visitor = self.visitor()
        assert (await visitor.begin())[0] == 200
        return visitor

    async def set(self, **settings: Any) -> None:
        given = {key.replace("__", "."): value for key, value in settings.items()}
        hub = self.site.server.hub
        await hub.db.write(administration.change_channel, hub.box, self.row.config.id, given)
        await hub.load_channels()

    async def rows(self, question: str) -> list[Any]:
        return list(await self.site.server.hub.db.read(lambda c: c.execute(sa.text(question)).all()))

    async def texts(self) -> list[str]:
        question = "SELECT text FROM messages WHERE channel_id = {} AND direction = 'in' ORDER BY id"
        return [row[0] for row in await self.rows(question.format(self.row.config.id))]

    async def arrived(self, count: int) -> list[str]:
        async def there() -> list[str]:
            texts = await self.texts()
            return texts if len(texts) >= count else []

        return await until(there)

    async def answer(self, text: str, client: str, visitor: str = "") -> int:
        """Anna answers the newest conversation (of this visitor)."""
        where = f"WHERE sender LIKE 'webchat:{visitor}%' " if visitor else "WHERE direction = 'in' "
        rows = await self.rows(f"SELECT conversation_id FROM messages {where}ORDER BY id DESC LIMIT 1")
        hub = self.site.server.hub
        anna = await hub.db.read(actor, self.site.people["anna"])
        draft = outbox.Draft(text, client)
        number, _ = await self.site.write(outbox.reply, anna, hub.channels, 0, rows[0][0], draft)
        return int(number)

    async def state_of(self, message: int) -> str:
        rows = await self.rows(f"SELECT state FROM deliveries WHERE message_id = {message}")
        return str(rows[0][0])
