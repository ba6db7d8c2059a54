"""hub user, token, team: and how the command line fails."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub import accounts
from hub.database import open_database
from tests.cli.conftest import Hub, works


def test_an_employee_gets_a_password_a_token_and_loses_both(hub: Hub, database_url: str) -> None:
    made = works(
        hub(
            "user",
            "add",
            "Anna@Firm.example",
            "--name",
            "Anna",
            "--role",
            "admin",
            "--password-stdin",
            "--json",
            given="correct horse\n",
        )
    )
    works(hub("user", "add", "ben@firm.example"))
    works(hub("user", "password", "ben@firm.example", "--password-stdin", given="another horse\n"))
    token = works(hub("token", "add", "ben@firm.example", "--name", "script", "--json")).json
    team = works(hub("team", "add", "North", "--member", "ben@firm.example", "--json")).json
    works(hub("user", "disable", "ben@firm.example"))

    users = works(hub("user", "list", "--json")).json
    tokens = works(hub("token", "list", "--json")).json
    teams = works(hub("team", "list", "--json")).json
    assert made.json["email"] == "anna@firm.example"
    assert [(u["email"], u["role"], u["disabled_at"] is None) for u in users] == [
        ("anna@firm.example", "admin", True),
        ("ben@firm.example", "agent", False),
    ]
    assert token["token"].startswith("hub_")
    assert [(t["id"], t["revoked_at"] is None) for t in tokens] == [(token["id"], False)]
    assert "token" not in tokens[0]
    assert teams == [{"id": team["id"], "name": "North", "slug": "north", "members": ["ben@firm.example"]}]
    assert asyncio.run(_password_of(database_url, "anna@firm.example", "correct horse"))


async def _password_of(url: str, email: str, password: str) -> bool:
    database = open_database(url)
    try:
        row = await database.read(accounts.by_email, email)
        return row is not None and accounts.check_password(row.password_hash, password)
    finally:
        await database.close()


def test_a_token_is_printed_alone_so_that_scripts_can_take_it(hub: Hub) -> None:
    works(hub("user", "add", "a@firm.example", "--role", "admin"))

    token = works(hub("token", "add", "a@firm.example")).out.strip()
    revoked = works(hub("token", "revoke", "2"))
    again = hub("token", "revoke", "2")

    assert token.startswith("hub_")
    assert "\n" not in token
    assert "2" in revoked.out
    assert (again.code, again.err.count("\n")) == (1, 1)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("argv", "given", "code"),
    [
        (["user", "add", "nonsense"], "", 1),
        (["user", "add", "a@b.c", "--password-stdin"], "short", 1),
        (["user", "disable", "nobody@b.c"], "", 1),
        (["user", "password", "nobody@b.c", "--password-stdin"], "long enough", 1),
        (["user", "add", "a@b.c", "--role", "king"], "", 2),
        (["token", "add", "nobody@b.c"], "", 1),
        (["channel", "add", "pigeon", "--name", "x"], "", 1),
        (["channel", "add", "api", "--name", "x"], "", 1),
        (["channel", "add", "api", "--name", "x", "--set", "colour=red"], "", 1),
        (["channel", "add", "api", "--name", "x", "--set", "secret"], "", 1),
        (["channel", "add", "api", "--name", "x", "--set", "secret=@/nowhere/at/all"], "", 1),
        (["channel", "add", "api", "--name", "x", "--team", "nobody", "--set", "secret=s"], "", 1),
        (["channel", "show", "77"], "", 1),
        (["channel", "set", "77", "--name", "x"], "", 1),
        (["channel", "remove", "77"], "", 1),
        (["channel", "test", "77"], "", 1),
        (["journal", "show", "77"], "", 1),
        (["journal", "replay"], "", 1),
        (["journal", "replay", "--since", "yesterday"], "", 1),
        (["journal", "list", "--state", "lost"], "", 2),
        (["customer", "erase", "77"], "", 1),
        (["customer", "export", "77", "x.zip"], "", 1),
        (["serve", "--role", "cook"], "", 1),
        (["move", "mysql://x"], "", 1),
        (["restore", "nothing.tar"], "", 1),
        (["user", "list", "--config", "/nowhere/hub.toml"], "", 1),
        (["--config", "/nowhere/hub.toml", "user", "list"], "", 1),
        ([], "", 2),
        (["user"], "", 2),
        (["dance"], "", 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_is_one_line_and_a_code(hub: Hub, argv: list[str], given: str, code: int, tmp_path: Path) -> None:
    said = hub(*argv, given=given)

    assert (said.code, said.out) == (code, "")
    assert said.err
    if code == 1:
        assert said.err.count("\n") == 1
        assert said.err.startswith("hub: ")
        assert len(said.err) > 25


def test_help_is_there_at_once() -> None:
    best = 9.0
    for _ in range(5):
        started = time.perf_counter()
        shown = subprocess.run([sys.executable, "-m", "hub", "--help"], capture_output=True, check=True, timeout=20)
        best = min(best, time.perf_counter() - started)

    assert b"serve" in shown.stdout
    assert best < 0.5  # 0.1 s on a quiet machine; what this catches is an import of the whole hub, a second and more


def test_nothing_heavy_is_imported_for_the_help() -> None:
    code = "import sys, hub.__main__; print(sorted({'sqlalchemy', 'aiohttp', 'msgspec'} & set(sys.modules)))"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)

    assert said.stdout.strip() == "[]"
