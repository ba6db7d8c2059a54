"""hub user, hub token, hub team."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub import accounts, administration, events
from hub.cli import Failed
from hub.cli.house import opened, print_json, print_table, when
from hub.clock import rfc3339
from hub.events import NewEvent
from hub.tables import employees


async def add_user(front: Any, args: argparse.Namespace) -> None:
    """Make an employee; without a password they cannot sign in until one is set."""
    password = _password(args)
    hashed = accounts.hash_password(password) if password else None
    async with opened(front, args) as hub:
        number = await hub.db.write(_add_user, args.email, args.name, args.role, hashed, args.language)
        row = await hub.db.read(accounts.by_email, args.email)
    if args.json:
        print_json({"id": str(number), "email": row.email, "name": row.name, "role": row.role} if row else {})
    else:
        print(f"employee {number}: {row.email if row else args.email} ({args.role})")
        if not hashed:
            print(f"no password yet: hub user password {args.email}")


def _add_user(conn: Connection, email: str, name: str, role: str, hashed: str | None, language: str) -> int:
    number = accounts.add_employee(conn, email, name, role, hashed, language)
    events.append(conn, [NewEvent("employee.added", data={"employee": str(number), "role": role})])
    return number


def _password(args: argparse.Namespace) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        return ""
    first = getpass.getpass("Password (empty: none): ")
    if first and getpass.getpass("Once more: ") != first:
        raise Failed("The two passwords differ; nothing was changed.")
    return first


async def list_users(front: Any, args: argparse.Namespace) -> None:
    """Everybody, also those who have left."""
    async with opened(front, args) as hub:
        rows = await hub.db.read(accounts.all_employees)
    if args.json:
        print_json(
            [
                {
                    "id": str(r.id),
                    "email": r.email,
                    "name": r.name,
                    "role": r.role,
                    "disabled_at": rfc3339(r.disabled_at),
                }
                for r in rows
            ]
        )
    else:
        table = [
            (r.id, r.email, r.name, r.role, f"disabled {when(r.disabled_at)}" if r.disabled_at else "") for r in rows
        ]
        print_table(("id", "email", "name", "role", ""), table)


async def disable_user(front: Any, args: argparse.Namespace) -> None:
    """End an employee's access: sessions and tokens with it."""
    async with opened(front, args) as hub:
        row = _known(await hub.db.read(accounts.by_email, args.email), args.email)
        await hub.db.write(administration.change_employee, row.id, disabled=True)
    print(f"disabled {row.email}")


async def set_password(front: Any, args: argparse.Namespace) -> None:
    """A new password, given on standard input or typed."""
    password = _password(args)
    if not password:
        raise Failed("No password was given; use --password-stdin or a terminal.")
    hashed = accounts.hash_password(password)
    async with opened(front, args) as hub:
        row = _known(await hub.db.read(accounts.by_email, args.email), args.email)
        await hub.db.write(accounts.set_password, row.id, hashed)
    print(f"new password for {row.email}; open sessions have ended")


def _known(row: Any, email: str) -> Any:
    if row is None:
        raise Failed(f"There is no active employee “{email}”; “hub user list” shows them.")
    return row


async def add_token(front: Any, args: argparse.Namespace) -> None:
    """Make an API token and print it, this once."""
    async with opened(front, args) as hub:
        row = _known(await hub.db.read(accounts.by_email, args.email), args.email)
        number, token = await hub.db.write(accounts.add_token, row.id, args.name)
    if args.json:
        print_json({"id": str(number), "email": row.email, "name": args.name, "token": token})
    else:
        print(token)


async def list_tokens(front: Any, args: argparse.Namespace) -> None:
    """All tokens, without themselves."""
    async with opened(front, args) as hub:
        rows = await hub.db.read(accounts.all_tokens)
    if args.json:
        print_json(
            [
                {
                    "id": str(r.id),
                    "email": r.email,
                    "name": r.name,
                    "created_at": rfc3339(r.created_at),
                    "revoked_at": rfc3339(r.revoked_at),
                }
                for r in rows
            ]
        )
    else:
        table = [(r.id, r.email, r.name, when(r.created_at), "revoked" if r.revoked_at else "") for r in rows]
        print_table(("id", "employee", "name", "made", ""), table)


async def revoke_token(front: Any, args: argparse.Namespace) -> None:
    """End a token."""
    async with opened(front, args) as hub:
        if not await hub.db.write(accounts.revoke_token, args.id):
            raise Failed(f"There is no token {args.id} in force; “hub token list” shows them.")
    print(f"revoked token {args.id}")


async def add_team(front: Any, args: argparse.Namespace) -> None:
    """Make a team with its members."""
    async with opened(front, args) as hub:
        number = await hub.db.write(_add_team, args.name, args.member)
    if args.json:
        print_json({"id": str(number), "name": args.name, "members": args.member})
    else:
        print(f"team {number}: {args.name}")


def _add_team(conn: Connection, name: str, members: list[str]) -> int:
    rows = [_known(accounts.by_email(conn, email), email) for email in members]
    number = administration.add_team(conn, name)
    if rows:
        administration.set_members(conn, number, [row.id for row in rows])
    return number


async def list_teams(front: Any, args: argparse.Namespace) -> None:
    """All teams with who is in them."""
    async with opened(front, args) as hub:
        found = await hub.db.read(administration.all_teams)
        names = dict(await hub.db.read(_emails))
    if args.json:
        print_json(
            [{"id": str(t.id), "name": t.name, "slug": t.slug, "members": [names[m] for m in ms]} for t, ms in found]
        )
    else:
        print_table(("id", "name", "members"), [(t.id, t.name, ", ".join(names[m] for m in ms)) for t, ms in found])


def _emails(conn: Connection) -> list[tuple[int, str]]:
    return [(row.id, row.email) for row in conn.execute(sa.select(employees.c.id, employees.c.email))]
