"""How employees want to be told of things, and where their devices are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from hub.tables.columns import metadata, ms, number, ref, row_id, words

notice_wishes = Table(
    "notice_wishes",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    words("wishes"),
)

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    row_id(),
    ref("employee_id", "employees"),
    Column("session_hash", Text, nullable=False, server_default=""),
    Column("endpoint", Text, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    words("device"),
    ms("created_at"),
    Index(None, "employee_id"),
)

pushes = Table(
    "pushes",
    metadata,
    row_id(),
    ref("subscription_id", "push_subscriptions"),
    words("payload"),
    number("attempts"),
    ms("due_at"),
    ms("created_at"),
    Index(None, "due_at"),
    Index(None, "subscription_id"),
)
