"""All measurements, each with its bars beside it: one line for people and one line of JSON.

    python -m bench [--quick] [--database URL] [ingest mail delivery live widget pages clicks session crowd simulation]

Without --database on SQLite and on a PostgreSQL of its own (fsync on). URL is postgresql://… of a server where databases may be
made, or the word sqlite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import clicks, crowd, delivery, ingest, live, mail, pages, routing, servers, session, simulation, widget
from bench.fill import Filled, fill

BENCHES = (
    "ingest",
    "routing",
    "mail",
    "delivery",
    "live",
    "widget",
    "pages",
    "clicks",
    "session",
    "crowd",
    "simulation",
)
#: Messages per second over HTTP, their share of what one durable insert allows, and how much a full house may cost.
INGEST_BAR, INGEST_SHARE, FULL_BAR = 1000.0, 0.25, 0.8


class Houses:
    """Empty and filled databases of one kind; a filled one is made once per run."""

    def __init__(self, server: str, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.made = 0
        self._filled: dict[int, tuple[str, Filled]] = {}

    @property
    def kind(self) -> str:
        """sqlite or postgresql."""
        return "postgresql" if self.server else "sqlite"

    def empty(self) -> str:
        """The address of a new database."""
        self.made += 1
        if not self.server:
            place = self.folder / f"house-{self.made}"
            place.mkdir()
            return f"sqlite:///{place / 'hub.db'}"
        name = f"hub_bench_{os.getpid()}_{self.made}"
        asyncio.run(_execute(self.server, f"CREATE DATABASE {name}"))
        return f"{self.server.rpartition('/')[0]}/{name}"

    def filled(self, count: int) -> tuple[str, Filled]:
        """The address of a database with so many messages, and what is in it."""
        if count not in self._filled:
            began = time.monotonic()
            url = self.empty()
            self._filled[count] = url, asyncio.run(fill(url, count))
            print(f"  ({self.kind}: {count:,} messages filled in {time.monotonic() - began:.0f} s)", file=sys.stderr)
        return self._filled[count]

    def clear(self) -> None:
        """Remove what was made on a server that is not ours."""
        for number in range(1, self.made + 1) if self.server else ():
            asyncio.run(_execute(self.server, f"DROP DATABASE IF EXISTS hub_bench_{os.getpid()}_{number} WITH (FORCE)"))


async def _execute(url: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement, timeout=120)
    finally:
        await connection.close(timeout=10)


def say(bench: str, house: Houses, quick: bool, figures: dict[str, Any]) -> bool:
    """Both lines; whether the bars were kept."""
    kept = bool(figures.get("kept", True))
    words = ", ".join(
        f"{key} {value:,}" if isinstance(value, int | float) else f"{key} {value}" for key, value in figures.items()
    )
    print(f"{'ok  ' if kept else 'MISS'} {bench} on {house.kind}: {words}")
    print(json.dumps({"bench": bench, "database": house.kind, "quick": quick, **figures}), flush=True)
    return kept


def run_ingest(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Into an empty house, then into a full one."""
    seconds = 3 if quick else 8
    bare = ingest.run(house.empty(), seconds)
    good = bare["rate"] >= INGEST_BAR and bare["share_of_durable"] >= INGEST_SHARE and not bare["bad"]
    bars = {"bar_rate": INGEST_BAR, "bar_share": INGEST_SHARE}
    yield "ingest", {**_rounded(bare), **bars, "kept": good and bare["stored"] >= bare["acknowledged"]}
    count = 20_000 if quick else 1_000_000
    full = ingest.run(house.filled(count)[0], seconds)
    ratio = full["share_of_durable"] / bare["share_of_durable"]
    more = {"messages_before": count, "of_empty": round(ratio, 3), "bar_of_empty": FULL_BAR, "kept": ratio >= FULL_BAR}
    yield "ingest into a full house", {**_rounded(full), **more}


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}


def run_routing(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """What it costs to find out whom a message goes to, and how long a ringing telephone waits for that."""
    yield "routing", routing.run(house.empty, quick)


def run_mail(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """LMTP."""
    yield "mail", mail.run(house.empty(), quick)


def run_delivery(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The way out."""
    yield "delivery", delivery.run(house.empty(), quick)


def run_live(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Live updates; with PostgreSQL over two processes and Redis as well."""
    if house.kind == "sqlite":
        yield "live", live.run(house.empty(), quick)
        return
    with servers.redis() as redis:
        yield "live", live.run(house.empty(), quick, redis.url())


def run_widget(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The web chat's visitors."""
    yield "widget", widget.run(house.empty(), quick)


def run_pages(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every page at every size."""
    sizes: dict[int, dict[str, dict[str, float]]] = {}
    for count in (1000, 20_000) if quick else (1000, 100_000, 1_000_000):
        url, inside = house.filled(count)
        with tempfile.TemporaryDirectory() as folder:
            sizes[count] = pages.measure(url, inside, Path(folder), 20 if quick else 200)
    for record in pages.verdict(sizes):
        yield f"page {record.pop('page')}", record


def run_clicks(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The inbox in a browser, with 100,000 conversations."""
    yield from _in_browser("clicks", clicks.run, house, quick)


def run_session(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ten minutes of work in a browser while messages come in."""
    yield from _in_browser("session", session.run, house, quick)


def run_crowd(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fifty agents before their screens."""
    yield from _in_browser("crowd", crowd.run, house, quick)


def _in_browser(
    bench: str, run: Callable[[str, Filled, bool], dict[str, Any]], house: Houses, quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    figures = run(*house.filled(20_000 if quick else 1_000_000), quick)
    if figures:
        yield bench, figures
    else:
        print(f"  ({bench}: no Playwright or no Chromium here)", file=sys.stderr)


def run_simulation(house: Houses, quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """A hundred thousand contacts with ten messages each, through the present table of questions and a changed one."""
    yield "simulation", simulation.run(*house.filled(20_000 if quick else 1_000_000))


def main() -> int:
    """1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter: does it work, not how fast is it")
    parser.add_argument("--database", default="", metavar="URL", help="only on this PostgreSQL server, or: sqlite")
    parser.add_argument("benches", nargs="*", metavar="bench", help=f"only these of {', '.join(BENCHES)}")
    args = parser.parse_args()
    if unknown := set(args.benches) - set(BENCHES):
        parser.error(f"there is no bench “{unknown.pop()}”; there are {', '.join(BENCHES)}")
    kept = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        os.environ["HUB_SECRET_KEY_FILE"] = str(
            folder / "secret.key"
        )  # one house is served by several processes in turn
        places = [] if args.database.startswith("postgres") else [""]
        if args.database != "sqlite":
            server = stack.enter_context(servers.postgres(args.database))
            places.append(server if isinstance(server, str) else server.url())
        for place in places:
            house = Houses(place, folder)
            stack.callback(house.clear)
            # pages first: the other measurements add to the full house
            for name in sorted(args.benches or BENCHES, key=lambda n: n != "pages"):
                for bench, figures in globals()[f"run_{name}"](house, args.quick):
                    kept = say(bench, house, args.quick, figures) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
