"""hub channel."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

from hub import adapter, administration, channels
from hub.channels import ChannelRow
from hub.cli import Failed
from hub.cli.house import opened, print_json, print_table
from hub.clock import rfc3339
from hub.core import Hub

#: A test must end (seconds).
TEST_PATIENCE = 40


async def kinds(front: Any, args: argparse.Namespace) -> None:
    """Every kind with its settings."""
    found = [adapter.load(kind) for kind in adapter.kinds()]
    if args.json:
        print_json([kind_shown(a) for a in found])
        return
    for a in found:
        print(f"{a.kind}: {a.labels.get('en', a.kind)}")
        for s in a.settings:
            required = "required" if s.required else f"default {s.default}" if s.default is not None else "optional"
            choice = f" ({', '.join(s.choices)})" if s.choices else ""
            print(f"  {s.key}  {s.type}{choice}, {required}: {s.labels.get('en', '')}")


def kind_shown(a: type[adapter.Adapter]) -> dict[str, Any]:
    """A kind as JSON has it."""
    return {
        "kind": a.kind,
        "label": a.labels.get("en", a.kind),
        "webhook": bool(a.provider),
        "settings": [
            {
                "key": s.key,
                "type": s.type,
                "required": s.required,
                "default": s.default,
                "choices": list(s.choices),
                "label": s.labels.get("en", s.key),
                "help": s.helps.get("en", ""),
            }
            for s in a.settings
        ],
    }


async def add(front: Any, args: argparse.Namespace) -> None:
    """Make a channel; prints its id and where its provider sends to."""
    given = _given(args.set)
    async with opened(front, args) as hub:
        team = await hub.db.read(_team, args.team) if args.team else None
        row = await hub.db.write(administration.add_channel, hub.box, args.kind, args.name, given, team)
        _print(hub, row, args)


async def listing(front: Any, args: argparse.Namespace) -> None:
    """All channels in use."""
    async with opened(front, args) as hub:
        rows = await hub.db.read(channels.all_rows, hub.box)
        if args.json:
            print_json([_shown(hub, row) for row in rows])
        else:
            print_table(
                ("id", "kind", "name", "webhook", "trouble"),
                [(r.config.id, r.config.kind, r.config.name, f"…{r.config.key[-6:]}", r.trouble) for r in rows],
            )


async def show(front: Any, args: argparse.Namespace) -> None:
    """One channel with its settings, secrets masked."""
    async with opened(front, args) as hub:
        _print(hub, await _one(hub, args.id), args)


async def change(front: Any, args: argparse.Namespace) -> None:
    """Change settings, name or team."""
    given = {key: value if value != "" else None for key, value in _given(args.set).items()}
    async with opened(front, args) as hub:
        team: int | msgspec.UnsetType | None = msgspec.UNSET
        if args.team is not None:
            team = await hub.db.read(_team, args.team) if args.team else None
        row = await hub.db.write(administration.change_channel, hub.box, args.id, given, name=args.name, team_id=team)
        if row is None:
            raise _unknown(args.id)
        _print(hub, row, args)


async def test(front: Any, args: argparse.Namespace) -> None:
    """Try the settings against the provider."""
    async with opened(front, args) as hub:
        row = await _one(hub, args.id)
        tried = adapter.load(row.config.kind)(row.config)
        try:
            async with asyncio.timeout(TEST_PATIENCE):
                print(await tried.test())
        except TimeoutError as error:
            raise Failed(f"No answer within {TEST_PATIENCE} seconds.") from error
        finally:
            await tried.close()


async def remove(front: Any, args: argparse.Namespace) -> None:
    """Take a channel out of use; its messages stay."""
    async with opened(front, args) as hub:
        if not await hub.db.write(administration.remove_channel, args.id):
            raise _unknown(args.id)
    print(f"removed channel {args.id}; its messages stay")


def _given(pairs: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Failed(f"“{pair[:40]}” must be written KEY=VALUE.")
        given[key] = _value(key, value)
    return given


def _value(key: str, value: str) -> str:
    if value == "-":
        return sys.stdin.read().rstrip("\r\n")
    if value.startswith("@"):
        try:
            return Path(value[1:]).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"The value of “{key}” cannot be read from {value[1:]}: {error}.") from error
    return value


def _team(conn: Connection, name: str) -> int:
    for row, _ in administration.all_teams(conn):
        if name in (row.name, row.slug, str(row.id)):
            return int(row.id)
    raise Failed(f"There is no team “{name}”; “hub team list” shows them.")


async def _one(hub: Hub, number: int) -> ChannelRow:
    row = await hub.db.read(channels.one, hub.box, number)
    if row is None:
        raise _unknown(number)
    return row


def _unknown(number: int) -> Failed:
    return Failed(f"There is no channel {number}; “hub channel list” shows them.")


def _print(hub: Hub, row: ChannelRow, args: argparse.Namespace) -> None:
    shown = _shown(hub, row)
    if args.json:
        print_json(shown)
        return
    print(f"channel {shown['id']}: {shown['name']} ({shown['kind']})")
    if shown["webhook_url"]:
        print(f"webhook: {shown['webhook_url']}")
    if shown["widget_url"]:
        print(f"widget: {shown['widget_url']}")
        print(f'to show it on a web site: <script async src="{shown["widget_url"]}/embed.js"></script>')
    for key, value in shown["settings"].items():
        print(f"  {key} = {'***' if isinstance(value, dict) else value}")
    if row.trouble:
        print(f"trouble: {row.trouble}")


def _shown(hub: Hub, row: ChannelRow) -> dict[str, Any]:
    return {
        "id": str(row.config.id),
        "kind": row.config.kind,
        "name": row.config.name,
        "key": row.config.key,
        "webhook_url": administration.webhook_url(row, hub.options.public_url),
        "widget_url": administration.widget_url(row, hub.options.public_url),
        "team": str(row.team_id) if row.team_id else None,
        "settings": administration.masked(row),
        "trouble": row.trouble,
        "trouble_since": rfc3339(row.trouble_since),
    }
