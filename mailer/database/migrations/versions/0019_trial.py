"""Until when mail goes to test readers alone."""

revision = "0019_trial"
down_revision = "0018_providers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
