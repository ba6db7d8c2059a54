"""Answering or taking notes as somebody chose in a conversation."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "modes",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="", nullable=False),
        sa.Column("chosen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_modes_employee_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=op.f("fk_modes_conversation_id")),
        sa.PrimaryKeyConstraint("employee_id", "conversation_id", name=op.f("pk_modes")),
    )
    op.create_index(op.f("ix_modes_conversation_id"), "modes", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_modes_chosen_at"), "modes", ["chosen_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
