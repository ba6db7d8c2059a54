"""Customers, their conversations, and what is said in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from hub.tables.columns import flag, metadata, ms, number, partial, ref, row_id, searched, words

customers = Table(
    "customers",
    metadata,
    row_id(),
    words("name"),
    searched("folded"),
    ref("owner_id", "employees", null=True),
    ref("merged_into", "customers", null=True),
    words("attributes"),
    ms("created_at"),
    ref("company_id", "customers", null=True),
    Index(None, "merged_into"),
    Index(None, "folded"),
    partial("ix_customers_company", "company_id", where="company_id IS NOT NULL"),
    partial("ix_customers_owner", "owner_id", where="owner_id IS NOT NULL"),
)

identities = Table(
    "identities",
    metadata,
    row_id(),
    ref("customer_id", "customers"),
    Column("address", Text, nullable=False, unique=True),
    searched("bare"),
    words("name"),
    flag("verified"),
    ms("created_at"),
    Index(None, "customer_id"),
    Index(None, "bare"),
)

merges = Table(
    "merges",
    metadata,
    row_id(),
    ref("winner_id", "customers"),
    ref("loser_id", "customers"),
    words("moved"),
    words("evidence"),
    ref("actor_id", "employees", null=True),
    ms("at"),
    ms("undone_at", null=True),
)

tombstones = Table("tombstones", metadata, Column("address_hash", Text, primary_key=True), ms("at"))

conversations = Table(
    "conversations",
    metadata,
    row_id(),
    words("subject"),
    words("status"),
    words("priority"),
    ref("customer_id", "customers"),
    ref("channel_id", "channels"),
    ref("team_id", "teams", null=True),
    ref("assignee_id", "employees", null=True),
    words("reason"),
    words("preview"),
    number("unread"),
    number("last_message_id"),
    ms("last_message_at"),
    ms("waiting_since", null=True),
    ms("snoozed_until", null=True),
    ms("closed_at", null=True),
    ms("created_at"),
    ref("covering_id", "employees", null=True),
    ms("assigned_at", null=True),
    words("closed_as"),
    ref("merged_into", "conversations", null=True),
    ref("snoozed_by", "employees", null=True),
    ms("snoozed_at", null=True),
    Index(None, "status", "last_message_id"),
    partial("ix_conversations_waiting", "status", "waiting_since", "id", where="waiting_since IS NOT NULL"),
    # the channel stands behind the order: a list of mine on one channel looks at the index alone
    partial(
        "ix_conversations_assigned",
        "assignee_id",
        "status",
        "last_message_id",
        "id",
        "channel_id",
        where="assignee_id IS NOT NULL",
    ),
    partial("ix_conversations_unassigned", "status", "last_message_id", where="assignee_id IS NULL"),
    partial("ix_conversations_team", "team_id", "status", "last_message_id", where="team_id IS NOT NULL"),
    partial("ix_conversations_teamless", "status", "last_message_id", where="team_id IS NULL"),
    # every conversation is in one of these two
    partial(
        "ix_conversations_team_channel",
        "team_id",
        "channel_id",
        "status",
        "last_message_id",
        where="team_id IS NOT NULL",
    ),
    partial("ix_conversations_teamless_channel", "channel_id", "status", "last_message_id", where="team_id IS NULL"),
    Index(None, "customer_id", "last_message_id"),
    Index(None, "channel_id", "status", "last_message_id"),
    partial("ix_conversations_snoozed", "snoozed_until", where="status = 'snoozed'"),
    partial("ix_conversations_covering", "covering_id", where="covering_id IS NOT NULL"),
    partial(
        "ix_conversations_queue",
        "team_id",
        "waiting_since",
        "id",
        where="status = 'open' AND assignee_id IS NULL AND waiting_since IS NOT NULL",
    ),
    Index(None, "created_at"),
    partial("ix_conversations_unread", "status", "last_message_id", "id", where="unread > 0"),
    partial("ix_conversations_priority", "priority", "status", "last_message_id", "id", where="priority <> ''"),
    partial("ix_conversations_merged", "merged_into", where="merged_into IS NOT NULL"),
)

participants = Table(
    "participants",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    ref("channel_id", "channels"),
    Index(None, "address"),
)

tags = Table(
    "tags",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index(None, "tag", "conversation_id"),
)

messages = Table(
    "messages",
    metadata,
    row_id(),
    ref("conversation_id", "conversations"),
    ref("customer_id", "customers"),
    ref("channel_id", "channels", null=True),
    ref("journal_id", "journal", null=True),
    ref("author_id", "employees", null=True),
    words("kind"),
    words("direction"),
    words("sender"),
    words("sender_name"),
    words("subject"),
    words("text"),
    words("visible_text"),
    words("html"),
    words("details"),
    ms("at"),
    ms("received_at"),
    Column("dedupe", Text, unique=True),
    words("provider_id"),
    words("external_id"),
    Column("client_key", Text, unique=True),
    ref("reply_to_id", "messages", null=True),
    Index(None, "conversation_id", "id"),
    partial("ix_messages_external", "external_id", where="external_id <> ''"),
    partial("ix_messages_journal", "journal_id", where="journal_id IS NOT NULL"),
)

attachments = Table(
    "attachments",
    metadata,
    row_id(),
    ref("message_id", "messages", null=True),
    ref("uploader_id", "employees", null=True),
    words("name"),
    words("type"),
    number("size"),
    words("sha256"),
    words("inline_id"),
    ms("created_at"),
    Index(None, "message_id"),
    Index(None, "sha256"),
)

deliveries = Table(
    "deliveries",
    metadata,
    row_id(),
    ref("message_id", "messages"),
    ref("conversation_id", "conversations"),
    ref("channel_id", "channels"),
    words("recipient"),
    words("state"),
    number("attempts"),
    ms("not_before"),
    ms("lease_until"),
    number("fence"),
    words("idempotency_key"),
    words("provider_id"),
    words("error"),
    ms("created_at"),
    ms("changed_at"),
    Index(None, "message_id"),
    partial("ix_deliveries_due", "not_before", "id", where="state = 'queued'"),
    partial("ix_deliveries_second", "not_before", "id", where="state = 'unconfirmed' AND not_before > 0"),
    partial("ix_deliveries_failed", "not_before", "id", where="state = 'failed' AND not_before > 0"),
    partial("ix_deliveries_leased", "lease_until", where="state = 'sending'"),
    partial(
        "ix_deliveries_order",
        "conversation_id",
        "channel_id",
        "recipient",
        "id",
        where="state IN ('queued', 'sending')",
    ),
    partial("ix_deliveries_provider", "channel_id", "provider_id", where="provider_id <> ''"),
)

early_receipts = Table(
    "early_receipts",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id"), primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    ms("at"),
    words("error"),
    ms("kept_at"),
)
