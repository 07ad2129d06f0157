"""Consent: links that are mailed and work once."""

import sqlalchemy as sa
from alembic import op

revision = "0006_consent"
down_revision = "0003_tickets"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_PURPOSES = "'subscription', 'confirm', 'export', 'erase', 'address', 'new_address'"


def upgrade() -> None:
    op.create_table(
        "mailed_link",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.String(320), nullable=False),
        sa.CheckConstraint(f"purpose IN ({_PURPOSES})", name=op.f("ck_mailed_link_purpose")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_mailed_link_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_link")),
    )
    op.create_index(op.f("ix_mailed_link_expires_at"), "mailed_link", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_mailed_link_subscriber_id_purpose_issued_at"),
        "mailed_link",
        ["subscriber_id", "purpose", "issued_at"],
        unique=False,
    )
