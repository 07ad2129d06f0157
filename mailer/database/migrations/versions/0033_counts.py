"""Numbers that take long to count, each with its time."""

revision = "0033_counts"
down_revision = "0032_import_files"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
