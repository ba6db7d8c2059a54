"""What columns of the hub's tables are made of."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def row_id() -> Column[int]:
    """The primary key; its values come from `sql.allocate`."""
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def ref(name: str, target: str, *, null: bool = False) -> Column[int]:
    """A reference to another table's row."""
    return Column(name, BigInteger, ForeignKey(f"{target}.id"), nullable=null)


def words(name: str) -> Column[str]:
    """Text, empty by default; never NULL."""
    return Column(name, Text, nullable=False, server_default="")


def searched(name: str) -> Column[str]:
    """What is found by its beginning, as a range of an index: so it is ordered by code points on both databases."""
    return Column(name, Text(collation="C").with_variant(Text(), "sqlite"), nullable=False, server_default="")


def ms(name: str, *, null: bool = False) -> Column[int]:
    """A moment: milliseconds UTC."""
    return Column(name, BigInteger, nullable=null)


def number(name: str) -> Column[int]:
    """A whole number, 0 by default."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def flag(name: str) -> Column[bool]:
    """A yes or no, no by default."""
    return Column(name, Boolean, nullable=False, server_default=sa.false())


def partial(name: str, *columns: str, where: str, sqlite: str = "") -> Index:
    """An index over the rows that fulfil a condition; a query must spell the condition out (`sql.lit`)."""
    return Index(name, *columns, sqlite_where=text(sqlite or where), postgresql_where=text(where))
