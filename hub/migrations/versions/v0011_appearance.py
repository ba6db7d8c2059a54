"""How somebody wants their screens to look."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("employees", sa.Column("appearance", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Restore the backup that was made before the update.")
