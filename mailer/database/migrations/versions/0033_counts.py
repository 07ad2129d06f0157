"""Numbers that take long to count, each with its time."""

import sqlalchemy as sa
from alembic import op

revision = "0033_counts"
down_revision = "0032_import_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted_number",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamp", sa.String(300), nullable=False),
        sa.Column("cost", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_counted_number")),
    )
    op.create_index(op.f("ix_counted_number_counted_at"), "counted_number", ["counted_at"])
