"""Pages: what a list, a conversation, a customer, a search take at 1,000, 100,000 and 1,000,000 messages."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from bench.fill import Filled
from bench.process import exact_cpu_seconds, process
from bench.words import COMMON, MISSING, PAIR, RARE
from hub import accounts
from hub.database import open_database

#: Milliseconds that 99 of 100 answers may take, and how much longer a page may take in a house a thousand times as full.
BAR, SEARCH_BAR, GROWTH_BAR = 50.0, 300.0, 1.5
#: Differences below this (milliseconds) are noise, not growth.
NOISE = 2.0


def addresses(house: Filled) -> Iterator[tuple[str, str, list[str]]]:
    """(name, who, addresses taken in turn): the API's by token, the screens by session."""
    lists = "/api/v1/conversations"
    near = [house.conversation + n for n in range(-20, 20) if house.conversation + n > 0]
    for who in ("admin", "agent", "loner"):
        yield f"list, {who}", who, [lists]
        yield f"list open, {who}", who, [f"{lists}?status=open"]
        yield f"list open by waiting, {who}", who, [f"{lists}?status=open&sort=waiting"]
        yield f"list closed, {who}", who, [f"{lists}?status=closed"]
        yield f"list mine, {who}", who, [f"{lists}?assignee=me&status=open"]
        yield f"list unassigned, {who}", who, [f"{lists}?assignee=none&status=open"]
        yield f"list team, {who}", who, [f"{lists}?team={team}" for team in house.teams]
        yield f"list channel, {who}", who, [f"{lists}?channel={channel}" for channel in house.channels]
        yield f"list tag, {who}", who, [f"{lists}?tag=invoice", f"{lists}?tag=unusual"]
        for name, words in (("rare", RARE), ("common", COMMON), ("missing", MISSING), ("two words", PAIR)):
            yield f"search {name}, {who}", who, [f"{lists}?q={words.replace(' ', '+')}"]
        yield f"inbox page, {who}", who, ["/inbox/all", "/inbox/mine", "/inbox/unassigned"]
    yield "conversation", "admin", [f"{lists}/{n}" for n in near]
    yield "timeline", "admin", [f"{lists}/{n}/timeline" for n in near]
    yield (
        "customer timeline",
        "admin",
        [f"/api/v1/customers/{n}/timeline" for n in (house.customer, house.big_customer)],
    )
    yield "conversation page", "admin", [f"/c/{n}" for n in near]
    yield "customer page", "admin", [f"/customers/{n}" for n in (house.customer, house.big_customer)]
    yield "search page", "admin", [f"/search?q={COMMON}", f"/search?q={RARE}"]


def passes(url: str, house: Filled) -> dict[str, tuple[str, str]]:
    """(token, session) of the three employees who look."""

    def make(conn: Connection) -> dict[str, tuple[str, str]]:
        people = {"admin": house.admin, "agent": house.agent, "loner": house.loner}
        return {
            who: (accounts.add_token(conn, number, "bench")[1], accounts.open_session(conn, number, "bench"))
            for who, number in people.items()
        }

    async def ask() -> dict[str, tuple[str, str]]:
        db = open_database(url)
        try:
            return await db.write(make)
        finally:
            await db.close()

    return asyncio.run(ask())


def measure(url: str, house: Filled, folder: Path, rounds: int, only: str = "") -> dict[str, dict[str, float]]:
    """p50 and p99 (ms) by name, seen by one client on the same machine, after the first answers."""
    keys = passes(url, house)
    env = {"HUB_DATA": str(folder), "HUB_DATABASE": url, "HUB_LISTEN": "127.0.0.1:0", "HUB_LOG_LEVEL": "warning"}
    found = {}
    with process("bench.serve", env=env) as (child, line):
        port = int(json.loads(line)["port"])
        for name, who, paths in addresses(house):
            if only in name:
                spent = exact_cpu_seconds(child.pid)
                found[name] = _one(port, paths, keys[who], rounds)
                spent = exact_cpu_seconds(child.pid) - spent
                found[name]["cpu"] = round(spent / (rounds + len(paths)) * 1000, 2)
    return found


def _one(port: int, paths: list[str], key: tuple[str, str], rounds: int) -> dict[str, float]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took = []
    size = 0  # of all answers that count
    for n in range(rounds + len(paths)):
        path = paths[n % len(paths)]
        by = {"Authorization": f"Bearer {key[0]}"} if path.startswith("/api/") else {"Cookie": f"sid={key[1]}"}
        began = time.perf_counter()
        client.request("GET", path, headers=by)
        answer = client.getresponse()
        read = len(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        if n >= len(paths):
            size += read
            took.append((time.perf_counter() - began) * 1000)
    client.close()
    took.sort()
    best, middle, worst = (round(took[int(len(took) * share)], 2) for share in (0.1, 0.5, 0.99))
    return {"best": best, "p50": middle, "p99": worst, "bytes": size // rounds}


def verdict(sizes: dict[int, dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """One record per page: its figures at every size, and whether it keeps to the bars.

    Growth is that of the best tenth, which other work on the machine disturbs least, from the smallest house whose page is as
    long as the largest one's.
    """
    large = max(sizes)
    records = []
    for name, last in sizes[large].items():
        bar = SEARCH_BAR if name.startswith("search") else BAR
        p99 = max(sizes[size][name]["p99"] for size in sizes)
        base = next(size for size in sorted(sizes) if sizes[size][name]["bytes"] >= last["bytes"] * 0.8)
        first = sizes[base][name]["best"]
        growth = None if base == large else round(last["best"] / first, 2)  # no smaller house has such a page
        records.append(
            {
                "page": name,
                **{f"p50_{size}": sizes[size][name]["p50"] for size in sizes},
                "p99_ms": p99,
                "bar_p99_ms": bar,
                "cpu_ms": last["cpu"],
                "growth": growth,
                "growth_from": base,
                "bar_growth": GROWTH_BAR,
                "kept": p99 <= bar and last["best"] <= first * GROWTH_BAR + NOISE,
            }
        )
    return records
