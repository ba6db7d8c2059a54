"""The configured channels: rows with encrypted secrets on disk, ready adapters in memory."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from hub.adapter import Adapter, ChannelConfig, Secret, Setting, load
from hub.clock import now
from hub.secretbox import SecretBox
from hub.sql import allocate, renew
from hub.tables import channels

log = logging.getLogger(__name__)


class Invalid(ValueError):
    """Settings that cannot work; the text says which and what to do."""


class ChannelRow(Struct, frozen=True):
    """A channel as stored, secrets decrypted. ``trouble`` is empty while it works."""

    config: ChannelConfig
    team_id: int | None
    trouble: str
    trouble_since: int | None
    created_at: int
    hours_id: int | None = None


_live = sa.select(channels).where(channels.c.removed_at.is_(None)).order_by(channels.c.id)


def all_rows(conn: Connection, box: SecretBox) -> list[ChannelRow]:
    """Every channel in use."""
    return [_row(row, box) for row in conn.execute(_live)]


def one(conn: Connection, box: SecretBox, channel_id: int) -> ChannelRow | None:
    """A channel in use, or None."""
    row = conn.execute(_live.where(channels.c.id == channel_id)).first()
    return _row(row, box) if row else None


def _row(row: Any, box: SecretBox) -> ChannelRow:
    settings: dict[str, Any] = msgspec.json.decode(row.settings) if row.settings else {}
    hidden: dict[str, str] = msgspec.json.decode(box.decrypt(row.secrets)) if row.secrets else {}
    settings |= {key: Secret(value) for key, value in hidden.items()}
    config = ChannelConfig(row.id, row.kind, row.name, row.key, settings)
    return ChannelRow(config, row.team_id, row.trouble, row.trouble_since, row.created_at, row.hours_id)


def add(
    conn: Connection, box: SecretBox, kind: str, name: str, given: Mapping[str, Any], team_id: int | None = None
) -> ChannelRow:
    """Make a channel. Raises `Invalid` for unknown kinds, unknown or missing settings, values of the wrong type."""
    try:
        adapter = load(kind)
    except ValueError as error:
        raise Invalid(str(error)) from error
    settings = checked(adapter, given)
    if not name.strip():
        raise Invalid("A channel needs a name.")
    number = allocate(conn, "people", 1)[0]
    open_part, hidden = _parted(adapter, settings, box)
    conn.execute(
        sa.insert(channels).values(
            id=number,
            kind=kind,
            name=name.strip(),
            key=secrets.token_urlsafe(18),
            team_id=team_id,
            settings=open_part,
            secrets=hidden,
            created_at=now(),
        )
    )
    renew(conn, "directory")
    made = one(conn, box, number)
    assert made is not None
    return made


def change(
    conn: Connection,
    box: SecretBox,
    row: ChannelRow,
    given: Mapping[str, Any],
    *,
    name: str | None = None,
    team_id: int | msgspec.UnsetType | None = msgspec.UNSET,
    hours_id: int | msgspec.UnsetType | None = msgspec.UNSET,
) -> ChannelRow:
    """Set some settings (a value None unsets), the name, the team or the business hours. Raises `Invalid`."""
    adapter = load(row.config.kind)
    merged = {k: v for k, v in {**row.config.settings, **given}.items() if v is not None}
    open_part, hidden = _parted(adapter, checked(adapter, merged), box)
    values: dict[str, Any] = {"settings": open_part, "secrets": hidden}
    if name is not None and name.strip():
        values["name"] = name.strip()
    if team_id is not msgspec.UNSET:
        values["team_id"] = team_id
    if hours_id is not msgspec.UNSET:
        values["hours_id"] = hours_id
    conn.execute(sa.update(channels).where(channels.c.id == row.config.id).values(values))
    renew(conn, "directory")
    made = one(conn, box, row.config.id)
    assert made is not None
    return made


def remove(conn: Connection, channel_id: int) -> bool:
    """Take the channel out of use; its messages stay."""
    statement = sa.update(channels).where(channels.c.id == channel_id, channels.c.removed_at.is_(None))
    renew(conn, "directory")
    return conn.execute(statement.values(removed_at=now())).rowcount == 1


def set_trouble(conn: Connection, channel_id: int, words: str) -> bool:
    """Note how the channel is (empty: well). True when that changed."""
    statement = sa.update(channels).where(channels.c.id == channel_id, channels.c.trouble != words)
    return conn.execute(statement.values(trouble=words, trouble_since=now() if words else None)).rowcount == 1


def rotate_secrets(conn: Connection, box: SecretBox) -> int:
    """Encrypt every channel's secrets with the newest key; how many."""
    rows = conn.execute(sa.select(channels.c.id, channels.c.secrets)).all()
    fresh = [{"number": row.id, "fresh": box.rotate(row.secrets)} for row in rows if row.secrets]
    if fresh:
        statement = sa.update(channels).where(channels.c.id == sa.bindparam("number"))
        conn.execute(statement.values(secrets=sa.bindparam("fresh")), fresh)
    return len(fresh)


def checked(adapter: type[Adapter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings typed as the adapter declares them. Raises `Invalid` with one sentence that names the key."""
    declared = {setting.key: setting for setting in adapter.settings}
    for key in given:
        if key not in declared:
            raise Invalid(f"The kind “{adapter.kind}” has no setting “{key}”. It has: {', '.join(declared)}.")
    typed: dict[str, Any] = {}
    for key, setting in declared.items():
        value = given.get(key, setting.default)
        if value is None or value == "":
            if setting.required:
                raise Invalid(f"The setting “{key}” is missing; give it with --set {key}=….")
            continue
        typed[key] = _typed(setting, value)
    try:
        adapter.check(typed)
    except ValueError as error:
        raise Invalid(str(error)) from error
    return typed


def _typed(setting: Setting, value: Any) -> Any:
    if setting.type == "integer":
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Invalid(f"The setting “{setting.key}” must be a whole number, not “{value}”.") from None
    if setting.type == "boolean":
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        try:
            return words[str(value).lower()]
        except KeyError:
            raise Invalid(f"The setting “{setting.key}” must be true or false, not “{value}”.") from None
    if not isinstance(value, str):
        raise Invalid(f"The setting “{setting.key}” must be text.")
    if setting.type == "choice" and value not in setting.choices:
        raise Invalid(f"The setting “{setting.key}” must be one of {', '.join(setting.choices)}, not “{value}”.")
    if setting.type == "url" and not value.startswith(("http://", "https://")):
        raise Invalid(f"The setting “{setting.key}” must be a web address that begins with https:// or http://.")
    return Secret(value) if setting.type == "secret" else value


def _parted(adapter: type[Adapter], settings: Mapping[str, Any], box: SecretBox) -> tuple[str, bytes]:
    hidden_keys = {s.key for s in adapter.settings if s.type == "secret"}
    hidden = {k: str(v) for k, v in settings.items() if k in hidden_keys}
    shown = {k: v for k, v in settings.items() if k not in hidden_keys}
    return msgspec.json.encode(shown).decode(), box.encrypt(msgspec.json.encode(hidden).decode())


class Ready(Struct, frozen=True):
    """A channel in use with its adapter."""

    row: ChannelRow
    adapter: Adapter

    @property
    def id(self) -> int:
        return self.row.config.id

    @property
    def config(self) -> ChannelConfig:
        return self.row.config


class Channels:
    """What is configured, in memory. `refresh` after every change of a channel, here or in another process."""

    def __init__(self) -> None:
        self.by_id: dict[int, Ready] = {}
        self.by_key: dict[str, Ready] = {}
        self._by_address: dict[str, int] = {}

    async def refresh(self, rows: list[ChannelRow]) -> None:
        """Take over the rows; adapters of unchanged channels live on, the others are closed."""
        before, self.by_id = self.by_id, {}
        for row in rows:
            old = before.get(row.config.id)
            if old is not None and old.config == row.config:
                self.by_id[row.config.id] = Ready(row, old.adapter)
                continue
            try:
                self.by_id[row.config.id] = Ready(row, load(row.config.kind)(row.config))
            except Exception:
                log.exception("channel %s (%s) cannot be used", row.config.id, row.config.kind)
        self.by_key = {ready.config.key: ready for ready in self.by_id.values()}
        self._by_address = {
            ready.config.text("address").lower(): ready.id
            for ready in self.by_id.values()
            if ready.config.text("address")
        }
        kept = {id(ready.adapter) for ready in self.by_id.values()}
        for old in before.values():
            if id(old.adapter) not in kept:
                await old.adapter.close()

    def by_mail_address(self, address: str) -> int | None:
        """The channel that takes mail for this address; a plus part is ignored."""
        local, _, domain = address.lower().rpartition("@")
        return self._by_address.get(f"{local.partition('+')[0]}@{domain}") or self._by_address.get(f"{local}@{domain}")

    async def close(self) -> None:
        """Let go of every adapter's connections."""
        for ready in self.by_id.values():
            await ready.adapter.close()
