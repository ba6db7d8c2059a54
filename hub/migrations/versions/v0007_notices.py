"""How employees want to be told of things, and where their devices are."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def upgrade() -> None:
    op.create_table(
        "notice_wishes",
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        _text("wishes"),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_notice_wishes_employee_id")),
        sa.PrimaryKeyConstraint("employee_id", name=op.f("pk_notice_wishes")),
    )
    op.create_table(
        "push_subscriptions",
        _id(),
        sa.Column("employee_id", sa.BigInteger(), nullable=False),
        _text("session_hash"),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        _text("device"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employee_id"], ["employees.id"], name=op.f("fk_push_subscriptions_employee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_subscriptions_endpoint")),
    )
    op.create_index(op.f("ix_push_subscriptions_employee_id"), "push_subscriptions", ["employee_id"], unique=False)
    op.create_table(
        "pushes",
        _id(),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        _text("payload"),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["push_subscriptions.id"], name=op.f("fk_pushes_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushes")),
    )
    op.create_index(op.f("ix_pushes_due_at"), "pushes", ["due_at"], unique=False)
    op.create_index(op.f("ix_pushes_subscription_id"), "pushes", ["subscription_id"], unique=False)
    counters = sa.table("counters", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": "pushes", "value": 0}])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
