"""The settings, typed: defaults < hub.toml given with --config < environment. One sentence says what is wrong, and stops the start."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field


class SettingsError(ValueError):
    """One sentence that names the setting and the fix."""


class SmtpIn(Struct, forbid_unknown_fields=True):
    """The listener for mail."""

    listen: str = ""
    max_size: Annotated[int, Meta(ge=1000)] = 60_000_000


class Web(Struct, forbid_unknown_fields=True):
    """The web server."""

    max_body: Annotated[int, Meta(ge=1000)] = 26_214_400
    shutdown_seconds: Annotated[int, Meta(ge=0)] = 5
    dev: bool = False


class Metrics(Struct, forbid_unknown_fields=True):
    """/metrics."""

    token: str = ""


class Push(Struct, forbid_unknown_fields=True):
    """Web Push."""

    anywhere: bool = False


class Conversations(Struct, forbid_unknown_fields=True):
    """How conversations go on."""

    reopen_days: Annotated[float, Meta(ge=0)] = 7.0
    show_drafts: bool = True


class Sending(Struct, forbid_unknown_fields=True):
    """The way out."""

    undo_seconds: Annotated[float, Meta(ge=0)] = 0.0
    at_once: Annotated[int, Meta(ge=1, le=1000)] = 64
    give_up_hours: Annotated[float, Meta(gt=0)] = 48.0


class Settings(Struct, forbid_unknown_fields=True):
    """Everything in config/hub.toml, in its order. Paths are resolved by the properties."""

    data: str = "./data"
    listen: str = "127.0.0.1:8080"
    public_url: str = "http://localhost:8080"
    database: str = ""
    redis: str = ""
    secret_key_file: str = ""
    trusted_proxies: str = ""
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    company: str = "Hub"
    language: Literal["en", "de"] = "en"
    smtp_in: SmtpIn = field(default_factory=SmtpIn)
    web: Web = field(default_factory=Web)
    metrics: Metrics = field(default_factory=Metrics)
    conversations: Conversations = field(default_factory=Conversations)
    sending: Sending = field(default_factory=Sending)
    push: Push = field(default_factory=Push)

    @property
    def folder(self) -> Path:
        return Path(self.data).expanduser()

    @property
    def database_url(self) -> str:
        return (self.database or f"sqlite:///{self.folder / 'hub.db'}").replace("$HUB_DATA", str(self.folder))

    @property
    def key_file(self) -> Path:
        return Path(self.secret_key_file) if self.secret_key_file else self.folder / "secret.key"


#: Environment variables that begin with HUB_ and are no settings.
OTHERS = ("HUB_TEST_", "HUB_FAILPOINT", "HUB_CORPORA", "HUB_BENCH")


def load(path: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises `SettingsError`."""
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            tree = tomllib.loads(path.read_text())
        except OSError as error:
            raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error
    for name, value in (os.environ if env is None else env).items():
        if name.startswith("HUB_") and not name.startswith(OTHERS):
            _put(tree, name, value)
    _check_names(tree, Settings, "")
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explained(error)) from error
    return _checked(settings)


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    path = name.removeprefix("HUB_").lower().split("__")
    if path[-1].endswith("_file") and not _known(path):
        path[-1] = path[-1].removesuffix("_file")
        try:
            value = Path(value).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{name} names a file that cannot be read: {error.strerror}.") from error
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{name} is no setting: “{part}” is a value, not a group.")
        tree = inner
    if isinstance(tree.get(path[-1]), dict):
        raise SettingsError(f"{name} is no setting by itself: “{path[-1]}” is a group in config/hub.toml.")
    tree[path[-1]] = value


def _known(path: list[str]) -> bool:
    return ".".join(path) in names()


def names(kind: type[Struct] = Settings, prefix: str = "") -> list[str]:
    """Every setting's dotted name."""
    found = []
    for f in msgspec.structs.fields(kind):
        if isinstance(f.type, type) and issubclass(f.type, Struct):
            found += names(f.type, f"{prefix}{f.name}.")
        else:
            found.append(prefix + f.name)
    return found


def _check_names(tree: Mapping[str, Any], kind: type[Struct], prefix: str) -> None:
    fields = {f.name: f.type for f in msgspec.structs.fields(kind)}
    for key, value in tree.items():
        dotted = prefix + key
        if key not in fields:
            near = difflib.get_close_matches(dotted, names(), 1, 0.5)
            hint = f" Did you mean “{near[0]}”?" if near else " config/hub.toml lists them all."
            raise SettingsError(f"There is no setting “{dotted}”.{hint}")
        inner = fields[key]
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, Struct):
            _check_names(value, inner, dotted + ".")


def _explained(error: msgspec.ValidationError) -> str:
    text, _, path = str(error).partition(" - at `$.")
    return f"The setting “{path.rstrip('`')}” is wrong: {text[0].lower() + text[1:]}. See config/hub.toml for what it takes."


def _checked(settings: Settings) -> Settings:
    split_address(settings.listen, "listen")
    if settings.smtp_in.listen:
        split_address(settings.smtp_in.listen, "smtp_in.listen")
    if not settings.public_url.startswith(("http://", "https://")):
        raise SettingsError("The setting “public_url” must begin with https:// or http://.")
    if settings.redis and not settings.redis.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError("The setting “redis” must be an address like redis://localhost:6379, or empty.")
    if not settings.database_url.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise SettingsError("The setting “database” must be sqlite:///path or postgresql://user:password@host/name.")
    if settings.redis and settings.database_url.startswith("sqlite"):
        raise SettingsError(
            "The setting “redis” joins several processes, which SQLite cannot serve: set “database” to PostgreSQL."
        )
    return settings


def split_address(text: str, name: str) -> tuple[str, int]:
    """("127.0.0.1", 8080) from "127.0.0.1:8080"; [::1]:8080 works. Raises `SettingsError`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingsError(f"The setting “{name}” must be host:port, like 127.0.0.1:8080, not “{text}”.")
    return host.strip("[]"), int(port)
