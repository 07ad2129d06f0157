"""Until when campaigns go to test readers alone."""

import sqlalchemy as sa
from alembic import op

revision = "0019_trial"
down_revision = "0018_providers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trial_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(200), nullable=False),
        sa.Column("ends", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial_change")),
    )
    # Who has sent campaigns has a set-up that works.
    op.execute(
        sa.text(
            "INSERT INTO trial_change (decided_at, decided_by, ends) "
            "SELECT max(created_at), '', true FROM campaign WHERE audience > 0 HAVING count(*) > 0"
        )
    )
