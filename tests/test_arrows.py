"""Who may import whom: the two tables of the architecture, computed over the real tree."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOUSES = ("hub", "adapters", "webhooks", "config")

#: What each house may import of the others; a name ending in "_" stands for every private helper that begins so.
MAY: dict[str, set[str]] = {
    "hub": {"hub"},
    "adapters": {"hub.adapter", "hub.messages", "hub.text", "hub.clock", "adapters._"},
    "webhooks": {"hub.adapter", "hub.clock", "hub.failpoints", "hub.ingest", "hub.messages", "hub.text", "webhooks._"},
    "config": {"hub", "webhooks", "config"},
}
#: Inside hub/ nobody looks up. Those on one floor may import each other where no circle comes of it.
FLOORS = [
    "messages failpoints text clock addresses i18n hours sniffing query excerpts colour snoozing segments tongue",
    "adapter database sql tables blobs secretbox bus redisbus pgbus migrations tasks sandbox sandbox_worker fetching thumbnails "
    "thumbnail_worker",
    "channels core",
    "answers identity conversations entries directory keywords routing reasons situations assignment presence sla promised events timeline "
    "search blocking access accounts "
    "inbox journal once receipts holds plans repeats ways fitting templating chapters filters finding counting mentions nearby notices "
    "handover speaking consents belongings",
    "ingest reading outbox outgoing planning delivery collaboration absences claims scheduler feed customers parcel pulling store privacy "
    "backup moving administration uploads overdue levels rulebook rulechecks rulewords trial rehearsal traffic simulation "
    "simulation_worker staff board draft sheets roster ownership drafts modes undo replies composing visitors looking views "
    "collisions notify numbers tell webpush pushing courier sample workspace work actions jobs tagging merging acquaintances "
    "likeness watching linking handing beginning signed sites housemail aftercare continuity failures elsewhere takeaway "
    "shifting caring attendance",
    "http sessions files web api cli __main__",
]
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor.split()}


def sources(root: Path = ROOT) -> dict[str, str]:
    """Every module of the four houses by its dotted name, with its text."""
    found = {}
    for path in (p for house in HOUSES for p in sorted((root / house).rglob("*.py"))):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text("utf-8")
    return found


def imports(name: str, text: str, modules: set[str]) -> Iterator[str]:
    """The modules of the four houses that one module imports, also inside functions and under TYPE_CHECKING."""
    package = name if any(m.startswith(name + ".") for m in modules) else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in HOUSES)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base.split(".")[0] in HOUSES:
                inner = {f"{base}.{alias.name}" for alias in node.names} & modules
                yield from inner
                if len(inner) < len(node.names):
                    yield base


def wrong(name: str, target: str) -> str | None:
    """One sentence when ``name`` must not import ``target``."""
    house, other = name.split(".")[0], target.split(".")[0]
    if target == house or (name == "hub.__main__" and other == "config"):
        return None  # one's own package is a folder without code
    if not any(f"{target}.".startswith(allowed if allowed.endswith("_") else f"{allowed}.") for allowed in MAY[house]):
        return f"{name} imports {target}: {house}/ may only import {', '.join(sorted(MAY[house]))}"
    mine, theirs = FLOOR.get(part(name)), FLOOR.get(part(target))
    if house == other == "hub" and mine is not None and theirs is not None and theirs > mine:
        return f"{name} (floor {mine}) looks up to {target} (floor {theirs})"
    return None


def part(name: str) -> str:
    """``web`` of ``hub.web.pages``: what has a floor."""
    return name.split(".")[1] if "." in name else ""


def complaints(texts: dict[str, str]) -> list[str]:
    """Every broken rule as a sentence."""
    modules = set(texts)
    edges = {name: set(imports(name, text, modules)) - {name} for name, text in texts.items()}
    said = [words for name, targets in edges.items() for target in sorted(targets) if (words := wrong(name, target))]
    said += [
        f"{name} has no floor: write “{part(name)}” into FLOORS of tests/test_arrows.py"
        for name in texts
        if name.startswith("hub.") and part(name) not in FLOOR
    ]
    try:
        TopologicalSorter({name: targets & modules for name, targets in edges.items()}).prepare()
    except CycleError as error:
        said.append("import circle: " + " → ".join(error.args[1]))
    return said


def test_nobody_imports_what_the_architecture_forbids() -> None:
    assert complaints(sources()) == []


def test_every_kind_of_wrong_import_is_reported() -> None:
    tree = {
        "hub.core": "from hub.ingest import take\nfrom config import app",
        "hub.ingest": "def late():\n    from . import core",
        "hub.novelty": "",
        "hub.text": "",
        "hub.web.pages": "from ..core import Hub",
        "hub.__main__": "from config.app import main",
        "adapters._mime": "from hub import text",
        "adapters.email": "import hub.database\nfrom adapters import _mime, sms",
        "adapters.sms": "from hub.adapter import Adapter\nfrom adapters._mime import parse",
        "webhooks.door": "from hub.outbox import send\nfrom hub.ingest import take",
        "config.app": "from hub.core import Hub\nfrom webhooks import door\nfrom adapters.sms import Sms",
    }

    said = complaints(tree)

    expected = [
        "hub.core imports config.app:",
        "hub.core (floor 2) looks up to hub.ingest (floor 4)",
        "adapters.email imports adapters.sms:",
        "adapters.email imports hub.database:",
        "webhooks.door imports hub.outbox:",
        "config.app imports adapters.sms:",
        "hub.novelty has no floor: write “novelty”",
        "import circle: ",
    ]
    assert [next((s for s in said if s.startswith(e)), f"missing: {e}") for e in expected] == said
