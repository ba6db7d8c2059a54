"""Who watches conversations that are not theirs, and whose messages are kept without telling anybody."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    op.create_table(
        "watchers",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _key("watchers", "conversation_id", "conversations"),
        _key("watchers", "employee_id", "employees"),
        sa.PrimaryKeyConstraint("conversation_id", "employee_id", name=op.f("pk_watchers")),
    )
    op.create_index(op.f("ix_watchers_employee_id"), "watchers", ["employee_id"], unique=False)
    op.create_table(
        "blocked",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _key("blocked", "employee_id", "employees"),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_blocked")),
    )
    op.create_index(op.f("ix_blocked_employee_id"), "blocked", ["employee_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
