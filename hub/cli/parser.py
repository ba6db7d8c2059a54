"""Every command with its options; nothing here loads anything heavy."""

from __future__ import annotations

import argparse
from pathlib import Path


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="hub", description="One inbox and one timeline per customer for every channel.", allow_abbrev=False
    )
    _settings(parser)
    top = parser.add_subparsers(title="commands", metavar="COMMAND")
    _serving(top)
    _people(top)
    _channels(top)
    _journal(top)
    _keeping(top)
    _customers(top)
    return parser


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help="settings file (see config/hub.toml)"
    )


def _command(
    top: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: str, words: str, *, json: bool = False
) -> argparse.ArgumentParser:
    parser = top.add_parser(name, help=words, description=words, allow_abbrev=False)
    parser.set_defaults(run=run)
    _settings(parser)
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _group(
    top: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    parser = top.add_parser(name, help=words, description=words, allow_abbrev=False)
    _settings(parser)
    parser.set_defaults(group=parser)
    return parser.add_subparsers(title="commands", metavar="COMMAND")


def _serving(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = _command(top, "serve", "serving:serve", "run the server")
    serve.add_argument("--role", default="web,worker", metavar="ROLES", help="web, worker or both (default)")
    serve.add_argument("--migrate", action="store_true", help="bring a PostgreSQL database to the current schema first")
    demo = _command(top, "demo", "serving:demo", "run a throw-away server with sample data; nothing leaves the machine")
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="another number, other people (default 1)")
    _command(top, "migrate", "serving:migrate", "bring the database to the current schema")
    _command(top, "doctor", "doctor:doctor", "check everything and say what to do", json=True)


def _people(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    user = _group(top, "user", "employees")
    add = _command(user, "add", "people:add_user", "make an employee", json=True)
    add.add_argument("email")
    add.add_argument("--name", default="", metavar="N")
    add.add_argument("--role", choices=("admin", "supervisor", "agent", "light"), default="agent")
    add.add_argument("--language", choices=("en", "de"), default="en")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    _command(user, "list", "people:list_users", "list the employees", json=True)
    _command(user, "disable", "people:disable_user", "end an employee's access").add_argument("email")
    password = _command(user, "password", "people:set_password", "set an employee's password; ends their sessions")
    password.add_argument("email")
    password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    token = _group(top, "token", "API tokens")
    add = _command(token, "add", "people:add_token", "make a token; it is printed this once", json=True)
    add.add_argument("email")
    add.add_argument("--name", default="", metavar="N", help="what it is for")
    _command(token, "list", "people:list_tokens", "list the tokens", json=True)
    _command(token, "revoke", "people:revoke_token", "end a token").add_argument("id", type=int, metavar="ID")

    team = _group(top, "team", "teams")
    add = _command(team, "add", "people:add_team", "make a team", json=True)
    add.add_argument("name")
    add.add_argument("--member", action="append", default=[], metavar="EMAIL", help="who is in it; may be repeated")
    _command(team, "list", "people:list_teams", "list the teams", json=True)


def _channels(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    channel = _group(top, "channel", "channels: mailboxes, numbers, bots, chat widgets …")
    _command(channel, "kinds", "channels:kinds", "list the kinds there are, with their settings", json=True)
    add = _command(channel, "add", "channels:add", "make a channel", json=True)
    add.add_argument("kind")
    add.add_argument("--name", required=True, metavar="N")
    add.add_argument("--team", metavar="NAME", help="the team responsible (name or id)")
    _set(add)
    _command(channel, "list", "channels:listing", "list the channels", json=True)
    _command(channel, "show", "channels:show", "show a channel", json=True).add_argument("id", type=int, metavar="ID")
    change = _command(channel, "set", "channels:change", "change a channel", json=True)
    change.add_argument("id", type=int, metavar="ID")
    change.add_argument("--name", metavar="N")
    change.add_argument("--team", metavar="NAME", help="the team responsible (name or id); empty: none")
    _set(change)
    for name, words in (("test", "try a channel's settings"), ("remove", "take a channel out of use")):
        _command(channel, name, f"channels:{name}", words).add_argument("id", type=int, metavar="ID")


def _set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting; the value @FILE is read from a file, - from standard input, an empty one unsets",
    )


def _journal(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    journal = _group(top, "journal", "what arrived, byte for byte")
    listing = _command(journal, "list", "journal:listing", "list envelopes, newest first", json=True)
    listing.add_argument("--state", choices=("kept", "read", "failed"))
    listing.add_argument("--limit", type=int, default=100, metavar="N")
    show = _command(journal, "show", "journal:show", "show an envelope", json=True)
    show.add_argument("id", type=int, metavar="ID")
    show.add_argument("--raw", action="store_true", help="write its bytes to standard output")
    replay = _command(journal, "replay", "journal:replay", "have envelopes read again; messages never double")
    replay.add_argument("ids", type=int, nargs="*", metavar="ID")
    replay.add_argument("--failed", action="store_true", help="all that could not be read")
    replay.add_argument("--since", metavar="TIME", help="all that arrived since a time (2026-11-23T08:00Z)")


def _keeping(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    backup = _command(
        top, "backup", "keeping:backup", "copy database, files and secret key into one file, while running"
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = _command(top, "restore", "keeping:restore", "put a backup in place; never over an existing database")
    restore.add_argument("file", type=Path, metavar="FILE")
    move = _command(top, "move", "keeping:move", "copy everything from SQLite to PostgreSQL and check it")
    move.add_argument("database_url", metavar="DATABASE_URL")
    key = _group(top, "key", "the secret key")
    _command(key, "rotate", "keeping:rotate_key", "make a new secret key and encrypt the channels' secrets with it")


def _customers(top: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    customer = _group(top, "customer", "a person's data")
    export = _command(customer, "export", "customers:export", "write everything known about a customer into a ZIP file")
    export.add_argument("id", type=int, metavar="ID")
    export.add_argument("file", type=Path, metavar="FILE")
    erase = _command(
        customer, "erase", "customers:erase", "erase a customer; what they said so far is not imported again"
    )
    erase.add_argument("id", type=int, metavar="ID")
