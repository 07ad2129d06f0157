"""Segments with names, and an index that counts an audience by country without reading the list."""

import sqlalchemy as sa
from alembic import op

revision = "0005_segments"
down_revision = "0004_imports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_segment",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_saved_segment")),
    )
    op.drop_index(op.f("ix_subscriber_status_country"), "subscriber")
    op.create_index(
        op.f("ix_subscriber_country_status_paused_until"), "subscriber", ["country", "status", "paused_until"]
    )
