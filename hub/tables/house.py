"""People of the house, channels, the journal, the spine."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from hub.tables.columns import flag, metadata, ms, number, partial, ref, row_id, words

counters = Table(
    "counters", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

facts = Table("facts", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

employees = Table(
    "employees",
    metadata,
    row_id(),
    Column("email", Text, nullable=False, unique=True),
    words("name"),
    words("role"),
    words("language"),
    Column("password_hash", Text),
    ms("created_at"),
    ms("disabled_at", null=True),
    words("skills"),
    words("languages"),
    number("capacity"),
    ref("deputy_id", "employees", null=True),
    Column("undo_seconds", BigInteger),
    words("keyboard"),
    words("history"),
    words("after_work"),
    words("appearance"),
)

presence = Table(
    "presence",
    metadata,
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    words("state"),
    number("calls"),
    number("seen_at"),
    number("assigned_at"),
    number("active_at"),
    number("moved_at"),
)

absences = Table(
    "absences",
    metadata,
    row_id(),
    ref("employee_id", "employees"),
    ref("deputy_id", "employees", null=True),
    words("kind"),
    words("note"),
    ms("starts_at"),
    ms("ends_at", null=True),
    words("state"),
    ms("created_at"),
    Index(None, "employee_id"),
    partial("ix_absences_unfinished", "starts_at", where="state <> 'over'"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    ref("employee_id", "employees"),
    ms("created_at"),
    ms("seen_at"),
    words("user_agent"),
    Index(None, "employee_id"),
)

tokens = Table(
    "tokens",
    metadata,
    row_id(),
    ref("employee_id", "employees"),
    words("name"),
    Column("token_hash", Text, nullable=False, unique=True),
    ms("created_at"),
    ms("revoked_at", null=True),
    Index(None, "employee_id"),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    words("purpose"),
    ms("expires_at"),
    ms("used_at", null=True),
)

hours = Table(
    "hours",
    metadata,
    row_id(),
    words("name"),
    words("zone"),
    words("region"),
    words("week"),
    words("exceptions"),
    ms("created_at"),
)

teams = Table(
    "teams",
    metadata,
    row_id(),
    Column("slug", Text, nullable=False, unique=True),
    words("name"),
    ms("created_at"),
    words("strategy"),
    ref("hours_id", "hours", null=True),
    ref("lead_id", "employees", null=True),
    number("offer_seconds"),
    number("silent_minutes"),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", BigInteger, ForeignKey("teams.id"), primary_key=True),
    Column("employee_id", BigInteger, ForeignKey("employees.id"), primary_key=True),
    Index(None, "employee_id"),
)

channels = Table(
    "channels",
    metadata,
    row_id(),
    words("kind"),
    words("name"),
    Column("key", Text, nullable=False, unique=True),
    ref("team_id", "teams", null=True),
    words("settings"),
    Column("secrets", LargeBinary, nullable=False),
    words("trouble"),
    ms("trouble_since", null=True),
    ms("created_at"),
    ms("removed_at", null=True),
    ref("hours_id", "hours", null=True),
)

cursors = Table(
    "cursors",
    metadata,
    Column("channel_id", BigInteger, ForeignKey("channels.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    words("value"),
)

journal = Table(
    "journal",
    metadata,
    row_id(),
    ref("channel_id", "channels"),
    words("source"),
    words("state"),
    ms("received_at"),
    ms("lease_until"),
    number("attempts"),
    words("headers"),
    Column("body", LargeBinary),
    words("blob"),
    words("sha256"),
    number("size"),
    words("error"),
    partial("ix_journal_unread", "lease_until", "id", where="state = 'kept'"),
    partial("ix_journal_failed", "id", where="state = 'failed'"),
    partial("ix_journal_blob", "blob", where="blob <> ''"),
)

events = Table(
    "events",
    metadata,
    row_id(),
    ms("at"),
    words("kind"),
    Column("conversation_id", BigInteger),
    Column("customer_id", BigInteger),
    Column("message_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("actor_id", BigInteger),
    flag("shown"),
    words("data"),
    partial("ix_events_conversation", "conversation_id", "id", where="shown", sqlite="shown = 1"),
    partial("ix_events_customer", "customer_id", "id", where="shown", sqlite="shown = 1"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    words("owner"),
    number("fence"),
    ms("expires_at"),
)
