"""hub serve as a process, and what the commands do to its data: journal, backup, restore, move, keys, a person's data."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.app import build
from config.settings import load
from tests.cli.conftest import Hub, works
from tests.servers import Postgres

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


class Running:
    """A server in a thread and a loop of its own, on the settings of the environment; `base` is its address."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        self._loop, self._enough = asyncio.get_running_loop(), asyncio.Event()
        server = await build(load())
        await server.start()
        self.base = f"http://127.0.0.1:{server.port}"
        self._ready.set()
        await self._enough.wait()
        await server.stop()

    def ask(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """One API request; its JSON."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def stop(self) -> None:
        """End it; a second time does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._enough.set)
            self._thread.join(20)


@contextlib.contextmanager
def serving() -> Iterator[Running]:
    """A hub on the test's database, without the seconds that a new process takes."""
    running = Running()
    try:
        yield running
    finally:
        running.stop()


def send(url: str, address: str, number: str, text: str) -> bytes:
    """A customer writes by the api channel; the very bytes."""
    said = {"id": number, "from": {"address": address, "name": address.title()}, "text": text}
    body = json.dumps(said | {"attachments": [{"name": "a.txt", "content_base64": "Y2FuYXJ5ZmlsZQ=="}]}).encode()
    signature = "sha256=" + hmac.digest(b"secret", body, hashlib.sha256).hex()
    request = urllib.request.Request(url, body, {"X-Hub-Signature-256": signature})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
    return body


def soon(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Ask again and again (each time a whole request); fails after a while."""
    deadline = time.monotonic() + seconds
    while not (said := condition()):
        assert time.monotonic() < deadline, "it never came true"
    return said


def first_things(hub: Hub) -> tuple[str, dict[str, Any]]:
    """An administrator's token and a channel."""
    works(hub("user", "add", "a@firm.example", "--role", "admin"))
    channel = works(hub("channel", "add", "api", "--name", "Shop", "--set", "secret=secret", "--json")).json
    return works(hub("token", "add", "a@firm.example")).out.strip(), channel


def hear(hub: Hub, server: Running, *said: tuple[str, str, str], channel: dict[str, Any]) -> list[bytes]:
    """Messages (address, id, text) arrive and are read."""
    url = f"{server.base}/webhooks/api/{channel['key']}"
    bodies = [send(url, *one) for one in said]
    soon(lambda: not works(hub("journal", "list", "--state", "kept", "--json")).json)
    return bodies


@sqlite_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_start_prints_a_link_for_the_first_administrator_and_ends_cleanly(
    environment: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "hub", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        try:
            base = process.stdout.readline().split()[-1]
            link = process.stdout.readline()
            with urllib.request.urlopen(f"{base}/healthz", timeout=10) as answer:
                assert answer.status == 200
            started = time.monotonic()
            process.send_signal(number)
            assert process.wait(15) == 0
            assert time.monotonic() - started < 8
            assert "stopping" in process.stdout.read()
        finally:
            process.kill()

    assert re.search(r"https://hub\.example/welcome\?token=[\w-]{30,}", link)


@sqlite_only
def test_a_second_server_and_wrong_settings_are_refused_in_one_sentence(
    environment: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub
) -> None:
    with serving():
        second = hub("serve")
    monkeypatch.setenv("HUB_LISTEN", "nonsense")
    wrong = hub("serve")

    assert (second.code, second.err.count("\n"), "Another hub" in second.err) == (1, 1, True)
    assert (wrong.code, wrong.err.count("\n"), "listen" in wrong.err) == (1, 1, True)


def test_the_command_line_and_a_running_server_work_on_the_same_house(environment: Path, hub: Hub) -> None:
    with serving() as server:
        _, channel = first_things(hub)
        soon(lambda: _known(server, channel), 4)
        (body,) = hear(hub, server, ("nora", "m1", "Hello"), channel=channel)
        entry = works(hub("journal", "list", "--json")).json[0]
        shown = works(hub("journal", "show", entry["id"], "--json")).json
        replayed = works(hub("journal", "replay", entry["id"]))
        raw = works(hub("journal", "show", entry["id"], "--raw"))
        table = works(hub("journal", "list"))
        server.stop()

    assert raw.out.encode() == body
    assert (shown["size"], shown["source"], shown["state"]) == (len(body), "webhook", "read")
    assert "1 to be read again" in replayed.out
    assert "webhook" in table.out


def _known(server: Running, channel: dict[str, Any]) -> bool:
    """Does the door know the channel? A wrong signature is 403 then, and 404 before."""
    try:
        urllib.request.urlopen(f"{server.base}/webhooks/api/{channel['key']}", b"{}", timeout=10)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 403
    return False


@sqlite_only
def test_a_backup_of_a_running_hub_is_restored_with_everything(
    environment: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.tar"
    token, channel = first_things(hub)
    with serving() as server:
        hear(hub, server, ("nora", "m1", "Hello"), channel=channel)
        made = works(hub("backup", file))
        twice = hub("backup", file)
        server.stop()
    over = hub("restore", file)
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "new"))
    monkeypatch.setenv("HUB_DATABASE", "")
    restored = works(hub("restore", file))
    again = hub("restore", file)
    with serving() as server:
        timeline = server.ask("GET", "/api/v1/conversations/1/timeline", token)
        server.stop()

    assert file.stat().st_mode & 0o777 == 0o600
    assert "1 files" in made.out
    assert "1 channels" in restored.out
    assert [c.code for c in (twice, over, again)] == [1, 1, 1]
    assert all(c.err.count("\n") == 1 for c in (twice, over, again))
    message = next(i for i in timeline["items"] if i["type"] == "message")
    assert message["text"] == "Hello"
    assert sorted(p.name for p in (tmp_path / "new").rglob("*") if len(p.name) == 62)


@sqlite_only
@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "blobs/ab/../../evil", "hub.db", "secret.key"])
def test_a_file_that_is_no_backup_puts_nothing_anywhere(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "new"))
    monkeypatch.setenv("HUB_DATABASE", "")
    file = tmp_path / "evil.tar"
    (tmp_path / "content").write_text("x")
    with tarfile.open(file, "w") as tar:
        tar.add(tmp_path / "content", name)

    refused = hub("restore", file)

    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert not list((tmp_path / "new").rglob("*"))


@sqlite_only
def test_a_new_key_opens_what_the_old_one_closed(environment: Path, hub: Hub) -> None:
    _, channel = first_things(hub)
    before = (environment / "secret.key").read_text().split()

    works(hub("key", "rotate"))
    after = (environment / "secret.key").read_text().split()
    (environment / "secret.key").write_text(after[0] + "\n")
    shown = works(hub("channel", "show", channel["id"], "--json"))

    assert after[1:] == before
    assert (environment / "secret.key").stat().st_mode & 0o777 == 0o600
    assert shown.json["settings"] == {"secret": {"set": True}}


@pytest.mark.rest
@sqlite_only
def test_moving_to_postgresql_takes_everything_along(
    environment: Path, hub: Hub, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"moved_{os.getpid()}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        token, channel = first_things(hub)
        with serving() as server:
            hear(hub, server, ("nora", "m1", "Grüße"), ("otto", "m2", "Hi"), channel=channel)
            server.ask("POST", "/api/v1/conversations/1/messages", token, {"text": "Yes"})
            server.ask(
                "POST",
                "/api/v1/customers/" + _customer(server, token, "nora") + "/merges",
                token,
                {"other": _customer(server, token, "otto")},
            )
            me = server.ask("GET", "/api/v1/me", token)["id"]
            deputy = server.ask("POST", "/api/v1/employees", token, {"email": "z@house.example"})["id"]
            server.ask("PATCH", f"/api/v1/employees/{me}", token, {"deputy": deputy})
            firm = server.ask("POST", "/api/v1/customers", token, {"name": "Firm"})["id"]
            nora = _customer(server, token, "nora")
            server.ask("PATCH", f"/api/v1/customers/{nora}", token, {"company": firm})
            busy = hub("move", postgres.url(name))
            before = server.ask("GET", "/api/v1/conversations", token)
            server.stop()
        moved = works(hub("move", postgres.url(name)))
        twice = hub("move", postgres.url(name))
        monkeypatch.setenv("HUB_DATABASE", postgres.url(name))
        with serving() as server:
            after = server.ask("GET", "/api/v1/conversations", token)
            found = server.ask("GET", "/api/v1/conversations?q=gruss", token)
            people = server.ask("GET", "/api/v1/me", token), server.ask("GET", f"/api/v1/customers/{nora}", token)
            hear(hub, server, ("nora", "m3", "One more"), channel=channel)
            newest = server.ask("GET", "/api/v1/conversations", token)["items"][0]
            server.stop()
    finally:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")

    assert (busy.code, "stop it first" in busy.err) == (1, True)
    assert twice.code == 1
    assert "messages: 3" in moved.out
    assert "search: 3" in moved.out
    assert (people[0]["deputy"], people[1]["company"]) == (deputy, firm), "both point to somebody who came later"
    assert after == before
    assert [c["id"] for c in found["items"]] == ["1"]
    assert newest["preview"] == "One more"


def _customer(server: Running, token: str, address: str) -> str:
    return str(server.ask("GET", f"/api/v1/customers?q={address}", token)["items"][0]["id"])


def age_files(environment: Path) -> None:
    """An hour later: what was put a moment ago may still be wanted by a running hub."""
    for path in (environment / "blobs").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))


def test_a_person_gets_all_their_data_and_then_is_forgotten(environment: Path, hub: Hub, tmp_path: Path) -> None:
    token, channel = first_things(hub)
    with serving() as server:
        bodies = hear(hub, server, ("canarynora", "m1", "canarytext one"), ("otto", "m2", "mine"), channel=channel)
        number = _customer(server, token, "canarynora")
        server.ask("POST", "/api/v1/conversations/1/notes", token, {"text": "canarynote"})
        server.ask("POST", "/api/v1/conversations/1/messages", token, {"text": "canaryreply"})
        exported = works(hub("customer", "export", number, tmp_path / "export.zip"))
        erased = works(hub("customer", "erase", number))
        hear(hub, server, ("canarynora", "m3", "back again"), channel=channel)
        left = server.ask("GET", "/api/v1/conversations", token)["items"]
        empty = server.ask("GET", "/api/v1/conversations/1/timeline", token)["items"]
        found = server.ask("GET", "/api/v1/conversations?q=canarytext", token)["items"]
        raw = server.ask("GET", "/api/v1/journal", token)["items"]
        server.stop()

    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        names = archive.namelist()
        whole = b"".join(archive.read(n) for n in names)
        assert bodies[0] in [archive.read(n) for n in names if n.startswith("raw/")]
        assert bodies[1] not in whole
    assert all(
        word in whole for word in (b"canarynora", b"canarytext one", b"canarynote", b"canaryreply", b"canaryfile")
    )
    assert (tmp_path / "export.zip").stat().st_mode & 0o777 == 0o600
    assert "3 messages, 1 files, 1 envelopes" in exported.out
    assert "3 messages, 1 addresses, 1 envelopes" in erased.out
    assert {c["customer_name"] for c in left} == {"", "Otto", "Canarynora"}  # who writes again is a new customer
    assert "canary" not in json.dumps(empty)
    assert found == []
    assert len(raw) == 2  # otto's, and the one that came afterwards


@sqlite_only
def test_after_erasing_no_file_of_the_data_folder_holds_a_word_of_the_person(
    environment: Path, hub: Hub, tmp_path: Path
) -> None:
    token, channel = first_things(hub)
    with serving() as server:
        hear(hub, server, ("canarynora", "m1", "canarytext one"), channel=channel)
        server.ask("PUT", "/api/v1/conversations/1/tags", token, {"tags": ["canarytag"]})
        server.ask("POST", "/api/v1/conversations/1/notes", token, {"text": "canarynote"})
        number = _customer(server, token, "canarynora")
        server.ask("PATCH", f"/api/v1/customers/{number}", token, {"attributes": {"pet": "canarybird"}})
        server.stop()

    age_files(environment)
    works(hub("customer", "erase", number))

    held = [
        p.name
        for folder in (environment, tmp_path)
        for p in folder.rglob("*")
        if p.is_file() and b"canary" in p.read_bytes()
    ]
    assert held == []
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("INSERT INTO message_search (message_search) VALUES ('integrity-check')") is not None
