"""What routing costs: ingest with and without a directory of responsibility side by side, and how long a ringing telephone waits.

10,000 customers with owners, 200 employees in ten teams, 100 rules of three keywords; some owners are on leave.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bench import ingest
from hub import assignment, directory, rulebook
from hub.clock import now
from hub.database import Database, open_database
from hub.directory import Conditions, Target
from hub.migrations import upgrade
from hub.sql import allocate, insert_rows
from hub.tables import absences, channels, customers, employees, identities, presence, team_members, teams

CUSTOMERS, EMPLOYEES, TEAMS, RULES = 10_000, 200, 10, 100
#: Most of the rate that routing may take, and how long a call may wait for its answer (ms).
SHARE_BAR, CALL_BAR = 0.9, 50.0
ASKED = 3000


def people(conn: Connection) -> None:
    """The customers, whom nobody is responsible for."""
    made, faces = allocate(conn, "people", CUSTOMERS), allocate(conn, "people", CUSTOMERS)
    rows = [{"id": n, "name": f"Customer {i}", "folded": f"customer {i}", "created_at": 0} for i, n in enumerate(made)]
    insert_rows(conn, customers, rows)
    known = [
        {
            "id": face,
            "customer_id": n,
            "address": f"api:customer-{i}",
            "bare": f"customer-{i}",
            "name": "",
            "created_at": 0,
        }
        for i, (n, face) in enumerate(zip(made, faces, strict=True))
    ]
    insert_rows(conn, identities, known)


def responsibility(conn: Connection) -> None:
    """Everybody who may get something, and the table of questions."""
    at = now()
    staff, groups = allocate(conn, "people", EMPLOYEES), allocate(conn, "people", TEAMS)
    insert_rows(
        conn,
        employees,
        [
            {
                "id": n,
                "email": f"e{n}@example.org",
                "name": f"E{n}",
                "role": "agent",
                "created_at": 0,
                "capacity": 100,
            }
            for n in staff
        ],
    )
    # in pairs, as people do it
    pairs = sa.case((employees.c.id % 2 == 0, employees.c.id + 1), else_=employees.c.id - 1)
    conn.execute(sa.update(employees).where(employees.c.id.between(staff[1], staff[-2])).values(deputy_id=pairs))
    insert_rows(conn, teams, [{"id": n, "slug": f"t{n}", "name": f"T{n}", "created_at": 0} for n in groups])
    insert_rows(conn, team_members, [{"team_id": groups[i % TEAMS], "employee_id": n} for i, n in enumerate(staff)])
    insert_rows(
        conn,
        presence,
        [{"employee_id": n, "state": "available", "seen_at": at + 86_400_000} for n in staff],
    )
    away = [
        {"id": n, "employee_id": staff[n * 10], "kind": "leave", "starts_at": 0, "state": "on", "created_at": 0}
        for n in range(10)
    ]
    insert_rows(conn, absences, away)
    first = staff[0]
    conn.execute(sa.update(customers).values(owner_id=first + customers.c.id % EMPLOYEES))
    for i in range(RULES):
        words = (f"case{i}", f"part{i}", f"thing number{i}")
        rulebook.add(conn, f"Rule {i}", Conditions(keywords=words), Target(team=str(groups[i % TEAMS])))
    directory.bump(conn)


def telephone(conn: Connection) -> int:
    """A channel for calls."""
    number = allocate(conn, "people", 1)[0]
    row = {"id": number, "kind": "voice", "name": "Telephone", "key": "voice", "secrets": b"", "created_at": 0}
    insert_rows(conn, channels, [row])
    directory.bump(conn)
    return number


async def make(url: str, *, responsible: bool) -> None:
    """A house with customers, and with people responsible for them."""
    db = open_database(url)
    try:
        await upgrade(db)
        await db.write(people)
        if responsible:
            await db.write(responsibility)
    finally:
        await db.close()


async def calls(url: str) -> dict[str, float]:
    """How long the answer to "whom does this call ring?" takes (ms): every second caller is nobody's customer."""
    db = open_database(url)
    try:
        channel = await db.write(telephone)
        spent = [await _ask(db, channel, f"api:customer-{i if i % 2 else -i}") for i in range(ASKED)]
    finally:
        await db.close()
    spent.sort()
    return {"call_p50_ms": round(spent[ASKED // 2], 2), "call_p99_ms": round(spent[int(ASKED * 0.99)], 2)}


async def _ask(db: Database, channel: int, sender: str) -> float:
    began = time.perf_counter()
    await db.read(assignment.ask, channel, sender, text="Der Wechselrichter zeigt den Fehler 302")
    return (time.perf_counter() - began) * 1000


def run(empty: Any, quick: bool) -> dict[str, Any]:
    """``empty``: makes the address of a new database. Alternating, because machines have moods."""
    seconds, turns = (2, 1) if quick else (6, 3)
    figures: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    urls = {responsible: empty() for responsible in figures}
    for responsible, url in urls.items():
        asyncio.run(make(url, responsible=responsible))
    for turn in range(turns):
        for responsible, url in urls.items():
            with tempfile.TemporaryDirectory() as folder:
                found = ingest.hub(url, Path(folder), seconds, CUSTOMERS, turn * 100_000_000)
            figures[responsible].append(found)
    middle = {
        (responsible, name): statistics.median(f[name] for f in found)
        for responsible, found in figures.items()
        for name in ("rate", "cpu_ms_per_message")
    }
    share = middle[True, "rate"] / middle[False, "rate"]
    waits = asyncio.run(calls(urls[True]))
    return {
        "rate_without": middle[False, "rate"],
        "rate": middle[True, "rate"],
        "share": round(share, 3),
        "cpu_ms_without": middle[False, "cpu_ms_per_message"],
        "cpu_ms": middle[True, "cpu_ms_per_message"],
        "bar_share": SHARE_BAR,
        **waits,
        "bar_call_p99_ms": CALL_BAR,
        "kept": share >= SHARE_BAR and waits["call_p99_ms"] <= CALL_BAR,
    }
