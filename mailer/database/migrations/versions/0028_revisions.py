"""The earlier texts of the files of editions, and who is editing them."""

revision = "0028_revisions"
down_revision = "0027_activity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
