"""The order of transactional mails: a request's number among those of its network in that hour."""

import sqlalchemy as sa
from alembic import op

revision = "0012_network_rank"
down_revision = "0011_subject"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add a column with a constant default without copying the table.
    op.add_column("letter", sa.Column("network_rank", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        op.f("ix_letter_network_rank_not_before"), "letter", ["network_rank", "not_before"], unique=False
    )
