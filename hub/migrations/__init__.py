"""Bringing a database to the current schema (Alembic, driven from code; the same migrations on SQLite and PostgreSQL)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hub.database import Database, PostgresDatabase

#: The newest migration. `needed` compares with it without loading Alembic, which takes a second.
HEAD = "0018"


class NeedsMigration(Exception):
    """The schema is not the one this version works with; the text says what to do."""


def version(conn: Connection) -> str | None:
    """The schema's version, None for an empty database."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


async def needed(database: Database) -> bool:
    """Is the schema older than this version of the hub? Raises `NeedsMigration` when it is newer."""
    found = await database.read(version)
    if found is not None and found > HEAD:
        raise NeedsMigration(
            f"The database has schema {found}, newer than this version of the hub knows ({HEAD}). Update the hub."
        )
    return found != HEAD


async def upgrade(database: Database) -> None:
    """Bring the schema up to date; nothing to do is fine. Several processes may try at once."""
    if not await needed(database):
        return
    if isinstance(database, PostgresDatabase):
        await database.run_sync(_upgrade)
    else:
        await asyncio.to_thread(_upgrade_sqlite, database)


def _upgrade_sqlite(database: Database) -> None:
    with database.sync_engine().begin() as conn:
        _upgrade(conn)


def _upgrade(conn: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(715518)"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
