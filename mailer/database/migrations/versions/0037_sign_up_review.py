"""Sign-ups that a person admits."""

import sqlalchemy as sa
from alembic import op

revision = "0037_sign_up_review"
down_revision = "0036_launches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_up_review",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("wording_version", sa.String(32), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            ondelete="CASCADE",
            name=op.f("fk_sign_up_review_subscriber_id_subscriber"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_sign_up_review")),
    )
    op.create_index(
        op.f("ix_sign_up_review_declined_at_confirmed_at"),
        "sign_up_review",
        ["declined_at", "confirmed_at"],
    )
