"""The newcomer's story: an empty folder, one command, and a visitor reads the answer; nobody has typed a setting."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import pytest_asyncio

from tests.servers import free_port
from tests.web.test_browser import chrome, one_browser  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.may_block,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def welcome(tmp_path: Path) -> AsyncIterator[str]:
    """`hub serve` in an empty folder; the link it prints for the first administrator."""
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
    kept |= {
        "HUB_DATA": str(tmp_path / "data"),
        "HUB_LISTEN": f"127.0.0.1:{port}",
        "HUB_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", cwd=tmp_path, env=kept,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said, link = b"", None
    async with asyncio.timeout(40):
        while link is None:
            line = await process.stdout.readline()
            assert line, said.decode()
            said += line
            link = re.search(rb"http://\S+/welcome\S*", line)
    rest = asyncio.create_task(process.stdout.read())
    yield link[0].decode().rstrip(".,")
    process.terminate()
    await process.wait()
    await rest


async def test_from_an_empty_folder_to_a_visitor_who_reads_the_answer(chrome: Any, welcome: str) -> None:  # noqa: F811
    context = await chrome.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = await context.new_page()
    page.set_default_timeout(15_000)
    await page.goto(welcome)
    await page.fill("[name=name]", "Anna Becker")
    await page.fill("[name=email]", "anna@firm.example")
    await page.fill("[name=password]", "a long enough password")
    await page.click("form button")
    await page.wait_for_url(lambda url: "token=" not in url)
    await page.goto(urljoin(page.url, "/welcome/channels"))
    await page.click("form[action='/welcome/chat'] button")
    chat, inbox = page.frame_locator(".try-chat"), page.frame_locator(".try-inbox")

    await chat.locator("#begin").click()
    await chat.locator("#text").fill("Do you sell solar panels?")
    await chat.locator("#text").press("Enter")
    await inbox.locator("#rows .it >> text=solar panels").click()
    await inbox.locator("#reply-text").fill("Yes, we do.")
    await inbox.locator(".f-reply [type=submit], #reply-form [type=submit], form:has(#reply-text) .btn-p").first.click()

    await chat.locator(".wm >> text=Yes, we do.").wait_for()
    await chat.locator(".ws >> text=Read").wait_for()
