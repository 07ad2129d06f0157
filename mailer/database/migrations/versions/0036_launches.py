"""Launches that wait for ten seconds or for a second person."""

revision = "0036_launches"
down_revision = "0035_approval_steps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
