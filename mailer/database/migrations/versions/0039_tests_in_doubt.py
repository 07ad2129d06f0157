"""Tests of which nobody knows whether they arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0039_tests_in_doubt"
down_revision = "0038_segment_name"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Only those were written down that a relay had taken.
    op.add_column(
        "test_send", sa.Column("is_in_doubt", sa.Boolean(), nullable=False, server_default=sa.false())
    )
