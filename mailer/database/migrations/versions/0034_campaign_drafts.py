"""What a campaign is planned to be, before it is launched."""

revision = "0034_campaign_drafts"
down_revision = "0033_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
