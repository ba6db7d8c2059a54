"""Templates are compiled once per version, not once per start."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from hub.web.compiled import Kept


class Counting(jinja2.Environment):
    compiled = 0

    def _compile(self, source: str, filename: str) -> object:  # type: ignore[override]
        Counting.compiled += 1
        return super()._compile(source, filename)


def said(folder: Path, made_of: bytes = b"words", language: str = "en") -> tuple[str, int]:
    """What the template says in a new process, and how many templates had to be compiled for it."""
    Counting.compiled = 0
    cache = Kept(folder, language, made_of)
    page = Counting(loader=jinja2.FileSystemLoader(folder), bytecode_cache=cache).get_template("a.j2")
    return page.render(), Counting.compiled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.j2").write_text("Good {{ 'day' }}")
    return tmp_path


def test_what_was_compiled_once_is_read_at_the_next_start(folder: Path) -> None:
    assert said(folder) == ("Good day", 1)
    assert said(folder) == ("Good day", 0)
    assert said(folder, language="de") == ("Good day", 1)


def test_what_was_compiled_with_other_words_or_of_another_template_is_compiled_anew(folder: Path) -> None:
    said(folder)
    assert said(folder, b"other words") == ("Good day", 1)
    (folder / "a.j2").write_text("Good night")
    assert said(folder, b"other words") == ("Good night", 1)


def test_half_a_file_is_no_harm(folder: Path) -> None:
    said(folder)
    (kept,) = (folder / "__pycache__").iterdir()
    kept.write_bytes(kept.read_bytes()[:40])
    assert said(folder) == ("Good day", 1)


def test_a_folder_that_is_cleared_away_while_the_hub_runs_is_no_harm(folder: Path) -> None:
    cache = Kept(folder, "en", b"words")
    (folder / "__pycache__").rmdir()
    page = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), bytecode_cache=cache).get_template("a.j2")
    assert page.render() == "Good day"


def test_a_folder_that_may_not_be_written_to_costs_time_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, how: False)
    assert said(folder) == said(folder) == ("Good day", 1)
    assert not (folder / "__pycache__").exists()
