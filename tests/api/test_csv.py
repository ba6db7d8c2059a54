"""People and owners as tables for spreadsheets: out, in, all or nothing, and nothing in them that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import sheets
from hub.clock import now
from hub.sheets import Unusable
from hub.sql import allocate, insert_rows
from hub.tables import customers, identities
from tests.api.conftest import Answer, House, wire_only
from tests.fakes import until


async def put(house: House, path: str, text: str | bytes, who: str = "admin", kind: str = "text/csv") -> Answer:
    """Send a table."""
    data = text.encode() if isinstance(text, str) else text
    return await house.ask(who, "PUT", path, data=data, headers={"Content-Type": kind})


async def table(house: House, path: str) -> list[dict[str, str]]:
    """A table's lines."""
    answer = await house.ask("admin", "GET", path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def person(house: House, email: str) -> dict[str, str]:
    """Somebody's line."""
    return next(line for line in await table(house, "/directory.csv") if line["email"] == email)


async def customer(house: House, name: str) -> str:
    """Somebody's id."""
    found = (await house.get("/customers"))["items"]
    return str(next(c["id"] for c in found if c["name"] == name))


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_written_out_can_be_taken_in_again_and_changes_nothing(house: House) -> None:
    change = {"skills": ["tax", "=1+1"], "languages": ["de"], "capacity": 7, "deputy": str(house.people["boss"])}
    await house.ask("admin", "PATCH", f"/employees/{house.people['agent']}", change | {"name": "'@Agatha"})
    before = await house.ask("admin", "GET", "/directory.csv")
    answer = await put(house, "/directory.csv", before.body)

    assert answer.status == 200
    assert answer.json == {"dry_run": False, "lines": 5, "added": 0, "changed": 0, "unchanged": 5, "changes": []}
    assert (await house.ask("admin", "GET", "/directory.csv")).body == before.body
    assert await person(house, "agent@house.example") == {
        "email": "agent@house.example",
        "name": "''@Agatha",
        "role": "agent",
        "teams": "north",
        "skills": "tax; =1+1",
        "languages": "de",
        "capacity": "7",
        "deputy": "boss@house.example",
    }


TEAM = """email,name,role,teams,skills,languages,capacity,deputy
new@house.example,Neu Ling,agent,North; south,"tax, law",de;en-GB,5,other@house.example
other@house.example,Other,,,,,,new@house.example
agent@house.example,Agent,supervisor,,photo,,,
"""


async def test_a_dry_run_says_what_would_change_and_changes_nothing_then_it_does(house: House) -> None:
    before = await table(house, "/directory.csv")
    events = (await house.get("/events?limit=100"))["items"]
    dry = await put(house, "/directory.csv?dry_run=1", TEAM)
    assert dry.status == 200
    assert (dry.json["dry_run"], dry.json["added"], dry.json["changed"], dry.json["unchanged"]) == (True, 2, 1, 0)
    assert await table(house, "/directory.csv") == before
    assert (await house.get("/events?limit=100"))["items"] == events
    done = await put(house, "/directory.csv", TEAM)

    assert done.json == dry.json | {"dry_run": False}
    assert done.json["changes"][0]["changes"]["teams"] == ["", "north; south"]
    assert done.json["changes"][2] == {
        "line": 4,
        "what": "agent@house.example",
        "added": False,
        "changes": {"role": ["agent", "supervisor"], "teams": ["north", ""], "skills": ["", "photo"]},
    }
    new = await person(house, "new@house.example")
    assert (new["teams"], new["skills"], new["capacity"], new["deputy"]) == (
        "north; south",
        "tax; law",
        "5",
        "other@house.example",
    )
    assert (await person(house, "other@house.example"))["role"] == "agent"
    assert (await put(house, "/directory.csv", TEAM)).json["unchanged"] == 3


async def test_only_the_columns_that_are_there_change_and_whoever_is_in_no_line_stays(house: House) -> None:
    await put(house, "/directory.csv", "email,skills,capacity\nagent@house.example,tax,9\n")
    answer = await put(house, "/directory.csv", "Capacity;Email\r\n;agent@house.example\r\n\r\n".encode("utf-8-sig"))

    assert answer.json["changes"] == [
        {"line": 2, "what": "agent@house.example", "added": False, "changes": {"capacity": ["9", ""]}}
    ]
    line = await person(house, "agent@house.example")
    assert (line["skills"], line["teams"], line["capacity"]) == ("tax", "north", "")
    assert len(await table(house, "/directory.csv")) == 5


async def test_every_fault_has_its_line_and_column_and_nothing_is_kept(house: House) -> None:
    before = await table(house, "/directory.csv")
    text = (
        "email,name,role,teams,languages,capacity,deputy\n"
        "fine@house.example,Fine,agent,north,de,1,\n"
        "agent@house.example,A,chief,north,de,1,\n"
        '"boss@house.example","B\nC",supervisor,nowhere,de,many,nobody@house.example\n'
        "light@house.example,L,light,,german!,99999,light@house.example\n"
        "FINE@house.example,Again,agent,,,,\n"
        "no address,X,agent,,,,\n"
    )
    answer = await put(house, "/directory.csv", text)

    assert answer.status == 422
    assert answer.json["detail"].startswith("Line 3, column “role”: There is no role “chief”")
    assert answer.json["field"] == "role"
    found = [(e["line"], e["column"]) for e in answer.json["errors"]]
    assert found == [
        *((3, "role"), (4, "capacity"), (4, "deputy"), (4, "teams"), (6, "capacity"), (6, "deputy"), (6, "languages")),
        *((7, "email"), (8, "email")),
    ]
    assert all(len(e["detail"]) > 15 for e in answer.json["errors"])
    assert await table(house, "/directory.csv") == before


@pytest.mark.rest
async def test_the_last_administrator_stays_one_and_may_hand_over_in_one_table(house: House) -> None:
    alone = await put(house, "/directory.csv", "email,role\nadmin@house.example,agent\n")
    assert alone.status == 422
    assert alone.json["errors"][0]["column"] == "role"
    both = await put(house, "/directory.csv", "email,role\nadmin@house.example,agent\nboss@house.example,admin\n")
    assert both.status == 200

    async def refused() -> Any:
        return (await house.ask("admin", "GET", "/directory.csv")).status == 403

    assert await until(refused)


async def test_two_hundred_employees_are_taken_in_at_once(house: House) -> None:
    lines = [
        f"p{n}@x.example,Person {n},agent,north,skill{n % 7},de,{n % 40},p{(n + 1) % 200}@x.example" for n in range(200)
    ]
    text = "email,name,role,teams,skills,languages,capacity,deputy\n" + "\n".join(lines)
    answer = await put(house, "/directory.csv", text)

    assert answer.status == 200, answer
    assert answer.json["added"] == 200
    team = next(t for t in (await house.get("/teams"))["items"] if t["name"] == "north")
    assert len(team["members"]) == 202
    assert (await person(house, "p199@x.example"))["deputy"] == "p0@x.example"


# ── owners ────────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_owners_are_given_by_id_or_address_and_taken_away_by_an_empty_cell(house: House) -> None:
    nora, sam = await customer(house, "Nora North"), await customer(house, "Sam South")
    text = f"customer,address,owner\n{nora},,AGENT@house.example\n,api:sam,boss@house.example\n"
    dry = await put(house, "/owners.csv?dry_run=true", text, "boss")
    assert (dry.json["changed"], await table(house, "/owners.csv")) == (2, [])
    done = await put(house, "/owners.csv", text, "boss")
    assert done.json["changes"][0]["changes"] == {"owner": ["", "agent@house.example"]}
    assert await table(house, "/owners.csv") == [
        {"customer": nora, "name": "Nora North", "address": "api:nora", "owner": "agent@house.example"},
        {"customer": sam, "name": "Sam South", "address": "api:sam", "owner": "boss@house.example"},
    ]
    out = await house.ask("admin", "GET", "/owners.csv")
    assert (await put(house, "/owners.csv", out.body)).json["unchanged"] == 2
    assert (await put(house, "/owners.csv", "customer;owner\napi:nora;\n")).json["changed"] == 1
    assert (await house.get(f"/customers/{nora}"))["owner"] is None
    changed = [e for e in (await house.get("/events?limit=100"))["items"] if e["kind"] == "customer.changed"]
    assert [e["customer"] for e in changed] == [nora, sam, nora]


async def test_owners_that_cannot_be_are_refused_all_together(house: House) -> None:
    nora = await customer(house, "Nora North")
    text = f"customer,owner\n{nora},agent@house.example\n999999,agent@house.example\napi:nora,boss@house.example\n{nora},nobody@x.example\n"
    answer = await put(house, "/owners.csv", text)

    assert answer.status == 422
    assert [(e["line"], e["column"]) for e in answer.json["errors"]] == [(3, "customer"), (4, "customer"), (5, "owner")]
    assert await table(house, "/owners.csv") == []
    assert (
        await put(house, "/owners.csv", "customer,owner\nnot an address at all,agent@house.example\n")
    ).status == 422


async def test_a_merged_customer_is_the_one_they_became(house: House) -> None:
    nora, sam = await customer(house, "Nora North"), await customer(house, "Sam South")
    assert (await house.ask("admin", "POST", f"/customers/{nora}/merges", {"other": sam})).status == 201
    answer = await put(house, "/owners.csv", f"customer,owner\n{sam},agent@house.example\n")

    assert answer.status == 200
    assert [line["customer"] for line in await table(house, "/owners.csv")] == [nora]


def _fill(conn: Connection, many: int) -> None:
    moment = now()
    ids = allocate(conn, "people", 2 * many)
    numbers = [f"+4930{1000000 + n}" for n in range(many)]
    rows = [{"id": i, "name": f"C{i}", "folded": f"c{i}", "created_at": moment} for i in ids[:many]]
    insert_rows(conn, customers, rows)
    faces = [
        {"id": f, "customer_id": c, "address": f"email:c{n}@x.example", "bare": numbers[n], "created_at": moment}
        for n, (f, c) in enumerate(zip(ids[many:], ids[:many], strict=True))
    ]
    insert_rows(conn, identities, faces)


async def test_the_owners_of_ten_thousand_customers_are_given_at_once(house: House) -> None:
    await house.hub.db.write(_fill, 10_000)
    owners = ("agent", "boss", "stranger", "admin")
    lines = [f"c{n}@x.example,{owners[n % 4]}@house.example" for n in range(10_000)]
    began = time.monotonic()
    answer = await put(house, "/owners.csv", "customer,owner\n" + "\n".join(lines))
    took = time.monotonic() - began

    assert answer.status == 200, answer
    assert (answer.json["changed"], len(answer.json["changes"])) == (10_000, 1000)
    assert took < 30
    assert len(await table(house, "/owners.csv")) == 10_000
    count = sa.text("SELECT count(*) FROM events WHERE kind = 'customer.changed'")
    assert await house.hub.db.read(lambda c: c.execute(count).scalar()) == 10_000


# ── the table itself ──────────────────────────────────────────────────────────────────────────────────────────────────
@wire_only
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        (b"", 1, ""),
        (b"\xef\xbb\xbf", 1, ""),
        (b"\n\n", 1, ""),
        (b"name\nx\n", 1, "email"),
        (b"email,salary\n", 1, "salary"),
        (b"email,email\n", 1, "email"),
        (b"email,name\na@b.example\n", 2, ""),
        (b"email,name\na@b.example,x,y\n", 2, ""),
        (b'email,name\na@b.example,"x\n', 2, ""),
        (b'email,name\na@b.example,"x" y\n', 2, ""),
        (b"email,name\n" + b"x" * 200_000 + b",y\n", 2, ""),
        (b"email\n" + b"".join(b"p%d@x.example\n" % n for n in range(1001)), 1002, ""),
        (b"\x00\x01\x02", 1, "\u00001"),
        (b"\x81\x8d", 1, ""),
    ],
)
async def test_what_is_no_such_table_is_refused_with_its_place(
    house: House, text: bytes, line: int, column: str
) -> None:
    answer = await put(house, "/directory.csv", text)

    assert answer.status == 422, answer
    first = answer.json["errors"][0]
    assert first["line"] == line
    assert column.startswith("\x00") or first["column"] == column
    assert len(await table(house, "/directory.csv")) == 5


@wire_only
async def test_other_kinds_of_body_and_too_long_ones_are_refused(house: House) -> None:
    assert (await put(house, "/directory.csv", "{}", kind="application/json")).status == 415
    assert (await put(house, "/directory.csv", b"email\n" + b"x" * 4_000_001)).status == 413
    assert (await put(house, "/directory.csv", "email\n", kind="text/csv; charset=nonsense")).status == 422
    assert (await put(house, "/directory.csv", "email\n", kind="text/csv; charset=base64")).status == 422
    assert (await put(house, "/directory.csv?dry_run=perhaps", "email\n")).status == 422
    assert (await put(house, "/directory.csv?x=1", "email\n")).status == 422
    windows = "email,name\nagent@house.example,Jürgen\n".encode("cp1252")
    assert (await put(house, "/directory.csv", windows)).json["changes"][0]["changes"]["name"] == ["Agent", "Jürgen"]
    latin = "email,name\nagent@house.example,Zoë\n".encode("utf-16")
    assert (await put(house, "/directory.csv", latin, kind="text/csv; charset=utf-16")).status == 200


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+49",
        "-1",
        "@SUM(A1)",
        "'=x",
        "''=x",
        "'",
        "'x",
        "x",
        "",
        "a;b",
        'a"b',
        "tab\there",
        "=cmd|' /C calc'!A0",
    ],
)
def test_no_cell_is_a_formula_and_every_cell_comes_back(cell: str) -> None:
    written = sheets.write(["a"], [{"a": cell}])
    (back,) = list(csv.reader(io.StringIO(written, newline="")))[1:] or [[""]]

    assert not sheets.guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert sheets.plain(back[0] if back else "") == cell


def test_a_table_is_read_whatever_separates_its_cells() -> None:
    for mark in ",;\t":
        text = f'a{mark}b\r\n"1{mark}2"{mark}3\r\n'.encode()
        (line,) = sheets.read(text, ("a", "b"), ("a",), 5)
        assert (line.number, line.cells) == (2, {"a": f"1{mark}2".replace("\t", " "), "b": "3"})
    with pytest.raises(Unusable, match=r"Line 2: It has 1 cells.*\(1 more\)"):
        sheets.read(b"a,b\n1\n2\n", ("a", "b"), ("a",), 5)


def _all_lists() -> list[Any]:
    return [("a; b", ["a", "b"]), ("a,b|c;", ["a", "b", "c"]), ("", []), (" ; ", [])]


@pytest.mark.parametrize(("cell", "entries"), _all_lists())
def test_a_list_in_one_cell_has_its_entries_between_semicolons_commas_or_bars(cell: str, entries: list[str]) -> None:
    assert sheets.parted(cell) == entries
