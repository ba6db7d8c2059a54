"""Fifty agents before their screens while customers write: when does another one's screen show what happened?

One agent is a real browser that looks at a conversation, and one that looks at the live board; the others do what a browser does: they
hold a stream, and when it tells of something they ask for their list again, as often as the client does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
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
#: When a client asks for its list again: after so many seconds, and so many times as long as it took (see templates/static/list.js).
PAUSE, PATIENCE, LONGEST = 0.7, 4, 3.0

#: Notes in the page when a text first stands there.
_WATCH = """name => { window.came = {}
  const wanted = new RegExp(name + ' (\\\\d+)', 'g')
  new MutationObserver(() => { for (const n of document.body.innerText.matchAll(wanted)) came[n[1]] ||= Date.now() })
    .observe(document.body, { childList: true, subtree: true, characterData: true }) }"""
_BOARD = """() => { window.changed = []
  new MutationObserver(() => changed.push(Date.now())).observe(document.body, { childList: true, subtree: true, characterData: true }) }"""


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


async def _agent(http: aiohttp.ClientSession, base: str, session: str, asked: list[float]) -> None:
    """Hold a stream; ask for the list when it says something."""
    news = asyncio.Event()

    async def look() -> None:
        while True:
            await news.wait()
            news.clear()
            began = time.perf_counter()
            async with http.get(
                f"{base}/inbox/all/rows", headers={"Cookie": f"sid={session}", "X-Hub": "part"}
            ) as answer:
                await answer.read()
            took = time.perf_counter() - began
            asked.append(took * 1000)
            await asyncio.sleep(min(max(PAUSE, took * PATIENCE), LONGEST))

    looking = asyncio.create_task(look())
    try:
        async with http.get(f"{base}/stream", headers={"Cookie": f"sid={session}"}) as stream:
            async for _ in stream.content.iter_any():
                news.set()
    finally:
        looking.cancel()


async def _noise(customers: Customers) -> None:
    for n in itertools.count():
        await customers.say([f"crowd{n % 40}"], "Something else")
        await asyncio.sleep(1 / EVENTS)


async def _measure(url: str, facts: dict[str, Any], watched: int) -> dict[str, Any]:
    from playwright.async_api import async_playwright

    base = f"http://127.0.0.1:{facts['port']}"
    own, *others = await sessions(url, AGENTS + 1)
    asked: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as http:
        customers = Customers(http, base, facts["key"])
        await customers.say(["observed"], "The beginning")
        async with async_playwright() as driver:
            browser = await driver.chromium.launch(
                executable_path=chromium(), args=["--headless=new", "--no-sandbox", "--disable-gpu"]
            )
            context = await browser.new_context(viewport={"width": 1440, "height": 900})
            await context.add_cookies([{"name": "sid", "value": own, "url": base}])
            page, board = await context.new_page(), await context.new_page()
            await board.goto(f"{base}/live")
            await page.goto(f"{base}/inbox/all?sort=newest")
            await page.locator("#rows a.it", has_text="Observed").click()
            await page.wait_for_selector("#timeline .li")
            running = [asyncio.create_task(_agent(http, base, session, asked)) for session in others]
            running.append(asyncio.create_task(_noise(customers)))
            await asyncio.sleep(3)
            await page.evaluate(_WATCH, "Watched")
            await board.evaluate(_BOARD)
            try:
                said = {}
                for n in range(watched):
                    said[str(n)] = time.time() * 1000
                    await customers.say(["observed"], f"Watched {n} of")
                    await asyncio.sleep(0.5)
                await asyncio.sleep(3)
                came, changed = await page.evaluate("came"), await board.evaluate("changed")
            finally:
                for task in running:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*running, return_exceptions=True)
                await browser.close()
    return _figures(said, came, changed, asked)


def _figures(
    said: dict[str, float], came: dict[str, float], changed: list[float], asked: list[float]
) -> dict[str, Any]:
    took = sorted(came[n] - at for n, at in said.items() if n in came)
    later = sorted(min((c for c in changed if c >= at), default=at + 60_000) - at for at in said.values())
    asked.sort()
    figures = {
        "agents": AGENTS,
        "screen_p50_ms": round(took[len(took) // 2], 1) if took else 60_000.0,
        "screen_p95_ms": round(took[int(len(took) * 0.95)], 1) if took else 60_000.0,
        "board_p95_ms": round(later[int(len(later) * 0.95)], 1),
        "missing": len(said) - len(took),
        "lists_asked": len(asked),
        "list_p95_ms": round(asked[int(len(asked) * 0.95)], 1) if asked else 0.0,
    }
    kept = figures["screen_p95_ms"] <= BAR_SCREEN and figures["board_p95_ms"] <= BAR_BOARD and not figures["missing"]
    return {**figures, "bar_screen_p95_ms": BAR_SCREEN, "bar_board_p95_ms": BAR_BOARD, "kept": kept}
