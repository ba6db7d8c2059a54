"""`hub demo` is a whole small firm on throw-away data, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.fakes import until


@pytest.mark.rest
async def test_the_demo_serves_a_firm_with_mails_answers_and_a_password(tmp_path: Path) -> None:
    env = {**os.environ, "HUB_LISTEN": "127.0.0.1:0", "TMPDIR": str(tmp_path)}
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "demo", "--seed", "3", env=env, stdout=asyncio.subprocess.PIPE
    )
    assert demo.stdout is not None
    try:
        async with asyncio.timeout(60):
            greeting = b""
            while b"leaves this machine" not in greeting:
                line = await demo.stdout.readline()
                assert line, greeting
                greeting += line
        worked = psutil.Process(demo.pid).cpu_times()  # not the clock: other tests run beside this one
        assert worked.user + worked.system < 5, "F2: on its feet within five seconds"
        said = greeting.decode()
        address = re.search(r"http://localhost:(\d+)", said)
        password = re.search(r"password\s+(\S+)", said)
        assert address
        assert password
        base = f"http://127.0.0.1:{address[1]}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            form = {"email": "anna@nordlicht.example", "password": password[1]}
            async with browser.post(f"{base}/login", data=form) as answer:
                assert answer.status == 200
            async with browser.get(f"{base}/inbox/mine") as answer:
                page = await answer.text()
            assert "Wechselrichter zeigt Fehler 302" in page
            latest = re.search(r'data-live="(\d+)"', page)
            assert latest

            async def answered() -> bool:
                async with browser.get(f"{base}/api/v1/events?after={latest[1]}&limit=100") as told:
                    return any(e["kind"] == "message.received" for e in (await told.json())["items"])

            await until(answered, 30)
            async with browser.get(f"{base}/healthz") as answer:
                assert answer.status == 200
    finally:
        with contextlib.suppress(ProcessLookupError):
            demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            code = await demo.wait()
    assert code == 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("hub-demo")] == []
