"""When somebody last did something in front of their screen."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("presence", sa.Column("moved_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
