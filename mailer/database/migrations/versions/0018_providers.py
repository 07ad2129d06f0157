"""Which provider receives the mail of a domain, as the DNS said."""

import sqlalchemy as sa
from alembic import op

revision = "0018_providers"
down_revision = "0017_feedback_mailbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_domain",
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_mail_domain")),
    )
    op.create_index(op.f("ix_mail_domain_looked_up_at"), "mail_domain", ["looked_up_at"])
