"""The first schema."""

from alembic import op

from hub.tables import SEARCH_DDL, metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind)
    for statement in SEARCH_DDL[bind.dialect.name]:
        op.execute(statement)
    for name in ("ids", "people", "conversations", "journal"):
        op.execute(f"INSERT INTO counters (name, value) VALUES ('{name}', 0)")  # noqa: S608 - names of our own


def downgrade() -> None:
    op.execute("DROP TABLE message_search")
    metadata.drop_all(op.get_bind())
