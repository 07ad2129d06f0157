"""The name of the saved segment that a prepared campaign was given."""

import sqlalchemy as sa
from alembic import op

revision = "0038_segment_name"
down_revision = "0037_sign_up_review"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "campaign_preparation", sa.Column("segment_name", sa.String(64), nullable=False, server_default="")
    )
