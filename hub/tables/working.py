"""What people did to conversations, so that it can be undone; jobs over many of them; merges and splits."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from hub.tables.columns import metadata, ms, number, partial, ref, row_id, words

actions = Table(
    "actions",
    metadata,
    row_id(),
    ref("actor_id", "employees"),
    words("kind"),
    words("deed"),
    words("state"),
    number("undo_of"),
    number("total"),
    number("done"),
    number("skipped"),
    ms("created_at"),
    ms("changed_at"),
    ms("undone_at", null=True),
    Index(None, "actor_id", "id"),
    Index(None, "created_at"),
    partial("ix_actions_unfinished", "id", where="state IN ('queued', 'running')"),
)

action_steps = Table(
    "action_steps",
    metadata,
    Column("action_id", BigInteger, ForeignKey("actions.id"), primary_key=True),
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    words("state"),
    words("change"),
    Index(None, "conversation_id"),
    partial("ix_action_steps_todo", "action_id", "conversation_id", where="state = 'todo'"),
)

joins = Table(
    "joins",
    metadata,
    row_id(),
    Column("kind", Text, nullable=False, server_default=""),
    ref("source_id", "conversations"),
    ref("target_id", "conversations"),
    ref("actor_id", "employees", null=True),
    words("moved"),
    ms("at"),
    ms("undone_at", null=True),
    Index(None, "source_id"),
    Index(None, "target_id"),
)
