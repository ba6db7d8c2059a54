"""Routing: presence, absences, business hours, the table of questions, service levels."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

REFERENCES = [
    ("channels", "hours_id", "hours"),
    ("conversations", "covering_id", "employees"),
    ("customers", "company_id", "customers"),
    ("employees", "deputy_id", "employees"),
    ("teams", "hours_id", "hours"),
    ("teams", "lead_id", "employees"),
]

#: The table of questions as it stands in a new house; rules are put before "last".
QUESTIONS = ("assignee", "owner", "company", "last", "channel", "fallback")
#: What lists narrowed to a channel walk along.
STRETCHES = [
    (
        "ix_conversations_assigned",
        ["assignee_id", "status", "last_message_id", "id", "channel_id"],
        "assignee_id IS NOT NULL",
    ),
    (
        "ix_conversations_team_channel",
        ["team_id", "channel_id", "status", "last_message_id"],
        "team_id IS NOT NULL",
    ),
    ("ix_conversations_teamless_channel", ["channel_id", "status", "last_message_id"], "team_id IS NULL"),
]


def upgrade() -> None:
    op.create_table(
        "hours",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("zone", sa.Text(), server_default="", nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("week", sa.Text(), server_default="", nullable=False),
        sa.Column("exceptions", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hours")),
    )
    op.create_table(
        "routing_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("conditions", sa.Text(), server_default="", nullable=False),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_rules")),
    )
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("deputy_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["deputy_id"], ["employees.id"], name=op.f("fk_absences_deputy_id")),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_absences_employee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
    )
    op.create_index(op.f("ix_absences_employee_id"), "absences", ["employee_id"], unique=False)
    op.create_index(
        "ix_absences_unfinished",
        "absences",
        ["starts_at"],
        unique=False,
        sqlite_where=sa.text("state <> 'over'"),
        postgresql_where=sa.text("state <> 'over'"),
    )
    op.create_table(
        "presence",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("active_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_presence_employee_id")),
        sa.PrimaryKeyConstraint("employee_id", name=op.f("pk_presence")),
    )
    op.create_table(
        "simulations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("asked", sa.Text(), server_default="", nullable=False),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["employees.id"], name=op.f("fk_simulations_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulations")),
    )
    op.create_table(
        "sla_policies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("conditions", sa.Text(), server_default="", nullable=False),
        sa.Column("first_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resolution_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hours_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["hours_id"], ["hours.id"], name=op.f("fk_sla_policies_hours_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sla_policies")),
    )
    op.create_table(
        "offers",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.Text(), server_default="", nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_offers_conversation_id")),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_offers_employee_id")),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_offers")),
    )
    op.create_index(op.f("ix_offers_employee_id"), "offers", ["employee_id"], unique=False)
    op.create_index(op.f("ix_offers_expires_at"), "offers", ["expires_at"], unique=False)
    op.create_table(
        "sla_clocks",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("hours_id", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.Column("met_at", sa.BigInteger(), nullable=True),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.Column("breached_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_sla_clocks_conversation_id")),
        sa.ForeignKeyConstraint(["hours_id"], ["hours.id"], name=op.f("fk_sla_clocks_hours_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["sla_policies.id"], name=op.f("fk_sla_clocks_policy_id")),
        sa.PrimaryKeyConstraint("conversation_id", "target", name=op.f("pk_sla_clocks")),
    )
    op.create_index(
        "ix_sla_clocks_due",
        "sla_clocks",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("met_at IS NULL AND breached_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=sa.text("met_at IS NULL AND breached_at IS NULL AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sla_clocks_warning",
        "sla_clocks",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("met_at IS NULL AND warned_at IS NULL AND due_at IS NOT NULL"),
        postgresql_where=sa.text("met_at IS NULL AND warned_at IS NULL AND due_at IS NOT NULL"),
    )
    for table, column, target in REFERENCES:
        # one statement with the reference in it: SQLite cannot add the constraint afterwards
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} BIGINT CONSTRAINT fk_{table}_{column} REFERENCES {target} (id)"
        )
    op.add_column("conversations", sa.Column("assigned_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_conversations_covering",
        "conversations",
        ["covering_id"],
        unique=False,
        sqlite_where=sa.text("covering_id IS NOT NULL"),
        postgresql_where=sa.text("covering_id IS NOT NULL"),
    )
    op.drop_index("ix_conversations_assigned", "conversations")
    for name, columns, where in STRETCHES:
        op.create_index(name, "conversations", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index(op.f("ix_conversations_created_at"), "conversations", ["created_at"], unique=False)
    op.create_index(
        "ix_conversations_queue",
        "conversations",
        ["team_id", "waiting_since", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'open' AND assignee_id IS NULL AND waiting_since IS NOT NULL"),
        postgresql_where=sa.text("status = 'open' AND assignee_id IS NULL AND waiting_since IS NOT NULL"),
    )
    op.create_index(
        "ix_customers_company",
        "customers",
        ["company_id"],
        unique=False,
        sqlite_where=sa.text("company_id IS NOT NULL"),
        postgresql_where=sa.text("company_id IS NOT NULL"),
    )
    op.create_index(
        "ix_customers_owner",
        "customers",
        ["owner_id"],
        unique=False,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.add_column("employees", sa.Column("skills", sa.Text(), server_default="", nullable=False))
    op.add_column("employees", sa.Column("languages", sa.Text(), server_default="", nullable=False))
    op.add_column("employees", sa.Column("capacity", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("teams", sa.Column("strategy", sa.Text(), server_default="", nullable=False))
    op.add_column("teams", sa.Column("offer_seconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("teams", sa.Column("silent_minutes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    counters = sa.table("counters", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": "directory", "value": 1}, {"name": "rules", "value": len(QUESTIONS)}])
    names = ("id", "position", "created_at")
    rules = sa.table(
        "routing_rules",
        *(sa.column(n, sa.BigInteger) for n in names),
        sa.column("kind", sa.Text),
        sa.column("enabled", sa.Boolean),
    )
    op.bulk_insert(
        rules,
        [
            {"id": n, "position": n * 1000, "created_at": 0, "kind": kind, "enabled": kind != "last"}
            for n, kind in enumerate(QUESTIONS, 1)
        ],
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
