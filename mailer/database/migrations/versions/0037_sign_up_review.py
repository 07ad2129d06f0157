"""Sign-ups that a person admits."""

revision = "0037_sign_up_review"
down_revision = "0036_launches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
