"""The migrations lead to exactly the tables the code works with, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from hub import migrations
from hub.database import open_database
from hub.tables import metadata


def ours(_: Any, name: str | None, kind: str, reflected: bool, __: Any) -> bool:
    """The search index is spelled differently by each database and is not in the metadata."""
    return not (kind == "table" and reflected and (name or "").startswith(("message_search", "alembic_version")))


def differences(conn: Connection) -> list[Any]:
    """What would have to change in the database to fit the code."""
    context = MigrationContext.configure(conn, opts={"include_object": ours, "compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_a_new_database_gets_the_tables_the_code_works_with(empty_database_url: str) -> None:
    db = open_database(empty_database_url)
    assert await migrations.needed(db)
    await migrations.upgrade(db)

    assert not await migrations.needed(db)
    assert await db.read(differences) == []
    await db.write(lambda c: c.execute(sa.text("DROP INDEX ix_events_customer")))
    assert len(await db.read(differences)) == 1
    await db.close()


async def test_several_processes_may_migrate_at_once(empty_database_url: str) -> None:
    many = [open_database(empty_database_url) for _ in range(3)]
    if many[0].kind == "sqlite":
        many = many[:1]
    await asyncio.gather(*(migrations.upgrade(db) for db in many))

    assert not await migrations.needed(many[0])
    for db in many:
        await db.close()


async def test_a_database_newer_than_the_code_is_left_alone(db: Any) -> None:
    await db.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(migrations.NeedsMigration, match="newer"):
        await migrations.needed(db)
