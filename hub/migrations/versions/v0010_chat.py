"""What the web chat remembers besides messages: ratings, answers nobody has read yet, codes to go on elsewhere, where it was seen."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def _number(name: str, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _index(table: str, column: str) -> None:
    op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def upgrade() -> None:
    op.create_table(
        "ratings",
        _number("conversation_id"),
        sa.Column("score", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _number("channel_id"),
        _number("employee_id", null=True),
        _number("at"),
        _key("ratings", "conversation_id", "conversations"),
        _key("ratings", "channel_id", "channels"),
        _key("ratings", "employee_id", "employees"),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_ratings")),
    )
    _index("ratings", "at")
    op.create_table(
        "unread_chats",
        _number("message_id"),
        _number("conversation_id"),
        _number("due_at"),
        _key("unread_chats", "message_id", "messages"),
        _key("unread_chats", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_unread_chats")),
    )
    _index("unread_chats", "due_at")
    _index("unread_chats", "conversation_id")
    op.create_table(
        "handovers",
        sa.Column("code_hash", sa.Text(), nullable=False),
        _number("conversation_id"),
        _number("expires_at"),
        _key("handovers", "conversation_id", "conversations"),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_handovers")),
    )
    _index("handovers", "conversation_id")
    _index("handovers", "expires_at")
    op.create_table(
        "chat_sites",
        _number("channel_id"),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        _number("seen_at"),
        _key("chat_sites", "channel_id", "channels"),
        sa.PrimaryKeyConstraint("channel_id", name=op.f("pk_chat_sites")),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
