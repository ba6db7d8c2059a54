"""Rules that keep the house honest: what no reviewer should have to look for."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("hub", "adapters", "webhooks", "config")
MOST_LINES = 400

#: Folders of some developer's machine, and hosts of package registries: neither works elsewhere. Written so that
#: this file does not find itself.
FOREIGN = re.compile(
    r"/wor[k]/|/roo[t]/|/home/[a-z]+/|/tmp/(?:v|team|house|bash_job[s])\b|\.librar[y]/|"
    r"registry\.npmj[s]|pyp[i]\.org|pythonhoste[d]\.org|deb\.debia[n]\.org|proxy\.golan[g]|crates\.i[o]|maven\.or[g]",
    re.I,
)


def tracked() -> list[Path]:
    """What git knows or would take; without git, everything that is not of this machine alone."""
    try:
        command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = [ROOT / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        kept = [
            "Makefile",
            "Dockerfile",
            "compose.yml",
            "README.md",
            "CHANGELOG.md",
            "pyproject.toml",
            "constraints.txt",
            ".ci/run",
        ]
        folders = (*HOUSES, "templates", "tests", "bench")
        found = [ROOT / name for name in kept] + [p for f in folders for p in (ROOT / f).rglob("*")]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def modules(*houses: str) -> Iterator[tuple[str, str]]:
    """Path from the root and text of every module of these houses."""
    for path in sorted(p for house in houses for p in (ROOT / house).rglob("*.py")):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")


def foreign_words(name: str, text: str) -> list[str]:
    lines = enumerate(text.splitlines(), 1)
    return [f"{name}:{number}: {found[0]}" for number, line in lines if (found := FOREIGN.search(line))]


def test_no_file_names_a_folder_of_some_machine_or_the_host_of_a_registry() -> None:
    files = tracked()

    said = []
    for path in files:
        try:
            said += foreign_words(str(path.relative_to(ROOT)), path.read_text("utf-8"))
        except UnicodeDecodeError:
            continue  # a picture or a sample of bytes
    assert len(files) > 20
    assert said == []


def test_a_foreign_path_is_noticed() -> None:
    assert foreign_words("x", "fine\npath = '/roo" + "t/x'\n") == ["x:2: /roo" + "t/"]


def undocumented(name: str, text: str) -> list[str]:
    """Public things without a docstring. A method of a class with a base may have inherited one."""
    tree = ast.parse(text)
    said = [] if not tree.body or ast.get_docstring(tree) else [f"{name}: the module"]

    def look(nodes: list[ast.stmt], inside: str, heirs: bool) -> None:
        for node in nodes:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node) and (isinstance(node, ast.ClassDef) or not heirs):
                said.append(f"{name}:{node.lineno}: {inside}{node.name}")
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{node.name}.", bool(node.bases))

    look(tree.body, "", False)
    return said


def test_everything_public_in_hub_and_adapters_says_what_it_is() -> None:
    ours = {name: text for name, text in modules("hub", "adapters") if "migrations/versions" not in name}

    assert [words for name, text in ours.items() for words in undocumented(name, text)] == []


def test_a_missing_docstring_is_noticed() -> None:
    text = '"""Module."""\nclass Thing:\n    def act(self):\n        return 1\n    def _own(self):\n        return 2\n'

    assert undocumented("m.py", text) == ["m.py:2: Thing", "m.py:3: Thing.act"]
    assert undocumented("n.py", "import os\n") == ["n.py: the module"]


def test_no_file_is_so_long_that_nobody_reads_it() -> None:
    written = [
        (name, text) for name, text in modules(*HOUSES) if "migrations/versions" not in name
    ]  # those list tables
    lengths = {name: len(text.splitlines()) for name, text in written}

    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)

    assert newest is not None
    assert newest[1] == version


#: The "#" before a table's name or before ``key = a TOML value``; a sentence with "=" in it is none.
COMMENTED = re.compile(r"^#\s?(?=\s*(?:\[{1,2}[\w.]+\]{1,2}|[a-z_][\w.]*\s*=\s*(?:[\"'\[{\d-]|true|false).*)$)", re.M)


def options_of_file(text: str) -> dict[str, Any]:
    """Every option of a TOML file by its dotted path; one that is commented out (``# key = value``) counts too."""
    return flat(tomllib.loads(COMMENTED.sub("", text)))


def flat(tree: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{above}{key}.")
        else:
            found[above + key] = value
    return found


def options_of_struct(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The same out of a tree of Structs that all have defaults."""
    return flat(msgspec.to_builtins(kind(), str_keys=True))


def test_the_file_of_options_and_the_typed_settings_are_the_same() -> None:
    from config.settings import Settings

    file = options_of_file((ROOT / "config" / "hub.toml").read_text("utf-8"))
    typed = options_of_struct(Settings)

    assert sorted(file) == sorted(typed)
    assert {key: value for key, value in file.items() if typed[key] != value} == {}


def test_options_are_read_whether_commented_out_or_not() -> None:
    class Smtp(msgspec.Struct):
        listen: str = ""
        most: int = 5

    class Sample(msgspec.Struct):
        data: str = "./data"
        smtp_in: Smtp = msgspec.field(default_factory=Smtp)

    text = '# Where data lies = important\ndata = "./data"\n[smtp_in]\n# host:port\n# listen = ""\n#most = 5\n'

    assert options_of_file(text) == {"data": "./data", "smtp_in.listen": "", "smtp_in.most": 5}
    assert options_of_file(text) == options_of_struct(Sample)


@pytest.mark.parametrize("package", ["aiohttp", "sqlalchemy", "pytest", "ruff", "asyncpg"])
def test_versions_are_pinned_exactly(package: str) -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"[\w.-]+==[\w.!+-]+", pin) for pin in pins)
    assert [pin for pin in pins if pin.lower().startswith(f"{package}==")] != []


SERVICES = ["hub1", "hub2", "migrate", "proxy", "postgres", "redis"]


def test_the_composition_waits_for_migrations_and_shares_what_must_be_shared() -> None:
    text = (ROOT / "compose.yml").read_text("utf-8")
    middle = text.partition("\nservices:")[2].partition("\nnetworks:")[0]

    assert re.findall(r"^  (\w+):(?: \*\w+)?$", middle, re.M) == [
        "hub1",
        "hub2",
        "migrate",
        "proxy",
        "postgres",
        "redis",
    ]
    assert "migrate: {condition: service_completed_successfully}" in text
    assert 'volumes: ["data:/data"]' in text
    assert text.count("*serving") == 2


def test_the_image_runs_without_root_and_is_watched() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")

    assert re.search(r"^USER (?!root)\w+", text, re.M)
    assert "/healthz" in text.partition("HEALTHCHECK")[2]
    assert 'CMD ["hub", "serve"]' in text


def test_the_licence_is_the_whole_text_of_the_agpl() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")

    assert text.split()[:5] == ["GNU", "AFFERO", "GENERAL", "PUBLIC", "LICENSE"]
    assert len(text.split()) == 5535
