"""What employees are writing: drafts, messages that may still be taken back or leave later, saved replies."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, Table, Text

from hub.tables.columns import metadata, ms, number, partial, ref, row_id, words

drafts = Table(
    "drafts",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("mode", Text, primary_key=True),
    words("text"),
    number("via"),
    words("subject"),
    words("details"),
    words("actions"),
    number("version"),
    ms("saved_at"),
    ms("ended_at", null=True),
    Index(None, "conversation_id"),
    Index(None, "saved_at"),
)

draft_files = Table(
    "draft_files",
    metadata,
    Column("employee_id", BigInteger, primary_key=True),
    Column("conversation_id", BigInteger, primary_key=True),
    Column("mode", Text, primary_key=True),
    Column("attachment_id", BigInteger, ForeignKey("attachments.id"), primary_key=True),
    ForeignKeyConstraint(
        ["employee_id", "conversation_id", "mode"],
        ["drafts.employee_id", "drafts.conversation_id", "drafts.mode"],
        name="fk_draft_files_draft",
    ),
    Index(None, "attachment_id"),
)

holds = Table(
    "holds",
    metadata,
    Column("message_id", BigInteger, ForeignKey("messages.id"), primary_key=True),
    ref("conversation_id", "conversations"),
    ref("author_id", "employees"),
    words("before"),
    number("told_until"),
    ms("until"),
    Index(None, "conversation_id"),
    Index(None, "author_id"),
)

modes = Table(
    "modes",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    words("mode"),
    ms("chosen_at"),
    Index(None, "conversation_id"),
    Index(None, "chosen_at"),
)

plans = Table(
    "plans",
    metadata,
    row_id(),
    ref("conversation_id", "conversations"),
    ref("author_id", "employees"),
    Column("client_key", Text, nullable=False, unique=True),
    words("draft"),
    words("zone"),
    ms("due_at"),
    words("state"),
    ref("message_id", "messages", null=True),
    ms("created_at"),
    ms("changed_at"),
    Index(None, "conversation_id"),
    partial("ix_plans_due", "due_at", "id", where="state = 'waiting'"),
    partial("ix_plans_message", "message_id", where="message_id IS NOT NULL"),
)

plan_files = Table(
    "plan_files",
    metadata,
    Column("plan_id", BigInteger, ForeignKey("plans.id"), primary_key=True),
    Column("attachment_id", BigInteger, ForeignKey("attachments.id"), primary_key=True),
    Index(None, "attachment_id"),
)

saved_replies = Table(
    "saved_replies",
    metadata,
    row_id(),
    words("name"),
    words("text"),
    words("language"),
    words("shortcut"),
    words("visibility"),
    ref("owner_id", "employees", null=True),
    ref("team_id", "teams", null=True),
    words("actions"),
    ms("created_at"),
    ms("changed_at"),
    partial("ix_saved_replies_owner", "owner_id", where="owner_id IS NOT NULL"),
)
