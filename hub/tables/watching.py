"""Who wants to hear of conversations that are not theirs, and of whom nobody wants to hear."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from hub.tables.columns import metadata, ms, ref

watchers = Table(
    "watchers",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    ms("at"),
    Index(None, "employee_id"),
)

blocked = Table(
    "blocked",
    metadata,
    Column("address", Text, primary_key=True),
    ref("employee_id", "employees", null=True),
    ms("at"),
    Index(None, "employee_id"),
)

links = Table(
    "links",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("other_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    ref("employee_id", "employees", null=True),
    ms("at"),
    Index(None, "other_id"),
    Index(None, "employee_id"),
)
