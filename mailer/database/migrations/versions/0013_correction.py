"""Corrections: what was wrong and what is right; and which stories each message contained."""

import sqlalchemy as sa
from alembic import op

revision = "0013_correction"
down_revision = "0012_network_rank"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("edition", sa.String(100), nullable=False),
        sa.Column("story", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("texts", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("name", name=op.f("uq_correction_name")),
        sa.UniqueConstraint("edition", "number", name=op.f("uq_correction_edition_number")),
        sa.UniqueConstraint("edition", "story", "digest", name=op.f("uq_correction_edition_story_digest")),
    )
    # Both databases add a column without a value without copying the table.
    op.add_column("delivery", sa.Column("stories", sa.String(), nullable=True))
