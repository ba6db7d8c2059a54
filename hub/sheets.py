"""Tables as CSV (RFC 4180), for spreadsheets: written so that no cell becomes a formula, read so that every fault has its place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from hub.text import clean_line

#: The most faults that are named.
MOST_FAULTS = 50
#: What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MARK = "'"


class Fault(Struct, frozen=True):
    """What is wrong and where: ``line`` from 1 (the header), ``column`` by its name (empty: the whole line)."""

    line: int
    column: str
    detail: str


class Unusable(Exception):
    """The table cannot be taken; nothing was changed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        where = f"Line {first.line}, column “{first.column}”" if first.column else f"Line {first.line}"
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{where}: {first.detail}{more}")
        self.faults = tuple(faults[:MOST_FAULTS])


class Line(Struct, frozen=True):
    """One line of a table: where it stands, and its cells by column."""

    number: int
    cells: dict[str, str]


class Change(Struct, frozen=True):
    """What a line changes: ``what`` names it, ``changes`` holds (before, after) by column."""

    line: int
    what: str
    added: bool
    changes: dict[str, tuple[str, str]]


class Outcome(Struct, frozen=True):
    """What a table changed, or would have."""

    lines: int
    changes: tuple[Change, ...]


class DryRun(Exception):
    """What would have been changed; raised so that the transaction is not kept."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("a dry run keeps nothing")
        self.outcome = outcome


def refuse(faults: Sequence[Fault]) -> None:
    """Raise `Unusable` when there are any."""
    if faults:
        raise Unusable(sorted(faults, key=lambda fault: (fault.line, fault.column)))


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def write(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """The table with its header, lines ending in CRLF."""
    into = io.StringIO()
    out = csv.writer(into)
    out.writerow(columns)
    for row in rows:
        out.writerow([guarded(row[column]) for column in columns])
    return into.getvalue()


def guarded(text: str) -> str:
    """The cell as text for every spreadsheet: what looks like a formula, or already marked as none, gets an apostrophe in front."""
    return _MARK + text if text.startswith(_FORMULA) or _is_marked(text) else text


def plain(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if _is_marked(cell) else cell


def _is_marked(text: str) -> bool:
    rest = text.lstrip(_MARK)
    return text.startswith(_MARK) and rest.startswith(_FORMULA)


def joined(entries: Iterable[str]) -> str:
    """A list in one cell."""
    return "; ".join(entries)


def parted(cell: str) -> list[str]:
    """A list out of one cell: entries between semicolons, commas or bars."""
    return [entry for part in re.split(r"[;,|]", cell) if (entry := part.strip())]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def read(data: bytes, known: Sequence[str], needed: Sequence[str], most: int, charset: str = "") -> list[Line]:
    """The lines of a table. Blocking. Raises `Unusable`.

    ``known``: the columns it may have, in any order; ``needed``: those it must have. Separated by comma, semicolon or tab, as the
    header is. In UTF-8, or in ``charset``, or else as Windows writes it.
    """
    text = _decoded(data, charset)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    found: list[Line] = []
    faults: list[Fault] = []
    columns: list[str] | None = None
    end = 0
    try:
        for cells in reader:
            number, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _header(cells, known, needed, number)
            elif len(cells) != len(columns):
                faults.append(Fault(number, "", f"It has {len(cells)} cells where the header has {len(columns)}."))
            else:
                cleaned = [plain(clean_line(cell, 2000)) for cell in cells]
                found.append(Line(number, dict(zip(columns, cleaned, strict=True))))
            if len(found) > most:
                raise Unusable([Fault(number, "", f"At most {most} lines at once; send the rest as another table.")])
    except csv.Error as error:
        raise Unusable([Fault(end + 1, "", f"This is no CSV: {error}.")]) from error
    if columns is None:
        raise Unusable([Fault(1, "", f"The header is missing; it names the columns: {', '.join(known)}.")])
    if faults:
        raise Unusable(faults)
    return found


def _decoded(data: bytes, charset: str) -> str:
    for name in [charset] if charset else ["utf-8-sig", "cp1252"]:
        try:
            return data.decode(name)
        except (ValueError, LookupError):
            continue
    raise Unusable([Fault(1, "", "The text can be read neither as UTF-8 nor as Windows writes it; save it as UTF-8.")])


def _header(cells: Sequence[str], known: Sequence[str], needed: Sequence[str], number: int) -> list[str]:
    columns = [clean_line(cell, 100).lower() for cell in cells]
    faults = [
        Fault(number, name, f"There is no such column. There are: {', '.join(known)}.")
        for name in columns
        if name not in known
    ]
    faults += [
        Fault(number, name, "This column is there twice.") for name in sorted(set(columns)) if columns.count(name) > 1
    ]
    faults += [Fault(number, name, "This column is missing.") for name in needed if name not in columns]
    if faults:
        raise Unusable(faults)
    return columns
