"""The command line, run in this process on a database of the test's own."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main


class Command:
    """What a command said. `json` is its standard output as JSON."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"<{self.code} {self.out!r} {self.err!r}>"


Hub = Callable[..., Command]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Path:
    """Settings for the commands; the data folder."""
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HUB_DATABASE", database_url)
    monkeypatch.setenv("HUB_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("HUB_PUBLIC_URL", "https://hub.example")
    return tmp_path / "data"


@pytest.fixture
def hub(environment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hub:
    """``hub("user", "list", "--json")`` runs the command; ``given`` is its standard input."""

    def run(*argv: str, given: str = "") -> Command:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        try:
            code = main([str(a) for a in argv])
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
        said = capsys.readouterr()
        return Command(code, said.out, said.err)

    return run


def works(command: Command) -> Command:
    """The same, having succeeded without a word on standard error."""
    assert (command.code, command.err) == (0, ""), command
    return command
