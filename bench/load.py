"""Load from a second process: wrk with requests signed beforehand (Debian package wrk), or a small Python loader where it is missing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SECRET = b"bench"
TEXT = (
    "Guten Tag, unsere Anlage zeigt seit heute Morgen den Fehler 302 und der Wechselrichter schaltet sich alle paar Minuten "
    "aus. Wir haben bereits die Sicherung geprüft und die Anlage neu gestartet, leider ohne Erfolg. Können Sie uns bitte "
    "einen Termin mit einem Techniker nennen? Vielen Dank und freundliche Grüße aus Stade, Kundennummer "
)
LUA = """
local size = %d
local file = io.open("%s", "rb")
local data = file:read("*a")
file:close()
local at, n = 1, 0
request = function()
  local len = tonumber(data:sub(at, at + 7))
  if not len then return nil end
  local one = data:sub(at + 8, at + 7 + len)
  at = at + 8 + len
  n = n + 1
  if at > #data then at = 1 end
  return one
end
"""


@dataclass
class Load:
    """What a run saw: answers per second, latencies in ms, answers other than 2xx, how many answers."""

    rate: float
    p50: float
    p99: float
    bad: int
    count: int


def requests_file(path: Path, url_path: str, count: int, senders: int, start: int = 0) -> None:
    """Write ``count`` complete signed HTTP requests, each behind its length in 8 digits."""
    with path.open("wb") as file:
        for i in range(start, start + count):
            body = json.dumps(
                {
                    "messages": [
                        {
                            "id": f"b{i}",
                            "from": {"address": f"customer-{i % senders}", "name": f"Customer {i % senders}"},
                            "text": f"{TEXT}{i}",
                        }
                    ]
                },
                ensure_ascii=False,
            ).encode()
            head = (
                f"POST {url_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"X-Hub-Signature-256: sha256={hmac.digest(SECRET, body, hashlib.sha256).hex()}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            file.write(b"%08d" % (len(head) + len(body)) + head + body)


def wrk(port: int, requests: Path, seconds: int, connections: int = 64) -> Load:
    """Closed loop: every connection sends its next request when the answer is there."""
    if not have_wrk():
        return asyncio.run(closed(port, requests, seconds, connections))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA % (0, requests))
        script.flush()
        out = subprocess.run(
            [
                "wrk",
                "-t1",
                f"-c{connections}",
                f"-d{seconds}s",
                "--latency",
                "-s",
                script.name,
                f"http://127.0.0.1:{port}/",
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        ).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    total = re.search(r"(\d+) requests in", out)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return Load(
        float(rate[1]) if rate else 0,
        _ms(re.search(r"50%\s+([\d.]+)(us|ms|s)", out)),
        _ms(re.search(r"99%\s+([\d.]+)(us|ms|s)", out)),
        int(bad[1]) if bad else 0,
        int(total[1]) if total else 0,
    )


def _ms(match: re.Match[str] | None) -> float:
    return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000}[match[2]] if match else 0


def _split(requests: Path) -> list[bytes]:
    data = requests.read_bytes()
    found = []
    at = 0
    while at < len(data):
        size = int(data[at : at + 8])
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return head.startswith(b"HTTP/1.1 2")


async def closed(port: int, requests: Path, seconds: float, connections: int) -> Load:
    """What wrk does, slower: this loader then takes much of the machine's time itself."""
    turn = iter(_split(requests))
    latencies: list[float] = []
    bad = 0
    begin = time.perf_counter()

    async def one() -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in turn:
            sent = time.perf_counter()
            if sent > begin + seconds:
                break
            writer.write(body)
            bad += not await _answer(reader)
            latencies.append((time.perf_counter() - sent) * 1000)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return _load(latencies, time.perf_counter() - begin, bad)


def _load(latencies: list[float], spent: float, bad: int) -> Load:
    latencies.sort()
    count = len(latencies)
    return Load(count / spent, latencies[count // 2], latencies[int(count * 0.99)], bad, count)


async def paced(port: int, requests: Path, rate: float, seconds: float, connections: int = 32) -> Load:
    """Open loop: requests leave at a fixed rate whatever the answers do; latency counts from when each was due."""
    bodies = _split(requests)[: int(rate * seconds)]
    latencies: list[float] = []
    bad = 0
    turn = iter(range(len(bodies)))
    begin = time.perf_counter() + 0.2

    async def one() -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in turn:
            due = begin + i / rate
            delay = due - time.perf_counter()
            if delay > 0:
                await asyncio.sleep(delay)
            writer.write(bodies[i])
            bad += not await _answer(reader)
            latencies.append((time.perf_counter() - due) * 1000)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return _load(latencies, time.perf_counter() - begin, bad)


def have_wrk() -> bool:
    """Is wrk installed?"""
    return shutil.which("wrk") is not None
