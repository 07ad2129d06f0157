"""Mail that claims to be from us and is not."""

import sqlalchemy as sa
from alembic import op

revision = "0023_verification"
down_revision = "0022_dmarc"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fake_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("sender", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("hosts", sa.String(2000), nullable=False),
        sa.Column("campaign", sa.String(100), nullable=False),
        sa.Column("headers", sa.String(16000), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("times > 0", name=op.f("ck_fake_mail_times_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fake_mail")),
        sa.UniqueConstraint("digest", name=op.f("uq_fake_mail_digest")),
    )
    op.create_index(op.f("ix_fake_mail_last_at"), "fake_mail", ["last_at"], unique=False)
