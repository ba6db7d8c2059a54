"""Everybody's own keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("employees", sa.Column("keyboard", sa.Text(), server_default="", nullable=False))
