"""Settings: one sentence names what is wrong and how to mend it, and the start stops there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import SettingsError, load


def test_without_anything_the_defaults_hold() -> None:
    settings = load(env={})

    assert (settings.listen, settings.database_url) == ("127.0.0.1:8080", "sqlite:///data/hub.db")


def test_the_environment_beats_the_file_and_the_file_beats_the_default(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text('listen = "127.0.0.1:1"\ncompany = "File"\n[smtp_in]\nmax_size = 5000\n')
    secret = tmp_path / "listen"
    secret.write_text("127.0.0.1:3\n")
    settings = load(file, {"HUB_LISTEN_FILE": str(secret), "HUB_SMTP_IN__LISTEN": "127.0.0.1:25", "PATH": "x"})

    assert (settings.listen, settings.company) == ("127.0.0.1:3", "File")
    assert (settings.smtp_in.listen, settings.smtp_in.max_size) == ("127.0.0.1:25", 5000)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"HUB_LISTNE": "x"}, "Did you mean “listen”"),
        ({"HUB_SMTP_IN__LISTN": "x"}, "Did you mean “smtp_in.listen”"),
        ({"HUB_LISTEN": "8080"}, "must be host:port"),
        ({"HUB_LISTEN": "127.0.0.1:99999"}, "must be host:port"),
        ({"HUB_WEB__MAX_BODY": "many"}, "web.max_body"),
        ({"HUB_WEB__MAX_BODY": "-1"}, "web.max_body"),
        ({"HUB_LOG_LEVEL": "loud"}, "log_level"),
        ({"HUB_PUBLIC_URL": "hub.example.org"}, "https://"),
        ({"HUB_DATABASE": "mysql://x"}, "“database”"),
        ({"HUB_REDIS": "localhost"}, "redis://"),
        ({"HUB_REDIS": "redis://localhost"}, "PostgreSQL"),
        ({"HUB_DATA_FILE": "/nowhere"}, "HUB_DATA_FILE"),
        ({"HUB_LISTEN__X": "1", "HUB_LISTEN": "127.0.0.1:1"}, "listen"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fix(env: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(env=env)

    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("listen = = 3")

    with pytest.raises(SettingsError, match="TOML"):
        load(file, {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "absent.toml", {})


def test_the_start_stops_with_one_sentence_and_code_1() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hub", "serve"],
        env={"PATH": "/usr/bin:/bin", "HUB_LISTNE": "x"},
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parent.parent.parent,
    )

    assert run.returncode == 1
    assert run.stderr.strip().count("\n") == 0
    assert "listen" in run.stderr
