"""What in this house is only a sample: the table's name and the row's id."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from hub.tables.columns import metadata

samples = Table(
    "samples",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
)
