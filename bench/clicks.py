"""In Chromium: from the click on a row to the painted conversation, what a cold inbox loads, and what an hour of switching costs.

The bars are those of the interface's budget. Without Playwright and Chromium there is nothing to measure.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.fill import Filled
from bench.live import sessions
from bench.process import process

#: Milliseconds: click to painted, 95 of 100; next and previous when fetched ahead; bytes of script and style of a cold inbox.
BAR_CLICK, BAR_STEP, BAR_SCRIPT, BAR_STYLE, BAR_REQUESTS, BAR_HEAP = 100.0, 50.0, 60_000, 20_000, 8, 20_000_000

#: Opens a conversation as a click on its row does, and waits until it is painted.
_OPEN = """number => new Promise(done => {
  const row = document.querySelector('#rows a.it'), began = performance.now()
  const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)))
  document.addEventListener('hub:opened', painted, { once: true })
  row.href = `/c/${number}?in=all`
  row.click()
})"""
_STEP = """key => new Promise(done => {
  const began = performance.now()
  const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)))
  document.addEventListener('hub:opened', painted, { once: true })
  document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
})"""
_LOADED = """() => performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
  .map(e => ({ name: e.name.split('/').pop(), bytes: e.encodedBodySize }))"""


def chromium() -> str | None:
    """Where the browser lies."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
            facts = json.loads(line)
            return asyncio.run(_measure(url, facts["port"], inside, 30 if quick else 300, 40 if quick else 2000))


async def _measure(url: str, port: int, inside: Filled, clicks: int, switches: int) -> dict[str, Any]:
    from playwright.async_api import async_playwright

    base = f"http://127.0.0.1:{port}"
    (session,) = await sessions(url, 1)
    chance = random.Random(7)
    numbers = [inside.conversation + chance.randrange(inside.conversations // 2) for _ in range(clicks)]
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=chromium(), args=["--headless=new", "--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        await context.add_cookies([{"name": "sid", "value": session, "url": base}])
        page = await context.new_page()
        await page.goto(f"{base}/inbox/all")
        await page.wait_for_load_state("load")
        loaded = await page.evaluate(_LOADED)
        await page.evaluate(_OPEN, numbers[0])
        opened = sorted([await page.evaluate(_OPEN, number) for number in numbers])
        await page.goto(f"{base}/inbox/all")
        steps = await _steps(page, min(40, clicks))
        client = await context.new_cdp_session(page)
        before = await _heap(client)
        for turn in range(switches):
            await page.evaluate(_OPEN, numbers[turn % len(numbers)])
        grown = await _heap(client) - before
        await browser.close()
    return _verdict(loaded, opened, steps, {"heap_grown_bytes": grown, "switches": switches})


async def _steps(page: Any, count: int) -> list[float]:
    """Milliseconds from the key to the next conversation; the first, which nobody could fetch ahead, left out."""
    steps = []
    for _ in range(count):
        steps.append(await page.evaluate(_STEP, "j"))
        await page.wait_for_timeout(60)  # a person looks at it; meanwhile the next one is fetched
    return sorted(steps[1:])


def _verdict(
    loaded: list[dict[str, Any]], opened: list[float], steps: list[float], more: dict[str, int]
) -> dict[str, Any]:
    def bytes_of(ending: str) -> int:
        return sum(e["bytes"] for e in loaded if e["name"].endswith(ending))

    figures = {
        "click_p50_ms": round(opened[len(opened) // 2], 1),
        "click_p95_ms": round(opened[int(len(opened) * 0.95)], 1),
        "step_p50_ms": round(steps[len(steps) // 2], 1),
        "step_p95_ms": round(steps[int(len(steps) * 0.95)], 1),
        "script_bytes": bytes_of(".js"),
        "style_bytes": bytes_of(".css"),
        "requests": len(loaded),
        **more,
    }
    bars = {
        "click_p95_ms": BAR_CLICK,
        "step_p95_ms": BAR_STEP,
        "script_bytes": BAR_SCRIPT,
        "style_bytes": BAR_STYLE,
        "requests": BAR_REQUESTS,
        "heap_grown_bytes": BAR_HEAP,
    }
    kept = all(figures[name] <= bar for name, bar in bars.items())
    return {**figures, **{f"bar_{name}": bar for name, bar in bars.items()}, "kept": kept}


async def _heap(client: Any) -> int:
    """Bytes in use after the rubbish was collected."""
    await client.send("HeapProfiler.collectGarbage")
    found = await client.send("Runtime.getHeapUsage")
    return int(found["usedSize"])
