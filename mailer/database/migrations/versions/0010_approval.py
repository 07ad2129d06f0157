"""What an approval was given under, besides the content: the settings and the theme, each as a hash."""

import sqlalchemy as sa
from alembic import op

revision = "0010_approval"
down_revision = "0009_lifted"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add a column with a constant default without copying the table.
    op.add_column("campaign", sa.Column("approved_settings", sa.String(), nullable=False, server_default=""))
