"""Fifty agents before their screens while customers write: when does another one's screen show what happened?

One agent is a real browser that looks at a conversation, and one that looks at the live board; the others do what a browser does: they
hold a stream, and when it tells of something they ask for their list again, as often as the client does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from bench.clicks import chromium
from bench.fill import Filled
from bench.live import sessions
from bench.process import process
from bench.session import Customers

#: Agents besides the browsers, events per second, messages that are watched for; bars in milliseconds.
AGENTS, EVENTS, WATCHED, BAR_SCREEN, BAR_BOARD = 50, 20, 60, 250.0, 2000.0
#: Customers who write all the time.
CROWD = 40
#: When a client asks for its list again (seconds, and times as long as it took): see templates/static/list.js.
SOON, LAZY, PAUSE, PATIENCE, LONGEST = 0.06, 1.5, 0.3, 10, 3.0
_ROW = re.compile(rb'<li id="c(\d+)"')

#: Notes in the page when a text was painted in the conversation that is open, and in its row of the list.
_WATCH = """name => { window.came = { "#timeline": {}, "#rows": {} }
  const wanted = new RegExp(name + ' (\\\\d+)')
  new MutationObserver(changes => {
    for (const change of changes) for (const node of change.addedNodes) {
      const found = node.textContent.match(wanted), place = found && Object.keys(came).find(p => (node.parentElement || document.body).closest(p))
      if (!place || came[place][found[1]]) continue
      came[place][found[1]] = Infinity
      requestAnimationFrame(() => setTimeout(() => { came[place][found[1]] = Date.now() }))
    }
  }).observe(document.body, { childList: true, subtree: true }) }"""  # noqa: E501
#: Notes on the board when its number of new conversations became what it is.
_BOARD = """channel => { window.rose = {}
  const look = () => { rose[parseInt(document.querySelector(`[data-n=in${channel}]`).textContent)] ||= Date.now() }
  look()
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true }) }"""


def run(url: str, inside: Filled, quick: bool) -> dict[str, Any]:
    """Measure; empty where there is no browser."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return {}
    if chromium() is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        env = {"HUB_DATABASE": url, "HUB_DATA": str(Path(folder)), "HUB_LISTEN": "127.0.0.1:0"}
        with process("bench.serve", env=env) as (_, line):
            return asyncio.run(_measure(url, json.loads(line), 10 if quick else WATCHED))


class _Agent:
    """Holds a stream; asks for the list when that says something, as templates/static/list.js does."""

    def __init__(self, http: aiohttp.ClientSession, base: str, session: str, asked: list[float]) -> None:
        self.http, self.base, self.asked = http, base, asked
        self.cookie = {"Cookie": f"sid={session}"}
        self.rows: set[bytes] = set()
        self.due = self.earliest = 0.0
        self.news = asyncio.Event()

    async def run(self) -> None:
        looking = asyncio.create_task(self._look())
        try:
            async with self.http.get(f"{self.base}/stream", headers=self.cookie) as stream:
                async for line in stream.content:
                    if line.startswith(b"data: "):
                        self._hear(json.loads(line[6:]))
        finally:
            looking.cancel()

    def _hear(self, hint: dict[str, Any]) -> None:
        known = "preview" in hint and str(hint["conversation"]).encode() in self.rows
        at = max(time.perf_counter() + (LAZY if known else SOON), self.earliest)
        if hint.get("kind") != "people" and (not self.due or at < self.due):
            self.due = at
            self.news.set()

    async def _look(self) -> None:
        while True:
            self.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), self.due - time.perf_counter() if self.due else None)
            began = time.perf_counter()
            if not self.due or began < self.due:
                continue
            self.due = 0.0
            headers = {**self.cookie, "X-Hub": "part"}
            async with self.http.get(f"{self.base}/inbox/all/rows?sort=newest", headers=headers) as answer:
                self.rows = set(_ROW.findall(await answer.read()))
            ended = time.perf_counter()
            self.asked.append((ended - began) * 1000)
            self.earliest = ended + min(max(PAUSE, (ended - began) * PATIENCE), LONGEST)
            self.due = self.due and max(self.due, self.earliest)


async def _noise(customers: Customers) -> None:
    for n in itertools.count():
        await customers.say([f"crowd{n % CROWD}"], "Something else")
        await asyncio.sleep(1 / EVENTS)


async def _window(browser: Any, base: str, session: str) -> Any:
    """A page in a window of its own: one behind another page draws once a second."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    await context.add_cookies([{"name": "sid", "value": session, "url": base}])
    return await context.new_page()


async def _measure(url: str, facts: dict[str, Any], watched: int) -> dict[str, Any]:
    from playwright.async_api import async_playwright

    base = f"http://127.0.0.1:{facts['port']}"
    own, *others = await sessions(url, AGENTS + 1)
    asked: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as http:
        customers = Customers(http, base, facts["key"])
        await customers.say(["observed", *(f"crowd{n}" for n in range(CROWD))], "The beginning")
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=chromium(), args=["--headless=new", "--no-sandbox", "--disable-gpu"]
            )
            page, board = await _window(browser, base, own), await _window(browser, base, own)
            await board.goto(f"{base}/live")
            await page.goto(f"{base}/inbox/all?sort=newest")
            await page.locator("#rows a.it", has_text="Observed").click()
            await page.wait_for_selector("#timeline .li")
            running = [asyncio.create_task(_Agent(http, base, session, asked).run()) for session in others]
            running.append(asyncio.create_task(_noise(customers)))
            await asyncio.sleep(3)
            await page.evaluate(_WATCH, "Watched")
            await board.evaluate(_BOARD, facts["channel"])
            try:
                said, began = [], time.time_ns()
                for n in range(watched):
                    said.append(time.time() * 1000)
                    await customers.say(["observed", f"newcomer{began}-{n}"], f"Watched {n} of")
                    await asyncio.sleep(0.5)
                await asyncio.sleep(3)
                came, rose = await page.evaluate("came"), await board.evaluate("rose")
            finally:
                for task in running:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*running, return_exceptions=True)
                await browser.close()
    first = min(map(int, rose))
    seen = [
        [came["#timeline"].get(str(n)) for n in range(watched)],
        [came["#rows"].get(str(n)) for n in range(watched)],
        [min((at for count, at in rose.items() if int(count) > first + n), default=None) for n in range(watched)],
    ]
    return _figures(said, seen, sorted(asked))


def _figures(said: list[float], seen: list[list[float | None]], asked: list[float]) -> dict[str, Any]:
    """``seen``: when what was said stood in the conversation, in the list (a later one may have taken its place) and on the board."""
    screen, row, board = (
        sorted(at - begun for begun, at in zip(said, times, strict=True) if at is not None) for times in seen
    )
    figures = {
        "agents": AGENTS,
        "screen_p50_ms": _quantile(screen, 0.5),
        "screen_p95_ms": _quantile(screen, 0.95),
        "row_p50_ms": _quantile(row, 0.5),
        "row_p95_ms": _quantile(row, 0.95),
        "board_p95_ms": _quantile(board, 0.95),
        "missing": len(said) - len(screen) + len(said) - len(board),
        "lists_asked": len(asked),
        "list_p95_ms": _quantile(asked, 0.95),
    }
    kept = figures["screen_p95_ms"] <= BAR_SCREEN and figures["board_p95_ms"] <= BAR_BOARD and not figures["missing"]
    return {**figures, "bar_screen_p95_ms": BAR_SCREEN, "bar_board_p95_ms": BAR_BOARD, "kept": kept}


def _quantile(times: list[float], share: float) -> float:
    return round(times[int(len(times) * share)], 1) if times else 60_000.0
