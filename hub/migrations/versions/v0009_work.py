"""Working on conversations: what was done and can be undone, jobs over many, merged and split ones, spam, who snoozed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _id() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, autoincrement=False, nullable=False)


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.create_table(
        "actions",
        _id(),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        _text("kind"),
        _text("deed"),
        _text("state"),
        _number("undo_of"),
        _number("total"),
        _number("done"),
        _number("skipped"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["employees.id"], name=op.f("fk_actions_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_actor_id_id"), "actions", ["actor_id", "id"], unique=False)
    op.create_index(op.f("ix_actions_created_at"), "actions", ["created_at"], unique=False)
    _index("ix_actions_unfinished", "actions", ["id"], "state IN ('queued', 'running')")
    op.create_table(
        "action_steps",
        sa.Column("action_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        _text("state"),
        _text("change"),
        sa.ForeignKeyConstraint(["action_id"], ["actions.id"], name=op.f("fk_action_steps_action_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_action_steps_conversation_id")
        ),
        sa.PrimaryKeyConstraint("action_id", "conversation_id", name=op.f("pk_action_steps")),
    )
    op.create_index(op.f("ix_action_steps_conversation_id"), "action_steps", ["conversation_id"], unique=False)
    _index("ix_action_steps_todo", "action_steps", ["action_id", "conversation_id"], "state = 'todo'")
    op.create_table(
        "joins",
        _id(),
        _text("kind"),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        _text("moved"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["conversations.id"], name=op.f("fk_joins_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["conversations.id"], name=op.f("fk_joins_target_id")),
        sa.ForeignKeyConstraint(["actor_id"], ["employees.id"], name=op.f("fk_joins_actor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_joins")),
    )
    op.create_index(op.f("ix_joins_source_id"), "joins", ["source_id"], unique=False)
    op.create_index(op.f("ix_joins_target_id"), "joins", ["target_id"], unique=False)
    op.add_column("employees", _text("after_work"))
    for column, target in (("merged_into", "conversations"), ("snoozed_by", "employees")):
        # one statement with the reference in it: SQLite cannot add the constraint afterwards
        op.execute(
            f"ALTER TABLE conversations ADD COLUMN {column} BIGINT"
            f" CONSTRAINT fk_conversations_{column} REFERENCES {target} (id)"
        )
    op.add_column("conversations", _text("closed_as"))
    op.add_column("conversations", sa.Column("snoozed_at", sa.BigInteger(), nullable=True))
    _index("ix_conversations_merged", "conversations", ["merged_into"], "merged_into IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
