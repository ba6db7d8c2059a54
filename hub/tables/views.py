"""What people look for again and again, and where they are asked to look."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table

from hub.tables.columns import metadata, ms, number, partial, ref, row_id, words

saved_views = Table(
    "saved_views",
    metadata,
    row_id(),
    words("name"),
    words("icon"),
    words("visibility"),
    ref("owner_id", "employees", null=True),
    ref("team_id", "teams", null=True),
    number("position"),
    words("filter"),
    ms("created_at"),
    ms("changed_at"),
    Index(None, "position"),
)

mentions = Table(
    "mentions",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Column("message_id", BigInteger, ForeignKey("messages.id"), primary_key=True),
    ref("conversation_id", "conversations"),
    ms("read_at", null=True),
    Index("ix_mentions_conversation", "conversation_id", "employee_id", "message_id"),
    partial("ix_mentions_unread", "employee_id", "conversation_id", where="read_at IS NULL"),
)
