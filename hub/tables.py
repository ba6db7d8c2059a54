"""The memory of the hub. Times are milliseconds UTC (BIGINT), JSON is text, ids come from `sql.allocate`.

Order of record is the order of ids: messages and events share one counter and are committed in its order.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def _ref(name: str, target: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey(f"{target}.id"), nullable=null)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _searched(name: str) -> Column[str]:
    """What is found by its beginning, as a range of an index: so it is ordered by code points on both databases."""
    return Column(name, Text(collation="C").with_variant(Text(), "sqlite"), nullable=False, server_default="")


def _ms(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=sa.false())


def _partial(name: str, *columns: str, where: str, sqlite: str = "") -> Index:
    """An index over the rows that fulfil a condition; a query must spell the condition out (`sql.lit`)."""
    return Index(name, *columns, sqlite_where=text(sqlite or where), postgresql_where=text(where))


counters = Table(
    "counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

facts = Table("facts", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

# ── people of the house ────────────────────────────────────────────────────────────────────────────────────────────
employees = Table(
    "employees",
    metadata,
    _id(),
    Column("email", Text, nullable=False, unique=True),
    _text("name"),
    _text("role"),
    _text("language"),
    Column("password_hash", Text),
    _ms("created_at"),
    _ms("disabled_at", null=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _ref("employee_id", "employees"),
    _ms("created_at"),
    _ms("seen_at"),
    _text("user_agent"),
    Index(None, "employee_id"),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _ref("employee_id", "employees"),
    _text("name"),
    Column("token_hash", Text, nullable=False, unique=True),
    _ms("created_at"),
    _ms("revoked_at", null=True),
    Index(None, "employee_id"),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _text("purpose"),
    _ms("expires_at"),
    _ms("used_at", null=True),
)

teams = Table(
    "teams",
    metadata,
    _id(),
    Column("slug", Text, nullable=False, unique=True),
    _text("name"),
    _ms("created_at"),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", BigInteger, ForeignKey("teams.id"), primary_key=True),
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Index(None, "employee_id"),
)

# ── channels and the journal ───────────────────────────────────────────────────────────────────────────────────────
channels = Table(
    "channels",
    metadata,
    _id(),
    _text("kind"),
    _text("name"),
    Column("key", Text, nullable=False, unique=True),
    _ref("team_id", "teams", null=True),
    _text("settings"),
    Column("secrets", LargeBinary, nullable=False),
    _text("trouble"),
    _ms("trouble_since", null=True),
    _ms("created_at"),
    _ms("removed_at", null=True),
)

cursors = Table(
    "cursors",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    _text("value"),
)

journal = Table(
    "journal",
    metadata,
    _id(),
    _ref("channel_id", "channels"),
    _text("source"),
    _text("state"),
    _ms("received_at"),
    _ms("lease_until"),
    _number("attempts"),
    _text("headers"),
    Column("body", LargeBinary),
    _text("blob"),
    _text("sha256"),
    _number("size"),
    _text("error"),
    _partial("ix_journal_unread", "lease_until", "id", where="state = 'kept'"),
    _partial("ix_journal_failed", "id", where="state = 'failed'"),
    _partial("ix_journal_blob", "blob", where="blob <> ''"),
)

# ── customers ──────────────────────────────────────────────────────────────────────────────────────────────────────
customers = Table(
    "customers",
    metadata,
    _id(),
    _text("name"),
    _searched("folded"),
    _ref("owner_id", "employees", null=True),
    _ref("merged_into", "customers", null=True),
    _text("attributes"),
    _ms("created_at"),
    Index(None, "merged_into"),
    Index(None, "folded"),
)

identities = Table(
    "identities",
    metadata,
    _id(),
    _ref("customer_id", "customers"),
    Column("address", Text, nullable=False, unique=True),
    _searched("bare"),
    _text("name"),
    _flag("verified"),
    _ms("created_at"),
    Index(None, "customer_id"),
    Index(None, "bare"),
)

merges = Table(
    "merges",
    metadata,
    _id(),
    _ref("winner_id", "customers"),
    _ref("loser_id", "customers"),
    _text("moved"),
    _text("evidence"),
    _ref("actor_id", "employees", null=True),
    _ms("at"),
    _ms("undone_at", null=True),
)

tombstones = Table("tombstones", metadata, Column("address_hash", Text, primary_key=True), _ms("at"))

# ── conversations ──────────────────────────────────────────────────────────────────────────────────────────────────
conversations = Table(
    "conversations",
    metadata,
    _id(),
    _text("subject"),
    _text("status"),
    _text("priority"),
    _ref("customer_id", "customers"),
    _ref("channel_id", "channels"),
    _ref("team_id", "teams", null=True),
    _ref("assignee_id", "employees", null=True),
    _text("reason"),
    _text("preview"),
    _number("unread"),
    _number("last_message_id"),
    _ms("last_message_at"),
    _ms("waiting_since", null=True),
    _ms("snoozed_until", null=True),
    _ms("closed_at", null=True),
    _ms("created_at"),
    Index(None, "status", "last_message_id"),
    _partial("ix_conversations_waiting", "status", "waiting_since", "id", where="waiting_since IS NOT NULL"),
    _partial("ix_conversations_assigned", "assignee_id", "status", "last_message_id", where="assignee_id IS NOT NULL"),
    _partial("ix_conversations_unassigned", "status", "last_message_id", where="assignee_id IS NULL"),
    _partial("ix_conversations_team", "team_id", "status", "last_message_id", where="team_id IS NOT NULL"),
    _partial("ix_conversations_teamless", "status", "last_message_id", where="team_id IS NULL"),
    Index(None, "customer_id", "last_message_id"),
    Index(None, "channel_id", "status", "last_message_id"),
    _partial("ix_conversations_snoozed", "snoozed_until", where="status = 'snoozed'"),
)

participants = Table(
    "participants",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    _ref("channel_id", "channels"),
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
    _id(),
    _ref("conversation_id", "conversations"),
    _ref("customer_id", "customers"),
    _ref("channel_id", "channels", null=True),
    _ref("journal_id", "journal", null=True),
    _ref("author_id", "employees", null=True),
    _text("kind"),
    _text("direction"),
    _text("sender"),
    _text("sender_name"),
    _text("subject"),
    _text("text"),
    _text("visible_text"),
    _text("html"),
    _text("details"),
    _ms("at"),
    _ms("received_at"),
    Column("dedupe", Text, unique=True),
    _text("provider_id"),
    _text("external_id"),
    Column("client_key", Text, unique=True),
    _ref("reply_to_id", "messages", null=True),
    Index(None, "conversation_id", "id"),
    _partial("ix_messages_external", "external_id", where="external_id <> ''"),
    _partial("ix_messages_journal", "journal_id", where="journal_id IS NOT NULL"),
)

attachments = Table(
    "attachments",
    metadata,
    _id(),
    _ref("message_id", "messages", null=True),
    _ref("uploader_id", "employees", null=True),
    _text("name"),
    _text("type"),
    _number("size"),
    _text("sha256"),
    _text("inline_id"),
    _ms("created_at"),
    Index(None, "message_id"),
    Index(None, "sha256"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _ref("message_id", "messages"),
    _ref("conversation_id", "conversations"),
    _ref("channel_id", "channels"),
    _text("recipient"),
    _text("state"),
    _number("attempts"),
    _ms("not_before"),
    _ms("lease_until"),
    _number("fence"),
    _text("idempotency_key"),
    _text("provider_id"),
    _text("error"),
    _ms("created_at"),
    _ms("changed_at"),
    Index(None, "message_id"),
    _partial("ix_deliveries_due", "not_before", "id", where="state = 'queued'"),
    _partial("ix_deliveries_second", "not_before", "id", where="state = 'unconfirmed' AND not_before > 0"),
    _partial("ix_deliveries_leased", "lease_until", where="state = 'sending'"),
    _partial(
        "ix_deliveries_order",
        "conversation_id",
        "channel_id",
        "recipient",
        "id",
        where="state IN ('queued', 'sending')",
    ),
    _partial("ix_deliveries_provider", "channel_id", "provider_id", where="provider_id <> ''"),
)

early_receipts = Table(
    "early_receipts",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id"), primary_key=True),
    Column("provider_id", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    _ms("at"),
    _text("error"),
    _ms("kept_at"),
)

# ── the spine ──────────────────────────────────────────────────────────────────────────────────────────────────────
events = Table(
    "events",
    metadata,
    _id(),
    _ms("at"),
    _text("kind"),
    Column("conversation_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("message_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("actor_id", BigInteger),
    _flag("shown"),
    _text("data"),
    _partial("ix_events_conversation", "conversation_id", "id", where="shown", sqlite="shown = 1"),
    _partial("ix_events_customer", "customer_id", "id", where="shown", sqlite="shown = 1"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    _text("owner"),
    _number("fence"),
    _ms("expires_at"),
)
