"""Who gets what, and until when."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from hub.tables.columns import flag, metadata, ms, number, partial, ref, row_id, words

routing_rules = Table(
    "routing_rules",
    metadata,
    row_id(),
    number("position"),
    words("kind"),
    words("name"),
    flag("enabled"),
    words("conditions"),
    words("target"),
    ms("created_at"),
)

offers = Table(
    "offers",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    ref("employee_id", "employees"),
    words("refused"),
    ms("offered_at"),
    ms("expires_at"),
    Index(None, "expires_at"),
    Index(None, "employee_id"),
)

sla_policies = Table(
    "sla_policies",
    metadata,
    row_id(),
    number("position"),
    words("name"),
    flag("enabled"),
    words("conditions"),
    number("first_minutes"),
    number("next_minutes"),
    number("resolution_minutes"),
    ref("hours_id", "hours", null=True),
    ms("created_at"),
)

sla_clocks = Table(
    "sla_clocks",
    metadata,
    Column("conversation_id", BigInteger, ForeignKey("conversations.id"), primary_key=True),
    Column("target", Text, primary_key=True),
    ref("policy_id", "sla_policies"),
    ref("hours_id", "hours", null=True),
    ms("started_at"),
    ms("due_at", null=True),
    ms("left_ms", null=True),
    ms("met_at", null=True),
    ms("warned_at", null=True),
    ms("breached_at", null=True),
    partial("ix_sla_clocks_warning", "due_at", where="met_at IS NULL AND warned_at IS NULL AND due_at IS NOT NULL"),
    partial("ix_sla_clocks_due", "due_at", where="met_at IS NULL AND breached_at IS NULL AND due_at IS NOT NULL"),
)

simulations = Table(
    "simulations",
    metadata,
    row_id(),
    ref("actor_id", "employees", null=True),
    words("state"),
    words("asked"),
    words("result"),
    number("done"),
    number("total"),
    ms("created_at"),
    ms("changed_at"),
)
