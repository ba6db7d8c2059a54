"""Conversations that people have linked with each other."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def _key(column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_links_{column}"))


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _key("conversation_id", "conversations"),
        _key("other_id", "conversations"),
        _key("employee_id", "employees"),
        sa.PrimaryKeyConstraint("conversation_id", "other_id", name=op.f("pk_links")),
    )
    op.create_index(op.f("ix_links_other_id"), "links", ["other_id"], unique=False)
    op.create_index(op.f("ix_links_employee_id"), "links", ["employee_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
