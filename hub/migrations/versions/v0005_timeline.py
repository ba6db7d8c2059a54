"""Looking at the timeline: how high mails are, whose remote pictures are shown, how much of the history one wants to see."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "heights",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_heights_message_id")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_heights")),
    )
    op.create_table(
        "picture_senders",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_picture_senders_employee_id")),
        sa.PrimaryKeyConstraint("employee_id", "address", name=op.f("pk_picture_senders")),
    )
    op.add_column("employees", sa.Column("history", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
