"""What one knows and does for a customer: tasks, what they agreed to, what they ordered."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from hub.tables.columns import metadata, ms, number, partial, ref, row_id, words

todos = Table(
    "todos",
    metadata,
    row_id(),
    ref("customer_id", "customers"),
    ref("conversation_id", "conversations", null=True),
    words("text"),
    ms("due_at", null=True),
    ref("person_id", "employees", null=True),
    ref("author_id", "employees", null=True),
    ms("created_at"),
    ms("done_at", null=True),
    ref("done_by", "employees", null=True),
    Index(None, "customer_id", "done_at", "due_at"),
    Index(None, "conversation_id"),
    partial("ix_todos_open", "person_id", "due_at", where="done_at IS NULL"),
)

consents = Table(
    "consents",
    metadata,
    row_id(),
    ref("customer_id", "customers"),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    words("how"),
    ref("employee_id", "employees", null=True),
    ms("at"),
    Index(None, "customer_id", "kind"),
)

orders = Table(
    "orders",
    metadata,
    row_id(),
    ref("customer_id", "customers"),
    Column("number", Text, nullable=False),
    ms("at"),
    number("amount"),
    words("currency"),
    words("state"),
    words("url"),
    ms("changed_at"),
    Index(None, "customer_id", "number", unique=True),
    Index(None, "customer_id", "at"),
)
