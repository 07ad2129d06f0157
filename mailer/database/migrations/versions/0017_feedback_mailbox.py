"""Which machine reads a mailbox of what comes back, and how far it has read."""

import sqlalchemy as sa
from alembic import op

revision = "0017_feedback_mailbox"
down_revision = "0016_mail_tokens"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feedback_mailbox",
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feedback_mailbox")),
    )
