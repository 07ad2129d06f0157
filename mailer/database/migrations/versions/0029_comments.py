"""What the team says to each other about stories."""

revision = "0029_comments"
down_revision = "0028_revisions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
