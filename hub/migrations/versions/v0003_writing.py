"""What employees are writing: drafts on the server, sending that can be taken back, saved replies."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        _text("text"),
        _number("via"),
        _text("subject"),
        _text("details"),
        _text("actions"),
        _number("version"),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_drafts_employee_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_drafts_conversation_id")),
        sa.PrimaryKeyConstraint("employee_id", "conversation_id", "mode", name=op.f("pk_drafts")),
    )
    op.create_index(op.f("ix_drafts_conversation_id"), "drafts", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_drafts_saved_at"), "drafts", ["saved_at"], unique=False)
    op.create_table(
        "draft_files",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("attachment_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachments.id"], name=op.f("fk_draft_files_attachment_id")),
        sa.ForeignKeyConstraint(
            ["employee_id", "conversation_id", "mode"],
            ["drafts.employee_id", "drafts.conversation_id", "drafts.mode"],
            name="fk_draft_files_draft",
        ),
        sa.PrimaryKeyConstraint("employee_id", "conversation_id", "mode", "attachment_id", name=op.f("pk_draft_files")),
    )
    op.create_index(op.f("ix_draft_files_attachment_id"), "draft_files", ["attachment_id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        _text("before"),
        _number("told_until"),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_holds_message_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_holds_conversation_id")),
        sa.ForeignKeyConstraint(["author_id"], ["employees.id"], name=op.f("fk_holds_author_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_conversation_id"), "holds", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_holds_author_id"), "holds", ["author_id"], unique=False)
    op.create_table(
        "saved_replies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        _text("name"),
        _text("text"),
        _text("language"),
        _text("shortcut"),
        _text("visibility"),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("team_id", sa.BigInteger(), nullable=True),
        _text("actions"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["employees.id"], name=op.f("fk_saved_replies_owner_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_saved_replies_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_replies")),
    )
    op.create_index(
        "ix_saved_replies_owner",
        "saved_replies",
        ["owner_id"],
        unique=False,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.add_column("employees", sa.Column("undo_seconds", sa.BigInteger(), nullable=True))
    counters = sa.table("counters", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": "replies", "value": 0}])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
