"""The steps of an approval, and who answered."""

revision = "0035_approval_steps"
down_revision = "0034_campaign_drafts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
