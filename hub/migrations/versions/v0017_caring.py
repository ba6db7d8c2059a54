"""Tasks, consents and orders of customers."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def _ref(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False)


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]


def _whole(*names: str, null: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=null) for name in names]


def upgrade() -> None:
    op.create_table(
        "todos",
        _id(),
        *_whole("customer_id"),
        *_whole("conversation_id", null=True),
        *_words("text"),
        *_whole("due_at", "person_id", "author_id", null=True),
        *_whole("created_at"),
        *_whole("done_at", "done_by", null=True),
        _ref("todos", "customer_id", "customers"),
        _ref("todos", "conversation_id", "conversations"),
        *(_ref("todos", column, "employees") for column in ("person_id", "author_id", "done_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_todos")),
    )
    op.create_index(op.f("ix_todos_customer_id_done_at_due_at"), "todos", ["customer_id", "done_at", "due_at"])
    op.create_index(op.f("ix_todos_conversation_id"), "todos", ["conversation_id"])
    still = sa.text("done_at IS NULL")
    op.create_index("ix_todos_open", "todos", ["person_id", "due_at"], sqlite_where=still, postgresql_where=still)
    op.create_table(
        "consents",
        _id(),
        *_whole("customer_id"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *_words("how"),
        *_whole("employee_id", null=True),
        *_whole("at"),
        _ref("consents", "customer_id", "customers"),
        _ref("consents", "employee_id", "employees"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_customer_id_kind"), "consents", ["customer_id", "kind"])
    op.create_table(
        "orders",
        _id(),
        *_whole("customer_id"),
        sa.Column("number", sa.Text(), nullable=False),
        *_whole("at"),
        sa.Column("amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        *_words("currency", "state", "url"),
        *_whole("changed_at"),
        _ref("orders", "customer_id", "customers"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_customer_id_number"), "orders", ["customer_id", "number"], unique=True)
    op.create_index(op.f("ix_orders_customer_id_at"), "orders", ["customer_id", "at"])


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
