"""Failed deliveries whose conversation has yet to be opened."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
WHERE = "state = 'failed' AND not_before > 0"


def upgrade() -> None:
    where = sa.text(WHERE)
    op.create_index(
        "ix_deliveries_failed", "deliveries", ["not_before", "id"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
