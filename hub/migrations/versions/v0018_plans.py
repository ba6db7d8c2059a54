"""Messages that leave at a later time."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("client_key", sa.Text(), nullable=False),
        sa.Column("draft", sa.Text(), server_default="", nullable=False),
        sa.Column("zone", sa.Text(), server_default="", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_plans_conversation_id")),
        sa.ForeignKeyConstraint(["author_id"], ["employees.id"], name=op.f("fk_plans_author_id")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_plans_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("client_key", name=op.f("uq_plans_client_key")),
    )
    op.create_index(op.f("ix_plans_conversation_id"), "plans", ["conversation_id"], unique=False)
    for name, columns, where in (
        ("ix_plans_due", ["due_at", "id"], "state = 'waiting'"),
        ("ix_plans_message", ["message_id"], "message_id IS NOT NULL"),
    ):
        condition = sa.text(where)
        op.create_index(name, "plans", columns, unique=False, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "plan_files",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("attachment_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_files_plan_id")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], name=op.f("fk_plan_files_attachment_id")),
        sa.PrimaryKeyConstraint("plan_id", "attachment_id", name=op.f("pk_plan_files")),
    )
    op.create_index(op.f("ix_plan_files_attachment_id"), "plan_files", ["attachment_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
