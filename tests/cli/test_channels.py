"""hub channel, journal, migrate, doctor."""

from pathlib import Path

import pytest

from tests.cli.conftest import Hub, works


def test_a_channel_is_made_shown_changed_and_removed_with_its_secret_hidden(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-881\n")
    works(hub("team", "add", "North"))

    made = works(
        hub(
            "channel",
            "add",
            "api",
            "--name",
            "Shop",
            "--team",
            "North",
            "--set",
            f"secret=@{tmp_path / 'secret'}",
            "--json",
        )
    )
    number = made.json["id"]
    changed = works(
        hub("channel", "set", number, "--name", "Shop 2", "--set", "secret=-", "--json", given="canary-882\n")
    )
    tested = works(hub("channel", "test", number))
    shown = works(hub("channel", "show", number))
    listed = works(hub("channel", "list", "--json"))
    table = works(hub("channel", "list"))
    kinds = works(hub("channel", "kinds", "--json"))
    works(hub("channel", "kinds"))
    works(hub("channel", "remove", number))

    assert set(made.json) >= {"id", "kind", "name", "key", "webhook_url", "settings"}
    assert made.json["webhook_url"] == f"https://hub.example/webhooks/api/{made.json['key']}"
    assert made.json["settings"] == {"secret": {"set": True}}
    assert changed.json["name"] == "Shop 2"
    assert "only receives" in tested.out
    assert "Shop 2" in table.out
    assert [c["id"] for c in listed.json] == [number]
    assert {"api", "email"} <= {k["kind"] for k in kinds.json}
    assert all("canary" not in c.out for c in (made, changed, tested, shown, listed, table))
    assert works(hub("channel", "list", "--json")).json == []


def test_a_web_chat_is_made_with_one_command_that_prints_its_address(hub: Hub) -> None:
    made = works(hub("channel", "add", "webchat", "--name", "Chat", "--json"))
    shown = works(hub("channel", "show", made.json["id"]))
    wrong = hub("channel", "set", made.json["id"], "--set", "allowed_origins=shop.example")

    assert made.json["widget_url"] == f"https://hub.example/w/{made.json['key']}"
    assert f"widget: {made.json['widget_url']}" in shown.out
    assert f'<script async src="{made.json["widget_url"]}/embed.js"></script>' in shown.out
    assert (wrong.code, "https://" in wrong.err) == (1, True)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_first_command_makes_the_database_it_needs(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_DATA", str(tmp_path / "fresh"))
    monkeypatch.setenv("HUB_DATABASE", "")

    works(hub("user", "list"))
    again = works(hub("migrate"))

    assert (tmp_path / "fresh" / "hub.db").exists()
    assert (tmp_path / "fresh" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert "nothing to do" in again.out


def test_an_empty_database_is_migrated_when_told_to(
    hub: Hub, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_DATABASE", empty_database_url)

    if empty_database_url.startswith("postgresql"):
        before = hub("user", "list")
        assert (before.code, "hub migrate" in before.err) == (1, True)
    done = works(hub("migrate"))
    again = works(hub("migrate"))
    works(hub("user", "list"))

    assert "migrated" in done.out
    assert "nothing to do" in again.out


def test_the_doctor_says_what_is_wrong_and_what_to_do(hub: Hub, environment: Path) -> None:
    works(hub("channel", "add", "api", "--name", "Shop", "--set", "secret=s"))
    healthy = works(hub("doctor", "--json"))
    (environment / "secret.key").chmod(0o644)
    careless = hub("doctor")
    (environment / "secret.key").unlink()
    foreign = hub("doctor", "--json")

    states = {f["check"]: f["state"] for f in healthy.json}
    assert states["database"] == states["migrations"] == states["storage"] == states["secret key"] == "ok"
    assert states["employees"] == "warning"
    assert careless.code == 1
    assert "chmod 600" in careless.out
    assert foreign.code == 1
    assert any(f["check"] == "channels" and "secret.key" in f["advice"] for f in foreign.json)
